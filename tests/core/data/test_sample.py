from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_xseg.data import sample
from napari_xseg.data.sample import write_sample
from napari_xseg.data.volume import open_volume
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path

SMALL: dict[str, Any] = {"shape": (3, 24, 32), "lis_like_shape": (2, 20, 28)}
FOLDERS = ("images", "labels", "lis_like")


def test_the_repository_holds_what_the_command_makes(sample_dir: Path, tmp_path: Path) -> None:
    write_sample(tmp_path)
    for folder in FOLDERS:
        kept = sorted((sample_dir / folder).iterdir())
        made = sorted((tmp_path / folder).iterdir())
        assert [path.name for path in kept] == [path.name for path in made]
        for before, after in zip(kept, made, strict=True):
            np.testing.assert_array_equal(tifffile.imread(before), tifffile.imread(after))


def test_the_sample_stays_small(sample_dir: Path) -> None:
    files = [path for path in sample_dir.rglob("*") if path.is_file()]
    assert 1_000_000 < sum(path.stat().st_size for path in files) < 8_000_000


def test_folders_open_as_volumes_whose_numbers_pair(tmp_path: Path) -> None:
    paths = write_sample(tmp_path / "new" / "folder", **SMALL)
    images, labels, other = map(open_volume, (paths.images, paths.labels, paths.lis_like))
    assert images.numbers == labels.numbers == (0, 1, 2)
    assert (images.shape, images.dtype) == ((3, 24, 32), np.uint16)
    assert (labels.shape, labels.dtype) == ((3, 24, 32), np.uint8)
    assert (other.shape, other.dtype) == ((2, 20, 28), np.float32)


def test_existing_folders_are_kept_unless_told(tmp_path: Path) -> None:
    mine = tmp_path / "labels" / "mine.tif"
    mine.parent.mkdir()
    mine.write_bytes(b"hours of work")
    with pytest.raises(XsegError, match=r"labels: exists already"):
        write_sample(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["labels"]
    write_sample(tmp_path, **SMALL, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == list(FOLDERS)
    assert not mine.exists()


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("keep")
    write_sample(tmp_path, **SMALL)
    assert notes.read_text() == "keep"


def test_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = tifffile.imwrite

    def fill_up(path: Path, *args: Any, **options: Any) -> None:
        if path.name.startswith("lis_like"):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, *args, **options)

    monkeypatch.setattr(sample.tifffile, "imwrite", fill_up)
    with pytest.raises(XsegError, match="No space left on device"):
        write_sample(tmp_path, **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(XsegError, match=r"file: the sample cannot be written"):
        write_sample(tmp_path / "file", **SMALL)
