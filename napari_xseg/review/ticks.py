"""Which mistakes a person has looked at: a small file for each truth and prediction.

A mistake is known again by its slice, its bounding box and its pair of file
values, so that a review after a correction keeps the ticks of what it left alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.errors import XsegError
from napari_xseg.review.mistakes import Mistakes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

Key = tuple[int, ...]
"""z, true value, predicted value, y0, x0, y1, x1."""

_BOX = ("y0", "x0", "y1", "x1")
_KIND = "napari-xseg ticks"


class Ticks:
    """The ticked mistakes of one truth and one prediction.

    Parameters
    ----------
    truth, prediction : str
        What they are called.
    keys : iterable of Key
        Ticked to begin with.
    """

    def __init__(self, truth: str, prediction: str, keys: Iterable[Key] = ()) -> None:
        self.truth = truth
        self.prediction = prediction
        self._keys = set(keys)

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def file_name(self) -> str:
        """A name that any system takes, another one for each truth and prediction."""
        told = re.sub(r"[^\w-]+", "_", f"{self.truth}-{self.prediction}")[:60].strip("_")
        exact = hashlib.sha256(f"{self.truth}\0{self.prediction}".encode()).hexdigest()[:8]
        return f"ticks-{told}-{exact}.json"

    def of(self, mistakes: Mistakes) -> NDArray[np.bool_]:
        """Which of the mistakes are ticked, bool (n,)."""
        ticked = np.isin(mistakes.rows["z"], [key[0] for key in self._keys])
        places = np.flatnonzero(ticked)  # of ticks there are few, of mistakes there may be many
        keys = _keys(Mistakes(mistakes.classes, mistakes.rows[places]))
        ticked[places] = np.fromiter((key in self._keys for key in keys), bool, len(places))
        return ticked

    def set(self, mistakes: Mistakes, ticked: bool) -> None:
        """Tick all these mistakes, or take their ticks away."""
        change = self._keys.update if ticked else self._keys.difference_update
        change(_keys(mistakes))

    def to_json(self) -> str:
        """The ticks as JSON text, one mistake a line."""
        head = {"kind": _KIND, "version": 1, "truth": self.truth, "prediction": self.prediction}
        fields = ["z", "true_value", "predicted_value", *_BOX]
        lines = ",\n".join(json.dumps(key) for key in sorted(self._keys))
        opened = json.dumps({**head, "fields": fields}, ensure_ascii=False)[:-1]
        return f'{opened}, "ticked": [\n{lines}\n]}}\n'

    @classmethod
    def load(cls, folder: Path, truth: str, prediction: str) -> Ticks:
        """Read the ticks of this truth and prediction; none where there is no file.

        XsegError where the file cannot be read.
        """
        ticks = cls(truth, prediction)
        path = folder / ticks.file_name
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ticks
        except (OSError, UnicodeDecodeError) as error:
            raise _damaged(path, error) from error
        try:
            ticks._keys = {_checked(key) for key in json.loads(text)["ticked"]}
        except (ValueError, TypeError, KeyError) as error:
            raise _damaged(path, error) from error
        return ticks


def save_ticks(text: str, path: Path) -> None:
    """Write what `to_json` gave, whole or not at all; XsegError where the folder refuses it."""
    from napari_xseg.data.writing import write_atomic

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise XsegError(
            f"{path.parent}: cannot be made ({error.strerror}); the ticks are not kept: choose "
            "another project folder."
        ) from error
    write_atomic(path, text)


def _keys(mistakes: Mistakes) -> Iterable[Key]:
    rows, values = mistakes.rows, np.asarray(mistakes.classes.values)
    columns = [rows["z"], values[rows["true"]], values[rows["predicted"]]]
    columns += [rows[name] for name in _BOX]
    return zip(*(column.tolist() for column in columns), strict=True)


def _checked(key: Any) -> Key:
    if len(key) != 3 + len(_BOX) or not all(type(part) is int for part in key):
        raise ValueError(f"{key} is no mistake")
    return tuple(key)


def _damaged(path: Path, error: Exception) -> XsegError:
    return XsegError(
        f"{path}: cannot be read as ticks ({error}); move the file away to begin without ticks."
    )
