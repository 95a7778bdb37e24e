from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_xseg.metrics import IGNORE
from napari_xseg.review.evaluation import score_slice
from napari_xseg.review.mistakes import MistakeFinder, join_mistakes, mistakes_map
from napari_xseg.review.selection import pair_map, select_mistakes

values = st.sampled_from([0, 1, 2, IGNORE])
planes = st.tuples(
    *(hnp.arrays(np.uint8, (5, 6), elements=values) for _ in range(2)),
)
classes = st.sampled_from([None, 0, 1, 2])


@given(planes, st.tuples(classes, classes), st.booleans())
def test_pair_map_marks_one_pair_of_classes(pair_of_planes, pair, by_prediction):
    truth, prediction = pair_of_planes
    marked = pair_map(truth, prediction, pair, by_prediction=by_prediction)
    assert marked.dtype == np.uint8
    for place in np.ndindex(truth.shape):
        t, p = int(truth[place]), int(prediction[place])
        right = pair[0] is not None and pair[0] == pair[1]
        wanted = IGNORE not in (t, p) and (t == p) == right
        wanted = wanted and pair[0] in (None, t) and pair[1] in (None, p)
        assert marked[place] == ((p if by_prediction else t) + 1 if wanted else 0)


@given(planes)
def test_pair_map_of_all_is_the_mistakes_map(pair_of_planes):
    np.testing.assert_array_equal(pair_map(*pair_of_planes), mistakes_map(*pair_of_planes))


def found_in(blobs, table, band=None):
    parts = []
    for z, (truth, prediction) in enumerate(zip(*blobs, strict=True)):
        finder = MistakeFinder(table)
        finder.visit(z, truth, prediction, band)
        parts.append(finder.mistakes())
    return parts


def test_parts_joined_are_the_whole_list(blobs, table):
    finder = MistakeFinder(table)
    for z, (truth, prediction) in enumerate(zip(*blobs, strict=True)):
        finder.visit(z, truth, prediction)
    joined = join_mistakes(table, found_in(blobs, table))
    np.testing.assert_array_equal(joined.rows, finder.mistakes().rows)
    assert len(joined) > 20
    assert len(join_mistakes(table, [])) == 0


def test_a_known_band_is_not_made_again(blobs, table):
    nowhere = np.zeros(blobs[0].shape[1:], bool)
    joined = join_mistakes(table, found_in(blobs, table, nowhere))
    assert not joined.rows["border_pixels"].any()
    score = score_slice(0, blobs[0][0], blobs[1][0], 3, 2, nowhere)
    np.testing.assert_array_equal(score.outside, score.counts)


@pytest.mark.parametrize("pair", [(None, None), (0, None), (None, 2), (0, 1)])
@pytest.mark.parametrize("least", [1, 4])
def test_selects_by_pair_size_and_tick(blobs, table, pair, least):
    mistakes = join_mistakes(table, found_in(blobs, table))
    hidden = np.arange(len(mistakes)) % 3 == 0
    places = select_mistakes(mistakes.rows, pair, least, hidden)
    wanted = [
        place
        for place, mistake in enumerate(mistakes)
        if mistake.pixels >= least
        and pair[0] in (None, mistake.true)
        and pair[1] in (None, mistake.predicted)
        and place % 3
    ]
    assert places.tolist() == wanted
    assert wanted
