"""JSON of values that may hold nan."""

from __future__ import annotations

import json
import math
from typing import Any


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON of `value` with sorted keys; nan and infinities, which JSON lacks, become null."""
    plain = _plain(value)
    text = json.dumps(plain, indent=indent, sort_keys=True, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a file name that is no UTF-8
        text = json.dumps(plain, indent=indent, sort_keys=True, allow_nan=False)
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
