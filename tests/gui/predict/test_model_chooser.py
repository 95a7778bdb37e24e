from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_xseg.config import NoiseConfig, TrainConfig
from napari_xseg.data.classes import ClassSpec, ClassTable
from napari_xseg.gui.predict.model_chooser import NO_MODEL, ModelChooser
from napari_xseg.gui.predict.recent_models import MOST, recent_models, remember_model
from tests.gui.prediction_fakes import write_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_xseg.gui.session import Session

FIGURES = {"dice": [0.9, 0.8, 0.7], "dice_all": 0.81, "dice_foreground": 0.775}


@pytest.fixture
def chooser(session: Session, qtbot: Any, wait_idle: Callable[..., None]) -> ModelChooser:
    made = ModelChooser(session)
    qtbot.addWidget(made)
    made.show()
    wait_idle(session)
    return made


def add_run(session: Session, name: str, noise: NoiseConfig | None = None, **more: Any) -> Path:
    run = session.require_project().new_run(name)
    write_model(run / "model.safetensors", **more)
    config = TrainConfig(noise=noise or NoiseConfig())
    (run / "config.toml").write_text(config.to_toml(), encoding="utf-8")
    return run


def texts(chooser: ModelChooser) -> list[str]:
    return [chooser.box.itemText(index) for index in range(chooser.box.count())]


def test_without_a_model_it_says_what_to_do(chooser: ModelChooser) -> None:
    assert chooser.text.text() == NO_MODEL
    assert chooser.value() is None
    assert not chooser.box.isEnabled()


def test_runs_come_newest_first_and_one_is_chosen_by_the_keyboard(
    chooser: ModelChooser, session: Session, qtbot: Any, wait_idle: Callable[..., None]
) -> None:
    older = add_run(session, "older")
    newer = session.require_project().folder / "runs" / "29990101-000000-newer"
    write_model(newer / "model.safetensors")
    (newer / "config.toml").write_text(TrainConfig().to_toml(), encoding="utf-8")
    (session.require_project().folder / "runs" / "29990102-000000-empty").mkdir()
    session.runs_changed.emit()
    wait_idle(session)
    assert [text.split()[0] for text in texts(chooser)] == ["newer", "older"]
    session.set_model(newer)
    assert chooser.box.currentData() == newer
    chooser.box.setFocus()
    qtbot.keyClick(chooser.box, Qt.Key.Key_Down)
    assert session.model == older
    assert chooser.info is not None
    assert chooser.info.path == older / "model.safetensors"


def test_it_says_classes_figures_split_context_recipe_and_noise(
    chooser: ModelChooser, session: Session
) -> None:
    noise = NoiseConfig(enabled=True, std=5000.0, high=1.0)
    training = {"recipe": "quick", "steps": 616, "seconds": 9.89}
    told = {"split": "5 slices (1,2) train <b>.", "training": training, "figures": FIGURES}
    session.set_model(add_run(session, "run", noise, **told))
    text = chooser.text.text()
    for words in (
        "class 1",
        "#00ff00",
        "Dice 77.50 % foreground, 81.00 % all",
        "5 slices (1,2) train &lt;b&gt;.",
        "1 neighbour on each side",
        "Recipe quick, 616 steps, 10 s, noise of sd 0 to 5000.",
    ):
        assert words in text
    assert "rough" not in text


def test_rough_figures_and_none_are_told_apart(chooser: ModelChooser, tmp_path: Path) -> None:
    chooser.session.set_model(write_model(tmp_path / "a.safetensors", figures=FIGURES, rough=True))
    assert "rough: on the training slices themselves" in chooser.text.text()
    chooser.session.set_model(write_model(tmp_path / "b.safetensors"))
    assert "Not validated." in chooser.text.text()


def test_a_damaged_model_is_a_sentence(chooser: ModelChooser, tmp_path: Path) -> None:
    path = tmp_path / "photo.safetensors"
    path.write_bytes(b"no model at all")
    chooser.session.set_model(path)
    assert "is not a model of napari-xseg" in chooser.text.text()
    assert chooser.info is None


def test_a_single_slice_is_told_that_neighbours_are_missing(
    chooser: ModelChooser, session: Session, tmp_path: Path
) -> None:
    path = write_model(tmp_path / "a.safetensors")
    session.set_model(path)
    assert "one slice" not in chooser.text.text()
    session.set_image(session.viewer.add_image(np.zeros((20, 20), np.uint16), name="flat"))
    assert session.model == path, "the model stays with another image"
    assert "This image has one slice" in chooser.text.text()


def test_a_file_is_chosen_and_its_run_folder_taken(
    chooser: ModelChooser, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_model(tmp_path / "elsewhere" / "model.safetensors")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(model), ""))
    qtbot.mouseClick(chooser.file, Qt.MouseButton.LeftButton)
    assert chooser.session.model == model.parent
    assert chooser.box.currentText().startswith("elsewhere")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    qtbot.mouseClick(chooser.file, Qt.MouseButton.LeftButton)
    assert chooser.session.model == model.parent


def test_twenty_classes_fit_in_a_narrow_dock(chooser: ModelChooser, tmp_path: Path) -> None:
    specs = tuple(ClassSpec(f"long name {i}", i, (i, 9 * i, 255 - i)) for i in range(20))
    path = write_model(tmp_path / "a.safetensors", classes=ClassTable(specs, unlabelled=200))
    chooser.session.set_model(path)
    chooser.resize(360, chooser.sizeHint().height())
    assert chooser.minimumSizeHint().width() <= 360
    assert "long name 19" in chooser.text.text()


def test_models_used_are_remembered_once_and_forgotten_when_gone(tmp_path: Path) -> None:
    paths = [write_model(tmp_path / f"{i}.safetensors") for i in range(MOST + 2)]
    for path in paths:
        remember_model(path)
    remember_model(paths[4])
    assert recent_models()[:2] == [paths[4], paths[-1]]
    assert len(recent_models()) == MOST
    paths[4].unlink()
    assert paths[4] not in recent_models()


def test_models_used_are_offered_beside_the_runs(
    session: Session, tmp_path: Path, qtbot: Any, wait_idle: Callable[..., None]
) -> None:
    remember_model(write_model(tmp_path / "used" / "model.safetensors").parent)
    run = add_run(session, "own")
    made = ModelChooser(session)
    qtbot.addWidget(made)
    wait_idle(session)
    places = [made.box.itemData(index) for index in range(made.box.count())]
    assert places == [run, None, tmp_path / "used"]
