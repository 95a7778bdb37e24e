"""Measure what is promised: python -m benchmarks [--only TOPIC] [--repeat N] [--laptop]."""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench import Bench
from benchmarks.commands import LAPTOP as LAPTOP_VARIABLES
from benchmarks.commands import ROOT, CommandError
from benchmarks.machine import this_machine
from benchmarks.promises import NEEDS_SCAN, NOT_FOR_LAPTOP, TOPICS
from benchmarks.scan import PLACE, Scan
from benchmarks.table import HERE, LAPTOP, Column, Results, print_table, quote, write_results
from benchmarks.topics import MEASURE

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULTS = ROOT / "benchmarks" / "results"
DOCUMENT = ROOT / "docs" / "benchmarks.md"


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add(
        "--only",
        action="append",
        choices=tuple(TOPICS),
        metavar="TOPIC",
        default=[],
        help=f"measure this alone, may be repeated; one of {', '.join(TOPICS)}",
    )
    add(
        "--repeat",
        type=_count,
        default=1,
        metavar="N",
        help="medians of N runs, with seeds 0 to N - 1 (default: %(default)s)",
    )
    add(
        "--laptop",
        action="store_true",
        help="a second column, with ONEDNN_MAX_CPU_ISA=AVX2: a processor without AVX-512",
    )
    add(
        "--data",
        type=_folder,
        default=PLACE,
        metavar="FOLDER",
        help="the scan: images in FOLDER/data, a label of each in FOLDER/labels",
    )
    add(
        "--out",
        type=_folder,
        metavar="FOLDER",
        help="where the table is written (default: benchmarks/results for a whole table, "
        "nowhere for a part of it)",
    )
    add("--quote", action="store_true", help="put the table into docs/benchmarks.md too")
    options = parser.parse_args(words)
    if options.quote and options.only:
        parser.error("--quote wants the whole table; leave out --only")
    return options  # fmt: skip


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("expected 1 or more")
    return count


def _folder(text: str) -> Path:
    return Path(text).expanduser().resolve()


def choose_topics(only: Sequence[str], scan: Scan) -> tuple[str, ...]:
    """The topics to measure, in the order of the table; says which ones lack their data."""
    wanted = [topic for topic in TOPICS if not only or topic in only]
    lacking = [topic for topic in wanted if topic in NEEDS_SCAN and not scan.there]
    if lacking:
        print(
            f"The real scan is not in {scan.folder} (folders data and labels), so these are "
            f"left out: {', '.join(lacking)}.",
            flush=True,
        )
    return tuple(topic for topic in wanted if topic not in lacking)


def measure(topics: Sequence[str], bench: Bench, column: Column) -> None:
    """Measure each topic once; one that fails is noted, and the others go on."""
    for topic in topics:
        try:
            column.add(MEASURE[topic](bench))
        except CommandError as error:
            column.failures[topic] = str(error)
            bench.say(f"{topic} failed: {error}\n{error.said}")


def measure_columns(options: argparse.Namespace, topics: tuple[str, ...]) -> dict[str, Column]:
    columns = {HERE: Column()} | ({LAPTOP: Column()} if options.laptop else {})
    for name, column in columns.items():
        chosen = [t for t in topics if name == HERE or t not in NOT_FOR_LAPTOP]
        variables = LAPTOP_VARIABLES if name == LAPTOP else {}
        for seed in range(options.repeat):
            with tempfile.TemporaryDirectory(prefix="xseg-bench-") as folder:
                scan = Scan(options.data)
                bench = Bench(scan, Path(folder), seed, variables, column.notes)
                bench.say(f"{name}, seed {seed}")
                measure(chosen, bench, column)
    return columns


def _keep(results: Results, options: argparse.Namespace) -> None:
    """Write the table where it shall be; a part of it takes no whole one's place."""
    whole = results.topics == tuple(TOPICS)
    out = options.out or (RESULTS if whole else None)
    if out is not None:
        for path in write_results(results, out):
            print(f"written: {path}")
    if options.quote and whole:
        quote(results, DOCUMENT)
        print(f"written: {DOCUMENT}")


def main(words: Sequence[str] | None = None) -> int:
    options = parse(words)
    topics = choose_topics(options.only, Scan(options.data))
    machine = this_machine()
    columns = measure_columns(options, topics)
    today = datetime.date.today().isoformat()
    results = Results(today, machine, options.repeat, topics, columns)
    print_table(results)
    _keep(results, options)
    if results.broken:
        print(f"Not reached: {'; '.join(results.broken)}.")
    return 1 if any(column.failures for column in columns.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
