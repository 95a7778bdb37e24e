"""Grey values of the training data: what they are, and how others compare.

Mean and spread are measured once, on the training slices, and kept in the
model; a pixel is normalised with them alike in a slice, a tile or a stack.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import DTypeLike, NDArray

    from napari_xseg.data.labels import Masked
    from napari_xseg.data.volume import Volume

PERCENTS = (0.5, 5.0, 25.0, 50.0, 75.0, 95.0, 99.5)
MOST_SPREADS = 10.0
SAMPLES = 1 << 21


@dataclass(frozen=True)
class Intensity:
    """Grey values of some slices, in the image's own counts.

    Attributes
    ----------
    mean, std : float
        Over all finite pixels of the slices within the region.
    percentiles : tuple of float
        The 0.5, 5, 25, 50, 75, 95 and 99.5 % ones.
    dtype : str
        Of the images, such as "uint16".
    pixels : int
        How many were measured.
    """

    mean: float
    std: float
    percentiles: tuple[float, ...]
    dtype: str
    pixels: int = 0

    def __post_init__(self) -> None:
        numbers = (self.mean, self.std, *self.percentiles)
        if not np.isfinite(numbers).all() or self.std <= 0 or len(self.percentiles) != 7:
            raise XsegError(
                f"intensity: mean {self.mean:g}, spread {self.std:g} and {len(self.percentiles)} "
                "percentiles cannot be used; expected finite numbers, a spread above 0 and "
                "7 percentiles."
            )

    @property
    def low(self) -> float:
        """The 0.5 % percentile, in counts."""
        return self.percentiles[0]

    @property
    def high(self) -> float:
        """The 99.5 % percentile, in counts."""
        return self.percentiles[-1]

    @property
    def centre(self) -> float:
        """Midway between the 5 % and 95 % percentiles, in counts: a mean without outliers."""
        return (self.percentiles[1] + self.percentiles[5]) / 2

    @property
    def extent(self) -> float:
        """From the 5 % to the 95 % percentile, in counts: a spread without outliers."""
        return self.percentiles[5] - self.percentiles[1]

    def normalise(self, plane: NDArray[Any]) -> NDArray[np.float32]:
        """`(plane - mean) / std` as float32 of the same shape; 0 where not finite."""
        # 32 bit integers and float64 may lose the difference in float32
        exact = plane.dtype.itemsize > 2 and plane.dtype != np.float32
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = np.subtract(plane, self.mean, dtype=np.float64 if exact else np.float32)
            scaled *= 1 / self.std
            normal: NDArray[np.float32] = scaled.astype(np.float32, copy=False)
        if plane.dtype.kind == "f":
            normal[~np.isfinite(normal)] = 0
        return normal

    def denormalise(self, normal: NDArray[np.float32]) -> NDArray[np.float32]:
        """Undo `normalise`: normalised values back to counts, float32."""
        return normal * np.float32(self.std) + np.float32(self.mean)

    def normalised_noise(self, std: float) -> float:
        """Turn a noise sd in counts into one of normalised pixels.

        XsegError where it is negative or over ten spreads.
        """
        if not 0 <= std <= MOST_SPREADS * self.std:
            raise XsegError(
                f"noise of sd {std:g}: expected 0 to {MOST_SPREADS * self.std:g} counts, ten times "
                f"the spread of the training images ({self.std:g}); give it in the image's counts."
            )
        return std / self.std

    def noise_in_counts(self, normalised: float) -> float:
        """Turn a noise sd of normalised pixels into one in counts."""
        return normalised * self.std

    def far_off(self, other: Intensity) -> str | None:
        """Say where `other`, to be predicted, does not look like this training data.

        Far off is a centre that lies off by more than a quarter of the training
        extent, or an extent that differs by more than a factor of two (see
        `centre`, `extent`). Noise of 0.8 training spreads stays well within.
        """
        ratio = other.extent / self.extent if self.extent > 0 else float("inf")
        shift = abs(other.centre - self.centre)
        if shift <= self.extent / 4 and 0.5 <= ratio <= 2:
            return None
        return (
            f"grey values of these images ({other.percentiles[1]:.5g} to "
            f"{other.percentiles[5]:.5g} for nine tenths of the pixels, {other.dtype}) lie far off "
            f"those of the training images ({self.percentiles[1]:.5g} to "
            f"{self.percentiles[5]:.5g}, {self.dtype}); --match-intensity maps them onto those."
        )

    def matched(self, other: Intensity) -> Intensity:
        """Give what normalises `other`'s images so that they look like the training data.

        Linear: the 5 % and 95 % percentiles of `other` land where those of the
        training data do. Where these coincide in one of them, mean and std do.
        """
        if self.extent > 0 and other.extent > 0:
            scale = other.extent / self.extent
            mean = other.percentiles[1] + (self.mean - self.percentiles[1]) * scale
            std = self.std * scale
        else:
            mean, std = other.mean, other.std
        return Intensity(mean, std, other.percentiles, other.dtype, other.pixels)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain JSON values."""
        return {**asdict(self), "percentiles": list(self.percentiles)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote; XsegError where a field is missing or wrong."""
        try:
            return cls(
                float(values["mean"]),
                float(values["std"]),
                tuple(map(float, values["percentiles"])),
                np.dtype(values["dtype"]).name,
                int(values.get("pixels", 0)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise XsegError(f"intensity: cannot be read ({error!r}).") from error


def measure_intensity(
    images: Volume,
    slices: Sequence[int],
    region: Masked | None = None,
    *,
    skip_empty: bool = False,
) -> Intensity:
    """Measure the finite pixels of `slices` within `region`; slices are read one by one.

    Parameters
    ----------
    images : Volume
        (z, y, x) of any integer or float dtype.
    slices : sequence of int
        z to measure: the training slices.
    region : optional
        Only its pixels count.
    skip_empty : bool
        Leave out slices that are constant or have no finite pixel, as a volume
        to be predicted may have at its ends.

    Raises
    ------
    XsegError
        A slice that is constant or without a finite pixel, or nothing left.

    Notes
    -----
    Mean and std are float64 sums over all pixels (Chan's formula for parts).
    Percentiles are exact for 8 and 16 bit integers, else of a regular sample
    of two million pixels.
    """
    tally = _tally_for(images.dtype, len(slices))
    for z in slices:
        usable = None if region is None else region.mask(z, images.shape[1:])
        values = _usable(images.read(z), usable)
        complaint = _complaint(values, usable is not None)
        if complaint is None:
            tally.add(values)
        elif not skip_empty:
            raise XsegError(
                f"{images.where(z)} (slice {z}): {complaint}; "
                "check the file or leave the slice out."
            )
    if tally.moments.count == 0:
        raise XsegError(
            f"{images.name}: all {len(slices)} slices looked at are constant or without a finite "
            "pixel; check the files."
        )
    try:
        return tally.intensity(images.dtype)
    except XsegError as error:
        raise XsegError(
            f"{images.name}: grey values are too large to be measured ({error}); divide them by a "
            "constant first."
        ) from error


@dataclass
class _Moments:
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, count: int, mean: float, squares: float) -> None:
        """Join a part with its sum of squared differences from its own mean (Chan et al. 1979)."""
        both = self.count + count
        shift = mean - self.mean
        self.squares += squares + shift * shift * self.count * count / both
        self.mean += shift * count / both
        self.count = both


@dataclass
class _Tally:
    """Moments of all values and a regular sample of them."""

    share: int
    moments: _Moments = field(default_factory=_Moments)
    sample: list[NDArray[Any]] = field(default_factory=list)

    def add(self, values: NDArray[Any]) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean(dtype=np.float64))
            difference = values.astype(np.float64) - mean
            self.moments.add(values.size, mean, float(difference @ difference))
        self.sample.append(values[:: max(1, -(-values.size // self.share))].astype(np.float64))

    def percentiles(self) -> Iterable[float]:
        return map(float, np.percentile(np.concatenate(self.sample), PERCENTS))

    def intensity(self, dtype: DTypeLike) -> Intensity:
        """Everything measured so far."""
        moments = self.moments
        std = float(np.sqrt(moments.squares / moments.count))
        return Intensity(
            moments.mean, std, tuple(self.percentiles()), np.dtype(dtype).name, moments.count
        )


@dataclass
class _Histogram(_Tally):
    """The same for 8 and 16 bit integers, from exact counts of every value."""

    first: int = 0
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))

    def add(self, values: NDArray[Any]) -> None:
        here = np.bincount(values.astype(np.int64) - self.first, minlength=len(self.counts))
        self.counts = self.counts + here
        size = values.size
        levels = np.arange(self.first, self.first + len(here), dtype=np.float64)
        mean = float(here @ levels) / size
        self.moments.add(size, mean, float(here @ (levels - mean) ** 2))

    def percentiles(self) -> Iterable[float]:
        """Numpy's linear interpolation, from counts."""
        rising = self.counts.cumsum()
        for percent in PERCENTS:
            rank = percent / 100 * (rising[-1] - 1)
            below, above = (
                int(np.searchsorted(rising, place, side="right")) + self.first
                for place in (np.floor(rank), np.ceil(rank))
            )
            yield below + (above - below) * float(rank - np.floor(rank))


def _tally_for(dtype: np.dtype[Any], slices: int) -> _Tally:
    share = max(1, SAMPLES // max(1, slices))
    if dtype.kind in "iu" and dtype.itemsize <= 2:
        limits = np.iinfo(dtype)
        levels = int(limits.max) - int(limits.min) + 1
        return _Histogram(share, first=int(limits.min), counts=np.zeros(levels, np.int64))
    return _Tally(share)


def _usable(plane: NDArray[Any], usable: NDArray[np.bool_] | None) -> NDArray[Any]:
    values = plane.ravel() if usable is None else plane[usable]
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values


def _complaint(values: NDArray[Any], inside: bool) -> str | None:
    where = " inside the region" if inside else ""
    if values.size == 0:
        return f"found no finite pixel{where}, expected grey values"
    if values.min() == values.max():
        return f"all pixels{where} have the same value {values[0]}, expected an image"
    return None
