"""The table: asked, reached, kept; on the terminal, as Markdown and as JSON."""

from __future__ import annotations

import json
import math
import statistics
import sys
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from benchmarks.promises import TOPICS, Promise
from napari_xseg.data.writing import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.machine import Machine

HERE, LAPTOP = "here", "laptop"
HEADINGS = {HERE: "reached", LAPTOP: "with AVX2 only"}
WIDTH = 110  # of a file or pipe
BEGIN, END = "<!-- table -->", "<!-- end of table -->"


@dataclass
class Column:
    """Figures of one environment: values by key, one a repeat; what failed by topic."""

    values: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def add(self, figures: dict[str, float]) -> None:
        for key, value in figures.items():
            self.values.setdefault(key, []).append(value)

    def median(self, key: str) -> float | None:
        found = [value for value in self.values.get(key, ()) if math.isfinite(value)]
        return statistics.median(found) if found else None


@dataclass(frozen=True)
class Results:
    """All that one run of the benchmarks found."""

    date: str
    machine: Machine
    repeats: int
    topics: tuple[str, ...]
    columns: dict[str, Column]

    @property
    def stem(self) -> str:
        return f"{self.machine.slug}-{self.date}"

    @property
    def header(self) -> list[str]:
        first, *others = (HEADINGS[name] for name in self.columns)
        return ["what", "asked", first, "kept", *others]

    def rows(self) -> list[list[str]]:
        return [self._row(topic, promise) for topic in self.topics for promise in TOPICS[topic]]

    def _row(self, topic: str, promise: Promise) -> list[str]:
        first, *others = (self._cell(column, topic, promise) for column in self.columns.values())
        value = next(iter(self.columns.values())).median(promise.key)
        kept = None if value is None else promise.kept(value)
        verdict = "" if kept is None else "yes" if kept else "NO"
        return [promise.what, promise.asked, first, verdict, *others]

    def _cell(self, column: Column, topic: str, promise: Promise) -> str:
        value = column.median(promise.key)
        if value is not None:
            return promise.show(value)
        return "failed" if topic in column.failures else "-"

    @property
    def broken(self) -> list[str]:
        """What was asked and not reached on this machine as it is."""
        return [row[0] for row in self.rows() if row[3] == "NO"]

    def markdown(self) -> str:
        lines = [_line(self.header), _line(["---", "---:", "---:", "---", "---:"], self.header)]
        lines += [_line(row) for row in self.rows()]
        return "\n".join(
            [
                f"Measured on {self.date}: {self.machine.describe()}. {self._how()}",
                "",
                *lines,
                *(f"\n{text}" for text in self.remarks()),
            ]
        )

    def _how(self) -> str:
        return "One run." if self.repeats == 1 else f"Medians of {self.repeats} runs."

    def remarks(self) -> list[str]:
        """What the table cannot say: precisions, and what failed."""
        remarks = []
        for name, column in self.columns.items():
            if column.notes:
                told = ", ".join(f"{what} in {which}" for what, which in column.notes.items())
                remarks.append(f"Precision, chosen by timing ({HEADINGS[name]}): {told}.")
            remarks += [f"{topic}: {text}" for topic, text in column.failures.items()]
        return remarks

    def to_json(self) -> str:
        return json.dumps(
            {
                "date": self.date,
                "machine": asdict(self.machine),
                "repeats": self.repeats,
                "columns": {name: asdict(column) for name, column in self.columns.items()},
                "promises": [asdict(row) for topic in self.topics for row in TOPICS[topic]],
            },
            indent=1,
        )


def write_results(results: Results, folder: Path) -> tuple[Path, Path]:
    """Write `<machine>-<date>.json` and `.md`; give their paths."""
    table, figures = (folder / f"{results.stem}.{kind}" for kind in ("md", "json"))
    write_atomic(table, results.markdown() + "\n")
    write_atomic(figures, results.to_json() + "\n")
    return table, figures


def quote(results: Results, document: Path) -> None:
    """Put the table between the marks in `document`, in place of an older one."""
    before, begin, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{document.name}: lacks {BEGIN} and {END}")
    write_atomic(document, f"{before}{BEGIN}\n{results.markdown()}\n{END}{after}")


def print_table(results: Results) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=results.machine.name)
    for place, name in enumerate(results.header):
        table.add_column(name, justify="right" if place in (1, 2, 4) else "left")
    for row in results.rows():
        table.add_row(*row, style="red" if row[3] == "NO" else None)
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, markup=False)
    console.print(table)
    for text in (results.machine.describe(), *results.remarks()):
        console.print(text, soft_wrap=True)


def _line(cells: list[str], like: list[str] | None = None) -> str:
    return f"| {' | '.join(cells[: len(like)] if like else cells)} |"
