from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from napari_xseg.data import label_origins as module
from napari_xseg.data.label_origins import ORIGINS_FILE, Origin, Origins
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path

ADDING = """
import sys
from pathlib import Path
from napari_xseg.data.label_origins import Origin, Origins
origins = Origins.open(Path(sys.argv[1]))
for z in range(100000):
    origins.add(z, Origin("accepted", model="ab" * 32))
    print(z, flush=True)
"""
MODEL = "1a2b3c4d5e6f"


def test_origins_come_back_oldest_first(tmp_path: Path) -> None:
    origins = Origins.open(tmp_path)
    assert (origins.slices, origins.of(3)) == ((), ())
    accepted = Origin("accepted", "2026-01-02T03:04:05+00:00", model=MODEL)
    place = Origin("corrected", "2026-01-03", mask="77", at="suspect", box=(1, 2, 3, 4))
    origins.add(12, Origin("copied", "2026-01-01", source="slice 11"))
    origins.add(3, accepted)
    origins.add(3, place)
    again = Origins.open(tmp_path)
    assert again.slices == (3, 12)
    assert again.of(3) == (accepted, place)
    again.forget(3)
    again.forget(99)
    assert Origins.open(tmp_path).slices == (12,)


def test_an_origin_without_a_date_is_of_this_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_this_moment", lambda: "2026-11-23T10:00:00+01:00")
    origins = Origins.open(tmp_path)
    origins.add(0, Origin("painted"))
    assert origins.of(0)[0].date == "2026-11-23T10:00:00+01:00"


def test_strokes_of_one_day_are_one_origin(tmp_path: Path) -> None:
    origins = Origins.open(tmp_path)
    for date in ("2026-11-23T10:00:00", "2026-11-23T11:00:00", "2026-11-24T09:00:00"):
        origins.add(5, Origin("painted", date))
    origins.add(5, Origin("copied", "2026-11-24T09:00:00", source="slice 4"))
    origins.add(5, Origin("painted", "2026-11-24T09:30:00"))
    dates = [one.date for one in origins.of(5) if one.kind == "painted"]
    assert dates == ["2026-11-23T10:00:00", "2026-11-24T09:00:00", "2026-11-24T09:30:00"]


def test_kinds_are_counted_by_slice(tmp_path: Path) -> None:
    origins = Origins.open(tmp_path)
    origins.add(1, Origin("painted", "2026-01-01"))
    origins.add(1, Origin("accepted", "2026-01-01"))
    origins.add(1, Origin("painted", "2026-01-02"))
    origins.add(2, Origin("painted", "2026-01-01"))
    assert origins.counts() == {"painted": 2, "accepted": 1}
    assert origins.counts([2, 7]) == {"painted": 1, "unknown": 1}


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (Origin("painted", "2026-11-23T10:00:00+01:00"), "painted, 2026-11-23"),
        (Origin("accepted", model=MODEL), "accepted from a mask, model 1a2b3c4d"),
        (
            Origin("corrected", "2026-11-23", mask=MODEL, at="mistake"),
            "corrected, mask 1a2b3c4d, at a mistake, 2026-11-23",
        ),
        (Origin("copied", source="slice 4"), "copied, slice 4"),
    ],
)
def test_an_origin_in_words(origin: Origin, words: str) -> None:
    assert origin.text == words


def test_other_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="is no origin"):
        Origin("dreamt")  # type: ignore[arg-type]


DAMAGED = [
    b"",
    b"[]",
    b"\xff\xfe",
    b'{"version": 1}',
    b'{"version": 2, "slices": {}}',
    b'{"version": 1, "slices": {"x": []}}',
    b'{"version": 1, "slices": {"1": [{"date": ""}]}}',
    b'{"version": 1, "slices": {"1": [{"kind": "dreamt"}]}}',
    b'{"version": 1, "slices": {"1": [{"kind": "painted", "box": [1]}]}}',
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_said_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / ORIGINS_FILE
    path.write_bytes(content)
    with pytest.raises(XsegError, match="the labels are untouched: restore this file"):
        Origins.open(tmp_path)
    assert path.read_bytes() == content


def test_one_goes_on_without_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / ORIGINS_FILE).write_bytes(b"{")
    told: list[XsegError] = []
    origins = Origins.open(tmp_path, on_error=told.append)
    (aside,) = tmp_path.glob("label-origins.damaged-*.json")
    assert aside.read_bytes() == b"{"
    assert [aside.name in str(error) for error in told] == [True]
    origins.add(1, Origin("painted"))
    assert Origins.open(tmp_path).slices == (1,)


def test_a_damaged_file_of_others_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / ORIGINS_FILE).write_bytes(b"{")
    told: list[XsegError] = []
    Origins.open(tmp_path, read_only=True, on_error=told.append)
    assert len(told) == 1
    assert [path.name for path in tmp_path.iterdir()] == [ORIGINS_FILE]


def test_what_is_open_elsewhere_is_not_changed(tmp_path: Path) -> None:
    Origins.open(tmp_path).add(1, Origin("painted"))
    before = (tmp_path / ORIGINS_FILE).read_bytes()
    origins = Origins.open(tmp_path, read_only=True)
    with pytest.raises(XsegError, match="open in another window"):
        origins.add(2, Origin("painted"))
    with pytest.raises(XsegError, match="open in another window"):
        origins.forget(1)
    assert (origins.slices, (tmp_path / ORIGINS_FILE).read_bytes()) == ((1,), before)


def test_what_cannot_be_written_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origins = Origins.open(tmp_path)
    origins.add(1, Origin("painted"))

    def full(*_: object) -> None:
        raise XsegError("the disk is full")

    monkeypatch.setattr(module, "write_atomic", full)
    with pytest.raises(XsegError, match="full"):
        origins.add(2, Origin("painted"))
    assert origins.slices == (1,)


def test_threads_lose_nothing(tmp_path: Path) -> None:
    origins = Origins.open(tmp_path)

    def add(first: int) -> None:
        for z in range(first, first + 10):
            origins.add(z, Origin("painted"))

    threads = [threading.Thread(target=add, args=(10 * index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Origins.open(tmp_path).slices == tuple(range(40))


def test_a_kill_loses_no_origin_that_was_added(tmp_path: Path) -> None:
    words = [sys.executable, "-c", ADDING, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        added = -1
        while added < 20:
            added = int(process.stdout.readline())
        time.sleep(0.003)
        process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        rest = process.stdout.read().split()
    added = max([added, *map(int, rest)])
    slices = Origins.open(tmp_path).slices
    assert slices in (tuple(range(added + 1)), tuple(range(added + 2)))
    assert json.loads((tmp_path / ORIGINS_FILE).read_text())["version"] == 1
