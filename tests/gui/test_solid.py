from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.gui import solid
from napari_xseg.gui.layers import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer

    from napari_xseg.gui.session import Session


class Large:
    """A 4,000 x 4,000 x 500 volume of 16 bits that nobody could hold, grey value z."""

    shape, dtype, ndim = (500, 4000, 4000), np.dtype(np.uint16), 3
    size = 500 * 4000 * 4000

    def __getitem__(self, key: Any) -> np.ndarray[Any, Any]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if not isinstance(first, slice):
            return np.broadcast_to(np.uint16(first), (4000, 4000))[tuple(rest)]
        wanted = range(*first.indices(500))
        if len(wanted) > 1:
            raise AssertionError("the whole volume was read")
        return np.broadcast_to(np.uint16(wanted[0]), (1, 4000, 4000))[(slice(None), *rest)]


@pytest.fixture
def large(viewer: Viewer) -> Any:
    return viewer.add_image(Large(), name="large", contrast_limits=(0, 500), multiscale=False)


def test_a_reduced_copy_stands_in_for_a_large_volume(
    session: Session, viewer: Viewer, large: Any, wait_idle: Callable[[Session], None]
) -> None:
    viewer.dims.ndisplay = 3
    assert large.visible is False
    wait_idle(session)
    (copy,) = [layer for layer in viewer.layers if kind_of(layer) == "reduced"]
    step = solid.reduction((500, 4000, 4000))
    assert copy.data.shape == tuple(-(-length // step) for length in (500, 4000, 4000))
    assert copy.data.size <= solid.REDUCED * 1.1
    assert (copy.data[:, 0, 0] == np.arange(0, 500, step)).all()
    assert tuple(copy.scale) == (step, step, step)


def test_back_in_2d_everything_is_as_it_was(
    session: Session, viewer: Viewer, large: Any, wait_idle: Callable[[Session], None]
) -> None:
    viewer.dims.ndisplay = 3
    wait_idle(session)
    viewer.dims.ndisplay = 2
    assert large.visible is True
    assert [layer.name for layer in viewer.layers] == ["phantom", "large"]


def test_layers_that_fit_are_shown_as_they_are(session: Session, viewer: Viewer) -> None:
    viewer.dims.ndisplay = 3
    assert viewer.layers["phantom"].visible
    assert len(viewer.layers) == 1


def test_a_large_layer_that_comes_in_3d_is_reduced_too(
    session: Session, viewer: Viewer, wait_idle: Callable[[Session], None]
) -> None:
    viewer.dims.ndisplay = 3
    layer = viewer.add_image(Large(), contrast_limits=(0, 500), multiscale=False, visible=False)
    layer.visible = False
    wait_idle(session)
    assert layer.visible is False
