from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.data import project_file
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.volume import volume_from_array
from napari_xseg.data.writing import save_volume

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from napari import Viewer

    from napari_xseg.gui.session import Session

FIVE = ClassTable.from_values(range(1, 6), unlabelled=0)


def paint(session: Session, value: int) -> None:
    layer = session.new_labels()
    session.go_to(3)
    layer.selected_label = value
    layer.paint((3, 40, 40), value)


def test_images_in_memory_of_one_name_have_projects_of_their_own(
    session: Session, viewer: Viewer
) -> None:
    first = session.image
    paint(session, 1)
    assert session.project is not None
    assert session.project.folder.name == "phantom-xseg"
    viewer.layers.remove(first)
    other = viewer.add_image(np.full((8, 96, 128), 7, np.uint16), name="phantom")
    session.set_image(other)
    assert session.store is None
    paint(session, 2)
    assert session.project.folder.name == "phantom 2-xseg"
    viewer.layers.remove(other)
    session.set_image(viewer.add_image(first.data, name="phantom"))
    assert session.project.folder.name == "phantom-xseg"
    assert session.store is not None
    assert session.store.counts(3)[1] > 50


def test_a_damaged_project_is_mended_by_new_labels(
    session: Session, viewer: Viewer, told: list[str]
) -> None:
    image = session.image
    paint(session, 1)
    session.set_classes(FIVE)
    paint(session, 5)
    assert session.project is not None
    file = session.project.folder / "project.toml"
    session.set_image(None)
    file.write_text("version = ", encoding="utf-8")
    session.set_image(image)
    assert "press New labels" in told[-1]
    assert session.store is None
    session.new_labels()
    assert session.store is not None
    assert session.store.counts(3)[5] > 50
    assert len(session.classes) == 5
    assert file.with_name("project.damaged.toml").read_text(encoding="utf-8") == "version = "
    session.set_image(None)
    session.set_image(image)
    assert len(session.classes) == 5


def test_a_folder_that_cannot_be_written_is_told(
    session: Session,
    viewer: Viewer,
    tmp_path: Path,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "locked" / "scan.tif"
    path.parent.mkdir()
    save_volume(path, volume_from_array(np.zeros((2, 64, 64), np.uint16), "scan"))
    monkeypatch.setattr(project_file, "_takes_files", lambda _: False)
    (layer,) = viewer.open(str(path), plugin="napari-xseg")
    session.set_image(layer)
    session.new_labels()
    assert any("locked: cannot be written" in words for words in said)
