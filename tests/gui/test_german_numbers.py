"""A German system: what is typed into every number field of every dock."""

from __future__ import annotations

import locale
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QLocale, QPoint, Qt
from qtpy.QtWidgets import QAbstractSpinBox, QLineEdit, QStyle, QStyleOptionButton

from napari_xseg.gui.experiments.experiments_dock import ExperimentsDock
from napari_xseg.gui.experiments.plan_form import PlanForm
from napari_xseg.gui.forms import Fold, NumberField
from napari_xseg.gui.label.label_dock import LabelDock
from napari_xseg.gui.predict.predict_dock import PredictDock
from napari_xseg.gui.review.review_dock import ReviewDock
from napari_xseg.gui.train.train_dock import TrainDock
from tests.gui.gestures import LEFT, choose_by_keys, type_number, until
from tests.gui.hands import label_all
from tests.gui.prediction_fakes import write_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qtpy.QtWidgets import QCheckBox, QWidget

    from napari_xseg.gui.session import Session
    from napari_xseg.gui.train.settings_editor import Field

DOCKS = (LabelDock, TrainDock, PredictDock, ReviewDock, ExperimentsDock)
WAYS = ("0.5", "0,5")


@pytest.fixture(autouse=True)
def _german() -> Iterator[None]:
    before, default = locale.setlocale(locale.LC_ALL), QLocale()
    QLocale.setDefault(QLocale(QLocale.Language.German, QLocale.Country.Germany))
    for name in ("de_DE.UTF-8", "German_Germany.utf8", before):
        try:
            locale.setlocale(locale.LC_ALL, name)
            break
        except locale.Error:  # not on this system
            continue
    assert QLocale().decimalPoint() == ","
    yield
    locale.setlocale(locale.LC_ALL, before)
    QLocale.setDefault(default)


@pytest.fixture
def at_work(session: Session, tmp_path: Path) -> Session:
    """A session with labels and a model: all of each dock can be worked."""
    session.move_project(tmp_path / "scan-xseg")
    label_all(session, 1, 3, 6)
    write_model(tmp_path / "run" / "model.safetensors")
    session.set_model(tmp_path / "run")
    return session


def click_box(qtbot: Any, box: QCheckBox) -> None:
    """Click the square of a check box."""
    option = QStyleOptionButton()
    box.initStyleOption(option)
    part = QStyle.SubElement.SE_CheckBoxIndicator
    style = box.style()
    assert style is not None
    qtbot.mouseClick(box, LEFT, pos=style.subElementRect(part, option, box).center())


def open_folds(dock: QWidget) -> None:
    for fold in dock.findChildren(Fold):
        fold.set_open(True)


def typed(qtbot: Any, field: Any, text: str) -> float:
    type_number(qtbot, field, text)
    return float(field.value())


@pytest.mark.parametrize("kind", DOCKS)
def test_a_comma_and_a_point_say_the_same_in_every_number_field(
    at_work: Session, show_dock: Callable[[type[Any]], Any], kind: type[Any], qtbot: Any
) -> None:
    dock = show_dock(kind)
    open_folds(dock)
    if isinstance(dock, LabelDock):  # the cuts come with the slice
        until(qtbot, lambda: dock.prefill.prefill.mask_at(at_work.z) is not None)
    for form in dock.findChildren(PlanForm):  # lengths of its own, not those of the plan
        choose_by_keys(qtbot, form.unit, "seconds")
    fields = dock.findChildren(QAbstractSpinBox)
    # A spin box of Qt's own would take the comma alone in this system.
    assert [one for one in fields if hasattr(one, "decimals")] == dock.findChildren(NumberField)
    assert dock.findChildren(NumberField) or kind is PredictDock
    for field in dock.findChildren(NumberField):
        assert field.isEnabled(), field.toolTip()
        least = round(field.value())
        least += 1 if least + 2 <= field.maximum() else -2
        for way in WAYS:
            text = way.replace("0", str(least))
            wanted = least + (0.5 if field.decimals() else 1)  # rounded up to a whole number
            assert typed(qtbot, field, text) == wanted, (field.toolTip(), text)
            assert typed(qtbot, field, str(least)) == least, field.toolTip()


def test_cuts_of_a_float_image(
    session: Session, show_dock: Callable[[type[Any]], Any], qtbot: Any
) -> None:
    grey = np.random.default_rng(0).random((3, 40, 50), np.float32)
    session.set_image(session.viewer.add_image(grey, name="float"))
    dock = show_dock(LabelDock)
    open_folds(dock)
    until(qtbot, lambda: dock.prefill.prefill.mask_at(session.z) is not None)
    first, second = dock.prefill.cuts.findChildren(NumberField)[:2]
    assert first.decimals() > 0
    typed(qtbot, second, "0.9")
    for way in WAYS:
        assert typed(qtbot, first, way) == 0.5
        assert dock.prefill.cuts.value()[0][0] == 0.5
        assert typed(qtbot, first, "0.25") == 0.25
    assert first.text() == f"{0.25:.{first.decimals()}f}"


@pytest.mark.parametrize("text", WAYS)
def test_a_field_with_decimals(text: str, qtbot: Any) -> None:
    field = NumberField(0, 10, 1, decimals=2, suffix=" px")
    qtbot.addWidget(field)
    field.show()
    assert typed(qtbot, field, text) == 0.5
    assert field.text() == "0.50 px"


def test_every_number_of_a_recipe(
    at_work: Session, show_dock: Callable[[type[Any]], Any], qtbot: Any
) -> None:
    dock = show_dock(TrainDock)
    open_folds(dock)
    fields: dict[str, Field] = {
        path: field
        for path, field in dock.form.advanced.fields.items()
        if isinstance(field.input, QLineEdit) and isinstance(_value(dock, path), float)
    }
    assert {"learning_rate", "momentum", "augment.gain"} <= set(fields)
    for path, field in fields.items():
        before = field.input.text()
        for text in WAYS:
            type_number(qtbot, field.input, text)
            assert dock.form.fault == "", path
            assert _value(dock, path) == 0.5, path
            type_number(qtbot, field.input, "0.25")
            assert _value(dock, path) == 0.25, path
        type_number(qtbot, field.input, before) if before else _empty(qtbot, field.input)
        assert dock.form.fault == "", path


def _value(dock: Any, path: str) -> Any:
    found: Any = dock.form.value().config
    for name in path.split("."):
        found = getattr(found, name)
    return found


def _empty(qtbot: Any, line: QLineEdit) -> None:
    line.selectAll()
    qtbot.keyClick(line, Qt.Key.Key_Delete)
    qtbot.keyClick(line, Qt.Key.Key_Return)


def test_noise_is_switched_on_by_a_click_and_its_sd_typed(
    at_work: Session, show_dock: Callable[[type[Any]], Any], qtbot: Any
) -> None:
    dock = show_dock(TrainDock)
    form = dock.form
    dock.area.ensureWidgetVisible(form.noise)
    assert not form.noise.isChecked()
    assert not form.std.isEnabled()
    click_box(qtbot, form.noise)
    assert form.noise.isChecked()
    assert form.std.isEnabled()
    assert form.value().config.noise.enabled
    for text in WAYS:
        type_number(qtbot, form.std, text)
        assert form.value().config.noise.std == 0.5
        type_number(qtbot, form.std, "2")
        assert form.value().config.noise.std == 2
    qtbot.mouseClick(form.noise, LEFT, pos=QPoint(form.noise.width() - 3, form.noise.height() // 2))
    assert not form.value().config.noise.enabled
