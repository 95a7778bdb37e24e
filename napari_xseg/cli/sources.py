"""What the user's paths hold, opened and shown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.colours import hex_colour
from napari_xseg.data.labels import parse_unlabelled
from napari_xseg.data.slices import parse_slices
from napari_xseg.data.volume import RawSpec, open_label_volume

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from napari_xseg.cli.console import Console
    from napari_xseg.data.labels import LabelVolume
    from napari_xseg.data.pairing import Pairing
    from napari_xseg.data.volume import Volume

_MOST_PAIRS = 12


@dataclass(frozen=True)
class MaskFacts:
    """What the file beside a predicted mask says of it.

    `slices` holds the image z of each page that was predicted, `images` where the
    images lay, `fractions` and `pixels` the share and count of each class by its
    name, over all slices.
    """

    classes: ClassTable
    slices: tuple[int, ...]
    model: str
    images: str
    fractions: Mapping[str, float]
    pixels: Mapping[str, int]


def read_mask_facts(mask: str | Path) -> MaskFacts | None:
    """Read the file beside a mask; None where there is none of ours."""
    path = Path(f"{mask}.json")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        table = ClassTable.from_dict(found["classes"], str(path))
        return MaskFacts(
            table,
            tuple(map(int, found["slices"])),
            str(found["model"]),
            str(found.get("images", "")),
            found.get("fractions", {}).get("pooled", {}),
            found.get("pixels", {}),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def parse_raw(text: str | None) -> RawSpec | None:
    """Read `--raw`."""
    return None if text is None else RawSpec.parse(text)


def parse_meaning(text: str | None) -> int | Literal["none"] | None:
    """Read `--unlabelled`."""
    return None if text is None else parse_unlabelled(text)


def open_label_values(path: str, raw: str | None) -> Volume:
    """Open labels or masks as the values in their files."""
    return open_label_volume(path, raw=parse_raw(raw))


def open_classes(path: Path | None) -> ClassTable | None:
    """Read `--classes`."""
    return None if path is None else ClassTable.from_toml(path)


def parse_choice(text: str | None, count: int, option: str) -> tuple[int, ...] | None:
    """Read an option that names slices; None where it was not given."""
    return None if text is None else parse_slices(text, count, option)


def show_classes(console: Console, labels: LabelVolume, slices: Sequence[int]) -> None:
    """Show the class table with the pixels that `slices` of the labels hold."""
    title = f"Classes, pixels in {_count(slices)} of {labels.name}"
    shown = [
        (
            row.name,
            str(row.value),
            row.colour,
            f"{row.pixels:,}",
            "" if row.fraction is None else f"{100 * row.fraction:.2f}",
        )
        for row in labels.rows(slices)
    ]
    header = ("class", "value", "colour", "pixels", "%")
    console.table(header, shown, title=title, remark=True)


def show_pairs(console: Console, pairing: Pairing, chosen: Collection[int]) -> None:
    """Show which label belongs to which of the images `chosen`, and what is doubtful about it."""
    rows: list[tuple[str, ...]] = [
        cells
        for pair, cells in zip(pairing.rows, pairing.table(), strict=True)
        if pair.image_z in chosen
    ]
    title = f"Pairs, by {pairing.by}: {len(rows)} in use of {len(pairing.rows)}"
    header = ("image", "label", "number", "remark")
    console.table(header, shorten(rows), title=title, remark=True)
    for text in pairing.warnings:
        console.warn(text)


def shorten(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Keep the first rows and the last of a long table, with a row that counts the rest."""
    hidden = len(rows) - _MOST_PAIRS
    if hidden < 2:
        return rows
    more = (f"... {hidden} more ...", *[""] * (len(rows[0]) - 1))
    return [*rows[: _MOST_PAIRS - 1], more, rows[-1]]


def show_fractions(console: Console, facts: MaskFacts) -> None:
    """Show the classes of a predicted mask with their pixels and phase fractions."""
    rows = [
        (
            spec.name,
            str(spec.value),
            hex_colour(spec.colour),
            f"{facts.pixels[spec.name]:,}" if spec.name in facts.pixels else "",
            f"{100 * share:.2f}" if (share := facts.fractions.get(spec.name)) is not None else "-",
        )
        for spec in facts.classes.classes
    ]
    rest = f"{facts.pixels['unlabelled']:,}" if "unlabelled" in facts.pixels else ""
    rows.append(("unlabelled", str(facts.classes.unlabelled), "", rest, ""))
    header = ("class", "value", "colour", "pixels", "%")
    console.table(header, rows, title=f"Phase fractions over {_count(facts.slices)}")


def _count(slices: Sequence[int]) -> str:
    return f"{len(slices)} slice{'' if len(slices) == 1 else 's'}"
