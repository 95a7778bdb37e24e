"""Keys while masks are scored: they come before napari's, and go back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDialog, QVBoxLayout

from tests.gui.scoring.fields import Listening

if TYPE_CHECKING:
    from tests.gui.scoring.bench import Bench


def test_key_scores_and_labels_layer_hears_nothing(bench: Bench) -> None:
    bench.begin()
    bench.session.layers.select(bench.labels)
    bench.labels.mode = "pan_zoom"
    bench.labels.selected_label = 2

    bench.press("1")
    bench.press("m")

    assert bench.on_disk()[1].score == 1
    assert bench.on_disk()[1].faults == ("missed phase",)
    assert bench.labels.mode == "pan_zoom"
    assert bench.labels.selected_label == 2


@pytest.mark.parametrize("key", ["1", Qt.Key.Key_Space])
def test_keys_reach_napari_after_the_end(bench: Bench, key: Any) -> None:
    heard: list[str] = []
    bench.viewer.bind_key("1", lambda _: heard.append("1"), overwrite=True)
    bench.viewer.bind_key("Space", lambda _: heard.append("space"), overwrite=True)
    bench.viewer.layers.selection.clear()
    bench.begin()
    bench.viewer.layers.selection.clear()

    bench.press(key)
    assert not heard

    bench.press(Qt.Key.Key_Escape)
    assert bench.scorer.opened is None
    bench.viewer.layers.selection.clear()
    bench.press(key)

    assert heard == ["1" if key == "1" else "space"]


def test_note_field_takes_text(bench: Bench) -> None:
    bench.begin()
    bench.press("4")
    bench.press(Qt.Key.Key_Return)
    note = bench.page.running.note
    bench.until(lambda: bench.window.focusWidget() is note)

    bench.qtbot.keyClicks(note, "1 u m")
    assert note.text() == "1 u m"
    assert bench.item.number == 1
    bench.press(Qt.Key.Key_Return, at=note)

    assert bench.on_disk()[1].note == "1 u m"
    assert bench.on_disk()[1].score == 4
    bench.press("5")
    assert bench.on_disk()[1].score == 5


def test_escape_in_the_note_leaves_the_note_alone(bench: Bench) -> None:
    bench.begin()
    bench.press(Qt.Key.Key_Return)
    bench.until(lambda: bench.window.focusWidget() is bench.page.running.note)

    bench.press(Qt.Key.Key_Escape, at=bench.page.running.note)

    assert bench.scorer.opened is not None
    assert bench.window.focusWidget() is bench.canvas


def test_keys_with_the_focus_in_the_dock(bench: Bench) -> None:
    bench.begin()
    bench.press("3", at=bench.page.running.steps["back"])
    bench.press(Qt.Key.Key_Space, at=bench.page.running.steps["back"])

    assert bench.on_disk()[1].score == 3
    assert bench.item.number == 2


def test_held_key_scores_one_item(bench: Bench) -> None:
    bench.begin()
    bench.press("3")
    QTest.keyPress(bench.canvas, Qt.Key.Key_Space)
    bench.idle()
    QTest.keyRelease(bench.canvas, Qt.Key.Key_Space)

    assert bench.item.number == 2
    assert not bench.page.keys._down


def test_other_windows_keep_their_keys(bench: Bench) -> None:
    bench.begin()
    dialog = QDialog(bench.window)
    layout = QVBoxLayout(dialog)
    field = Listening()
    layout.addWidget(field)
    dialog.show()

    bench.press("1", at=field)

    assert field.heard == ["1"]
    assert bench.on_disk() == {}
    dialog.close()
    dialog.deleteLater()


def test_shortcuts_with_control_are_napari_s(bench: Bench) -> None:
    bench.begin()
    bench.qtbot.keyClick(bench.canvas, "1", Qt.KeyboardModifier.ControlModifier)
    bench.idle()

    assert bench.on_disk() == {}


def test_v_hides_and_shows_the_mask(bench: Bench) -> None:
    bench.begin()
    (layer,) = bench.scored_layers()
    bench.press("v")
    assert not layer.visible
    bench.press("v")
    assert layer.visible


@pytest.mark.parametrize("mode", ["paint", "erase", "pan_zoom"])
def test_the_mode_of_the_labels_comes_back(bench: Bench, mode: str) -> None:
    bench.session.layers.select(bench.labels)
    bench.labels.visible = True
    bench.labels.mode = mode
    bench.begin()
    bench.press("2", Qt.Key.Key_Escape)

    assert bench.labels.visible
    assert bench.labels.mode == mode
    assert bench.viewer.layers.selection.active is bench.labels
