"""Volumes too large for the 3D display: a reduced copy stands in for them.

napari copies a whole volume to the graphics card, and the process ends where it has
no room for it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels

from napari_xseg.gui.layer_kinds import KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Call

# Voxels that are shown in 3D as they are, and voxels of a reduced copy at most.
LARGEST = 100_000_000
REDUCED = 30_000_000


def is_too_large(layer: Layer) -> bool:
    """Whether the 3D display of a layer may end the process."""
    if not isinstance(layer, Image | Labels) or layer.multiscale or layer.ndim < 3:
        return False
    return math.prod(layer.data.shape[-3:]) > LARGEST


def reduction(shape: tuple[int, ...]) -> int:
    """The whole number by which each axis of (z, y, x) shrinks to `REDUCED` voxels or fewer."""
    return max(1, math.ceil((math.prod(shape) / REDUCED) ** (1 / 3)))


def reduced(data: Any, step: int) -> NDArray[Any]:
    """Every `step`-th voxel along each axis of (z, y, x), read a plane at a time."""
    planes = [np.asarray(data[z])[::step, ::step] for z in range(0, data.shape[0], step)]
    return np.stack(planes)


def _before_napari(answer: Callable[[Any], None]) -> Callable[[Any], None]:
    """Give an answer that comes before the viewer's own, which reads what is visible.

    napari calls its own callbacks first, whatever position is asked for, and knows them
    by their module.
    """

    def first(event: Any) -> None:
        answer(event)

    first.__module__ = "napari.before"
    return first


class SolidView:
    """Watches the switch to 3D of one viewer.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._hidden: list[Layer] = []
        self._calls: list[Call[Any]] = []
        events = session.viewer.dims.events, session.viewer.layers.events
        self._answers = [
            (events[0].ndisplay, _before_napari(self._hide_large)),
            (events[1].inserted, _before_napari(self._on_inserted)),
            (events[0].ndisplay, self._show_again),
        ]
        for event, answer in self._answers:
            event.connect(answer, position="first")

    def close(self) -> None:
        """Watch no more."""
        for event, answer in self._answers:
            event.disconnect(answer)
        for call in self._calls:
            call.cancel()

    def _hide_large(self, _: object = None) -> None:
        if self._session.viewer.dims.ndisplay == 2:
            return
        for layer in list(self._session.viewer.layers):
            if layer.visible and is_too_large(layer):
                self._stand_in(layer)

    def _on_inserted(self, event: Any) -> None:
        if self._session.viewer.dims.ndisplay == 3 and is_too_large(event.value):
            self._stand_in(event.value)

    def _stand_in(self, layer: Layer) -> None:
        self._session.layers.set_visible(layer, False)
        self._hidden.append(layer)
        if layer.ndim != 3:
            self._session.warn(
                f"{layer.name}: is too large for the 3D display, and is hidden there."
            )
            return
        step = reduction(layer.data.shape)
        data = layer.data
        self._session.notify(
            f"{layer.name}: {math.prod(data.shape) / 1e9:.1f} thousand million voxels are too many "
            f"for the 3D display; every {step}th along each axis is read and shown instead."
        )
        call = self._session.jobs.call(lambda: reduced(data, step))
        call.returned.connect(lambda copy: self._show(layer, copy, step))
        call.failed.connect(self._session.show_error)
        self._calls.append(call)

    def _show(self, layer: Layer, copy: NDArray[Any], step: int) -> None:
        in_3d = self._session.viewer.dims.ndisplay == 3
        if in_3d and layer in self._hidden and layer in self._session.layers:
            self._session.layers.add(copy, *_reduced_options(layer, step))

    def _show_again(self, _: object = None) -> None:
        if self._session.viewer.dims.ndisplay == 3:
            return
        for call in self._calls:
            call.cancel()
        self._calls.clear()
        self._session.layers.remove(*self._session.layers.of_kind("reduced"))
        for layer in self._hidden:
            self._session.layers.set_visible(layer, True)
        self._hidden.clear()


def _reduced_options(layer: Layer, step: int) -> tuple[dict[str, Any], str]:
    """Options and kind of a copy of a layer made of every `step`-th voxel along each axis."""
    _, options, kind = layer.as_layer_data_tuple()
    wanted = ("scale", "translate", "units", "axis_labels", "colormap", "opacity", "blending")
    kept = {key: options[key] for key in wanted if key in options}
    if kind == "image":
        kept["contrast_limits"] = options["contrast_limits"]
    kept["scale"] = [length * step for length in kept["scale"]]
    kept["metadata"] = {KEY: {"kind": "reduced"}}
    return {**kept, "name": f"{layer.name} (reduced)"}, kind
