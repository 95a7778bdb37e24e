from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import napari_xseg
from napari_xseg.data import project as project_module
from napari_xseg.data import project_file
from napari_xseg.data.classes import ClassTable
from napari_xseg.data.label_base import PairedLabels
from napari_xseg.data.labels import open_labels
from napari_xseg.data.locking import is_locked, lock_folder, unlock
from napari_xseg.data.project import ImageMoved, Project, default_folder, is_project
from napari_xseg.data.project_file import DamagedProject, set_aside
from napari_xseg.errors import XsegError

SHAPE = (3, 40, 50)
CLASSES = ClassTable.from_values([0, 128, 255])


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, np.zeros(SHAPE, np.uint16), photometric="minisblack")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "scan-xseg"


@pytest.fixture
def project(folder: Path, image: Path) -> Project:
    return Project.create(folder, image={"path": image}, shape=SHAPE, classes=CLASSES)


class TestFolder:
    def test_everything_comes_back(self, project: Project, folder: Path, image: Path) -> None:
        project.labels()[1, 5:9, 5:9] = 2
        other = CLASSES.with_colours([(1, 2, 3), (4, 5, 6), (7, 8, 9)])
        project.set_classes(other)
        project.save_settings({"recipe": "best", "noise": {"sd": 5000.0, "off": None}})
        project.close()
        again = Project.open(folder / "project.toml")
        assert (again.shape, again.classes, again.image_path) == (SHAPE, other, image)
        assert again.image_name == "scan"
        assert again.settings == {"recipe": "best", "noise": {"sd": 5000.0}}
        assert again.has_labels
        assert again.labels().counts(1)[2] == 16
        assert is_project(folder)
        assert is_project(folder / "project.toml")

    def test_has_a_place_for_everything(self, project: Project, folder: Path) -> None:
        assert {item.name for item in folder.iterdir()} == {
            "project.toml", "runs", "masks", "reviews", "pending",
        }  # fmt: skip
        assert not project.has_labels
        project.labels()
        assert (folder / "labels.zarr").is_dir()

    def test_moves_with_its_image(self, project: Project, image: Path, tmp_path: Path) -> None:
        project.close()
        (tmp_path / "elsewhere").mkdir()
        for path in (project.folder, image):
            path.rename(tmp_path / "elsewhere" / path.name)
        again = Project.open(tmp_path / "elsewhere" / project.folder.name)
        assert again.image_path == tmp_path / "elsewhere/scan.tif"

    def test_says_where_a_moved_image_was(
        self, project: Project, folder: Path, image: Path, tmp_path: Path
    ) -> None:
        project.close()
        moved = tmp_path / "deep/moved.tif"
        moved.parent.mkdir()
        image.rename(moved)
        with pytest.raises(ImageMoved, match=r"scan\.tif is not there any more") as caught:
            Project.open(folder)
        assert caught.value.path == image
        Project.open(folder, image=moved).close()
        assert Project.open(folder).image_path == moved

    def test_of_an_image_in_memory(self, folder: Path) -> None:
        made = Project.create(folder, image={"name": "layer"}, shape=SHAPE, classes=CLASSES)
        made.close()
        again = Project.open(folder)
        assert again.image_path is None
        assert again.image_name == "layer"

    def test_is_not_made_twice(self, project: Project, folder: Path) -> None:
        with pytest.raises(XsegError, match="holds a project already"):
            Project.create(folder, image={"name": "x"}, shape=SHAPE, classes=CLASSES)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "junk",
            "version = 1",
            'version = 1\nshape = [1, 2]\nimage = {name = "x"}\nclasses = {}',
            'version = 1\nshape = [1, 2, 0]\nimage = {name = "x"}\nclasses = {}',
            "version = 1\nshape = [1, 2, 3]\nimage = {name = 1}\nclasses = {}",
            'version = 1\nshape = [1, 2, 3]\nimage = {name = "x"}\nclasses = {}',
            'version = 1\nshape = [1, 2, 3]\nimage = {name = "x"}\nclasses = 3',
            'version = 1\nshape = [1, 2, 3]\nimage = "x"\nclasses = {}',
            'version = "1"\nshape = [1, 2, 3]',
        ],
    )
    def test_a_damaged_one_is_named(self, project: Project, folder: Path, text: str) -> None:
        project.close()
        (folder / "project.toml").write_text(text, encoding="utf-8")
        with pytest.raises(DamagedProject, match=r"project\.toml.*press New labels"):
            Project.open(folder)
        assert not is_locked(folder)

    def test_one_of_a_later_version_is_not_damaged(self, project: Project, folder: Path) -> None:
        project.close()
        (folder / "project.toml").write_text("version = 9\nshape = [1, 2, 3]", encoding="utf-8")
        with pytest.raises(XsegError, match="newer napari-xseg") as caught:
            Project.open(folder)
        assert not isinstance(caught.value, DamagedProject)

    def test_a_damaged_file_is_set_aside_twice(self, folder: Path) -> None:
        folder.mkdir()
        for text in ("one", "two"):
            (folder / "project.toml").write_text(text, encoding="utf-8")
            set_aside(folder)
        assert (folder / "project.damaged.toml").read_text(encoding="utf-8") == "one"
        assert (folder / "project.damaged-2.toml").read_text(encoding="utf-8") == "two"
        assert not is_project(folder)

    def test_another_folder_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(XsegError, match="is no project"):
            Project.open(tmp_path)
        assert not is_project(tmp_path / "missing")

    def test_labels_of_another_size_are_refused(self, project: Project, folder: Path) -> None:
        project.labels()
        project.close()
        text = (folder / "project.toml").read_text(encoding="utf-8").replace("40", "41")
        (folder / "project.toml").write_text(text, encoding="utf-8")
        with pytest.raises(XsegError, match="3 x 40 x 50 pixels do not fit"):
            Project.open(folder).labels()

    def test_label_files_shine_through(
        self, project: Project, folder: Path, tmp_path: Path
    ) -> None:
        tifffile.imwrite(tmp_path / "truth.tif", np.full((2, 40, 50), 128, np.uint8))
        labels = open_labels(tmp_path / "truth.tif", classes=CLASSES)
        project.set_base(PairedLabels(labels, {2: 0, 0: 1}, SHAPE).describe())
        project.close()
        again = Project.open(folder)
        assert again.has_labels
        store = again.labels()
        assert [int(store[z, 0, 0]) for z in range(3)] == [2, 0, 2]
        store[2, 0, 0] = 1
        tifffile.imwrite(tmp_path / "truth.tif", np.full((5, 40, 50), 128, np.uint8))
        with pytest.raises(XsegError, match="holds 5 label slices, and 2"):
            again.labels()


class TestDefaultFolder:
    def test_is_beside_the_image(self, image: Path, folder: Path) -> None:
        assert default_folder(image, "scan") == folder
        assert list(image.parent.iterdir()) == [image]

    def test_is_in_the_documents_where_nothing_can_be_written(
        self, image: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(project_file, "_takes_files", lambda _: False)
        monkeypatch.setattr(Path, "home", lambda: image.parent / "home")
        documents = image.parent / "home/Documents/napari-xseg"
        assert default_folder(image, "scan") == documents / "scan-xseg"
        assert default_folder(None, "a/b:c") == documents / "a_b_c-xseg"
        assert default_folder(None, "con") == documents / "_con-xseg"
        assert default_folder(None, " . ") == documents / "image-xseg"


OTHER = """
import sys
from napari_xseg.data.project import Project
project = Project.open(sys.argv[1])
try:
    project.labels()[0, 0, 0] = 1
except Exception as error:
    print(project.owned, type(error).__name__, error)
else:
    print(project.owned, "painted")
"""


def test_one_process_at_a_time_paints(project: Project, folder: Path) -> None:
    project.labels()

    def elsewhere() -> str:
        command = [sys.executable, "-c", OTHER, str(folder)]
        root = Path(napari_xseg.__file__).parents[1]
        return subprocess.run(command, capture_output=True, text=True, cwd=root, check=True).stdout

    assert "False XsegError" in elsewhere()
    assert not Project.open(folder).owned
    project.close()
    assert elsewhere() == "True painted\n"


def test_a_lock_keeps_others_out(tmp_path: Path) -> None:
    handle = lock_folder(tmp_path)
    assert handle is not None
    assert lock_folder(tmp_path) is None
    assert is_locked(tmp_path)
    unlock(handle)
    assert not is_locked(tmp_path)
    assert not is_locked(tmp_path / "missing")


def test_masks_have_names_of_their_own(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Clock:
            return cls(2026, 1, 2, 3, 4, 5)

    monkeypatch.setattr(project_module, "datetime", Clock)
    first, second = project.new_mask("run 1", "z 3"), project.new_mask("run 1", "z 3")
    assert first.name == "20260102-030405-run 1-z 3.zarr"
    assert second.name == "20260102-030405-run 1-z 3-2.zarr"
    first.mkdir()
    second.mkdir()
    (project.folder / "masks/x.json").touch()
    assert project.masks() == [first, second]


def test_a_project_that_has_gone_is_not_made_anew(
    project: Project, folder: Path, tmp_path: Path
) -> None:
    folder.rename(tmp_path / "elsewhere")
    for ask in (lambda: project.new_mask("fine", "scan"), lambda: project.new_run("quick")):
        with pytest.raises(XsegError, match="was moved or deleted meanwhile; put its folder back"):
            ask()
    assert project.masks() == []
    assert not folder.exists()


def test_settings_that_were_changed_outside_are_kept(project: Project, folder: Path) -> None:
    project.save_settings({"a": 1})
    project.set_classes(replace(CLASSES, unlabelled=7))
    assert Project.open(folder).settings == {"a": 1}
