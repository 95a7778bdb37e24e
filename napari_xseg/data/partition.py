"""A split of slices into training and validation, as a value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_xseg.data.slices import format_slices
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Kind = Literal["explicit", "held-out", "random", "blocked", "band", "none"]


@dataclass(frozen=True)
class Split:
    """The slices of a training, by z of the image.

    Attributes
    ----------
    train, val : tuple of int
        z, rising. They share no slice, except where `band` is set: then both
        hold the same slices, of which rows validate and the others train.
    guard : tuple of int
        Labelled z that take no part, since they lie too near to `val`.
    kind : str
        "explicit", "held-out" (one slice), "random", "blocked", "band" or "none".
    rough : bool
        True where the figure comes from a band of the training slices.
    guard_distance : int
        Training slices lie further than this from validation slices; 0 is no guard.
    fraction, seed : float, int or None
        What a random or blocked split was made with.
    band : (int, int) or None
        Rows `start:stop` that validate.
    margin : int
        Rows on each side of the band that neither train nor validate.
    """

    train: tuple[int, ...]
    val: tuple[int, ...]
    guard: tuple[int, ...] = ()
    kind: Kind = "explicit"
    rough: bool = False
    guard_distance: int = 0
    fraction: float | None = None
    seed: int | None = None
    band: tuple[int, int] | None = None
    margin: int = 0

    def __post_init__(self) -> None:
        if not self.train:
            raise XsegError("split: no slice is left to train on; label more slices.")
        both = sorted(set(self.train) & set(self.val))
        if both and self.band is None:
            raise XsegError(
                f"split: training and validation share slice {format_slices(both)}; "
                "give each slice to one of --train-slices and --val-slices."
            )

    def train_region(self, z: int, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
        """Give True (y, x) where the labels of slice `z` may train; None where all may."""
        if self.band is None or z not in self.train:
            return None
        start, stop = self.band
        usable = np.ones(shape, dtype=np.bool_)
        usable[max(0, start - self.margin) : stop + self.margin] = False
        return usable

    def val_region(self, z: int, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
        """Give True (y, x) where the labels of slice `z` validate; None where all do."""
        if self.band is None or z not in self.val:
            return None
        usable = np.zeros(shape, dtype=np.bool_)
        usable[self.band[0] : self.band[1]] = True
        return usable

    def gap(self) -> int | None:
        """Slices from the nearest training to the nearest validation slice; None for a band."""
        if self.band is not None or not self.val:
            return None
        return min(distance(z, self.train) for z in self.val)

    def to_dict(self) -> dict[str, Any]:
        """Everything, every z, as plain JSON values."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Split:
        """Read the split that `to_dict` wrote; XsegError where a key is wrong."""
        tupled: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        try:
            return cls(**tupled)
        except TypeError as error:
            raise XsegError(f"split: cannot be read ({error}).") from error

    def describe(self) -> str:
        """One or two sentences: what trains, what validates, where the figure comes from."""
        train = f"{name_slices(self.train)} train{_ending(self.train)}"
        if self.kind == "none" or not self.val:
            return f"{train}; no validation, so there is no figure."
        if self.band is not None:
            return (
                f"{train}, but for rows {self.band[0]}:{self.band[1]}, which validate "
                f"(margin {self.margin} rows): a rough figure, from the training slices themselves."
            )
        told = {
            "explicit": "as given",
            "held-out": "held out",
            "random": f"a random choice with seed {self.seed}",
            "blocked": f"a block with a guard gap of {self.guard_distance} slices",
        }[self.kind]
        gap = self.gap()
        return (
            f"{train}; {name_slices(self.val)} validate{_ending(self.val)} ({told}), "
            f"{gap} slice{'' if gap == 1 else 's'} or more from the nearest training slice."
        )


def distance(z: int, others: Sequence[int]) -> int:
    """Slices from `z` to the nearest of `others`."""
    return min(abs(z - other) for other in others)


def name_slices(slices: Sequence[int]) -> str:
    """Name slices in a sentence: "slice 3", "5 slices (13,39,65,91,117)"."""
    if len(slices) == 1:
        return f"slice {slices[0]}"
    text = format_slices(slices)
    return f"{len(slices)} slices ({text if len(text) < 60 else text[:57] + '...'})"


def _ending(slices: Sequence[int]) -> str:
    return "s" if len(slices) == 1 else ""
