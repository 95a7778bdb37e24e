"""Curves: what is kept of a training, and how it is drawn."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.runs_list import read_history
from napari_xseg.events import StepDone, Validated
from napari_xseg.gui.train.curves import Curves, round_numbers
from napari_xseg.gui.train.train_curves import POINTS, Look, Thinned, TrainCurves

if TYPE_CHECKING:
    from pathlib import Path

NAN = float("nan")


def looked(step: int, mean: float, *dice: float) -> Validated:
    return Validated(step, step / 100, 0.1, mean, mean, dice, True)


def a_training(steps: int = 300) -> TrainCurves:
    curves = TrainCurves()
    curves.hear([StepDone(n, steps, 1 / n, 0.01, n / 100) for n in range(1, steps + 1)])
    curves.hear([looked(100, 0.95, 0.9, 0.95, 0.95), looked(200, 0.9912, 0.98, 0.99, 0.9924)])
    curves.hear([looked(300, 0.99, NAN, 0.99, 0.99)])
    return curves


def test_a_thinned_curve_keeps_its_shape() -> None:
    curve = Thinned()
    for n in range(50_000):
        curve.add(n, n / 50_000)
    x, y = curve.points()
    assert POINTS // 2 <= len(x) <= POINTS
    np.testing.assert_allclose(y, np.asarray(x) / 50_000, atol=1e-9)
    assert x[0] < 100
    assert x[-1] > 49_800


def test_best_is_the_highest_known_mean() -> None:
    assert a_training().best == Look(200, 0.9912, (0.98, 0.99, 0.9924))
    assert TrainCurves().best is None
    without = TrainCurves()
    without.hear([Validated(1, 0.1, 0.5, NAN, NAN, (), False)])
    assert without.looks == []


def test_smoothed_loss_lies_between_first_and_last() -> None:
    curves = a_training()
    smooth = curves.smoothed_loss()
    assert len(smooth) == len(curves.loss)
    assert smooth[0] == 1.0
    assert curves.loss.points()[1][-1] < smooth[-1] < smooth[0]


def test_curves_of_a_run_on_disk(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(
        "step,seconds,learning_rate,loss,dice_all,dice_foreground,dice_pore,dice_nickel\n"
        "10,0.1,0.01,0.5,0.8,0.7,0.9,0.7\n"
        "20,0.2,0.005,nan,0.9,0.8,nan,0.8\n",
        encoding="utf-8",
    )
    curves = TrainCurves.from_history(read_history(tmp_path))
    assert curves.loss.points() == ([10.0], [0.5])
    assert curves.rate.points() == ([10.0, 20.0], [0.01, 0.005])
    assert [look.step for look in curves.looks] == [10, 20]
    assert curves.looks[0].dice == (0.9, 0.7)
    assert TrainCurves.from_history({}).looks == []


@pytest.fixture
def shown(qtbot: Any) -> Curves:
    made = Curves()
    qtbot.addWidget(made)
    made.resize(340, 380)
    made.set_classes(ClassTable.from_values([0, 128, 255]))
    made.show()
    qtbot.waitUntil(lambda: made._view is not None)
    return made


def drawn(curves: Curves, plot: str) -> list[Any]:
    return list(curves._plots[plot].listDataItems())


def test_plots_are_made_when_they_are_first_seen(qtbot: Any) -> None:
    made = Curves()
    qtbot.addWidget(made)
    made.show_training(a_training())
    assert made._view is None
    made.show()
    qtbot.waitUntil(lambda: made._view is not None)
    assert "pyqtgraph" in sys.modules


def test_draws_each_class_in_its_colour_and_the_mean(shown: Curves, qtbot: Any) -> None:
    shown.show_training(a_training())
    qtbot.waitUntil(lambda: len(drawn(shown, "dice")) > 0)
    colours = [item.opts["pen"].color().name() for item in drawn(shown, "dice")]
    assert colours[:3] == ["#ff0000", "#00ff00", "#0000ff"]
    mean = drawn(shown, "dice")[3]
    assert mean.getOriginalDataset()[1].tolist() == pytest.approx([95.0, 99.12, 99.0])
    assert len(drawn(shown, "loss")) == 2
    assert len(drawn(shown, "rate")) == 1
    assert "mean of foreground 99.00 %" in shown.caption.text()


def test_the_best_value_is_marked_with_its_number(shown: Curves, qtbot: Any) -> None:
    from pyqtgraph import TextItem

    shown.show_training(a_training())
    qtbot.waitUntil(lambda: len(drawn(shown, "dice")) > 0)
    words = [item for item in shown._plots["dice"].items if isinstance(item, TextItem)]
    assert [item.toPlainText() for item in words] == ["99.12 %"]
    assert words[0].pos().x() == 200


def test_a_growing_training_is_drawn_again_on_refresh(shown: Curves, qtbot: Any) -> None:
    curves = TrainCurves()
    shown.show_training(curves)
    curves.hear([StepDone(1, 9, 0.5, 0.1, 0.1)])
    shown.refresh()
    qtbot.waitUntil(lambda: len(drawn(shown, "loss")) == 2)
    assert drawn(shown, "loss")[0].getOriginalDataset()[0].tolist() == [1.0]


def test_compared_runs_have_their_names_in_the_caption(shown: Curves, qtbot: Any) -> None:
    shown.show_training(a_training())
    shown.compare({"first <try>": a_training(), "second": a_training()})
    qtbot.waitUntil(lambda: "second" in shown.caption.text())
    assert "first &lt;try>" in shown.caption.text()
    assert len(drawn(shown, "loss")) == 4
    shown.compare({})
    qtbot.waitUntil(lambda: "second" not in shown.caption.text())


def test_losses_of_zero_and_no_validation_are_drawn(shown: Curves, qtbot: Any) -> None:
    curves = TrainCurves()
    curves.hear([StepDone(n, 9, 0.0, 0.1, 0.1) for n in range(1, 9)])
    shown.show_training(curves)
    qtbot.waitUntil(lambda: len(drawn(shown, "loss")) == 2)
    shown.show_training(None)
    qtbot.waitUntil(lambda: len(drawn(shown, "loss")) == 0)


@pytest.mark.parametrize(
    ("low", "high", "numbers"),
    [
        (0.05, 1.0, [0.05, 0.1, 0.2, 0.5, 1.0]),
        (0.34, 0.42, [0.34, 0.42]),
        (0.001, 1.0, [0.001, 0.01, 0.1, 1.0]),
        (1e-6, 10.0, [1e-6, 1e-4, 1e-2, 1.0]),
    ],
)
def test_few_round_numbers_on_the_loss_axis(low: float, high: float, numbers: list[float]) -> None:
    assert round_numbers(np.log10(low), np.log10(high)) == numbers


def test_all_plots_begin_at_step_zero_and_reach_the_last(shown: Curves, qtbot: Any) -> None:
    shown.show_training(a_training(800))
    qtbot.waitUntil(lambda: len(drawn(shown, "dice")) > 0)
    for plot in shown._plots.values():
        first, last = plot.viewRange()[0]
        assert first <= 1
        assert last >= 800


def test_theme_colours_the_axes(shown: Curves) -> None:
    shown.set_theme("#102030", "#f0f0f0")
    assert shown._plots["dice"].getAxis("left").pen().color().name() == "#102030"
    assert shown._view.backgroundBrush().color().name() == "#f0f0f0"
