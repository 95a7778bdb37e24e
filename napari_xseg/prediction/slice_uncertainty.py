"""How unsure a model is of slices, one figure each."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from napari_xseg.data.coding import IGNORE
from napari_xseg.prediction.predictor import Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_xseg.events import Control
    from napari_xseg.prediction.slices import SlicePredictor


def slice_uncertainties(
    predictor: SlicePredictor, slices: Sequence[int], control: Control | None = None
) -> Iterator[tuple[int, float]]:
    """Give each z with the mean of 1 - p over its predicted pixels, p being that of their class.

    Values lie in 0 to 1, nan where nothing of the slice is predicted. Ends early
    where `control` asks for a stop; errors are those of `SlicePredictor.predict`.
    """
    for z in slices:
        if control is not None:
            control.wait_if_paused()
            if control.stopped:
                return
        try:
            mask, sure = predictor.predict(z, confidence=True, control=control)
        except Stopped:
            return
        known = cast("NDArray[np.uint8]", sure)[mask != IGNORE]
        yield z, 1 - float(known.mean()) / 255 if known.size else float("nan")
