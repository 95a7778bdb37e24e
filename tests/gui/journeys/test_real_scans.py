"""The real scans in a window: however they come, with strokes, keys, slow models, and review."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from qtpy.QtCore import QLocale, QPoint, Qt
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_xseg.data.volume import Volume, open_volume
from napari_xseg.data.writing import save_volume
from napari_xseg.gui.lazy import LazyImage
from napari_xseg.gui.opening import open_path
from napari_xseg.gui.train.slice_strip import ROLE_COLOURS
from tests.gui.gestures import (
    click_strip,
    draw,
    drop,
    runs_of_class,
    slide_to,
    type_number,
)
from tests.gui.hands import Hands, dice, label_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from qtpy.QtGui import QColor

pytestmark = pytest.mark.realdata
SHAPE = (200, 501, 501)  # of the SOC scan
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(scope="module")
def soc(soc_dir: Path) -> Volume:
    """The grey slices of the SOC scan."""
    return open_volume(soc_dir / "data")


@pytest.fixture(scope="module")
def truth(soc_dir: Path) -> Any:
    """Its true classes, as values of a layer, (z, y, x), read when they are looked at."""
    _, (labels, _, _) = open_path(soc_dir).layers()
    return labels


@pytest.fixture
def scan_dir(soc_dir: Path, tmp_path: Path) -> Path:
    """Images and labels of the SOC scan as links: a project beside them is the test's own."""
    made = tmp_path / "soc"
    for name in ("data", "labels"):
        (made / name).mkdir(parents=True)
        for path in (soc_dir / name).iterdir():
            (made / name / path.name).symlink_to(path)
    return made


@pytest.fixture
def file_of(soc: Volume, scan_dir: Path) -> Iterator[Callable[[str], Path]]:
    """Write the scan in a format."""
    folder = scan_dir.parent / "file"

    def write(ending: str) -> Path:
        folder.mkdir()
        path = folder / f"scan.{ending}"
        if ending != "h5":
            save_volume(path, soc)
            return path
        with h5py.File(path, "w") as file:
            data = file.create_dataset("scan", SHAPE, np.uint16, chunks=(1, *SHAPE[1:]))
            for z in range(len(soc)):
                data[z] = soc.read(z)
        return path

    yield write
    shutil.rmtree(folder, ignore_errors=True)  # 100 MB that pytest would keep


def open_folder(hands: Hands, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Open, Folder; name it."""
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(folder))
    hands.show(hands.label)
    hands.pick(hands.label.data.open, 1)
    hands.until(hands.label.data.open.isEnabled)
    hands.idle()


def open_soc(hands: Hands, scan_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_folder(hands, scan_dir / "data", monkeypatch)
    assert hands.session.images is not None
    assert hands.session.images.shape == SHAPE


def new_labels(hands: Hands) -> None:
    hands.show(hands.label)
    hands.click(hands.label.data.new)
    hands.until(lambda: hands.session.store)


@pytest.mark.parametrize("way", ["folder", "tif", "zarr", "h5", "dropped", "napari", "memory"])
def test_from_grey_slices_to_a_mask(
    open_window: Callable[[], Hands],
    soc: Volume,
    truth: Any,
    scan_dir: Path,
    file_of: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    hands = open_window()
    session, viewer = hands.session, hands.viewer
    if way == "folder":
        open_folder(hands, scan_dir / "data", monkeypatch)
    elif way == "zarr":
        open_folder(hands, file_of(way), monkeypatch)
    elif way in ("tif", "h5"):
        hands.open_file(file_of(way), monkeypatch)
    elif way == "dropped":
        hands.show(hands.predict)
        assert drop(hands.predict, QPoint(100, 10), scan_dir / "data")
    elif way == "napari":
        viewer.open(file_of("tif"), plugin="napari")
    else:
        viewer.add_image(np.stack([soc.read(z) for z in range(len(soc))]), name="scan")
    hands.until(lambda: session.images is not None)
    hands.idle()
    assert session.images is not None
    assert session.images.shape == SHAPE
    assert session.image is not None
    assert isinstance(session.image.data, LazyImage) == (way not in ("napari", "memory"))
    np.testing.assert_array_equal(np.asarray(session.image.data[150]), soc.read(150))

    new_labels(hands)
    hands.prefill(60, 100)
    assert session.store is not None
    assert session.store.labelled == (60, 100)
    assert dice(session.store[100], truth[100], 3) > 0.85
    hands.set_steps(150)
    hands.train_to_end(hands.train.train)
    hands.show(hands.predict)
    slide_to(hands.qtbot, viewer, 140)
    z = session.z
    hands.click(hands.predict.this_slice)
    hands.idle()
    (mask,) = session.layers.of_kind("mask")
    assert dice(mask.data[z], truth[z], 3) > 0.85


def test_strokes_and_what_takes_them_back(
    open_window: Callable[[], Hands],
    scan_dir: Path,
    truth: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hands = open_window()
    open_soc(hands, scan_dir, monkeypatch)
    new_labels(hands)
    session, viewer, qtbot = hands.session, hands.viewer, hands.qtbot
    store, brush = session.store, hands.label.brush
    assert store is not None
    slide_to(qtbot, viewer, 120)
    z = session.z
    assert z is not None
    hands.see(brush.size_slider)
    type_number(qtbot, brush.size_slider._label, "12")
    states = [store[z].copy()]
    for value in (1, 2, 3):  # brush, with the classes by their keys
        hands.press(str(value))
        (start, stop), *_ = runs_of_class(np.asarray(truth[z]), value, 8, 20, 1)
        draw(qtbot, viewer, start, stop)
        assert np.count_nonzero(store[z] == value) > 12 * 20
        states.append(store[z].copy())
    hands.click(brush.tools["erase"])
    draw(qtbot, viewer, start, stop)
    assert np.count_nonzero(store[z] == 3) < np.count_nonzero(states[-1] == 3) / 2
    states.append(store[z].copy())
    hands.click(brush.tools["fill"])
    hands.press("2")
    qtbot.mouseClick(
        hands.picture, LEFT, pos=hands.place(*runs_of_class(states[-1], 1, 4, 2, 1)[0][0])
    )
    hands.until(lambda: not np.any(store[z] == 1))
    states.append(store[z].copy())
    # A slice edit is a step like a stroke.
    hands.show(hands.label)
    hands.prefill(z)
    assert (store[z] > 0).all()
    np.testing.assert_array_equal(store[z][states[-1] > 0], states[-1][states[-1] > 0])
    states.append(store[z].copy())
    counts = [store.counts(z).tolist()]
    for state in reversed(states[:-1]):
        hands.click(brush.undo)
        np.testing.assert_array_equal(store[z], state)
    assert store.labelled == ()
    for state in states[1:]:
        hands.click(brush.redo)
        np.testing.assert_array_equal(store[z], state)
    assert [store.counts(z).tolist()] == counts


def test_neighbours_of_validation_slices_are_grey(
    open_window: Callable[[], Hands],
    scan_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hands = open_window()
    open_soc(hands, scan_dir, monkeypatch)
    label_all(hands.session, *range(80, 120))
    hands.show(hands.train)
    strip = hands.train.slices.strip.strip
    hands.session.go_to(5)  # the frame around the slice in view is none of the colours
    hands.see(strip)
    hands.until(lambda: {"training", "validation", "guard"} <= set(strip.roles.values()))
    seen = strip.grab().toImage()
    drawn = set()
    for z in strip.roles:
        left, right = strip.span(z)
        colour = seen.pixelColor(round((left + right) / 2), strip.height() // 2)
        nearest = min(ROLE_COLOURS, key=lambda one: _apart(colour, ROLE_COLOURS[one]))
        # A pixel in the middle may be half a neighbour's.
        assert nearest in {strip.roles.get(z + step) for step in (-1, 0, 1)}, z
        drawn.add(nearest)
    assert drawn == {"training", "validation", "guard"}
    click_strip(hands.qtbot, strip, 100)
    assert hands.session.z == 100


def _apart(colour: QColor, other: tuple[int, int, int]) -> int:
    mine = (colour.red(), colour.green(), colour.blue())
    return sum(abs(a - b) for a, b in zip(mine, other, strict=True))


def test_a_slow_model_shows_the_region_in_view(
    open_window: Callable[[], Hands],
    scan_dir: Path,
    truth: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hands = open_window()
    open_soc(hands, scan_dir, monkeypatch)
    new_labels(hands)
    session = hands.session
    assert session.store is not None
    for z in (60, 100):
        session.store.write(z, np.asarray(truth[z]))
    hands.show(hands.train)
    hands.choose(hands.train.form.recipe, "poster")
    hands.fold(hands.train.form.fold)  # narrower: its steps take a seventh, and are slow still
    width = hands.train.form.advanced.fields["model.width"].input
    hands.see(width)
    width.selectAll()
    hands.qtbot.keyClicks(width, "24")
    hands.qtbot.keyClick(width, Qt.Key.Key_Return)
    session.go_to(100)
    session.camera.center = (0, 120, 150)
    session.camera.zoom = 8
    hands.until(lambda: session.box is not None and session.box[1] < SHAPE[1] // 2)
    box = session.box
    assert box is not None
    hands.click(hands.train.train)
    shown: list[NDArray[np.uint8]] = []

    def previewed() -> bool:
        layer = next(session.layers.of_kind("preview"), None)
        if layer is None or not np.any(layer.data[100]):
            return False
        shown[:] = [np.array(layer.data[100])]
        return True

    hands.until(previewed)
    y0, y1, x0, x1 = box
    inside = shown[0][y0:y1, x0:x1]
    assert np.count_nonzero(inside) == np.count_nonzero(shown[0])
    assert np.count_nonzero(inside) > 0.5 * inside.size  # at least the middle of it
    hands.click(hands.train.bar.stop)
    hands.until(lambda: not hands.train.trainings.running)
    hands.idle()


def test_keys_alone_on_a_german_system(
    open_window: Callable[[], Hands],
    scan_dir: Path,
    truth: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = QLocale()
    QLocale.setDefault(QLocale(QLocale.Language.German, QLocale.Country.Germany))
    try:
        hands = open_window()
        open_soc(hands, scan_dir, monkeypatch)
        session, qtbot = hands.session, hands.qtbot

        def tab_to(widget: Any) -> None:
            for _ in range(120):
                if widget.hasFocus():
                    return
                qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
            raise AssertionError(f"Tab does not come to {widget}")

        def press(widget: Any) -> None:
            hands.until(widget.isEnabled)
            tab_to(widget)
            qtbot.keyClick(widget, Qt.Key.Key_Space)

        hands.label.data.open.setFocus()
        press(hands.label.data.new)
        hands.until(lambda: session.store)
        store = session.store
        assert store is not None
        press(hands.label.fold._button)
        for z in (60, 100):
            session.go_to(z)
            hands.until(lambda z=z: hands.label.prefill.prefill.mask_at(z) is not None)
            press(hands.label.accept)
        assert store.labelled == (60, 100)
        hands.show(hands.train)
        hands.train.data.open.setFocus()
        tab_to(hands.train.form.length)
        type_number(qtbot, hands.train.form.length, "4,5")
        assert hands.train.form.value().config.time_limit == 4.5
        press(hands.train.train)
        hands.until(lambda: session.model is not None and not hands.train.trainings.running)
        hands.idle()
        strip = hands.train.slices.strip.strip
        tab_to(strip)
        qtbot.keyClick(strip, Qt.Key.Key_PageUp)
        qtbot.keyClick(strip, Qt.Key.Key_Right)
        assert session.z == 61
        hands.show(hands.predict)
        hands.predict.data.open.setFocus()
        press(hands.predict.this_slice)
        hands.idle()
        (mask,) = session.layers.of_kind("mask")
        assert dice(mask.data[61], truth[61], 3) > 0.8
        tab_to(hands.predict.range)
        qtbot.keyClicks(hands.predict.range, "90:94")
        press(hands.predict.predict_range)
        hands.until(lambda: hands.predict.predictions.current is None)
        hands.idle()
        mask = next(session.layers.of_kind("mask"))
        assert all(np.any(mask.data[z]) for z in range(90, 94))
    finally:
        QLocale.setDefault(before)


def test_masks_of_two_models_against_the_labels_and_each_other(
    open_window: Callable[[], Hands],
    scan_dir: Path,
    truth: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hands = open_window()
    open_folder(hands, scan_dir, monkeypatch)  # images and labels side by side
    session, viewer = hands.session, hands.viewer
    true = next(layer for layer in session.layers.labels())
    new_labels(hands)
    assert session.store is not None
    for z in (60, 100):
        session.store.write(z, np.asarray(truth[z]))
    for steps in (20, 200):
        hands.set_steps(steps)
        hands.train_to_end(hands.train.train)
        hands.show(hands.predict)
        hands.predict.range.clear()
        hands.qtbot.keyClicks(hands.predict.range, "90:94")
        hands.click(hands.predict.predict_range)
        hands.until(lambda: hands.predict.predictions.current is None)
        hands.idle()
    masks = [layer.name for layer in session.layers.of_kind("mask")]
    assert len(masks) == 2
    session.go_to(92)
    hands.show(hands.review)
    page = hands.review.compare

    def shows(wanted: NDArray[np.uint8]) -> None:
        view = page.reviewer.view
        hands.until(
            lambda: (
                view.overlay is not None and np.array_equal(view.overlay._slice.image.raw, wanted)
            )
        )

    planes = {name: np.asarray(viewer.layers[name].data[92]) for name in (true.name, *masks)}
    faults = []
    for first, second in ((true.name, masks[0]), (true.name, masks[1]), tuple(masks)):
        hands.choose(page.form.truth, first)
        hands.choose(page.form.prediction, second)
        wrong = (planes[first] != planes[second]) & (planes[second] > 0)
        shows(np.where(wrong, planes[first], 0))
        faults.append(np.count_nonzero(wrong))
        hands.until(lambda: not (session.jobs.busy or page.reviewer._gather.isActive()))
        hands.see(page.heat_map)
        hands.qtbot.mouseClick(page.heat_map, LEFT, pos=page.heat_map.cell(1, 0).center())
        wrong = (planes[first] == 2) & (planes[second] == 1)
        assert wrong.any()
        shows(np.where(wrong, 2, 0))
        hands.qtbot.keyClick(page.heat_map, Qt.Key.Key_Escape)
    assert faults[0] < faults[1]  # the newest mask is on top: of ten times as many steps


def test_floats_without_labels(
    open_window: Callable[[], Hands],
    lis_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hands = open_window()
    folder = tmp_path / "data" / "lis"
    shutil.copytree(lis_dir, folder)
    open_folder(hands, folder, monkeypatch)
    session = hands.session
    assert session.images is not None
    assert session.images.shape == (6, 702, 759)
    assert session.image is not None
    assert session.image.data.dtype == np.float32
    new_labels(hands)
    hands.prefill(1, 4)
    assert session.store is not None
    labels = [session.store[z].copy() for z in (1, 4)]
    assert all(len(np.unique(one)) == 3 for one in labels)
    hands.set_steps(20_000)
    hands.click(hands.train.train)
    for z in (2, 5):  # the preview follows the slider
        slide_to(hands.qtbot, hands.viewer, z)
        assert session.z == z

        def agrees(z: int = z) -> bool:
            layer = next(session.layers.of_kind("preview"), None)
            nearest = labels[0] if z == 2 else labels[1]
            return layer is not None and dice(layer.data[z], nearest, 3) > 0.6

        hands.until(agrees)
    hands.click(hands.train.bar.stop)
    hands.until(lambda: not hands.train.trainings.running)
    hands.idle()
    hands.show(hands.predict)
    hands.click(hands.predict.volume)
    hands.until(lambda: hands.predict.predictions.current is None)
    hands.idle()
    mask = next(session.layers.of_kind("mask"))
    assert all(len(np.unique(mask.data[z])) == 3 for z in range(6))
