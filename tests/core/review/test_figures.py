from __future__ import annotations

import io
import math
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

from napari_xseg.errors import XsegError
from napari_xseg.metrics import IGNORE
from napari_xseg.review import figures
from napari_xseg.review.canvas import figure_bytes, line_colour, save_figure
from napari_xseg.review.evaluation import evaluate_slices
from napari_xseg.review.figures import SliceView


@pytest.fixture
def evaluation(blobs, table):
    return evaluate_slices(zip((3, 4, 5, 9, 10), *blobs, strict=True), table)


@pytest.fixture
def view(blobs):
    truth, prediction = blobs
    image = 1000 * truth[1].astype(np.uint16)
    return SliceView(1, prediction=prediction[1], truth=truth[1], image=image)


def drawn(figure):
    return imread(io.BytesIO(figure_bytes(figure)), format="png")[..., :3]


def words(figure):
    return {text.get_text() for text in figure.findobj(mpl.text.Text)}


def pixels_of(picture, colour):
    return np.count_nonzero((np.abs(picture - np.array(colour)) < 0.01).all(axis=-1))


def test_figure_six_paints_each_mistake_in_its_true_colour(table):
    truth = np.zeros((50, 50), np.uint8)
    prediction = truth.copy()
    truth[10:20, 10:20], prediction[30:35, 30:40] = 2, 1
    picture = drawn(figures.figure_six(SliceView(7, prediction, truth), table))
    right = picture[:, picture.shape[1] // 2 :]
    scale = 1000 // 50
    swatch = 60 * 60
    assert pixels_of(right, (0, 0, 1)) == pytest.approx(100 * scale**2, abs=swatch)
    assert pixels_of(right, (1, 0, 0)) == pytest.approx(50 * scale**2, abs=swatch)
    assert pixels_of(right, (0, 0, 0)) == pytest.approx(2350 * scale**2, rel=0.01)


def test_figure_six_says_what_it_shows(view, table):
    found = words(figures.figure_six(view, table, on_image=True))
    assert {"pore", "YSZ", "nickel", "not labelled", "True classes, z = 1"} <= found
    wrong = (view.truth != view.prediction) & (view.truth != IGNORE) & (view.prediction != IGNORE)
    counted = (view.truth != IGNORE) & (view.prediction != IGNORE)
    assert any(f"{100 * wrong.sum() / counted.sum():.2f} %" in text for text in found)


def test_figure_six_wants_a_truth(view, table):
    with pytest.raises(ValueError, match="no truth"):
        figures.figure_six(SliceView(1, view.prediction), table)


def test_a_single_wrong_pixel_of_a_large_slice_is_seen(table):
    truth = np.zeros((2300, 1500), np.uint8)
    prediction = truth.copy()
    truth[1234, 567] = 2
    picture = drawn(figures.figure_six(SliceView(0, prediction, truth), table))
    panel = picture[100:-150, picture.shape[1] // 2 :]
    assert pixels_of(panel, (0, 0, 1)) == 1


@pytest.mark.parametrize("shape", [(5, 300), (300, 5), (1, 1)])
def test_slices_of_any_shape_are_drawn(table, shape):
    plane = np.zeros(shape, np.uint8)
    assert drawn(figures.overview(SliceView(0, plane, plane, plane), table)).size


def test_overview_shows_what_is_known(view, table):
    whole = figures.overview(view, table)
    assert len(whole.axes) == 4
    without_truth = figures.overview(SliceView(1, view.prediction, image=view.image), table)
    assert len(without_truth.axes) == 2
    assert not any("Misclassified" in text for text in words(without_truth))


def test_curves_show_every_dice_and_loss(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(
        "step,seconds,loss,dice_all,dice_foreground,note\n1,0.5,2.0,,,x\n2,1.0,1.5,0.8,0.7,\n3,1.5,,0.9,,\n",
        encoding="utf-8",
    )
    history = figures.read_history(path)
    assert history["seconds"] == [0.5, 1.0, 1.5]
    assert math.isnan(history["loss"][2])
    dice, loss = figures.training_curves(history).axes
    assert {line.get_label(): line.get_ydata().tolist() for line in dice.lines} == {
        "dice all": [80, 90],
        "dice foreground": [70],
    }
    assert loss.lines[0].get_xdata().tolist() == [0.5, 1.0]
    assert "time" in dice.get_xlabel()


def test_a_dice_that_starts_low_does_not_flatten_the_end():
    seconds = np.arange(101.0)
    dice = np.where(seconds < 5, 0.3, 0.98)
    (axes,) = figures.training_curves({"seconds": seconds, "dice_all": dice}).axes
    assert axes.get_ylim()[0] > 90


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "holds no rows"), ("step,loss\n", "holds no rows"), (None, "cannot be read")],
)
def test_a_bad_history_is_named(tmp_path, text, says):
    path = tmp_path / "history.csv"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(XsegError, match=f"history.csv.*{says}"):
        figures.read_history(path)


def test_a_history_without_curves_is_refused():
    with pytest.raises(XsegError, match="no column"):
        figures.training_curves({"step": [1, 2], "learning_rate": [1, 1]})


def test_lines_break_where_slices_are_missing(evaluation):
    (axes,) = figures.dice_along_z(evaluation).axes
    assert {line.get_label() for line in axes.lines} == {
        *("pore", "YSZ", "nickel", "dice_foreground"),
    }
    x = axes.lines[0].get_xdata()
    np.testing.assert_array_equal(x, [3, 4, 5, math.nan, 9, 10])


def test_fractions_show_both_sides(evaluation):
    (axes,) = figures.scored_fractions(evaluation).axes
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    expected = evaluation.slices[0].counts.sum(axis=1) / evaluation.slices[0].counts.sum()
    assert lines["YSZ, true"][0] == pytest.approx(100 * expected[1])
    assert len(lines) == 6


def test_confusion_map_writes_shares_and_pixels(table):
    counts = np.array([[90, 10, 0], [5, 195, 0], [0, 0, 0]])
    found = words(figures.confusion_map(counts, table))
    assert {"90.00 %\n90", "2.50 %\n5", "0.00 %\n0"} <= found


def test_awkward_class_names_are_shown_as_they_are(make_classes):
    table = make_classes((0, 1, 2), ("_hidden", "a$b$c", r"50 % \alpha"))
    plane = np.array([[0, 1, 2]], np.uint8)
    evaluation = evaluate_slices([(0, plane, plane), (1, plane, plane)], table)
    for figure in (figures.dice_along_z(evaluation), figures.overview(SliceView(0, plane), table)):
        figure_bytes(figure)
        shown = {text.strip() for text in words(figure)}
        assert {"_hidden", "a$b$c", r"50 % \alpha"} <= shown


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_equal_figures_give_equal_bytes(tmp_path, evaluation, suffix):
    for name in ("one", "two"):
        save_figure(figures.dice_along_z(evaluation), tmp_path / f"{name}{suffix}")
    one, two = (tmp_path / f"{name}{suffix}" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert len(one.read_bytes()) > 1000


def test_an_unknown_ending_is_refused(tmp_path, evaluation):
    with pytest.raises(XsegError, match=r"'\.jpg'.*\.png"):
        save_figure(figures.dice_along_z(evaluation), tmp_path / "dice.jpg")
    assert list(tmp_path.iterdir()) == []


def test_the_users_matplotlib_settings_neither_matter_nor_change(evaluation):
    plain = figure_bytes(figures.dice_along_z(evaluation))
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        assert figure_bytes(figures.dice_along_z(evaluation)) == plain
        assert mpl.rcParams["font.size"] == 30


def test_light_colours_are_darkened_for_lines():
    assert line_colour((0, 0, 255)) == (0, 0, 1)
    assert line_colour((255, 255, 0))[0] < 0.6


def test_importing_figures_imports_no_matplotlib():
    code = "import sys, napari_xseg.review.run; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
