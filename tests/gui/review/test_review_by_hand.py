"""The Compare page by mouse and keys: what is compared, what is listed, and what figure 6 shows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import imread
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_xseg.gui.review.review_dock import ReviewDock
from tests.gui.gestures import LEFT, choose_by_keys, type_number, until
from tests.gui.review.desk import TABLE, Desk

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture
def seen(desk: Desk) -> Desk:
    """The desk in a window that is shown."""
    window = desk.viewer.window._qt_window
    window.resize(1366, 768)
    window.show()
    until(desk.qtbot, desk.dock.isVisible)
    desk.wait()
    return desk


def listed(desk: Desk) -> Any:
    found = desk.dock.mistakes.table.mistakes.chosen()
    assert found is not None
    return found


def test_the_least_size_is_typed(seen: Desk) -> None:
    seen.all_slices()
    sizes = sorted((one.pixels for one in listed(seen)), reverse=True)
    least = sizes[len(sizes) // 2]
    fewer = [size for size in sizes if size >= least]
    assert 0 < len(fewer) < len(sizes)
    type_number(seen.qtbot, seen.dock.mistakes._least, str(least))
    assert [one.pixels for one in listed(seen)] == fewer
    words = seen.dock.mistakes.status.text()
    assert words.startswith(f"{len(fewer)} of {len(sizes)} mistakes")
    type_number(seen.qtbot, seen.dock.mistakes._least, "1")
    assert len(listed(seen)) == len(sizes)


def test_a_pair_of_classes_is_chosen_with_keys(seen: Desk) -> None:
    z = seen.reviewer.z
    assert z is not None
    choose_by_keys(seen.qtbot, seen.dock.mistakes.true, "nickel")
    choose_by_keys(seen.qtbot, seen.dock.mistakes.predicted, "pore")
    seen.wait()
    chosen = (seen.truth_data[z] == 3) & (seen.mask_data[z] == 1)
    assert chosen.any()
    np.testing.assert_array_equal(seen.shown(), np.where(chosen, 3, 0))
    assert seen.dock.heat_map.value() == (2, 0)
    assert listed(seen).pixels == np.count_nonzero(chosen)
    choose_by_keys(seen.qtbot, seen.dock.mistakes.true, "any true")
    choose_by_keys(seen.qtbot, seen.dock.mistakes.predicted, "any predicted")
    seen.wait()
    np.testing.assert_array_equal(seen.shown() > 0, seen.wrong(z))


def test_truth_and_prediction_are_chosen_with_keys(seen: Desk) -> None:
    form = seen.dock.form
    better = seen.truth_data.copy()
    better[:, 10:14, 10:14] = 1 + better[:, 10:14, 10:14] % 3
    seen.add("mask", "second model", better)
    seen.wait()
    choose_by_keys(seen.qtbot, form.prediction, "second model")
    seen.wait()
    z = seen.reviewer.z
    assert z is not None
    wrong = seen.truth_data[z] != better[z]
    np.testing.assert_array_equal(seen.shown(), np.where(wrong, seen.truth_data[z], 0))
    choose_by_keys(seen.qtbot, form.truth, "mask")
    seen.wait()
    assert seen.reviewer.truth is seen.mask
    differ = seen.mask_data[z] != better[z]
    np.testing.assert_array_equal(seen.shown(), np.where(differ, seen.mask_data[z], 0))


def test_two_models_against_each_other(seen: Desk) -> None:
    form = seen.dock.form
    other = np.roll(seen.mask_data, 3, axis=2)
    seen.add("mask", "second model", other)
    seen.wait()
    choose_by_keys(seen.qtbot, form.truth, "mask")
    choose_by_keys(seen.qtbot, form.prediction, "second model")
    seen.all_slices()
    overlay = seen.reviewer.view.overlay
    assert overlay is not None
    assert overlay.name.startswith("A / B differ")
    assert form._names[0].text().replace("&", "") == "Mask A"
    z = seen.reviewer.z
    assert z is not None
    differ = seen.mask_data != other
    np.testing.assert_array_equal(seen.shown(), np.where(differ[z], seen.mask_data[z], 0))
    seen.qtbot.mouseClick(form.by_prediction, LEFT)
    np.testing.assert_array_equal(seen.shown(), np.where(differ[z], other[z], 0))
    assert listed(seen).pixels == np.count_nonzero(differ)
    table = seen.dock.mistakes.table
    seen.qtbot.keyClick(table, Qt.Key.Key_Down)
    found = table.value()
    assert found is not None
    inside = np.s_[slice(*found.z_range), slice(*found.y_range), slice(*found.x_range)]
    pair = (seen.mask_data[inside] == found.true + 1) & (other[inside] == found.predicted + 1)
    assert np.count_nonzero(pair) >= found.pixels


# -- figure 6 ---------------------------------------------------------------


def save_figure(desk: Desk, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
    desk.qtbot.mouseClick(desk.dock.form.figure, LEFT)
    desk.wait()
    until(desk.qtbot, path.is_file)


def panels(picture: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The two pictures in a figure with white around them."""
    drawn = (picture != 255).any(axis=2)
    # Whole lines of a picture; titles and the legend have white between their letters.
    rows = _long_runs(drawn.sum(axis=1) > picture.shape[1] // 2)
    assert len(rows) == 1
    inside = picture[slice(*rows[0])]
    columns = _long_runs((inside != 255).any(axis=2).all(axis=0))
    assert len(columns) == 2
    return [inside[:, slice(*ends)] for ends in columns]


def _long_runs(true: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], true.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in pairwise(edges) if b - a > 50 and true[a]]


def test_figure_six_shows_what_is_wrong_in_the_true_class_s_colour(
    seen: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    z = seen.reviewer.z
    assert z is not None
    path = tmp_path / "six.png"
    save_figure(seen, path, monkeypatch)
    picture = np.round(255 * imread(path)[..., :3]).astype(np.uint8)
    classes, mistakes = panels(picture)
    colours = np.array([(0, 0, 0), *TABLE.colours], np.uint8)
    expected = colours[np.where(seen.wrong(z), seen.truth_data[z], 0)]
    scale = mistakes.shape[0] // expected.shape[0]
    assert mistakes.shape[:2] == tuple(scale * size for size in expected.shape[:2])
    enlarged = expected.repeat(scale, 0).repeat(scale, 1)
    np.testing.assert_array_equal(mistakes, enlarged)
    true = colours[seen.truth_data[z]].repeat(scale, 0).repeat(scale, 1)
    np.testing.assert_array_equal(classes, true)


def test_figure_six_as_svg_is_a_picture_with_words(
    seen: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "six.svg"
    save_figure(seen, path, monkeypatch)
    root = ElementTree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert float(root.attrib["width"].removesuffix("pt")) > 100
    images = list(root.iter("{http://www.w3.org/2000/svg}image"))
    assert len(images) == 2
    for image in images:
        data = image.attrib["{http://www.w3.org/1999/xlink}href"]
        assert data.startswith("data:image/png;base64,")


def test_a_tick_is_found_again_under_another_number_of_napari_s(seen: Desk) -> None:
    seen.click_row(0)
    seen.qtbot.keyClick(seen.dock.mistakes.table, Qt.Key.Key_Space)
    seen.wait()
    seen.review.close()
    seen.viewer.layers.remove(seen.truth)
    seen.viewer.add_labels(seen.truth_data, name="truth")  # of another program, come before
    again = seen.add("labels", "truth", seen.truth_data)
    assert again.name == "truth [1]"
    review = ReviewDock(seen.viewer)
    seen.viewer.window.add_dock_widget(review, name="Review")
    page = review.compare
    choose_by_keys(seen.qtbot, page.form.truth, "truth [1]")
    choose_by_keys(seen.qtbot, page.form.prediction, "mask")
    until(seen.qtbot, lambda: page.reviewer.outcome is not None)
    until(seen.qtbot, lambda: page.mistakes.table.mistakes.ticks == 1)
    assert page.mistakes.table.mistakes.is_ticked(0)
