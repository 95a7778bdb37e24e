"""Images of every kind, many classes, and a German system."""

from __future__ import annotations

import locale
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from qtpy.QtCore import QLocale, Qt

from napari_xseg.data.classes import ClassTable
from napari_xseg.gui.forms import NumberField
from napari_xseg.gui.label.label_dock import LabelDock
from napari_xseg.gui.predict.predict_dock import PredictDock
from napari_xseg.gui.train.plan import plan_training
from napari_xseg.gui.train.train_dock import TrainDock
from napari_xseg.gui.train.train_form import TrainForm
from napari_xseg.jobs import SliceRequest, TrainRequest
from napari_xseg.training.recipes import load_recipe
from tests.gui.fake import UNTIL_STOPPED, FakeEngine
from tests.gui.hands import label_all
from tests.gui.prediction_fakes import write_model
from tests.gui.test_solid import Large

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari_xseg.gui.session import Session

LEFT = Qt.MouseButton.LeftButton
QUICK = load_recipe("quick")


# -- images of every kind ---------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((96, 128), "u2"), ((1, 96, 128), "u2"), ((8, 96, 128), "f4"), ((8, 96, 128), "u1")],
)
def test_flat_single_float_and_8_bit_images_are_labelled_trained_on_and_predicted(
    shape: tuple[int, ...],
    dtype: str,
    session: Session,
    fake_engine: FakeEngine,
    show_dock: Callable[[Any], Any],
    told: list[str],
    qtbot: Any,
    wait_idle: Callable[[Session], None],
    tmp_path: Path,
) -> None:
    grey = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    session.viewer.layers.clear()
    session.set_image(session.viewer.add_image(grey, name="kind"))
    label, train, predict = map(show_dock, (LabelDock, TrainDock, PredictDock))
    label.fold.set_open(True)
    qtbot.waitUntil(lambda: label.prefill.prefill.mask_at(session.z) is not None, timeout=20_000)
    qtbot.mouseClick(label.accept, LEFT)
    assert session.store is not None
    assert session.z is not None
    assert session.store.labelled == (session.z,)
    assert session.store.shape == (1, *shape)[-3:]
    qtbot.waitUntil(train.train.isEnabled, timeout=20_000)
    fake_engine.scripts.append([UNTIL_STOPPED])
    before = len(fake_engine.running)
    qtbot.mouseClick(train.train, LEFT)
    qtbot.waitUntil(lambda: len(fake_engine.running) > before, timeout=20_000)
    request = fake_engine.submitted[-1]
    assert isinstance(request, TrainRequest)
    assert request.images.open().read(session.z).dtype == grey.dtype
    qtbot.mouseClick(train.bar.stop, LEFT)
    wait_idle(session)
    session.set_model(write_model(tmp_path / "run" / "model.safetensors").parent)
    qtbot.mouseClick(predict.this_slice, LEFT)
    wait_idle(session)
    request = fake_engine.submitted[-1]
    assert isinstance(request, SliceRequest)
    assert request.z == session.z
    assert not [words for words in told if not words.startswith("Slice")]


def test_twenty_classes(
    session: Session,
    show_dock: Callable[[Any], Any],
    qtbot: Any,
    wait_idle: Callable[[Session], None],
) -> None:
    session.new_labels()
    session.set_classes(ClassTable.from_values(range(20), unlabelled=255))
    label, train = show_dock(LabelDock), show_dock(TrainDock)
    assert label.classes.rowCount() == 21
    assert train.classes.table.rowCount() == 20
    label.classes.scrollToItem(label.classes.item(20, 0))
    at = label.classes.visualItemRect(label.classes.item(20, 0)).center()
    qtbot.mouseClick(label.classes.viewport(), LEFT, pos=at)
    assert session.labels is not None
    assert session.labels.selected_label == 20
    session.labels.paint((3, 40, 40), session.labels.selected_label)
    assert session.store is not None
    assert session.store.counts(3)[20] > 0
    label_all(session, 1, 6)
    wait_idle(session)
    cell = train.classes.table.item(19, 3)
    qtbot.waitUntil(lambda: cell.text() != "0", timeout=20_000)
    request = plan_training(session, QUICK).request()
    assert len(request.classes["classes"]) == 20
    assert request.labels.open().read(6).max() == 19


def test_a_volume_of_16_gigabytes_is_never_read_whole(
    session: Session,
    fake_engine: FakeEngine,
    show_dock: Callable[[Any], Any],
    told: list[str],
    qtbot: Any,
    wait_idle: Callable[[Session], None],
    tmp_path: Path,
) -> None:
    layers = session.viewer.layers
    layers.clear()
    layer = session.viewer.add_image(
        Large(), name="large", contrast_limits=(0, 500), multiscale=False
    )
    session.set_image(layer)
    predict = show_dock(PredictDock)
    session.go_to(250)
    session.new_labels()
    assert session.labels is not None
    assert session.store is not None
    session.labels.brush_size = 40
    session.labels.paint((250, 2000, 2000), 2)
    session.labels.undo()
    session.labels.redo()
    assert session.store.counts(250)[2] > 1000
    session.set_model(write_model(tmp_path / "run" / "model.safetensors").parent)
    qtbot.mouseClick(predict.this_slice, LEFT)
    wait_idle(session)
    assert fake_engine.submitted[-1].images.open().read(250)[0, 0] == 250
    session.viewer.dims.ndisplay = 3
    wait_idle(session)
    assert sorted(item.name for item in session.layers.of_kind("reduced")) == [
        "large (reduced)",
        "large labels (reduced)",
    ]
    session.viewer.dims.ndisplay = 2
    assert list(session.layers.of_kind("reduced")) == []


def test_a_file_of_16_gigabytes_is_opened_painted_predicted_and_found_again(
    session: Session,
    fake_engine: FakeEngine,
    show_dock: Callable[[Any], Any],
    told: list[str],
    qtbot: Any,
    wait_idle: Callable[[Session], None],
    tmp_path: Path,
) -> None:
    path = tmp_path / "data" / "large.zarr"
    array = zarr.create_array(path, shape=(500, 4000, 4000), chunks=(1, 1000, 1000), dtype="u2")
    array[250, 1900:2100, 1900:2100] = 9
    viewer = session.viewer
    viewer.layers.clear()
    (layer,) = viewer.open(str(path), plugin="napari-xseg")
    wait_idle(session)
    session.set_image(layer)
    predict = show_dock(PredictDock)
    session.go_to(250)
    labels = session.new_labels()
    labels.brush_size = 40
    labels.paint((250, 2000, 2000), 2)
    session.set_model(write_model(tmp_path / "run" / "model.safetensors").parent)
    qtbot.mouseClick(predict.this_slice, LEFT)
    wait_idle(session)
    assert fake_engine.submitted[-1].images.path == str(path)
    viewer.dims.ndisplay = 3
    wait_idle(session)
    assert "large (reduced)" in [item.name for item in session.layers.of_kind("reduced")]
    viewer.dims.ndisplay = 2
    session.set_image(None)
    session.open_project(path.parent / "large-xseg")
    assert session.store is not None
    assert session.store.labelled == (250,)
    assert session.store.counts(250)[2] > 1000
    assert all("3D display" in words for words in told)


# -- a German system --------------------------------------------------------


@pytest.fixture
def german() -> Iterator[None]:
    before, default = locale.setlocale(locale.LC_ALL), QLocale()
    QLocale.setDefault(QLocale(QLocale.Language.German, QLocale.Country.Germany))
    for name in ("de_DE.UTF-8", "German_Germany.utf8", before):
        try:
            locale.setlocale(locale.LC_ALL, name)
            break
        except locale.Error:  # not on this system
            continue
    yield
    locale.setlocale(locale.LC_ALL, before)
    QLocale.setDefault(default)


@pytest.mark.parametrize("text", ["0.5", "0,5"])
def test_numbers_in_a_german_system(german: None, text: str, qtbot: Any, tmp_path: Path) -> None:
    field = NumberField(0, 10, 1, decimals=2)
    form = TrainForm()
    for widget in (field, form):
        qtbot.addWidget(widget)
        widget.show()
    field.lineEdit().selectAll()
    qtbot.keyClicks(field.lineEdit(), text)
    qtbot.keyClick(field.lineEdit(), Qt.Key.Key_Return)
    assert field.value() == 0.5
    assert field.text() == "0.50"
    qtbot.mouseClick(form.noise, LEFT, pos=form.noise.rect().center())
    assert form.noise.isChecked()
    form.std.clear()
    qtbot.keyClicks(form.std, text)
    qtbot.keyClick(form.std, Qt.Key.Key_Return)
    assert form.value().config.noise.std == 0.5
    path = tmp_path / "recipe.toml"
    path.write_text(form.value().config.to_toml(), encoding="utf-8")
    assert "std = 0.5\n" in path.read_text(encoding="utf-8")
    assert load_recipe(path).noise.std == 0.5
