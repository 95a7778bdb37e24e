from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_xseg.data import label_chunks
from napari_xseg.data.label_base import PairedLabels
from napari_xseg.data.label_store import LabelStore
from napari_xseg.data.labels import open_labels
from napari_xseg.data.pairing import pair
from napari_xseg.data.volume import open_volume
from napari_xseg.errors import XsegError

SHAPE = (6, 700, 600)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.zarr"


@pytest.fixture
def store(path: Path) -> LabelStore:
    return LabelStore.create(path, SHAPE)


class FewLabels:
    """Base labels of slices 1 and 4: class 0 everywhere, class 2 in a corner."""

    slices = (1, 4)

    def __init__(self, *, counted: bool = False) -> None:
        self.counted = counted
        self.reads = 0

    def read(self, z: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        assert z in self.slices
        self.reads += 1
        plane = np.zeros(SHAPE[1:], np.uint8)
        plane[:10, :10] = 2
        plane[-1] = 255
        return plane

    def known_counts(self, z: int) -> Any:
        return np.bincount(self.read(z).ravel())[:3] if self.counted else None


class TestBase:
    def test_shines_through_until_a_slice_is_changed(self, path: Path) -> None:
        store = LabelStore.create(path, SHAPE, FewLabels())
        assert store[4, 0, 0] == 3
        assert store[4, 100, 100] == 1
        assert store[4, 699, 0] == 0
        assert store[0].sum() == 0
        assert not list(path.glob("c/*"))
        store[4, 300, 300] = 2
        for again in (store, LabelStore.open(path, FewLabels())):
            assert again[4, 300, 300] == 2
            assert again[4, 0, 0] == 3
        assert (LabelStore.open(path)[4] == store[4]).all()
        assert not LabelStore.open(path)[1].any()

    def test_erasing_a_whole_slice_of_it_stays_erased(self, path: Path) -> None:
        LabelStore.create(path, SHAPE, FewLabels())[4] = 0
        again = LabelStore.open(path, FewLabels())
        assert not again[4].any()
        assert again[1].any()

    def test_a_copy_that_was_cut_short_is_forgotten(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = LabelStore.create(path, SHAPE, FewLabels())
        with monkeypatch.context() as patch:
            patch.setattr("napari_xseg.data.label_record.StoreRecord.write", _no_room)
            with pytest.raises(XsegError, match="disk is full"):
                store[4, 0, 0] = 9
        again = LabelStore.open(path, FewLabels())
        assert again[4, 0, 0] == 3
        assert again.uncounted == {1, 4}

    def test_is_counted_bit_by_bit(self, path: Path) -> None:
        store = LabelStore.create(path, SHAPE, FewLabels())
        assert store.labelled == ()
        counting = store.count_base()
        assert next(counting) == 1
        assert store.labelled == (1,)
        store[4, 699, 0] = 1
        assert list(counting) == [4]
        assert store.totals()[:4].tolist() == [SHAPE[0] * 420000 - 2 * 419400 - 1, *_twice(), 200]

    def test_what_is_read_already_is_counted_at_once(self, path: Path) -> None:
        store = LabelStore.create(path, SHAPE, FewLabels(counted=True))
        assert store.labelled == (1, 4)
        assert store.counts(1)[:4].tolist() == [600, 419300, 0, 100]

    def test_label_files_are_never_written(self, path: Path, tmp_path: Path) -> None:
        (tmp_path / "images").mkdir()
        (tmp_path / "labels").mkdir()
        for z in range(3):
            tifffile.imwrite(tmp_path / f"images/a{z}.tif", np.zeros((20, 30), np.uint16))
        file = tmp_path / "labels/b2.tif"
        tifffile.imwrite(file, np.repeat(np.array([[0, 128, 255]], np.uint8), 10, 1).repeat(20, 0))
        content = file.read_bytes()
        images, labels = open_volume(tmp_path / "images"), open_labels(tmp_path / "labels")
        base = PairedLabels(labels, pair(images, labels).label_of, images.shape)
        store = LabelStore.create(path, images.shape, base)
        assert store.labelled == (2,)
        assert store[2, 0, ::10].tolist() == [1, 2, 3]
        store[2, 0, 0] = 3
        assert store.counts(2)[1:4].tolist() == [199, 200, 201]
        assert file.read_bytes() == content
        with pytest.raises(XsegError, match="labels of 20 x 30 pixels do not fit the images"):
            PairedLabels(labels, {0: 0}, (3, 20, 31))


def _twice() -> tuple[int, int]:
    return 2 * 419300 + 1, 0


def _no_room(*_: object) -> None:
    raise OSError(28, "No space left on device")


class TestFaults:
    def test_a_full_disk_keeps_strokes_in_memory_and_says_so_once(
        self, store: LabelStore, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said: list[XsegError] = []
        store.on_error = said.append
        with monkeypatch.context() as patch:
            patch.setattr(label_chunks, "put_file", _no_room)
            store[1, 5, 5] = 1
            store[2, 5, 5] = 2
            assert store.pending
            assert not store.save_pending()
            assert store[2, 5, 5] == 2
            assert not LabelStore.open(path)[1:3].any()
        assert len(said) == 1
        assert "disk is full" in str(said[0])
        assert "kept in memory" in str(said[0])
        assert store.save_pending()
        assert not store.pending
        assert LabelStore.open(path)[1:3, 5, 5].tolist() == [1, 2]

    def test_a_folder_that_vanished_is_not_made_anew(self, store: LabelStore, path: Path) -> None:
        store[0, 5, 5] = 1
        path.rename(path.with_name("away"))
        with pytest.raises(XsegError, match="kept in memory"):
            store[0, 5, 6] = 2
        store[0, 5, 7] = 3
        assert not path.exists()
        path.with_name("away").rename(path)
        store[3, 0, 0] = 1
        assert not store.pending
        assert LabelStore.open(path)[0, 5, 5:8].tolist() == [1, 2, 3]

    def test_slices_that_wait_are_never_dropped_from_memory(
        self, store: LabelStore, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(store._planes, "_most", 1)
        store.on_error = lambda _: None
        with monkeypatch.context() as patch:
            patch.setattr(label_chunks, "put_file", _no_room)
            store[0, 0, 0] = 1
            for z in range(1, 6):
                assert store[z, 0, 0] == 0
        assert store.save_pending()
        assert LabelStore.open(path)[0, 0, 0] == 1

    def test_a_damaged_chunk_is_named(self, store: LabelStore, path: Path) -> None:
        store[2, 600, 0] = 1
        (path / "c/2/1/0").write_bytes(b"junk")
        again = LabelStore.open(path)
        with pytest.raises(XsegError, match=r"c.2.1.0: a part of the labels of slice 2"):
            again.read(2)
        said: list[XsegError] = []
        again.on_error = said.append
        assert not again[2].any()
        assert not again[2].any()
        again[2, 0, 0] = 1
        assert (path / "c/2/1/0").read_bytes() == b"junk"
        assert "slice 2" in str(said[0])

    @pytest.mark.parametrize("text", ["", "{}", '{"shape": [1, 2]}', '{"shape": [1, 2, 3]}'])
    def test_other_folders_are_no_store(self, path: Path, text: str) -> None:
        path.mkdir()
        (path / "zarr.json").write_text(text, encoding="utf-8")
        with pytest.raises(XsegError, match=r"labels\.zarr"):
            LabelStore.open(path)

    def test_a_folder_that_is_not_there(self, path: Path) -> None:
        with pytest.raises(XsegError, match=r"labels\.zarr"):
            LabelStore.open(path)
        assert not path.exists()

    def test_a_damaged_record_is_named(self, store: LabelStore, path: Path) -> None:
        (path / "store.json").write_text('{"own": 3}', encoding="utf-8")
        with pytest.raises(XsegError, match=r"store\.json: cannot be read"):
            LabelStore.open(path)

    def test_read_only_labels_take_no_stroke(self, store: LabelStore, path: Path) -> None:
        other = LabelStore.open(path, read_only=True)
        with pytest.raises(XsegError, match="open in another window"):
            other[0, 0, 0] = 1
        assert other[0, 0, 0] == 0


class TestRecoding:
    TABLE = np.arange(256, dtype=np.uint8)
    TABLE[[1, 2, 3]] = 2, 1, 0

    def test_changes_all_slices_and_the_base(self, path: Path) -> None:
        store = LabelStore.create(path, SHAPE, FewLabels(counted=True))
        store[0, :2] = 1
        store[4, 5, 5] = 2
        expected = self.TABLE[np.asarray(store)]
        changes: list[frozenset[int]] = []
        store.on_change = changes.append
        store.recode(self.TABLE)
        assert changes == [frozenset({0, 1, 4})]
        for again in (store, LabelStore.open(path, FewLabels())):
            np.testing.assert_array_equal(np.asarray(again), expected)
            list(again.count_base())
            np.testing.assert_array_equal(
                again.totals(), np.bincount(expected.ravel(), minlength=256)
            )
        store.recode(self.TABLE)
        np.testing.assert_array_equal(np.asarray(store), self.TABLE[expected])

    @pytest.mark.parametrize("step", range(8))
    def test_is_done_whole_or_not_at_all(
        self, path: Path, step: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = LabelStore.create(path, SHAPE, FewLabels())
        store[0, :2] = 1
        store[4, 5, 5] = 2
        before = np.asarray(store)
        _stop_at(monkeypatch, step)
        with pytest.raises(KeyboardInterrupt):
            store.recode(self.TABLE)
        monkeypatch.undo()
        found = np.asarray(LabelStore.open(path, FewLabels()))
        done = (found == self.TABLE[before]).all()
        assert done or (found == before).all()
        assert done == (step > 3)
        assert not (path / ".recode").exists()

    def test_a_full_disk_leaves_everything(
        self, store: LabelStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store[0, :2] = 1
        with monkeypatch.context() as patch:
            patch.setattr(label_chunks, "put_file", _no_room)
            with pytest.raises(XsegError, match="disk is full"):
                store.recode(self.TABLE)
        assert store[0, 0, 0] == 1
        assert store.counts(0)[1] == 1200


def _stop_at(patch: pytest.MonkeyPatch, step: int) -> None:
    """Interrupt the step'th rename, unlink or touch from here on."""
    left = [step]

    def counted(name: str) -> None:
        real = getattr(Path, name)

        def act(self: Path, *arguments: Any, **named: Any) -> Any:
            if self.suffix == ".partial" and self.name != ".store.json.partial":
                return real(self, *arguments, **named)
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            return real(self, *arguments, **named)

        patch.setattr(Path, name, act)

    for name in ("rename", "replace", "touch", "unlink"):
        counted(name)
