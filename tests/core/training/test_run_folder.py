from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING, Any

import pytest
import torch

from napari_xseg.config import TrainConfig
from napari_xseg.errors import XsegError
from napari_xseg.training.run_folder import FILES, RunFolder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "deep" / "run")
    made.start(TrainConfig(steps=3), {"seed": 1, "dice": math.nan})
    return made


def test_a_start_leaves_settings_and_provenance(folder: RunFolder) -> None:
    assert {path.name for path in folder.path.iterdir()} == {"config.toml", "provenance.json"}
    assert TrainConfig.from_toml(folder.path / "config.toml") == TrainConfig(steps=3)
    assert folder.read_provenance() == {"seed": 1, "dice": None}
    assert folder.read_state() is None


def test_a_start_removes_the_run_before(folder: RunFolder) -> None:
    for name in FILES:
        (folder.path / name).write_text("old", encoding="utf-8")
    (folder.path / "notes.txt").write_text("mine", encoding="utf-8")
    folder.start(TrainConfig(steps=4), {})
    names = {path.name for path in folder.path.iterdir()}
    assert names == {"config.toml", "provenance.json", "notes.txt"}


def test_a_state_is_read_as_it_was_written(folder: RunFolder) -> None:
    state: dict[str, Any] = {
        "learner": {"network": {"a": torch.arange(5.0)}, "lr": 0.1},
        "rows": [[1, 2.5, math.nan]],
        "best": None,
        "text": "é",
    }
    folder.write_state(state)
    found = folder.read_state()
    assert found is not None
    assert torch.equal(found["learner"]["network"]["a"], torch.arange(5.0))
    assert found["rows"][0][:2] == [1, 2.5]
    assert (found["best"], found["text"]) == (None, "é")
    torch.save({"version": 99}, folder.path / "resume.pt")
    with pytest.raises(XsegError, match="another version"):
        folder.read_state()
    torch.save([1], folder.path / "resume.pt")
    with pytest.raises(XsegError, match="another version"):
        folder.read_state()


def test_a_history_is_plain_csv(folder: RunFolder) -> None:
    folder.write_history(["step", "loss"], [[1, 0.123456789123], [2.0, math.nan]])
    text = (folder.path / "history.csv").read_bytes()
    assert text == b"step,loss\n1,0.123456789\n2,nan\n"
    rows = list(csv.DictReader(text.decode().splitlines()))
    assert float(rows[0]["loss"]) == pytest.approx(0.123456789)


def test_provenance_that_cannot_be_read_is_empty(folder: RunFolder) -> None:
    path = folder.path / "provenance.json"
    for content in (b"", b"[1]", b"{", b"\xff"):
        path.write_bytes(content)
        assert folder.read_provenance() == {}
    path.unlink()
    assert folder.read_provenance() == {}


def test_a_check_leaves_no_trace(tmp_path: Path) -> None:
    RunFolder(tmp_path / "a" / "b" / "c").check(resume=False, overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_looked_into_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.is_file", forbidden)
    with pytest.raises(XsegError, match="may not be written there"):
        RunFolder(tmp_path / "run").check(resume=False, overwrite=False)


def test_a_folder_that_has_gone_is_not_made_anew(folder: RunFolder) -> None:
    with folder.locked():
        away = folder.path.parent.rename(folder.path.parent.with_name("elsewhere"))
        for write in (
            lambda: folder.write_state({}),
            lambda: folder.write_history(["step"], [[1.0]]),
            lambda: folder.write_provenance({}),
        ):
            with pytest.raises(XsegError, match="has gone while the training ran"):
                write()
        assert not folder.path.parent.exists()
        away.rename(folder.path.parent)
        folder.write_state({})
    assert folder.read_state() is not None
