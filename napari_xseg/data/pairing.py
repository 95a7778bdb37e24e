"""Which label slice belongs to which image: by name, by number, by order, or as told."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import Literal, Protocol

from napari_xseg.data.slices import parse_slices
from napari_xseg.errors import XsegError

Rule = Literal["name", "number", "order", "told"]
HOW = (
    "pair them explicitly: --pairing FILE.csv with the columns image,label, or the z of the image "
    "of each label slice in order, such as --pairing 13,39,65"
)


class Slices(Protocol):
    """What pairing looks at in a Volume or LabelVolume; no pixel is read."""

    @property
    def name(self) -> str:
        """Name of the file or folder."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x) in pixels."""

    @property
    def numbers(self) -> tuple[int | None, ...]:
        """The number in each slice's file name, or its page."""

    @property
    def slice_names(self) -> tuple[str, ...]:
        """The file name of each slice, or `name[z]`."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One label slice and its image; z are 0-based, `number` is the image's number in its name."""

    image_z: int
    label_z: int
    image_name: str
    label_name: str
    number: int | None
    remark: str = ""


@dataclass(frozen=True)
class Pairing:
    """All pairs by rising image z, how they were found, and what is doubtful about them."""

    rows: tuple[Pair, ...]
    by: Rule
    warnings: tuple[str, ...] = ()

    @cached_property
    def label_of(self) -> dict[int, int]:
        """Label z by image z."""
        return {row.image_z: row.label_z for row in self.rows}

    @cached_property
    def image_of(self) -> dict[int, int]:
        """Image z by label z (the first image, where a label slice has several)."""
        return {row.label_z: row.image_z for row in reversed(self.rows)}

    def table(self) -> list[tuple[str, str, str, str]]:
        """Lines for printing: image slice, label slice, number, remark."""
        return [
            (
                f"{row.image_z}  {row.image_name}",
                f"{row.label_z}  {row.label_name}",
                "" if row.number is None else str(row.number),
                row.remark,
            )
            for row in self.rows
        ]


def pair(
    images: Slices,
    labels: Slices,
    by: str | Path | Mapping[int, int] | Sequence[int] = "auto",
) -> Pairing:
    """Find the image of each label slice.

    Parameters
    ----------
    images, labels : Volume or LabelVolume
        (z, y, x); names, numbers and shapes are looked at.
    by : str, Path, mapping or sequence
        "auto", "name" (equal file names but for the ending), "number" (the
        number in the names), "order"; or explicitly: a CSV file with the columns
        image and label (z or file name), the text or sequence of image z of the
        label slices in order ("13,39,65"), a mapping of image z to label z.

        "auto" takes equal names first; then the numbers, where all are different
        and the label numbers occur among the images; then the order, where there
        are as many labels as images. Otherwise nothing is guessed.

    Raises
    ------
    XsegError
        No pairing can be told from names and counts, or an explicit one does not fit.
    """
    if not isinstance(by, str | Path):
        told = by if isinstance(by, Mapping) else _in_order(list(by), labels)
        return _result(images, labels, _checked(images, labels, told), "told", [])
    rules = {"auto": _auto, "name": _by_name, "number": _by_number, "order": _by_order}
    if by in rules:
        return rules[str(by)](images, labels)
    return _result(images, labels, _checked(images, labels, _read(by, images, labels)), "told", [])


def _auto(images: Slices, labels: Slices) -> Pairing:
    if _stems(labels) and set(_stems(labels)) <= set(_stems(images)):
        return _by_name(images, labels)
    ours, theirs = set(images.numbers), set(labels.numbers)
    usable = _distinct(images.numbers) and _distinct(labels.numbers) and not _paged(labels)
    equal = images.shape[0] == labels.shape[0]
    if usable and (theirs <= ours or (ours & theirs and not equal and not _paged(images))):
        return _by_number(images, labels)
    if equal:
        return _by_order(images, labels)
    raise XsegError(
        f"{labels.name}: {_slices(labels.shape[0])} of labels for {_slices(images.shape[0])} of "
        f"{images.name}, and {_why_not(images, labels)}; {HOW}."
    )


def _why_not(images: Slices, labels: Slices) -> str:
    if _paged(labels):
        return "the pages of a stack do not say to which image they belong"
    if None in labels.numbers or None in images.numbers:
        return "not every name has a number"
    if not (_distinct(images.numbers) and _distinct(labels.numbers)):
        return "numbers in the names occur twice"
    return "the numbers in the label names do not occur among the images"


def _by_name(images: Slices, labels: Slices) -> Pairing:
    stems, wanted = _stems(images), _stems(labels)
    if not stems or not wanted or not _distinct(stems) or not _distinct(wanted):
        raise XsegError(
            f"{labels.name}: pairing by name needs one file a slice, each with its own name, "
            f"here and in {images.name}; {HOW}."
        )
    place = {stem: z for z, stem in enumerate(stems)}
    label_of = {place[stem]: z for z, stem in enumerate(wanted) if stem in place}
    lost = [labels.slice_names[z] for z, stem in enumerate(wanted) if stem not in place]
    return _result(images, labels, _not_empty(images, labels, label_of, "name"), "name", lost)


def _by_number(images: Slices, labels: Slices) -> Pairing:
    for volume in (images, labels):
        _refuse_bad_numbers(volume)
    place = {number: z for z, number in enumerate(images.numbers)}
    label_of = {place[number]: z for z, number in enumerate(labels.numbers) if number in place}
    lost = [labels.slice_names[z] for z, n in enumerate(labels.numbers) if n not in place]
    return _result(images, labels, _not_empty(images, labels, label_of, "number"), "number", lost)


def _by_order(images: Slices, labels: Slices) -> Pairing:
    count = min(images.shape[0], labels.shape[0])
    lost = list(labels.slice_names[count:])
    return _result(images, labels, {z: z for z in range(count)}, "order", lost)


def _refuse_bad_numbers(volume: Slices) -> None:
    for z, number in enumerate(volume.numbers):
        if number is None:
            raise XsegError(
                f"{volume.name}: {volume.slice_names[z]} has no number in its name, so it cannot "
                f"be paired by number; rename it, or {HOW}."
            )
    for number, times in Counter(volume.numbers).items():
        if times > 1:
            names = [n for z, n in enumerate(volume.slice_names) if volume.numbers[z] == number]
            raise XsegError(
                f"{volume.name}: the number {number} occurs in {times} names ({names[0]}, "
                f"{names[1]}), so they cannot be paired by number; {HOW}."
            )


def _not_empty(
    images: Slices, labels: Slices, label_of: dict[int, int], what: str
) -> dict[int, int]:
    if not label_of:
        raise XsegError(
            f"{labels.name}: no label slice has the {what} of an image of {images.name} "
            f"({labels.slice_names[0]} and {images.slice_names[0]}, for instance); {HOW}."
        )
    return label_of


def _result(
    images: Slices, labels: Slices, label_of: Mapping[int, int], by: Rule, lost: Sequence[str]
) -> Pairing:
    numbered = not _paged(images) and not _paged(labels)
    rows = tuple(
        Pair(
            image_z,
            label_z,
            images.slice_names[image_z],
            labels.slice_names[label_z],
            images.numbers[image_z],
            _remark(images.numbers[image_z], labels.numbers[label_z]) if numbered else "",
        )
        for image_z, label_z in sorted(label_of.items())
    )
    return Pairing(rows, by, tuple(_doubts(images, labels, rows, by, lost)))


def _remark(image: int | None, label: int | None) -> str:
    if image is None or label is None or image == label:
        return ""
    return f"numbers differ: {image} and {label}"


def _doubts(
    images: Slices, labels: Slices, rows: Sequence[Pair], by: Rule, lost: Sequence[str]
) -> list[str]:
    doubts = []
    if images.shape[1:] != labels.shape[1:]:
        doubts.append(
            f"{labels.name} has slices of {labels.shape[1]} x {labels.shape[2]} pixels, "
            f"{images.name} of {images.shape[1]} x {images.shape[2]}."
        )
    if lost:
        doubts.append(
            f"{labels.name}: {_slices(len(lost))} of labels without an image, left out: "
            f"{_some(lost)}."
        )
    if by == "order" and labels.shape[0] < images.shape[0]:
        doubts.append(
            f"{labels.name}: {_slices(labels.shape[0])} of labels are paired with the first of "
            f"{images.shape[0]} images by order."
        )
    odd = [row for row in rows if row.remark]
    if odd:
        doubts.append(
            f"the numbers in the names disagree in {len(odd)} of {len(rows)} pairs "
            f"({odd[0].image_name} with {odd[0].label_name})."
        )
    if by == "number" and _paged(images) != _paged(labels):
        paged, named = (images, labels) if _paged(images) else (labels, images)
        doubts.append(
            f"the numbers in the names of {named.name} are taken as pages of {paged.name}, "
            f"counted from 0 ({rows[0].label_name} with {rows[0].image_name})."
        )
    for label_z, times in Counter(row.label_z for row in rows).items():
        if times > 1:
            doubts.append(f"{labels.slice_names[label_z]} is the label of {times} images.")
    return doubts


def _in_order(images_z: Sequence[int], labels: Slices) -> dict[int, int]:
    if len(images_z) != labels.shape[0]:
        raise XsegError(
            f"{labels.name}: the pairing names {len(images_z)} images, expected one for each of "
            f"its {_slices(labels.shape[0])}."
        )
    if len(set(images_z)) != len(images_z):
        raise XsegError(f"{labels.name}: the pairing names an image twice; name each once.")
    return {image_z: label_z for label_z, image_z in enumerate(images_z)}


def _checked(images: Slices, labels: Slices, told: Mapping[int, int]) -> Mapping[int, int]:
    if not told:
        raise XsegError(f"{labels.name}: the pairing is empty; {HOW}.")
    for image_z, label_z in told.items():
        for z, volume in ((image_z, images), (label_z, labels)):
            if not 0 <= z < volume.shape[0]:
                raise XsegError(
                    f"pairing: slice {z} is not in {volume.name}; expected z from 0 to "
                    f"{volume.shape[0] - 1}."
                )
    return told


def _read(by: str | Path, images: Slices, labels: Slices) -> dict[int, int]:
    text = str(by)
    if not text.lower().endswith((".csv", ".txt", ".tsv")):
        if not set(text) <= set("0123456789:, "):
            raise XsegError(
                f"--pairing {text}: expected auto, name, number, order, a CSV file, or the z of "
                "the images such as 13,39,65."
            )
        return _in_order(parse_slices(text, images.shape[0]), labels)
    return _read_csv(Path(by), images, labels)


def _read_csv(path: Path, images: Slices, labels: Slices) -> dict[int, int]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise XsegError(f"{path}: the pairing cannot be read ({error}).") from error
    delimiter = next((mark for mark in (";", "\t") if mark in text), ",")
    told: dict[int, int] = {}
    for number, line in enumerate(csv.reader(text.splitlines(), delimiter=delimiter), start=1):
        cells = [cell.strip() for cell in line]
        if not any(cells) or (number == 1 and [cell.lower() for cell in cells] == _HEADER):
            continue
        if len(cells) != 2:
            raise XsegError(f"{path}: line {number} has {len(cells)} columns, expected two.")
        image_z = _find(cells[0], images, f"{path}: line {number}")
        if image_z in told:
            raise XsegError(f"{path}: line {number} names the image {cells[0]} a second time.")
        told[image_z] = _find(cells[1], labels, f"{path}: line {number}")
    return told


_HEADER = ["image", "label"]


def _find(cell: str, volume: Slices, where: str) -> int:
    if cell in volume.slice_names:
        return volume.slice_names.index(cell)
    if cell.isascii() and cell.isdigit() and int(cell) < volume.shape[0]:
        return int(cell)
    raise XsegError(
        f"{where}: {cell!r} is neither a file of {volume.name} nor a z from 0 to "
        f"{volume.shape[0] - 1}."
    )


def _paged(volume: Slices) -> bool:
    return volume.shape[0] > 1 and all(
        name.endswith(f"[{z}]") for z, name in enumerate(volume.slice_names)
    )


def _stems(volume: Slices) -> list[str]:
    if any(name.endswith(f"[{z}]") for z, name in enumerate(volume.slice_names)):
        return []
    return [PurePath(name).stem.lower() for name in volume.slice_names]


def _distinct(items: Sequence[object]) -> bool:
    return None not in items and len(set(items)) == len(items)


def _slices(count: int) -> str:
    return f"{count} slice{'' if count == 1 else 's'}"


def _some(names: Sequence[str], most: int = 4) -> str:
    shown = ", ".join(names[:most])
    return f"{shown}, ..." if len(names) > most else shown
