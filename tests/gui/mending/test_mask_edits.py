from __future__ import annotations

import numpy as np
import pytest

from napari_xseg.errors import XsegError
from napari_xseg.gui.mending import mask_edits


def planes() -> tuple[np.ndarray, np.ndarray]:
    """No labels but one pixel of 3; a mask of 1 with a square of 2 and a hole in it."""
    labels, mask = np.zeros((20, 20), np.uint8), np.ones((20, 20), np.uint8)
    mask[5:12, 5:12] = 2
    mask[8, 8] = 1
    labels[0, 0] = 3
    return labels, mask


def test_what_is_pointed_at_becomes_labels_whole_even_where_it_is_right() -> None:
    labels, mask = planes()
    found = mask_edits.piece_becomes(labels, mask, (5, 5), 2)
    assert np.count_nonzero(found == 2) == 48
    assert found[0, 0] == 3
    assert found[8, 8] == 0
    assert not labels[5:12, 5:12].any()


def test_labels_come_before_the_mask() -> None:
    labels, mask = planes()
    assert mask_edits.value_seen(labels, mask, (0, 0)) == 3
    assert mask_edits.value_seen(labels, mask, (0, 1)) == 1
    with pytest.raises(XsegError, match="neither a label nor a mask"):
        mask_edits.value_seen(labels, None, (0, 1))


def test_a_place_is_filled_where_it_is_wrong() -> None:
    labels, mask = planes()
    found = mask_edits.place_becomes(labels, mask, (4, 13, 4, 13), 2, 1)
    assert np.count_nonzero(found == 1) == 48
    whole = mask_edits.place_becomes(labels, mask, (4, 13, 4, 13), 0, 1)
    assert np.count_nonzero(whole == 1) == 81
    np.testing.assert_array_equal(
        mask_edits.place_becomes(labels, mask, (30, 40, 30, 40), 0, 1), labels
    )


def test_growing_labels_the_piece_and_what_it_gained() -> None:
    labels, mask = planes()
    found = mask_edits.piece_grown(labels, mask, (5, 5), 1)
    assert (found[4, 5:12] == 2).all()
    assert (found[5:12, 5:12] == 2).all()
    assert found[3, 5] == 0


def test_holes_are_filled_and_shrinking_gives_the_edge_away() -> None:
    labels, mask = planes()
    filled = mask_edits.holes_filled(labels, mask, (5, 5))
    assert np.count_nonzero(filled == 2) == 49
    shrunk = mask_edits.piece_shrunk(filled, mask, (5, 5), 1)
    assert np.count_nonzero(shrunk == 2) == 25
    assert (shrunk[5, 5:12] == 1).all()


def test_the_mask_is_taken_over_whatever_was_labelled() -> None:
    labels, mask = planes()
    found = mask_edits.taken_over(labels, mask, (-3, 2, -3, 2))
    assert (found[:2, :2] == 1).all()
    assert np.count_nonzero(found) == 4
