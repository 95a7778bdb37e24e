"""Dice against the number of training slices and against noise, by the experiments' own plans.

    python -m benchmarks.curves SCAN SEED

Each point is one training of 20 s, in a blocked split. Prints the figures, percent.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.promises import CURVE_NOISE, CURVE_SIZES, CURVE_STD
from benchmarks.scan import Scan
from napari_xseg.events import TrialDone
from napari_xseg.experiments.material import Source
from napari_xseg.experiments.plan import Plan, Scale, Vary, load_plan
from napari_xseg.experiments.results import Outcome, read_outcomes
from napari_xseg.experiments.suite import Suite, run_suite

if TYPE_CHECKING:
    from napari_xseg.experiments.results import Point

SECONDS = 20.0


def main() -> None:
    scan, seed = Scan(Path(sys.argv[1])), int(sys.argv[2])
    source = Source(images=str(scan.images), labels=str(scan.labels))
    with tempfile.TemporaryDirectory(prefix="xseg-curves-") as folder:
        # The seed names the repeat: another place of the scored block.
        suite = Suite.make(Path(folder), plans(seed + 1), source, "cpu")
        tasks = tuple(task for task in suite.tasks if task.trial.repeat == seed)
        for event in run_suite(suite, tasks=tasks):
            if isinstance(event, TrialDone):
                print(f"{event.done} of {event.total}: {event.words}, {event.reason}", flush=True)
        size, noise = read_outcomes(suite)
        print(json.dumps(figures(size, noise, seed)))


def plans(repeats: int) -> tuple[Plan, Plan]:
    """The package's plans, with fewer points and one kind of split."""
    budgets = {"cpu": Scale(seconds=SECONDS, repeats=repeats)}
    size = load_plan("training-size").replace(vary=Vary(slices=CURVE_SIZES).model_dump())
    noise = load_plan("noise-curve").replace(
        vary=Vary(noise=tuple(CURVE_NOISE)).model_dump(),  # type: ignore[arg-type]
        score_noise=CURVE_STD,
    )
    return tuple(  # type: ignore[return-value]
        plan.replace(splits=("blocked",), budgets=budgets) for plan in (size, noise)
    )


def figures(size: Outcome, noise: Outcome, seed: int) -> dict[str, float]:
    """By the keys of `promises`."""
    found = {f"size_{point.conditions.slices}": _dice(point, seed) for point in size.points}
    for point in noise.points:
        for std in CURVE_STD:
            found[f"noise_{point.conditions.noise}_{std:g}"] = _dice(point, seed, std)
    return found


def _dice(point: Point, seed: int, std: float = 0.0) -> float:
    (result,) = (one for one in point.results if one.trial.repeat == seed)
    return result.dice(std)


if __name__ == "__main__":
    main()
