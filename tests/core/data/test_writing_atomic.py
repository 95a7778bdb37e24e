"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import time
from contextlib import suppress
from pathlib import Path

import pytest

from napari_xseg.data.writing import atomic_path, write_atomic
from napari_xseg.errors import XsegError


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("content", ["a\r\nb\nµ", "", b"\0\r\n"])
def test_atomic_content_is_kept_as_it_is(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "notes.toml"
    for _ in range(2):
        write_atomic(path, content)
        expected = content.encode() if isinstance(content, str) else content
        assert path.read_bytes() == expected
    assert left_in(tmp_path) == ["notes.toml"]


def test_atomic_path_keeps_the_suffix_and_the_older_file(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "figure.png"
    with atomic_path(target) as temporary:
        assert temporary.suffix == ".png"
        assert temporary.parent == target.parent
        temporary.write_text("one")
        assert not target.exists()
    with suppress(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("two")
        raise RuntimeError
    assert target.read_text() == "one"
    assert left_in(target.parent) == ["figure.png"]


def test_atomic_path_leaves_other_errors_alone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt"):
        (tmp_path / "missing").read_text()
    with (
        pytest.raises(XsegError, match=r"a\.txt: the disk is full"),
        atomic_path(tmp_path / "a.txt"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(XsegError, match=r"a\.txt"), atomic_path(tmp_path / "a.txt"):
        pass
    assert left_in(tmp_path) == []


def test_a_link_keeps_pointing_at_the_file_it_names(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    try:
        (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    except OSError:
        pytest.skip("this system lets us make no links")
    write_atomic(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_a_target_held_for_a_moment_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[Path] = []
    replace = Path.replace

    def held(source: Path, target: Path) -> Path:
        attempts.append(source)
        if len(attempts) < 4:
            raise PermissionError(13, "in use")
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", held)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    write_atomic(tmp_path / "a.txt", "kept")
    assert len(attempts) == 4
    assert (tmp_path / "a.txt").read_text() == "kept"
