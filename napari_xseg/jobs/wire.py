"""Events as plain JSON values, and back."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from napari_xseg import events
from napari_xseg.events import Event

_KIND, _PATH = "event", "path"


def encode_event(event: Event) -> dict[str, Any]:
    """Give the event as JSON values: its kind under "event", and its fields by name.

    Sequences become lists and a path `{"path": text}`. Numbers that are not finite
    stay as they are; Python's json writes and reads them.
    """
    values = {item.name: _plain(getattr(event, item.name)) for item in fields(event)}
    return {_KIND: type(event).__name__, **values}


def decode_event(values: dict[str, Any]) -> Event:
    """Give the event that `encode_event` wrote; ValueError where there is no such kind."""
    given = {key: _value(item) for key, item in values.items() if key != _KIND}
    kind = getattr(events, str(values.get(_KIND)), None)
    if not (isinstance(kind, type) and issubclass(kind, Event)):
        raise ValueError(f"there is no event {values.get(_KIND)!r}")
    return kind(**given)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return {_PATH: str(value)}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {"items": {str(key): _plain(item) for key, item in value.items()}}
    return value


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_value(item) for item in value)
    if not isinstance(value, dict):
        return value
    if _PATH in value:
        return Path(value[_PATH])
    return {key: _value(item) for key, item in value["items"].items()}
