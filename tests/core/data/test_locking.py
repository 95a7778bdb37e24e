from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from napari_xseg.data.locking import is_locked, lock_folder, unlock

if TYPE_CHECKING:
    from pathlib import Path


def test_a_lock_is_seen_until_it_is_given_back(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    handle = lock_folder(tmp_path)
    assert handle is not None
    assert is_locked(tmp_path)
    assert lock_folder(tmp_path) is None
    unlock(handle)
    assert not is_locked(tmp_path)
    assert not is_locked(tmp_path / "missing")


def test_many_who_ask_at_once_do_not_find_each_other(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert not any(threads.map(lambda _: is_locked(tmp_path), range(4000)))


def test_who_asks_is_in_nobodys_way(tmp_path: Path) -> None:
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            is_locked(tmp_path)
            time.sleep(0.001)

    with ThreadPoolExecutor(1) as threads:
        threads.submit(ask)
        handles = []
        try:
            for _ in range(200):
                handles.append(lock_folder(tmp_path))
                if handles[-1] is not None:
                    unlock(handles[-1])
        finally:
            done.set()
    assert None not in handles
