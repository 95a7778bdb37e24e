"""Keys of a labels layer of ours, and the rule that it holds classes alone.

An active layer's own keys come before napari's: 1 to 7 would change the tool, and M
would begin a label that is no class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_xseg.gui.layers import classes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Labels

ERASE = -1
# Classes that have a key, 1 to 9.
WITH_KEY = 9
# Tools that a change of class leaves as they are.
KEPT_TOOLS = ("paint", "fill", "polygon")


def key_of(index: int) -> str:
    """The key that chooses a class; empty where it has none."""
    if index == ERASE:
        return "0"
    return str(index + 1) if index < WITH_KEY else ""


def choose_class(layer: Labels, index: int) -> None:
    """Paint class `index` from here on, or erase; an index without a class does nothing."""
    classes = classes_of(layer)
    if index == ERASE:
        layer.mode = "erase"
    elif classes is not None and index < len(classes):
        layer.selected_label = index + 1
        if str(layer.mode) not in KEPT_TOOLS:
            layer.mode = "paint"


def chosen_class(layer: Labels) -> int:
    """The class that a stroke would give; ERASE for none."""
    if str(layer.mode) == "erase":
        return ERASE
    return int(layer.selected_label) - 1


def bind_class_keys(layer: Labels) -> None:
    """Give a labels layer of ours its keys: 1 to 9 for classes, 0 for erasing, M for the next.

    No label beyond the class table can be chosen from here on, whichever control,
    key or pick asks for it.
    """
    for digit in range(WITH_KEY + 1):
        layer.bind_key(str(digit), _chooser(digit - 1), overwrite=True)
    layer.bind_key("M", _choose_next, overwrite=True)
    layer.events.selected_label.disconnect(_stay_within)
    layer.events.selected_label.connect(_stay_within)


def _chooser(index: int) -> Callable[[Labels], None]:
    def choose(layer: Labels) -> None:
        choose_class(layer, index)

    return choose


def _choose_next(layer: Labels) -> None:
    classes = classes_of(layer)
    if classes is not None:
        choose_class(layer, int(layer.selected_label) % len(classes))


def _stay_within(event: Any) -> None:
    layer = event.source
    classes = classes_of(layer)
    if classes is None:
        return
    within = min(max(int(layer.selected_label), 0), len(classes))
    if within != layer.selected_label:
        layer.selected_label = within
