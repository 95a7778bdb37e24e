from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_xseg.data import label_chunks
from napari_xseg.data.label_store import LabelStore

SHAPE = (6, 700, 600)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.zarr"


@pytest.fixture
def store(path: Path) -> LabelStore:
    return LabelStore.create(path, SHAPE)


def same_everywhere(store: LabelStore, expected: np.ndarray[Any, Any]) -> None:
    """What is in memory, what is on disk, and the counts agree."""
    np.testing.assert_array_equal(np.asarray(store), expected)
    np.testing.assert_array_equal(zarr.open_array(store.path, mode="r")[:], expected)
    found = [z for z in range(len(expected)) if expected[z].any()]
    assert list(store.labelled) == found
    for z in range(len(expected)):
        np.testing.assert_array_equal(
            store.counts(z), np.bincount(expected[z].ravel(), minlength=256)
        )
    np.testing.assert_array_equal(store.totals(), np.bincount(expected.ravel(), minlength=256))


def test_it_is_an_array_of_labels(store: LabelStore) -> None:
    assert (store.shape, store.ndim, len(store), store.dtype) == (SHAPE, 3, 6, np.uint8)
    assert store.size == 6 * 700 * 600
    assert store.labelled == ()
    assert store[5, 699, 599] == 0


@pytest.mark.parametrize(
    "key",
    [
        3,
        -1,
        (2, 5, 7),
        (slice(2, 3), slice(500, 530), slice(505, 520)),
        (slice(None), slice(500, 530), 5),
        (slice(None, None, 2), slice(None, None, 3)),
        (1, slice(None, None, -1), slice(10, 2, -2)),
        (..., slice(511, 513)),
        (slice(4, 1, -1), 3, 4),
        (np.array([0, 0, 5, -1]), np.array([3, 699, 5, 7]), np.array([0, 1, 2, 599])),
        (np.int64(2), np.array([3, 4]), np.array([511, 512])),
        (slice(2, 2),),
        (np.array([], int), np.array([], int), np.array([], int)),
    ],
)
def test_indexing_is_that_of_numpy(store: LabelStore, key: Any) -> None:
    expected = np.random.default_rng(0).integers(0, 4, SHAPE, np.uint8)
    store[:] = expected
    part = store[key]
    np.testing.assert_array_equal(part, expected[key])
    assert np.shape(part) == np.shape(expected[key])
    store[key] = 7
    expected[key] = 7
    same_everywhere(store, expected)
    values = np.random.default_rng(1).integers(0, 9, np.shape(part), np.uint8)
    store[key] = values
    expected[key] = values
    same_everywhere(store, expected)


def test_a_mask_chooses_pixels(store: LabelStore) -> None:
    mask = np.zeros(SHAPE, bool)
    mask[2, 5:8, 500:520] = True
    store[mask] = 2
    assert store.counts(2)[2] == 60
    assert (store[mask] == 2).all()


@pytest.mark.parametrize(
    "key", [6, (0, 700), (np.array([0]), slice(None)), (0, 0, 0, 0), (1.5,), (..., ...), None, "a"]
)
def test_other_keys_are_no_indices(store: LabelStore, key: Any) -> None:
    with pytest.raises(IndexError):
        store[key]


def test_what_is_read_is_a_copy(store: LabelStore) -> None:
    store[0][:] = 3
    store.read(0)[:] = 3
    assert not store.read(0).any()


@pytest.mark.parametrize("value", [-1, 256, 0.5])
def test_values_that_are_no_labels_are_refused(store: LabelStore, value: float) -> None:
    with pytest.raises(ValueError, match="whole numbers from 0 to 255"):
        store[0] = value


edits = st.tuples(
    st.integers(0, 2),
    st.integers(0, 39),
    st.integers(0, 39),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 5),
)


@given(st.lists(edits, max_size=12), st.booleans())
def test_counts_and_disk_follow_any_painting(
    tmp_path_factory: pytest.TempPathFactory, strokes: list[tuple[int, ...]], dots: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_chunks, "CHUNK", 16)
        shape = (3, 40, 40)
        store = LabelStore.create(tmp_path_factory.mktemp("store") / "labels.zarr", shape)
        expected = np.zeros(shape, np.uint8)
        for z, y, x, height, width, label in strokes:
            key: Any = (z, slice(y, y + height), slice(x, x + width))
            if dots:
                points = np.nonzero(np.ones(expected[key].shape))
                key = (np.full(points[0].shape, z), points[0] + y, points[1] + x)
            store[key] = label
            expected[key] = label
        same_everywhere(store, expected)


def test_reopening_brings_everything_back(store: LabelStore, path: Path) -> None:
    expected = np.zeros(SHAPE, np.uint8)
    for z, label in ((1, 3), (4, 1)):
        store[z, 500:530, 500:530] = expected[z, 500:530, 500:530] = label
    store.close()
    same_everywhere(LabelStore.open(path), expected)


def test_slices_that_changed_since_the_counts_were_saved_are_counted_again(
    store: LabelStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_xseg.data.label_counts._TICK_NS", 0)
    store[1, :5] = 1
    store[2, :5] = 2
    store.close()
    store[2, 5:7] = 3  # and killed
    again = LabelStore.open(path)
    assert again.uncounted == {2}
    assert again.labelled == (1, 2)
    assert again.totals()[3] == 0
    assert list(again.count_base()) == [2]
    assert again.totals()[3] == 2 * 600
    assert not again.uncounted


def test_a_stroke_on_a_slice_that_is_not_counted_counts_it(store: LabelStore, path: Path) -> None:
    store[2, :5] = 2
    again = LabelStore.open(path)
    again[2, 0] = 1
    assert again.counts(2)[:3].tolist() == [695 * 600, 600, 4 * 600]


def test_damaged_counts_are_made_anew(store: LabelStore, path: Path) -> None:
    store[2, :5] = 2
    store.close()
    (path / "counts.json").write_text('{"slices": {"2": []}}', encoding="utf-8")
    assert LabelStore.open(path).counts(2)[2] == 5 * 600


def test_erasing_leaves_no_chunk(store: LabelStore, path: Path) -> None:
    store[3, :5, :5] = 2
    assert (path / "c/3/0/0").is_file()
    store[3, :5, :5] = 0
    assert not (path / "c/3/0/0").exists()
    assert store.labelled == ()


def test_versions_and_callbacks_tell_what_changed(store: LabelStore) -> None:
    changes: list[frozenset[int]] = []
    store.on_change = changes.append
    before = store.version(2)
    store[1:3, 4, 4] = 1
    store[2, 4, 4] = 1
    assert changes == [frozenset({1, 2})]
    assert store.version(2) == before + 1
    assert store.version(0) == 0


PAINTER = """
import sys
from pathlib import Path
from napari_xseg.data.label_store import LabelStore
store = LabelStore.open(Path(sys.argv[1]))
for stroke in range(10**6):
    z, y, x = stroke % 6, stroke * 7 % 690, stroke * 13 % 590
    store[z, y:y + 9, x:x + 9] = 1 + stroke % 3
    sys.stdout.write(f"{stroke}\\n")
    sys.stdout.flush()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_nothing_painted_is_lost_when_the_process_is_killed(store: LabelStore, path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(label_chunks.__file__).parents[2])}
    painter = subprocess.Popen(
        [sys.executable, "-c", PAINTER, str(path)], stdout=subprocess.PIPE, text=True,
        env=environment,
    )  # fmt: skip
    assert painter.stdout is not None
    for line in painter.stdout:
        if int(line) == 150:
            painter.send_signal(signal.SIGKILL)
            break
    last = max([150, *map(int, painter.stdout.read().split())])
    painter.stdout.close()
    painter.wait()
    expected = np.zeros(SHAPE, np.uint8)
    before = expected.copy()
    for stroke in range(last + 2):  # one more may be on disk and not be said
        before[:] = expected
        z, y, x = stroke % 6, stroke * 7 % 690, stroke * 13 % 590
        expected[z, y : y + 9, x : x + 9] = 1 + stroke % 3
    found = np.asarray(LabelStore.open(path))
    differs = found != before
    assert (found[differs] == expected[differs]).all()
    np.testing.assert_array_equal(
        LabelStore.open(path).counts(3), np.bincount(found[3].ravel(), minlength=256)
    )


def test_threads_read_whole_strokes_while_another_paints(store: LabelStore) -> None:
    torn: list[int] = []
    over = threading.Event()

    def snapshot() -> None:
        while not over.is_set():
            plane = store.read(1)
            if len(set(plane[500:530, 500:530].ravel().tolist())) != 1:
                torn.append(1)
            store.read(0)

    reader = threading.Thread(target=snapshot)
    reader.start()
    try:
        for stroke in range(60):
            store[1, 500:530, 500:530] = stroke % 200 + 1
            store[stroke % 6, :20, :20] = 3
    finally:
        over.set()
        reader.join()
    assert not torn
