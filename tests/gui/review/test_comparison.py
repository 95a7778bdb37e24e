"""The comparison knows of no window: these tests open none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_xseg.data.classes import ClassSpec, ClassTable
from napari_xseg.errors import XsegError
from napari_xseg.gui.planes import LazyPlanes
from napari_xseg.gui.review.comparison import Chosen, Comparison, Rules, Sweep, compare
from napari_xseg.review.border import border_band

TABLE = ClassTable(
    (
        ClassSpec("pore", 0, (255, 0, 0)),
        ClassSpec("YSZ", 128, (0, 255, 0)),
        ClassSpec("nickel", 255, (0, 0, 255)),
    ),
    unlabelled=1,
)


def stacks(shape: tuple[int, int, int] = (4, 24, 30)) -> tuple[Any, Any]:
    """Layer values of a truth with unlabelled pixels, and of a mask with mistakes."""
    rng = np.random.default_rng(2)
    truth = np.repeat(np.repeat(rng.integers(1, 4, (4, 4, 5)), 6, 1), 6, 2).astype(np.uint8)
    prediction = truth.copy()
    prediction[:, 3:8, 10:14] = 2
    prediction[2, 20:, 20:] = 1
    truth[:, :2] = 0
    return truth[: shape[0]], prediction[: shape[0]]


@pytest.fixture
def made() -> Comparison:
    truth, prediction = stacks()
    return compare(Chosen("truth", truth, TABLE), Chosen("mask", prediction, TABLE))


def test_what_differs_is_marked_by_either_class(made: Comparison) -> None:
    truth, prediction = stacks()
    planes = made.read(2)
    wrong = (truth[2] != prediction[2]) & (truth[2] > 0)
    np.testing.assert_array_equal(made.overlay(*planes), np.where(wrong, truth[2], 0))
    by = made.overlay(*planes, by_prediction=True)
    np.testing.assert_array_equal(by, np.where(wrong, prediction[2], 0))
    assert wrong.any()


def test_foreign_values_are_matched_by_file_value() -> None:
    truth, prediction = stacks()
    values = np.array([1, 0, 128, 255], np.int32)[prediction]
    foreign = compare(Chosen("truth", truth, TABLE), Chosen("foreign", values, None))
    ours = compare(Chosen("truth", truth, TABLE), Chosen("mask", prediction, TABLE))
    np.testing.assert_array_equal(foreign.review(2).score.counts, ours.review(2).score.counts)


def test_two_foreign_layers_have_a_class_for_each_value() -> None:
    a = np.array([[[0, 0, 7, 9]]], ">i4")
    b = np.array([[[0, 7, 7, 9]]], np.int64)
    made = compare(Chosen("a", a, None), Chosen("b", b, None))
    assert made.classes.values == (0, 7, 9)
    assert made.review(0).score.counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_a_value_without_a_class_is_told() -> None:
    truth, prediction = stacks()
    made = compare(Chosen("truth", truth, TABLE), Chosen("foreign", prediction, None))
    with pytest.raises(XsegError, match=r"layer 'foreign', z = 0: holds the value"):
        made.review(0)


@pytest.mark.parametrize(
    ("shape", "told"), [((3, 24, 30), "3 x 24 x 30"), ((1, 4, 24, 30), "4 axes")]
)
def test_layers_that_do_not_fit_are_told(shape: tuple[int, ...], told: str) -> None:
    truth, _ = stacks()
    with pytest.raises(XsegError, match=told):
        compare(Chosen("t", truth, TABLE), Chosen("m", np.ones(shape, np.uint8), TABLE))


def test_a_single_slice_without_z_is_compared() -> None:
    truth, prediction = stacks()
    made = compare(Chosen("t", truth[2], TABLE), Chosen("m", prediction[2:3], TABLE))
    assert made.shape == (1, 24, 30)
    assert made.review(0).score.counts.sum() == np.count_nonzero(truth[2])


def test_only_what_changed_is_counted_again(made: Comparison, monkeypatch: Any) -> None:
    reads: list[int] = []
    read = Comparison.read
    monkeypatch.setattr(Comparison, "read", lambda self, z: (reads.append(z), read(self, z))[1])
    Sweep(made, range(4)).run()
    assert reads == [0, 1, 2, 3]
    reads.clear()
    made.prediction.data[1] = made.truth.data[1]
    made.touch(1)
    outcome = Sweep(made, range(4)).run()
    assert reads == [1]
    assert outcome.complete
    assert not outcome.mistakes.of_slice(1).pixels
    assert len(made.known(range(4))) == 4


def test_a_lazy_mask_says_itself_what_changed() -> None:
    truth, prediction = stacks()
    lazy = LazyPlanes(truth.shape, lambda z: prediction[z])
    made = compare(Chosen("t", truth, TABLE), Chosen("m", lazy, TABLE))
    assert made.review(2).mistakes.pixels
    prediction[2] = truth[2]
    assert made.known([2])
    lazy.forget(2)
    assert not made.known([2])
    assert not made.review(2).mistakes.pixels


def test_a_count_of_an_older_state_is_not_kept(made: Comparison, monkeypatch: Any) -> None:
    read = Comparison.read

    def painted_meanwhile(self: Comparison, z: int) -> Any:
        planes = read(self, z)
        self.touch(z)
        return planes

    monkeypatch.setattr(Comparison, "read", painted_meanwhile)
    made.review(0)
    assert not made.known([0])


def test_the_border_band_is_left_out_everywhere(made: Comparison) -> None:
    truth, prediction = made.read(2)
    band = border_band(truth, 2)
    made.set_rules(Rules(2, leave_out=True))
    assert not made.overlay(truth, prediction)[band].any()
    review = made.review(2)
    assert review.mistakes.pixels == review.score.outside.sum() - review.score.outside.trace()
    made.set_rules(Rules(2))
    assert made.review(2).mistakes.pixels > review.mistakes.pixels


def test_mistakes_join_across_slices(made: Comparison) -> None:
    apart = Sweep(made, range(4)).run().mistakes
    made.set_rules(Rules(across_slices=True))
    joined = Sweep(made, range(4)).run().mistakes
    assert joined.pixels == apart.pixels
    assert len(joined) < len(apart)


def test_a_cancelled_count_keeps_what_it_has(made: Comparison) -> None:
    sweep = Sweep(made, range(4))
    review = made.review
    made.review = lambda z: (sweep.cancel() if z == 1 else None, review(z))[1]  # type: ignore[method-assign]
    outcome = sweep.run()
    assert [kept.score.z for kept in outcome.reviews] == [0, 1]
    assert not outcome.complete
