"""Labelled slices: which are labelled, with what, and whether they can train anything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from napari_xseg.data.classes import ClassTable, CountRow, table_with_counts
from napari_xseg.data.coding import IGNORE, MAX_CLASSES, count_values
from napari_xseg.data.colours import hex_colour, pack_colour, parse_colour, unpack_colour
from napari_xseg.data.volume import RawSpec, Volume, open_label_volume
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_xseg.data.pairing import Pairing

Unlabelled = int | Literal["none"] | None


class NeedsUnlabelled(XsegError):
    """A label value fills whole slices: it may be a class, or mean not labelled.

    Attributes
    ----------
    value : int
        The value, a packed colour in RGB files.
    question : str
        What to ask the user.
    """

    def __init__(self, message: str, value: int, question: str) -> None:
        super().__init__(message)
        self.value = value
        self.question = question


class Masked(Protocol):
    """Anything that says which pixels of a slice count: a Region, a part of a split."""

    def mask(self, z: int, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
        """Give True (y, x) where a pixel of slice `z` counts; None where all do."""
        ...


class LabelVolume:
    """Label slices read as class indices.

    Parameters
    ----------
    volume : Volume
        (z, y, x) of label values, or of packed colours where `volume.colours`.
    classes : ClassTable
        What the values mean.
    masks : bool
        True for masks that this package wrote: they may hold the unlabelled
        value of any table. In label files that value is outside the table
        unless the table says that files hold it.
    scanned : collection of int, optional
        Where nobody has said what means unlabelled: the z that the class table
        was made from. Elsewhere a slice with one value alone may be unlabelled,
        and does not count as labelled.
    """

    def __init__(
        self,
        volume: Volume,
        classes: ClassTable,
        *,
        masks: bool = False,
        scanned: Collection[int] | None = None,
    ) -> None:
        self.volume = volume
        self.classes = classes
        self.masks = masks
        self._scanned = scanned
        self._values: dict[int, dict[int, int]] = {}

    def __len__(self) -> int:
        return self.volume.shape[0]

    @property
    def name(self) -> str:
        """The name of the file or folder."""
        return self.volume.name

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x) in pixels."""
        return self.volume.shape

    @property
    def path(self) -> Path:
        """Where the labels came from."""
        return self.volume.path

    @property
    def numbers(self) -> tuple[int | None, ...]:
        """The number in each slice's file name, or its page."""
        return self.volume.numbers

    @property
    def slice_names(self) -> tuple[str, ...]:
        """The file name of each slice, or `name[z]`."""
        return self.volume.slice_names

    def read(self, z: int) -> NDArray[np.uint8]:
        """Class indices (y, x) of slice `z`, 255 where unlabelled.

        A value outside the class table raises XsegError.
        """
        return self.classes.encode(
            self.volume.read(z),
            source=describe_slice(self.volume, z),
            colours=self.volume.colours,
            strict=not self.masks,
        )

    def values(self, z: int) -> Mapping[int, int]:
        """Pixels of slice `z` by file value (packed colour), as found; read once, then kept."""
        if z not in self._values:
            self._values[z] = _values_of(self.volume, z)
        return self._values[z]

    def is_read(self, z: int) -> bool:
        """Whether the values of slice `z` are known, so that counting reads nothing."""
        return z in self._values

    def counts(self, z: int) -> NDArray[np.int64]:
        """Labelled pixels (C,) of slice `z` by class; XsegError for a value outside the table."""
        found = self.values(z)
        keys = self._keys()
        if not self._known(keys).issuperset(found):
            self.read(z)  # says which value, where, and the mend
        return np.array([found.get(key, 0) for key in keys], dtype=np.int64)

    def total(self, slices: Iterable[int]) -> NDArray[np.int64]:
        """Labelled pixels (C,) of all `slices` by class."""
        counts = np.zeros(len(self.classes), dtype=np.int64)
        for z in slices:
            counts += self.counts(z)
        return counts

    def rows(self, slices: Sequence[int]) -> tuple[CountRow, ...]:
        """Give the class table of `slices` with pixel counts, for printing."""
        counts = self.total(slices)
        pixels = len(slices) * self.shape[1] * self.shape[2]
        return table_with_counts(self.classes, counts, pixels - int(counts.sum()))

    @property
    def labelled(self) -> tuple[int, ...]:
        """Every z with at least one labelled pixel; reads all slices once."""
        return self.labelled_among(range(len(self)))

    def labelled_among(self, slices: Iterable[int]) -> tuple[int, ...]:
        """Those of `slices` with at least one labelled pixel; reads these alone."""
        return tuple(z for z in slices if self._is_labelled(z))

    def row_counts(self, z: int, usable: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Labelled pixels (y, C) of slice `z` by row and class, within `usable` (y, x)."""
        plane = self.read(z)
        if usable is not None:
            plane = np.where(usable, plane, np.uint8(IGNORE))
        counts = [np.count_nonzero(plane == index, axis=1) for index in range(len(self.classes))]
        return np.stack(counts, axis=1).astype(np.int64)

    def _is_labelled(self, z: int) -> bool:
        values = self.values(z)
        if self._scanned is not None and z not in self._scanned and len(values) == 1:
            return False
        return bool(values.keys() - {self._unlabelled_key()})

    def _keys(self) -> tuple[int, ...]:
        if self.volume.colours:
            return tuple(map(pack_colour, self.classes.colours))
        return self.classes.values

    def _unlabelled_key(self) -> int | None:
        if self.volume.colours:
            colour = self.classes.unlabelled_colour
            return None if colour is None else pack_colour(colour)
        known = self.masks or self.classes.unlabelled_in_files
        return self.classes.unlabelled if known else None

    def _known(self, keys: tuple[int, ...]) -> set[int | None]:
        return {*keys, self._unlabelled_key()}


def open_labels(
    path: str | Path,
    *,
    classes: ClassTable | None = None,
    unlabelled: Unlabelled = None,
    slices: Sequence[int] | None = None,
    masks: bool = False,
    raw: RawSpec | None = None,
    dataset: str | None = None,
) -> LabelVolume:
    """Open the labels at `path`; see `label_volume` for the rest."""
    volume = open_label_volume(path, raw=raw, dataset=dataset)
    return label_volume(volume, classes=classes, unlabelled=unlabelled, slices=slices, masks=masks)


def label_volume(
    volume: Volume,
    *,
    classes: ClassTable | None = None,
    unlabelled: Unlabelled = None,
    slices: Sequence[int] | None = None,
    masks: bool = False,
) -> LabelVolume:
    """Labels with their class table: the one given, or made from the values of `slices`.

    Parameters
    ----------
    volume : Volume
        (z, y, x) of label values.
    classes : ClassTable, optional
        Without it the values found in `slices` are the classes, by rising value.
    unlabelled : int, "none" or None
        The file value (packed colour in RGB files) that means not labelled;
        "none" where every pixel is labelled; None where nobody has said.
    slices : sequence of int, optional
        The z in use (default all). Only these are read to make the table.
    masks : bool
        True for masks that this package wrote.

    Raises
    ------
    XsegError
        An image in place of labels; or slices with one value beside slices with
        several, where `unlabelled` is None: that value may mean "not labelled"
        and nothing is guessed.
    """
    if classes is not None:
        table = _with_unlabelled(classes, unlabelled, colours=volume.colours)
        return LabelVolume(volume, table, masks=masks)
    used = range(volume.shape[0]) if slices is None else slices
    found = {z: _values_of(volume, z) for z in used}
    union = sorted(set().union(*found.values()))
    if unlabelled is None and not masks:
        _refuse_ambiguous(volume, found)
    table = _table_of(volume, union, None if unlabelled == "none" else unlabelled)
    scanned = set(used) if unlabelled is None and not masks else None
    labels = LabelVolume(volume, table, masks=masks, scanned=scanned)
    labels._values.update(found)
    return labels


def parse_unlabelled(text: str) -> int | Literal["none"]:
    """Read what follows `--unlabelled`: an integer, "none", or a colour "#rrggbb" (RGB labels)."""
    word = text.strip().lower()
    if word == "none":
        return "none"
    if word.startswith("#"):
        return pack_colour(parse_colour(word))
    try:
        return int(word)
    except ValueError as error:
        raise XsegError(
            f"--unlabelled {text}: expected the value of unlabelled pixels in the label files, "
            'a colour "#rrggbb", or none.'
        ) from error


def describe_slice(volume: Volume, z: int) -> str:
    """How messages name slice `z`: its file or page, and its z."""
    return f"{volume.where(z)} (slice {z})"


def check_fits(images: Volume, labels: LabelVolume | Volume, pairing: Pairing) -> None:
    """Raise XsegError where paired slices differ in size or nothing is paired."""
    if not pairing.rows:
        raise XsegError(
            f"{labels.name}: no label slice belongs to an image of {images.name}; "
            "check the file names or pair them with --pairing."
        )
    if images.shape[1:] != labels.shape[1:]:
        first = pairing.rows[0]
        raise XsegError(
            f"{first.label_name}: labels of {_size(labels.shape)} pixels do not fit the images of "
            f"{_size(images.shape)} pixels ({first.image_name}); give labels of the same size."
        )


def check_trainable(
    labels: LabelVolume,
    slices: Sequence[int],
    region: Masked | None = None,
    label_of: Mapping[int, int] | None = None,
) -> NDArray[np.int64]:
    """Labelled pixels (C,) by class that can train, or XsegError where they cannot.

    Parameters
    ----------
    labels : LabelVolume
        The labels.
    slices : sequence of int
        z of the images to train on.
    region : optional
        Only its pixels count.
    label_of : mapping, optional
        Label z by image z (default: the same).

    Raises
    ------
    XsegError
        No labelled pixel, or fewer than two classes labelled.
    """
    counts = np.zeros(len(labels.classes), dtype=np.int64)
    for z in slices:
        label_z = z if label_of is None else label_of[z]
        usable = None if region is None else region.mask(z, labels.shape[1:])
        if usable is None:
            counts += labels.counts(label_z)
        else:
            counts += labels.row_counts(label_z, usable).sum(axis=0)
    present = np.flatnonzero(counts)
    if len(present) >= 2:
        return counts
    where = f"{labels.name}: in the training slices {_some(slices)}"
    inside = "" if region is None else " inside the region"
    if len(present) == 0:
        raise XsegError(
            f"{where} no pixel is labelled{inside}; label some pixels of two or more classes, "
            "or check --unlabelled and --train-slices."
        )
    raise XsegError(
        f"{where} only the class {labels.classes.names[present[0]]!r} is labelled{inside}; "
        "label pixels of two or more classes."
    )


def _values_of(volume: Volume, z: int) -> dict[int, int]:
    found = count_values(volume.read(z), describe_slice(volume, z))
    if len(found) > MAX_CLASSES + 1:  # one may mean unlabelled
        raise XsegError(
            f"{describe_slice(volume, z)}: found {len(found)} different values, expected "
            f"{MAX_CLASSES} classes at most: it looks like an image, not labels; "
            "give the label masks."
        )
    return found


def _table_of(volume: Volume, values: Sequence[int], unlabelled: int | None) -> ClassTable:
    if volume.colours:
        return ClassTable.from_colours(values, unlabelled=unlabelled, source=volume.name)
    table = ClassTable.from_values(values, unlabelled=unlabelled, source=volume.name)
    palette = volume.palette or {}
    colours = [palette[value] for value in table.values if value in palette]
    kept = len(colours) == len(table) == len(set(colours))
    return table.with_colours(colours) if kept else table


def _with_unlabelled(table: ClassTable, unlabelled: Unlabelled, *, colours: bool) -> ClassTable:
    if unlabelled is None:
        return table
    if unlabelled == "none":
        return replace(table, unlabelled_in_files=False, unlabelled_colour=None)
    if colours:
        return replace(table, unlabelled_colour=unpack_colour(unlabelled))
    return replace(table, unlabelled=unlabelled, unlabelled_in_files=True)


def _refuse_ambiguous(volume: Volume, found: Mapping[int, Mapping[int, int]]) -> None:
    constant = {z: next(iter(values)) for z, values in found.items() if len(values) == 1}
    if not constant or len(constant) == len(found):
        return
    value = next(iter(constant.values()))
    shown = hex_colour(unpack_colour(value)) if volume.colours else str(value)
    slices = [z for z, filling in constant.items() if filling == value]
    what = (
        f"{volume.name}: {len(slices)} of {len(found)} slices hold nothing but the value {shown} "
        f"(slice {_some(slices)}) while others hold several values"
    )
    raise NeedsUnlabelled(
        f"{what}, so it may be a class or mean not labelled: say --unlabelled {shown} where it "
        "means not labelled, --unlabelled none where it is a class.",
        value,
        f"{what}. Does {shown} mean not labelled, or is it a class?",
    )


def _size(shape: Sequence[int]) -> str:
    return f"{shape[1]} x {shape[2]}"


def _some(slices: Sequence[int], most: int = 8) -> str:
    shown = ", ".join(map(str, slices[:most]))
    return f"{shown}, ..." if len(slices) > most else shown
