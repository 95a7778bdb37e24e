"""From the sample to a corrected mask, and back the next day, as a scientist does it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_xseg.config import TrainConfig
from napari_xseg.data.volume import open_label_volume
from napari_xseg.gui.train.class_editor import NAME, VALUE
from tests.gui.gestures import (
    click_in_menu,
    click_strip,
    draw,
    runs_of_class,
    slide_to,
    type_number,
)
from tests.gui.hands import Hands, dice

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from napari.layers import Labels
    from numpy.typing import NDArray

NAMES, VALUES = ("pore", "electrolyte", "metal"), (0, 128, 255)
SLICES = (8, 30)
# Pixels: the diameter of the brush, and how long a stroke is.
BRUSH, LENGTH = 6, 16


def open_sample(hands: Hands) -> Labels:
    """File > Open Sample; gives the layer of the true classes."""
    entry = "Three-phase phantom with labels"
    click_in_menu(hands.qtbot, hands.window, "File", "Open Sample", "xseg", entry)
    hands.until(lambda: sample_labels(hands))
    hands.idle()
    assert hands.session.image is hands.viewer.layers["phantom"]
    (layer,) = sample_labels(hands)
    return layer


def sample_labels(hands: Hands) -> list[Labels]:
    """The labels that came with the sample; those of the project lie on disk."""
    return [one for one in hands.session.layers.labels() if isinstance(one.data, np.ndarray)]


def name_classes(hands: Hands) -> None:
    """Name the classes as the sample's labels do, in the table of the Train dock."""
    hands.show(hands.train)
    table = hands.train.classes.table
    for row, (name, value) in enumerate(zip(NAMES, VALUES, strict=True)):
        hands.type_cell(table, row, NAME, name)
        hands.type_cell(table, row, VALUE, str(value))
    assert hands.session.classes.names == NAMES
    assert hands.session.classes.values == VALUES


def paint(hands: Hands, truth: NDArray[np.uint8], z: int) -> None:
    """Paint strokes of each class where it is, with the brush."""
    slide_to(hands.qtbot, hands.viewer, z)
    assert hands.session.z == z
    for value in (1, 2, 3):
        hands.row(hands.label.classes, value)
        for start, stop in runs_of_class(truth[z], value, BRUSH, LENGTH, 4):
            draw(hands.qtbot, hands.viewer, start, stop)
    assert hands.session.store is not None
    painted = hands.session.store[z]
    for value in (1, 2, 3):
        assert np.count_nonzero(painted == value) > BRUSH * LENGTH
    right = painted[painted > 0] == truth[z][painted > 0]
    assert right.mean() > 0.98


def wrong(truth: Any, mask: Any, z: int) -> NDArray[np.uint8]:
    """The true class where a mask is wrong."""
    true, found = np.asarray(truth[z]), np.asarray(mask[z])
    return np.where((found > 0) & (true != found), true, 0).astype(np.uint8)


def overlay_of(hands: Hands) -> NDArray[np.uint8] | None:
    """What the overlay shows of the slice in view."""
    overlay = hands.review.compare.reviewer.view.overlay
    return None if overlay is None else np.asarray(overlay._slice.image.raw)


def review(hands: Hands, true: str, mask: str) -> None:
    """Compare a mask with the labels of the sample in the whole volume."""
    hands.show(hands.review)
    form = hands.review.compare.form
    hands.choose(form.truth, true)
    hands.choose(form.prediction, mask)
    hands.choose(form.scope, "Whole volume")
    hands.idle()
    hands.until(lambda: hands.review.compare.mistakes.table.mistakes.rowCount() > 0)


def test_sample_paint_train_preview_predict_review_correct_continue_save_reopen(
    open_window: Callable[[], Hands], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = open_window()
    session, viewer, qtbot = hands.session, hands.viewer, hands.qtbot
    true = open_sample(hands)
    truth = np.asarray(true.data).copy()
    hands.show(hands.label)
    hands.click(hands.label.data.new)
    name_classes(hands)

    # Two slices, with strokes of each class.
    hands.show(hands.label)
    assert session.labels is not None
    hands.click(hands.label.brush.tools["paint"])
    type_number_of_brush(hands)
    for z in SLICES:
        paint(hands, truth, z)
    assert session.store is not None
    assert session.store.labelled == SLICES

    # Fifteen seconds; the mask of the slice in view meanwhile; an end of its own.
    hands.show(hands.train)
    type_number(qtbot, hands.train.form.length, "15")
    hands.choose(hands.train.form.unit, "seconds")
    hands.click(hands.train.train)
    hands.until(lambda: previewed(hands, truth, SLICES[1]) or not hands.train.trainings.running)
    assert hands.train.trainings.running, "no mask was shown before the end"
    click_strip(qtbot, hands.train.slices.strip.strip, 15)
    hands.until(lambda: not hands.train.trainings.running)
    hands.idle()
    first = hands.train.trainings.current
    assert first is not None
    assert first.job.error is None
    assert first.job.finished is not None
    assert first.job.finished.reason == "done"
    assert session.model == first.run
    assert TrainConfig.from_toml(first.run / "config.toml").time_limit == 15

    # The whole volume.
    hands.show(hands.predict)
    hands.click(hands.predict.volume)
    hands.until(lambda: hands.predict.predictions.current is None)
    hands.idle()
    (mask,) = session.layers.of_kind("mask")
    assert dice(mask.data[:], truth, 3) > 0.8

    # Review against the labels of the sample: overlay, list; one is ticked.
    review(hands, true.name, mask.name)
    z = session.z
    assert z is not None
    shown = overlay_of(hands)
    np.testing.assert_array_equal(shown, wrong(truth, mask.data, z))
    table = hands.review.compare.mistakes.table
    whole = sum(np.count_nonzero(wrong(truth, mask.data, z)) for z in range(len(truth)))
    assert hands.review.compare.reviewer.outcome is not None
    assert hands.review.compare.reviewer.outcome.mistakes.pixels == whole
    hands.row(table, 0, 3)
    qtbot.keyClick(table, Qt.Key.Key_Space)
    seen = table.mistakes.in_row(0)
    hands.row(table, 1, 3)
    hands.idle()
    mistake = table.value()
    assert mistake is not None
    assert session.z == mistake.z

    # Correct it: the brush, with the class that is right.
    before = session.store[mistake.z].copy()
    hands.click(hands.review.compare.mistakes.paint)
    assert viewer.layers.selection.active is session.labels
    assert session.labels.selected_label == mistake.true + 1
    # Off the middle of the place, where the outline has no line.
    y, x = (sum(ends) / 2 for ends in (mistake.y_range, mistake.x_range))
    draw(qtbot, viewer, (y, x - 4), (y, x + 4))
    corrected = session.store[mistake.z].copy()
    changed = corrected != before
    assert changed.any()
    assert set(np.unique(corrected[changed])) == {mistake.true + 1}

    # Go on with it.
    hands.set_steps(20)
    second = hands.train_to_end(hands.train.go_on)
    assert second != first.run
    told = json.loads((second / "provenance.json").read_text(encoding="utf-8"))
    assert first.run.name in json.dumps(told["parent"])
    assert mistake.z in session.store.labelled

    # Save the mask, close.
    target = tmp_path / "out" / "mask.tif"
    target.parent.mkdir()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(target), ""))
    hands.show(hands.predict)
    hands.click(hands.predict.masks.save_button)
    hands.idle()
    saved = open_label_volume(target)
    assert set(np.unique(saved.read(0)).tolist()) <= set(VALUES)
    np.testing.assert_array_equal(saved.read(20), np.asarray(VALUES)[mask.data[20] - 1])
    assert target.with_name("mask.tif.json").is_file()
    assert session.project is not None
    folder = session.project.folder
    kept = {z: session.store[z].copy() for z in session.store.labelled}
    hands.window.close()
    hands.wait_closed()

    # The next day, in another window.
    hands = open_window()
    true = open_sample(hands)
    hands.open_project(folder, monkeypatch)
    session = hands.session
    assert session.store is not None
    assert session.store.labelled == tuple(sorted(kept))
    for z, plane in kept.items():
        np.testing.assert_array_equal(session.store[z], plane)
    assert session.classes.names == NAMES
    assert [info.path for info in session.project.runs()] == [second, first.run]
    assert session.model == second
    hands.show(hands.predict)
    masks = hands.predict.masks
    assert masks.list.topLevelItemCount() == 1
    hands.row(masks.list, 0)
    hands.click(masks.show_button)
    hands.until(lambda: list(session.layers.of_kind("mask")))
    (mask,) = session.layers.of_kind("mask")
    review(hands, true.name, mask.name)
    model = hands.review.compare.mistakes.table.mistakes
    row = model.row_of(seen)
    assert row is not None
    assert [place for place in range(model.rowCount()) if model.is_ticked(place)] == [row]


def previewed(hands: Hands, truth: NDArray[np.uint8], z: int) -> bool:
    """Whether the training shows what it makes of slice z, and that is something."""
    shown = next(hands.session.layers.of_kind("preview"), None)
    return shown is not None and dice(shown.data[z], truth[z], 3) > 0.3


def type_number_of_brush(hands: Hands) -> None:
    """Set the size of the brush beside its slider."""
    slider = hands.label.brush.size_slider
    hands.see(slider)
    type_number(hands.qtbot, slider._label, str(BRUSH))
    assert hands.session.labels is not None
    assert hands.session.labels.brush_size == BRUSH
