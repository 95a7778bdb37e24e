"""Which slice of a mask is scored against which slice of the labels, and with which classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_xseg.data.colours import pack_colour
from napari_xseg.data.labels import label_volume
from napari_xseg.data.pairing import pair
from napari_xseg.data.slices import format_slices
from napari_xseg.data.volume import open_volume
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_xseg.cli.sources import MaskFacts
    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.labels import LabelVolume, Unlabelled
    from napari_xseg.data.volume import Volume

Pairs = list[tuple[int, int]]

_MEND = "say which belong together with --pairing FILE.csv (columns image,label: mask z, label z)"


def pair_masks(
    masks: Volume,
    labels: Volume,
    chosen: Sequence[int] | None,
    facts: MaskFacts | None,
    rule: str = "auto",
) -> Pairs:
    """Find the (mask z, label z) to score.

    Parameters
    ----------
    masks, labels : Volume
        Predicted slices and labels.
    chosen : sequence of int, optional
        z of the labels to score; without it all that have a mask.
    facts : MaskFacts, optional
        What the file beside the mask says: the z of the images it was made from.
    rule : str
        "auto", or as `pair` takes it with the masks in place of the images.

    Raises
    ------
    XsegError
        A chosen slice has no mask, or nothing tells what belongs together.
    """
    if rule != "auto":
        return _picked(pair(masks, labels, rule).image_of, chosen, masks)
    if facts is None:
        mask_of = None if _in_order(masks, chosen) else _by_names(masks, labels)
    else:
        mask_of = _by_facts(masks, labels, facts)
        if _in_order(masks, chosen) and not mask_of.keys() >= set(chosen or ()):
            mask_of = None
    if mask_of is None:
        return list(enumerate(chosen or ()))
    return _picked(mask_of, chosen, masks)


def match_classes(
    masks: Volume,
    labels: Volume,
    slices: Sequence[int],
    facts: MaskFacts | None,
    table: ClassTable | None,
    unlabelled: Unlabelled,
) -> tuple[LabelVolume, LabelVolume]:
    """Open masks and labels as class indices.

    The labels get the class `table` given, else that of the mask where it covers
    their values, else one made from the values of `slices`; masks without a table
    of their own take that of the labels.
    """
    ours = _label_classes(labels, slices, facts, table, unlabelled)
    theirs = ours.classes if facts is None else facts.classes
    # Where nothing says what their unlabelled value is, a value outside the table is no mask's.
    known = facts is not None or table is not None or ours.classes.unlabelled_in_files
    return label_volume(masks, classes=theirs, masks=known), ours


def _label_classes(
    labels: Volume,
    slices: Sequence[int],
    facts: MaskFacts | None,
    table: ClassTable | None,
    unlabelled: Unlabelled,
) -> LabelVolume:
    if table is not None or facts is None:
        return label_volume(labels, classes=table, unlabelled=unlabelled, slices=slices)
    meaning = _known_meaning(labels, facts.classes) if unlabelled is None else unlabelled
    found = label_volume(labels, unlabelled=meaning, slices=slices)
    if _covers(facts.classes, found.classes, colours=labels.colours):
        return label_volume(labels, classes=facts.classes, unlabelled=meaning)
    return found


def _known_meaning(labels: Volume, table: ClassTable) -> int | None:
    if labels.colours:
        colour = table.unlabelled_colour
        return None if colour is None else pack_colour(colour)
    return table.unlabelled if table.unlabelled_in_files else None


def _covers(table: ClassTable, found: ClassTable, *, colours: bool) -> bool:
    if colours:
        return set(found.colours) <= set(table.colours)
    return set(found.values) <= set(table.values)


def _in_order(masks: Volume, chosen: Sequence[int] | None) -> bool:
    return chosen is not None and len(chosen) == len(masks)


def _by_names(masks: Volume, labels: Volume) -> dict[int, int]:
    if len(masks) > len(labels):
        return pair(masks, labels).image_of
    return pair(labels, masks).label_of


def _by_facts(masks: Volume, labels: Volume, facts: MaskFacts) -> dict[int, int]:
    page_of = {z: page for page, z in enumerate(facts.slices)}
    image_of = _image_of(labels, facts)
    if image_of is None and _sparse(labels) and len(labels) <= max(page_of, default=0):
        raise XsegError(
            f"{labels.name}: {len(labels)} label slices with gaps between their numbers do not "
            f"tell to which z of {masks.name} they belong; {_MEND}."
        )
    images = range(len(labels)) if image_of is None else image_of
    return {
        z: page_of[image_z]
        for z in images
        if (image_z := z if image_of is None else image_of[z]) in page_of
    }


def _image_of(labels: Volume, facts: MaskFacts) -> dict[int, int] | None:
    """Image z by label z as in training, None where the images are elsewhere by now."""
    try:
        return pair(open_volume(facts.images), labels).image_of
    except XsegError:
        return None


def _picked(mask_of: Mapping[int, int], chosen: Sequence[int] | None, masks: Volume) -> Pairs:
    wanted = sorted(mask_of) if chosen is None else chosen
    missing = [z for z in wanted if z not in mask_of]
    if missing:
        raise XsegError(
            f"--slices: slice {missing[0]} of the labels has no mask in {masks.name}, which holds "
            f"{format_slices(sorted(mask_of)) or 'none of them'}; predict it first, or {_MEND}."
        )
    if not wanted:
        raise XsegError(f"{masks.name}: no slice belongs to a slice of the labels; {_MEND}.")
    return [(mask_of[z], z) for z in wanted]


def _sparse(labels: Volume) -> bool:
    numbers = [number for number in labels.numbers if number is not None]
    if len(numbers) < len(labels) or len(numbers) < 2:
        return False
    return numbers != list(range(numbers[0], numbers[0] + len(numbers)))
