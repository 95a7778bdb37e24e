"""A figure as a report shows it: drawn, with the numbers that it shows."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_xseg.review.canvas import figure_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

Cell = str | int | float

_DPI = 150  # of a picture, at most
_COLOURS = 64
FIGURES = "figures"


@dataclass(frozen=True, eq=False)
class Shown:
    """A figure of a report.

    Attributes
    ----------
    name : str
        Of its files.
    caption : str
        What it shows.
    figure : Figure
        The drawing.
    header, rows
        The numbers in it.
    plan : str
        Name of the plan that it belongs to; empty where it belongs to all.
    """

    name: str
    caption: str
    figure: Figure
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    plan: str = ""

    @property
    def csv(self) -> str:
        """The numbers: one line a row, empty where there is none."""
        text = io.StringIO()
        lines = [[_cell(value) for value in row] for row in self.rows]
        csv.writer(text, lineterminator="\n").writerows([self.header, *lines])
        return text.getvalue()

    def png(self) -> bytes:
        """The picture with indexed colours, 150 dots an inch at most."""
        # A whole divisor keeps each pixel of a slice on whole pixels of the picture.
        dpi = self.figure.dpi / math.ceil(self.figure.dpi / _DPI)
        return indexed(figure_bytes(self.figure, dpi=dpi))

    def write(self, folder: Path) -> bytes:
        """Write PNG, SVG and CSV into `folder` and give the PNG; XsegError where that fails."""
        from napari_xseg.data.writing import write_atomic

        picture = self.png()
        write_atomic(folder / f"{self.name}.png", picture)
        write_atomic(folder / f"{self.name}.svg", figure_bytes(self.figure, ".svg"))
        write_atomic(folder / f"{self.name}.csv", self.csv)
        return picture


def indexed(png: bytes) -> bytes:
    """The same picture with a palette: a third of the bytes."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        few = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    written = io.BytesIO()
    few.save(written, "PNG", optimize=True)
    return written.getvalue()


def _cell(value: Cell) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.8g}"
    return str(value)
