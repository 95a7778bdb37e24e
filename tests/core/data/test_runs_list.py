from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.locking import lock_folder, unlock
from napari_xseg.data.project import Project
from napari_xseg.data.runs_list import read_history
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    classes = ClassTable.from_values([0, 128, 255])
    return Project.create(
        tmp_path / "x-xseg", image={"name": "x"}, shape=(3, 40, 50), classes=classes
    )


def make_run(path: Path, *, finished: bool = True, scored: bool = True) -> Path:
    """A run folder as a training leaves it."""
    path.mkdir(parents=True)
    (path / "config.toml").write_text('name = "quick"\n', encoding="utf-8")
    told: dict[str, Any] = {
        "split": {"kind": "blocked", "train": [3, 9], "val": [20] if scored else []}
    }
    if finished:
        told |= {"finished": "2026-01-02T03:04:05", "steps": 120, "seconds": 14.5}
        told["figures"] = {"dice_foreground": 0.98} if scored else {}
    (path / "provenance.json").write_text(json.dumps(told), encoding="utf-8")
    columns = "step,seconds,learning_rate,loss" + scored * ",dice_all,dice_foreground,dice_a,dice_b"
    rows = ["50,5,0.1,0.5", "90,9.5,0.05,0.2", "120,14.5,0.01,0.3"]
    figures = [",.9,.91,.92,.93", ",.97,.98,.99,.96", ",.94,.95,.96,.97"]
    lines = [row + scored * more for row, more in zip(rows, figures, strict=True)]
    (path / "history.csv").write_text("\n".join([columns, *lines]) + "\n", encoding="utf-8")
    (path / "model.safetensors").touch()
    return path


class TestRuns:
    def test_say_what_was_trained(self, project: Project) -> None:
        path = make_run(project.folder / "runs/20260102-030405-first")
        (run,) = project.runs()
        assert (run.path, run.name, run.date) == (path, "first", datetime(2026, 1, 2, 3, 4, 5))
        assert (run.recipe, run.slices, run.val_slices) == ("quick", (3, 9), (20,))
        assert (run.steps, run.seconds, run.finished) == (120, 14.5, True)
        assert (run.dice_foreground, run.dice) == (0.98, {"a": 0.99, "b": 0.96})
        assert run.usable
        assert not run.running
        assert run.parent is None
        assert not run.fault

    def test_without_validation_have_no_figure(self, project: Project) -> None:
        make_run(project.folder / "runs/20260102-030405-first", scored=False)
        (run,) = project.runs()
        assert run.dice_foreground is None
        assert not run.dice
        assert run.finished

    def test_cut_short_tell_how_far_they_came(self, project: Project) -> None:
        make_run(project.folder / "runs/20260102-030405-first", finished=False)
        (run,) = project.runs()
        assert not run.finished
        assert (run.steps, run.seconds, run.dice_foreground) == (120, 14.5, 0.98)

    def test_under_way_are_said_to_be(self, project: Project) -> None:
        path = make_run(project.folder / "runs/20260102-030405-first")
        handle = lock_folder(path)
        assert handle is not None
        (run,) = project.runs()
        assert run.running
        for act in (lambda: project.delete_run(run), lambda: project.rename_run(run, "x")):
            with pytest.raises(XsegError, match="is under way"):
                act()
        unlock(handle)

    def test_are_listed_newest_first(self, project: Project) -> None:
        names = ["20260102-030405-b", "20260103-030405-a", "20250103-030405-c", "mine"]
        for name in names:
            make_run(project.folder / "runs" / name)
        (project.folder / "runs/empty").mkdir()
        (project.folder / "runs/.hidden").mkdir()
        assert [run.name for run in project.runs()] == ["mine", "a", "b", "c"]

    @pytest.mark.parametrize(
        ("file", "text", "fault"),
        [
            ("config.toml", None, "holds no training"),
            ("config.toml", "= 3", "is not a TOML file"),
            ("provenance.json", "{", "cannot be read"),
            ("provenance.json", '{"split": {"train": ["x"]}}', "is damaged"),
            ("provenance.json", '{"split": 3}', "is damaged"),
            ("history.csv", "a,b\n1\n", "curves cannot be read"),
            ("history.csv", "a,b\n1,x\n", "curves cannot be read"),
        ],
    )
    def test_that_are_broken_say_why(
        self, project: Project, file: str, text: str | None, fault: str
    ) -> None:
        path = make_run(project.folder / "runs/20260102-030405-first")
        (path / file).unlink() if text is None else (path / file).write_text(text, encoding="utf-8")
        (run,) = project.runs()
        assert fault in run.fault
        assert run.name == "first"

    def test_have_curves(self, project: Project) -> None:
        path = make_run(project.folder / "runs/20260102-030405-first")
        curves = read_history(path)
        assert curves["loss"].tolist() == [0.5, 0.2, 0.3]
        assert curves["dice_b"].tolist() == [0.93, 0.96, 0.97]
        (path / "history.csv").unlink()
        assert read_history(project.runs()[0]) == {}

    def test_new_ones_get_folders_of_their_own(self, project: Project) -> None:
        first, second = project.new_run("a/b"), project.new_run("a/b")
        assert first != second
        assert first.parent == project.folder / "runs"
        assert first.name.endswith("-a_b")
        datetime.strptime(first.name[:15], "%Y%m%d-%H%M%S")

    def test_get_other_names(self, project: Project) -> None:
        path = make_run(project.folder / "runs/20260102-030405-first")
        (project.pending_folder(path) / "request.json").touch()
        renamed = project.rename_run(project.runs()[0], "zweite Probe")
        assert renamed.name == "20260102-030405-zweite Probe"
        (run,) = project.runs()
        assert (run.path, run.name, run.date.year) == (renamed, "zweite Probe", 2026)
        assert project.unfinished() == [run]
        make_run(project.folder / "runs/20260102-030405-third")
        with pytest.raises(XsegError, match="such a run already"):
            project.rename_run(renamed, "third")

    @pytest.mark.parametrize(
        "name", ["", "  ", "a/b", "a\\b", "a:b", "con", "LPT1.x", ".a", "a.", "x" * 81, "a\nb"]
    )
    def test_refuse_names_that_folders_cannot_have(self, project: Project, name: str) -> None:
        path = make_run(project.folder / "runs/20260102-030405-first")
        if name == "a\nb":
            name = "a\nb"
        with pytest.raises(XsegError, match=r"The name .*; (choose|use)|too long"):
            project.rename_run(path, name)
        assert path.is_dir()

    def test_are_deleted_whole(self, project: Project) -> None:
        path = make_run(project.folder / "runs/20260102-030405-first")
        (project.pending_folder(path) / "request.json").touch()
        project.delete_run(path)
        assert not list((project.folder / "runs").iterdir())
        assert not list((project.folder / "pending").iterdir())

    def test_cut_short_are_offered_to_go_on(self, project: Project) -> None:
        path = make_run(project.folder / "runs/20260102-030405-first")
        make_run(project.folder / "runs/20260102-030406-second")
        project.pending_folder(path)
        assert project.unfinished() == []
        (project.pending_folder(path) / "request.json").touch()
        assert [run.path for run in project.unfinished()] == [path]
        project.clear_pending(path)
        assert project.unfinished() == []
