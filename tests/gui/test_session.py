from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.project import Project
from napari_xseg.data.volume import volume_from_array
from napari_xseg.data.writing import save_volume
from napari_xseg.errors import XsegError
from napari_xseg.gui.layers import classes_of, kind_of
from napari_xseg.gui.session import session_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari import Viewer
    from numpy.typing import NDArray

    from napari_xseg.gui.session import Session
    from tests.gui.fake import FakeEngine


@pytest.fixture
def file_session(
    viewer: Viewer, fake_engine: FakeEngine, tmp_path: Path, session: Session
) -> Session:
    """The session, on an image that was opened from a file."""
    path = tmp_path / "data" / "scan.tif"
    path.parent.mkdir()
    save_volume(path, volume_from_array(np.asarray(viewer.layers["phantom"].data), "scan"))
    (layer,) = viewer.open(str(path), plugin="napari-xseg")
    session.set_image(layer)
    return session


def paint(session: Session, z: int, value: int = 1) -> None:
    """A stroke as napari's brush makes it."""
    layer = session.new_labels()
    session.go_to(z)
    layer.selected_label = value
    layer.paint((z, 40, 40), value)


def test_each_viewer_has_one_session(session: Session, viewer: Viewer) -> None:
    assert session_of(viewer) is session


def test_looking_at_an_image_writes_nothing(file_session: Session, tmp_path: Path) -> None:
    file_session.go_to(3)
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["scan.tif"]


def test_new_labels_make_a_project_beside_the_data(file_session: Session, tmp_path: Path) -> None:
    layer = file_session.new_labels()
    assert file_session.project is not None
    assert file_session.project.folder == tmp_path / "data" / "scan-xseg"
    assert layer.data is file_session.store
    assert layer.data.shape == (8, 96, 128)
    assert kind_of(layer) == "labels"
    assert classes_of(layer) == file_session.classes


def test_labels_of_an_image_in_memory_go_to_the_documents(session: Session, tmp_path: Path) -> None:
    session.new_labels()
    assert session.project is not None
    documents = tmp_path / "home" / "Documents" / "napari-xseg"
    assert session.project.folder == documents / "phantom-xseg"


def test_strokes_are_told_and_counted(session: Session) -> None:
    heard: list[frozenset[int]] = []
    session.slices_changed.connect(lambda slices: heard.append(slices))
    paint(session, 3, value=2)
    assert session.store is not None
    assert heard == [frozenset({3})]
    assert session.store.counts(3)[2] > 50
    assert session.store.labelled == (3,)


def test_undo_is_counted_too(session: Session) -> None:
    paint(session, 3)
    assert session.labels is not None
    assert session.store is not None
    session.labels.undo()
    assert session.store.labelled == ()
    assert session.store.counts(3)[1:].sum() == 0


def test_opening_the_image_again_brings_the_labels_back(
    file_session: Session, viewer: Viewer, tmp_path: Path
) -> None:
    paint(file_session, 2)
    file_session.set_image(None)
    assert [kind_of(layer) for layer in viewer.layers] == [None, None]
    file_session.set_image(viewer.layers["scan"])
    assert file_session.store is not None
    assert file_session.store.labelled == (2,)
    assert file_session.labels in viewer.layers


def test_open_project_opens_the_image_and_the_labels(
    file_session: Session, viewer: Viewer, tmp_path: Path
) -> None:
    paint(file_session, 2)
    file_session.set_image(None)
    viewer.layers.clear()
    file_session.open_project(tmp_path / "data" / "scan-xseg")
    assert [layer.name for layer in viewer.layers] == ["scan", "scan labels"]
    assert file_session.store is not None
    assert file_session.store.labelled == (2,)


def test_a_project_whose_image_has_gone_says_so_and_changes_nothing(
    file_session: Session, tmp_path: Path
) -> None:
    paint(file_session, 2)
    file_session.set_image(None)
    (tmp_path / "data" / "scan.tif").unlink()
    with pytest.raises(XsegError, match=r"scan\.tif is not there any more"):
        file_session.open_project(tmp_path / "data" / "scan-xseg")
    assert (file_session.project, file_session.image) == (None, None)
    Project.open(tmp_path / "data" / "scan-xseg", image=tmp_path / "data").close()  # not locked


def test_removing_a_class_recodes_the_labels(session: Session) -> None:
    paint(session, 1, value=1)
    assert session.store is not None
    store, classes = session.store, session.classes
    store.write(2, np.full((96, 128), 3, np.uint8))
    kept = ClassTable(classes.classes[1:], classes.unlabelled)
    session.set_classes(kept, recode={1: 0, 2: 1})
    assert store.counts(1)[1:].sum() == 0
    assert (store.read(2) == 2).all()
    assert session.labels is not None
    assert classes_of(session.labels) == kept


def test_a_deleted_labels_layer_loses_no_label(session: Session, viewer: Viewer) -> None:
    paint(session, 1)
    viewer.layers.remove(session.labels)
    assert session.labels is None
    layer = session.new_labels()
    assert layer in viewer.layers
    assert np.asarray(layer.data[1]).any()


def test_a_deleted_image_layer_leaves_no_image(session: Session, viewer: Viewer) -> None:
    viewer.layers.remove(session.image)
    assert session.image is None
    with pytest.raises(XsegError, match="There is no image"):
        session.require_images()


def test_labels_of_another_size_are_refused(session: Session, viewer: Viewer) -> None:
    layer = viewer.add_labels(np.zeros((8, 96, 100), np.uint8))
    with pytest.raises(XsegError, match="8 x 96 x 100 pixels, the image is 8 x 96 x 128"):
        session.use_labels(layer)
    assert session.project is None


def test_labels_that_say_not_what_they_mean_want_conversion(
    session: Session, viewer: Viewer
) -> None:
    layer = viewer.add_labels(np.zeros((8, 96, 128), np.uint8))
    with pytest.raises(XsegError, match="convert it first"):
        session.use_labels(layer)


def test_foreign_labels_are_converted_by_a_class_table(
    session: Session, viewer: Viewer, truth: NDArray[Any], wait_idle: Callable[[Session], None]
) -> None:
    layer = viewer.add_labels(truth.astype(np.int32), name="theirs")
    classes = ClassTable.from_values(np.unique(truth))
    session.use_labels(layer, classes)
    wait_idle(session)
    assert session.store is not None
    expected = classes.to_layer(classes.encode(truth[4]))
    assert (session.store.read(4) == expected).all()
    assert session.classes == classes
    assert layer.visible is False


def test_colour_images_and_films_are_refused(session: Session, viewer: Viewer) -> None:
    before = session.image
    for layer in (
        viewer.add_image(np.zeros((20, 20, 3), np.uint8), rgb=True),
        viewer.add_image(np.zeros((2, 3, 20, 20), np.uint8)),
    ):
        with pytest.raises(XsegError, match=r"is a colour image|has 4 axes"):
            session.set_image(layer)
    assert session.image is before


def test_z_follows_the_slider_and_is_none_where_there_is_no_slice(
    session: Session, viewer: Viewer
) -> None:
    session.go_to(5)
    assert session.z == 5
    viewer.dims.ndisplay = 3
    assert session.z is None
    viewer.dims.ndisplay = 2
    viewer.dims.order = (1, 0, 2)
    assert session.z is None


def test_z_is_counted_in_slices_whatever_the_scale(session: Session) -> None:
    assert session.image is not None
    session.image.scale = (2.5, 1, 1)
    session.go_to(4)
    assert session.z == 4


def test_the_box_is_what_is_seen(session: Session, viewer: Viewer, qtbot: Any) -> None:
    viewer.window.show()
    session.camera.center = (0, 48, 64)
    session.camera.zoom = 40
    qtbot.waitUntil(lambda: session.box != (0, 96, 0, 128), timeout=5_000)
    assert session.box is not None
    y0, y1, x0, x1 = session.box
    assert 0 < y0 < 48 < y1 < 96
    assert 0 < x0 < 64 < x1 < 128


def test_moving_the_project_keeps_it_elsewhere(session: Session, tmp_path: Path) -> None:
    session.move_project(tmp_path / "elsewhere")
    assert session.project is not None
    assert session.project.folder == tmp_path / "elsewhere"


def test_closing_lets_go_of_the_project(session: Session, viewer: Viewer, tmp_path: Path) -> None:
    paint(session, 1)
    assert session.project is not None
    folder = session.project.folder
    session.close()
    again = Project.open(folder)
    assert again.owned
    again.close()


def test_opening_a_project_takes_it_once(
    file_session: Session, viewer: Viewer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint(file_session, 2)
    file_session.set_image(None)
    viewer.layers.clear()
    told: list[str] = []
    monkeypatch.setattr(file_session, "warn", told.append)
    # As a dock does that shows the first image there is.
    file_session.layers_changed.connect(
        lambda: file_session.set_image(next(iter(file_session.layers.images()), None))
    )
    file_session.open_project(tmp_path / "data" / "scan-xseg")
    assert told == []
    assert file_session.store is not None
    assert not file_session.store.read_only


def test_labels_that_cannot_be_written_are_rescued(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(session, "warn", told.append)
    monkeypatch.setattr(session, "show_error", lambda error: None)
    paint(session, 1)
    assert session.project is not None
    folder = session.project.folder
    folder.rename(tmp_path / "away")
    folder.write_text("no folder any more")
    paint(session, 3, value=2)
    session.set_image(None)
    (rescued,) = (tmp_path / "home" / "Documents" / "napari-xseg").glob("phantom-rescued-*-xseg")
    assert str(rescued) in told[-1]
    project = Project.open(rescued)
    assert project.labels().labelled == (1, 3)
    project.close()


def test_a_project_that_is_open_elsewhere_is_not_changed(session: Session, tmp_path: Path) -> None:
    paint(session, 1)
    assert session.project is not None
    other = Project.open(session.project.folder)
    before = other.classes
    with pytest.raises(XsegError, match="open elsewhere"):
        other.set_classes(before.with_colours(((1, 2, 3), (4, 5, 6), (7, 8, 9))))
    assert other.classes == before
    other.close()
