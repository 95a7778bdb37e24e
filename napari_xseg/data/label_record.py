"""What a label store remembers beside its chunks, and how all its labels change at once."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_xseg.data.formats.atomic import sync_folder
from napari_xseg.data.label_chunks import CHUNKS, LabelChunks, put_file
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

RECORD_FILE = "store.json"
STAGING, READY = ".recode", "ready"


def _plain() -> NDArray[np.uint8]:
    return np.arange(256, dtype=np.uint8)


@dataclass
class StoreRecord:
    """Which slices are the store's own, though there are label files of them.

    Attributes
    ----------
    own : set of int
        Their z.
    base_table : ndarray of uint8, (256,)
        The label that each label of the files has become.
    """

    own: set[int] = field(default_factory=set)
    base_table: NDArray[np.uint8] = field(default_factory=_plain)

    @classmethod
    def read(cls, folder: Path) -> StoreRecord:
        """Read what `write` wrote; XsegError where it is damaged."""
        path = folder / RECORD_FILE
        if not path.exists():
            return cls()
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            table = np.array(found["base_table"], np.uint8)
            if table.shape != (256,):
                raise ValueError("base_table needs 256 labels")
            return cls({int(z) for z in found["own"]}, table)
        except (OSError, ValueError, LookupError, TypeError, OverflowError) as error:
            raise XsegError(
                f"{path}: cannot be read ({error}); restore this file from a copy of the project."
            ) from error

    def write(self, folder: Path) -> None:
        """Write it whole or not at all; OSError."""
        text = json.dumps({"own": sorted(self.own), "base_table": self.base_table.tolist()})
        put_file(folder / RECORD_FILE, text.encode())


def recode_chunks(
    chunks: LabelChunks, slices: Iterable[int], table: NDArray[np.uint8], record: StoreRecord
) -> None:
    """Make each label of `slices` on disk `table[label]`, with a new record: all or nothing.

    OSError and XsegError leave everything as it was.
    """
    staging = chunks.folder / STAGING
    shutil.rmtree(staging, ignore_errors=True)
    (staging / CHUNKS).mkdir(parents=True)
    fresh = LabelChunks(staging, chunks.shape)
    for z in slices:
        plane = table[chunks.read(z)]
        for place in chunks.places:
            fresh.write(z, place, plane)
    record.write(staging)
    sync_folder(staging)
    (staging / READY).touch()
    finish_recoding(chunks.folder)


def finish_recoding(folder: Path) -> None:
    """Bring a recoding to its end where all was ready, else forget it; OSError."""
    staging = folder / STAGING
    if (staging / READY).exists():
        if (staging / CHUNKS).exists():
            if (folder / CHUNKS).exists():
                (folder / CHUNKS).rename(staging / "old")
            (staging / CHUNKS).rename(folder / CHUNKS)
        if (staging / RECORD_FILE).exists():
            (staging / RECORD_FILE).replace(folder / RECORD_FILE)
        (staging / READY).unlink()
    shutil.rmtree(staging, ignore_errors=True)
