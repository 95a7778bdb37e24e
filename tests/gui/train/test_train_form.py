"""The training form: an editor of one settings object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import QLocale, Qt
from qtpy.QtWidgets import QFileDialog

from napari_xseg.events import Devices
from napari_xseg.gui.train.advanced_rows import ROWS
from napari_xseg.gui.train.settings_editor import Row
from napari_xseg.gui.train.train_form import OPEN, TrainChoices, TrainForm
from napari_xseg.training.recipes import load_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.config import TrainConfig

QUICK, POSTER = load_recipe("quick"), load_recipe("poster")


@pytest.fixture
def form(qtbot: Any) -> TrainForm:
    made = TrainForm()
    qtbot.addWidget(made)
    made.resize(340, 600)
    made.show()
    return made


def enter(field: Any, text: str, qtbot: Any) -> None:
    """Type into a field and leave it with Enter."""
    field.selectAll()
    qtbot.keyClicks(field, text)
    qtbot.keyClick(field, Qt.Key.Key_Return)


def choose(box: Any, text: str, qtbot: Any) -> None:
    """Choose from a list with the keyboard."""
    for _ in range(box.count()):
        qtbot.keyClick(box, Qt.Key.Key_Up)
    for _ in range(box.findText(text)):
        qtbot.keyClick(box, Qt.Key.Key_Down)
    assert box.currentText() == text


def test_begins_with_the_quick_recipe(form: TrainForm) -> None:
    assert form.value() == TrainChoices(config=QUICK)
    assert form.fault == ""
    assert form.length.value() == 60
    assert form.unit.currentText() == "seconds"
    assert form.context.value() == 2


def test_every_setting_has_a_field() -> None:
    shown = {row.path for row in ROWS if isinstance(row, Row)}
    shown |= {"epochs", "steps", "time_limit", "noise.enabled", "noise.std", "model.context"}
    told_by_the_data = {"model.classes", "model.channels"}

    def paths(settings: Any, before: str) -> set[str]:
        found = set()
        for name, value in settings:
            nested = hasattr(value, "model_dump")
            found |= paths(value, f"{before}{name}.") if nested else {before + name}
        return found

    assert paths(QUICK, "") - told_by_the_data == shown


@pytest.mark.parametrize(
    "config", [QUICK, POSTER, POSTER.replace(model={"widths": (8, 16), "depth": 2})]
)
def test_shows_and_gives_back_any_recipe(config: TrainConfig, form: TrainForm) -> None:
    form.set_value(TrainChoices(config=config, region="circle"))
    form._on_edit()  # as if a field was touched
    assert form.fault == ""
    assert form.value() == TrainChoices(config=config, region="circle")


def test_a_recipe_is_chosen_with_keys(form: TrainForm, qtbot: Any) -> None:
    with qtbot.waitSignal(form.value_changed):
        choose(form.recipe, "poster", qtbot)
    assert form.value().config == POSTER
    assert form.unit.currentText() == "epochs"
    assert form.length.value() == 200


def test_keys_step_past_the_entry_that_asks_for_a_file(
    form: TrainForm, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda *_, **__: (asked.append(1), ("", ""))[1]
    )
    for key in (Qt.Key.Key_End, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_F):
        qtbot.keyClick(form.recipe, key)
    assert asked == []
    assert form.recipe.currentText() != OPEN
    form.recipe.setCurrentText(OPEN)
    form.recipe.activated.emit(form.recipe.currentIndex())
    assert asked == [1]


def test_length_in_seconds_minutes_and_steps(form: TrainForm, qtbot: Any) -> None:
    enter(form.length, "30", qtbot)
    assert form.value().config.time_limit == 30
    enter(form.length, "120", qtbot)
    choose(form.unit, "minutes", qtbot)
    assert form.length.value() == 2
    assert form.value().config.time_limit == 120
    choose(form.unit, "steps", qtbot)
    enter(form.length, "500", qtbot)
    config = form.value().config
    assert (config.steps, config.time_limit, config.epochs) == (500, None, None)


@pytest.mark.parametrize("typed", ["2,5", "2.5"])
def test_a_length_of_time_takes_a_fraction(typed: str, form: TrainForm, qtbot: Any) -> None:
    enter(form.length, typed, qtbot)
    assert form.value().config.time_limit == 2.5
    assert form.length.text() == "2.5"
    choose(form.unit, "steps", qtbot)
    enter(form.length, "7", qtbot)
    assert form.length.text() == "7"
    assert form.value().config.steps == 7
    choose(form.unit, "minutes", qtbot)
    enter(form.length, "1.5", qtbot)
    assert form.value().config.time_limit == 90
    choose(form.unit, "seconds", qtbot)
    assert form.length.text() == "90"


@pytest.mark.usefixtures("german")
@pytest.mark.parametrize(
    ("typed", "taken", "shown"),
    [("1.000", 1.0, "1"), ("2,50", 2.5, "2.5"), ("1234567", 1234567, "1234567")],
)
def test_the_noise_shows_how_it_was_understood(
    typed: str, taken: float, shown: str, form: TrainForm, qtbot: Any
) -> None:
    qtbot.mouseClick(form.noise, Qt.MouseButton.LeftButton, pos=form.noise.rect().center())
    enter(form.std, typed, qtbot)
    assert form.value().config.noise.std == taken
    assert form.std.text() == shown


def test_noise_that_is_no_number_is_said_in_a_sentence(form: TrainForm, qtbot: Any) -> None:
    qtbot.mouseClick(form.noise, Qt.MouseButton.LeftButton, pos=form.noise.rect().center())
    enter(form.std, "abc", qtbot)
    assert form.fault.startswith("Noise sd: 'abc' is no number above 0; give counts of the image")
    assert form.fault_line.isVisible()
    assert form.std.text() == "abc"  # to be mended
    enter(form.std, "-3", qtbot)
    assert form.fault.startswith("Noise sd: '-3' is no number above 0")
    enter(form.std, "30", qtbot)
    assert form.fault == ""


def test_noise_in_counts(form: TrainForm, qtbot: Any) -> None:
    assert not form.std.isEnabled()
    qtbot.mouseClick(form.noise, Qt.MouseButton.LeftButton, pos=form.noise.rect().center())
    assert form.value().config.noise.enabled
    assert form.value().config.noise.std is None
    enter(form.std, "5000", qtbot)
    assert form.value().config.noise.std == 5000
    enter(form.std, "0,5", qtbot)  # of a float image, typed the German way
    assert form.value().config.noise.std == 0.5
    choose(form.recipe, "poster", qtbot)
    assert form.value().config.noise.enabled
    assert form.value().config.noise.copies


def test_a_wrong_value_is_said_beside_its_field(form: TrainForm, qtbot: Any) -> None:
    form.fold.set_open(True)
    field = form.advanced.fields["model.width"]
    enter(field.input, "0", qtbot)
    assert form.fault == "recipe: model.width: 0 has to be 1 or more."
    enter(field.input, "some", qtbot)
    assert form.fault == "recipe: model.width: 'some' is no whole number."
    assert field.fault.isVisible()
    assert form.value().config == QUICK
    enter(field.input, "8", qtbot)
    assert form.fault == ""
    assert not field.fault.isVisible()
    assert form.value().config.model.width == 8


def test_a_fault_of_two_values_is_said_in_the_form(form: TrainForm, qtbot: Any) -> None:
    form.fold.set_open(True)
    enter(form.advanced.fields["noise.low"].input, "3", qtbot)
    assert "above high" in form.fault
    assert form.fault_line.isVisible()


def test_empty_means_none_where_it_may(form: TrainForm, qtbot: Any) -> None:
    form.fold.set_open(True)
    enter(form.advanced.fields["crop"].input, "", qtbot)
    qtbot.keyClick(form.advanced.fields["crop"].input, Qt.Key.Key_Delete)
    form.advanced.fields["crop"].input.clear()
    qtbot.keyClick(form.advanced.fields["crop"].input, Qt.Key.Key_Return)
    assert form.value().config.crop is None
    form.advanced.fields["batch"].input.clear()
    qtbot.keyClick(form.advanced.fields["batch"].input, Qt.Key.Key_Return)
    assert "batch" in form.fault


@pytest.mark.usefixtures("german")
def test_a_german_comma_is_a_point(form: TrainForm, qtbot: Any) -> None:
    form.fold.set_open(True)
    enter(form.advanced.fields["learning_rate"].input, "0,005", qtbot)
    assert form.value().config.learning_rate == 0.005
    enter(form.length, "90", qtbot)
    assert form.value().config.time_limit == 90


@pytest.fixture
def german() -> Any:
    before = QLocale()
    QLocale.setDefault(QLocale("de_DE"))
    yield
    QLocale.setDefault(before)


def test_region(form: TrainForm, qtbot: Any) -> None:
    line = form.region.lineEdit()
    enter(line, "circle", qtbot)
    assert form.value().region == "circle"
    enter(line, "50:10,0:20", qtbot)
    assert form.fault != ""
    assert form.fault_line.isVisible()
    assert form.value().region == "circle"


def test_devices(form: TrainForm, qtbot: Any) -> None:
    form.set_devices(Devices(("cpu", "cuda:0"), ("a processor, 16 GB", "a GPU, 24 GB")))
    choose(form.device, "cuda:0: a GPU, 24 GB", qtbot)
    assert form.value().device == "cuda:0"
    form.set_devices(None)  # of another machine: the choice is kept, and shown
    assert form.device.currentData() == "cuda:0"


def test_save_and_open_a_recipe(
    form: TrainForm, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "mine.toml"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mine"), ""))
    enter(form.length, "45", qtbot)
    qtbot.mouseClick(form.save, Qt.MouseButton.LeftButton)
    assert load_recipe(target).time_limit == 45
    assert form.recipe.currentText() == "mine"
    choose(form.recipe, "poster", qtbot)
    choose(form.recipe, "mine", qtbot)
    assert form.value().config.time_limit == 45
    target.write_text(target.read_text().replace("45", "46"), encoding="utf-8")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(target), ""))
    choose(form.recipe, "poster", qtbot)
    form.recipe.setCurrentText(OPEN)
    form.recipe.activated.emit(form.recipe.currentIndex())
    assert form.value().config.time_limit == 46


def test_a_damaged_recipe_is_said(
    form: TrainForm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "bad.toml"
    target.write_text("nonsense = 3\n", encoding="utf-8")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(target), ""))
    form.recipe.setCurrentText(OPEN)
    form.recipe.activated.emit(form.recipe.currentIndex())
    assert "nonsense" in form.fault_line.text()
    assert form.recipe.currentText() == "quick"
    assert form.value().config == QUICK


def test_choices_survive_json() -> None:
    choices = TrainChoices(config=POSTER, device="cuda:0", region="circle")
    assert TrainChoices.from_dict(choices.model_dump(mode="json")) == choices


def test_all_fields_have_tooltips_and_are_reached_by_tab(form: TrainForm, qtbot: Any) -> None:
    form.fold.set_open(True)
    inputs = [field.input for field in form.advanced.fields.values()]
    main = [form.recipe, form.length, form.unit, form.device, form.noise, form.context]
    for widget in [*main, form.std, form.region, form.preview, form.save, *inputs]:
        assert widget.toolTip(), widget
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, widget
