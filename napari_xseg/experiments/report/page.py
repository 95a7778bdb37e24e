"""The report of an experiment: one HTML page, the same as Markdown, and all figures as files."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_xseg.data.formats.atomic import writing_to
from napari_xseg.errors import XsegError
from napari_xseg.events import Event, Progress
from napari_xseg.experiments.report import examples
from napari_xseg.experiments.report.curves import curves_figure
from napari_xseg.experiments.report.figures import noise_training_figure, plan_figures
from napari_xseg.experiments.report.numbers import results_csv
from napari_xseg.experiments.report.shown import FIGURES
from napari_xseg.experiments.report.statements import doubts, findings, state_words
from napari_xseg.experiments.report.tables import (
    classes_table,
    fractions_table,
    points_table,
    published_table,
    runs_table,
)
from napari_xseg.experiments.report.unlabelled import unlabelled_part
from napari_xseg.experiments.results import read_outcomes
from napari_xseg.experiments.running import Compute

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from napari_xseg.experiments.report.shown import Shown
    from napari_xseg.experiments.results import Outcome
    from napari_xseg.experiments.suite import Suite
    from napari_xseg.review.scoring.tables import Table

PAGE, TEXT = "report.html", "report.md"
RESULTS, RUNS = "results.csv", "trainings.csv"
_WIDTH = 95  # pixels of the page for an inch of a figure
_CAUTION = (
    "Intervals hold 95 % over the repeats: of twenty differences that are none, one looks as if "
    "it were."
)


_POSTER = {
    **{
        f"{name}-curves": "Figure 3 of the poster, redrawn. "
        for name in ("baseline", "noisy-training", "noise-in-validation")
    },
    "training-size-slices": "Figure 4 of the poster, redrawn. ",
    "noise-training": "Figure 5 of the poster, redrawn. ",
    "noise-curve-noise": "Figure 5 of the poster, redrawn. ",
    "figure-6": "Figure 6 of the poster, redrawn. ",
}


@dataclass
class _Drawn:
    """Figures as they were written: name, caption and picture, by the plan that they belong to."""

    folder: Path
    by_plan: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, shown: Shown, place: str | None = None) -> None:
        picture = shown.write(self.folder / FIGURES)
        self.by_plan.setdefault(shown.plan if place is None else place, []).append(
            {
                "name": shown.name,
                "caption": f"{_POSTER.get(shown.name, '')}{shown.caption}",
                "png": base64.b64encode(picture).decode("ascii"),
                "width": round(_WIDTH * shown.figure.get_figwidth()),
            }
        )


def write_report(
    suite: Suite, folder: Path | None = None, *, compute: Compute | None = None
) -> Path:
    """Write the report of what is there so far, and give the page's path; see `report_events`."""
    events = report_events(suite, folder, compute=compute)
    while True:
        try:
            next(events)
        except StopIteration as end:
            path: Path = end.value
            return path


def report_events(
    suite: Suite, folder: Path | None = None, *, compute: Compute | None = None
) -> Generator[Event, None, Path]:
    """Write `report.html`, `report.md`, `figures/`, `results.csv` and `trainings.csv`.

    Parameters
    ----------
    suite : Suite
        May be half done: what is missing is said.
    folder : Path, optional
        Where to; by default that of the suite. Files of an older report are replaced.
    compute : Compute, optional
        Where the slices that are shown are predicted.

    Yields
    ------
    Event
        Progress, one for each figure.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    XsegError
        Where it cannot be written. A model that cannot be read is said in the report.
    """
    folder = suite.folder if folder is None else Path(folder)
    with writing_to(folder):
        (folder / FIGURES).mkdir(parents=True, exist_ok=True)
    outcomes = read_outcomes(suite)
    drawn, start = _Drawn(folder), time.monotonic()
    makers = _makers(outcomes)
    total = len(makers) + 1
    for done, make in enumerate(makers, 1):
        for shown in make():
            drawn.add(shown)
        yield Progress("report", done, total, time.monotonic() - start)
    warnings = _draw_slices(suite, outcomes, drawn, compute or Compute())
    without_truth, faults = _draw_unlabelled(suite, outcomes, drawn)
    _write(suite, outcomes, drawn, [*warnings, *faults], without_truth)
    yield Progress("report", total, total, time.monotonic() - start)
    return folder / PAGE


def _makers(outcomes: Sequence[Outcome]) -> list[Callable[[], list[Shown]]]:
    told: set[str] = set()

    def of_plan(outcome: Outcome) -> list[Shown]:
        keys = {result.trial.key for result in outcome.results}
        # Trainings that another plan has shown already have no curves of their own.
        curves = None if keys <= told else curves_figure(outcome)
        told.update(keys)
        return [*plan_figures(outcome), *([] if curves is None else [curves])]

    def of_all() -> list[Shown]:
        shown = noise_training_figure(outcomes)
        return [] if shown is None else [shown]

    return [of_all, *((lambda one=one: of_plan(one)) for one in outcomes)]


_SLICES, _SIX = "slices", "six"


def _draw_slices(
    suite: Suite, outcomes: Sequence[Outcome], drawn: _Drawn, compute: Compute
) -> list[str]:
    """Draw predicted slices; gives what could not be."""
    classes, warnings = suite.material.labels.classes, []
    six, chosen = examples.five_slice_run(outcomes), examples.chosen_run(outcomes)
    try:
        if six is not None:
            z = examples.ranked_slices(six.result)[
                "median" if len(six.result.by_slice()) > 2 else "best"
            ]
            for view in examples.predicted_views(six.result, suite.material, [z], compute):
                words = f"True classes, and mistakes: {six.words}"
                shown = examples.slice_shown(view, classes, "figure-6", words, on_image=False)
                drawn.add(shown, _SIX)
        if chosen is not None:
            named = examples.ranked_slices(chosen.result)
            views = examples.predicted_views(
                chosen.result, suite.material, list(named.values()), compute
            )
            for name, view in zip(named, views, strict=True):
                words = f"{name.capitalize()} slice: {chosen.words}"
                shown = examples.slice_shown(view, classes, f"{name}-slice", words, on_image=True)
                drawn.add(shown, _SLICES)
    except XsegError as error:
        warnings.append(f"Some pictures of slices are missing: {error}")
    along = None if chosen is None else examples.fractions_shown(chosen, classes)
    if along is not None:
        drawn.add(along, "fractions")
    return warnings


def _draw_unlabelled(
    suite: Suite, outcomes: Sequence[Outcome], drawn: _Drawn
) -> tuple[list[str], list[str]]:
    """Draw the volume without labels; gives what is said of it, and what could not be drawn."""
    plan = next((outcome.plan for outcome in outcomes if outcome.plan.unlabelled), None)
    try:
        part = None if plan is None else unlabelled_part(suite)
    except XsegError as error:
        return [], [f"The volume without labels is missing: {error}"]
    if plan is None or part is None:
        return [], []
    for shown in part.shown:
        drawn.add(shown, plan.name)
    return part.words, []


def _write(
    suite: Suite,
    outcomes: Sequence[Outcome],
    drawn: _Drawn,
    warnings: Sequence[str],
    without_truth: Sequence[str],
) -> None:
    from napari_xseg.data.writing import write_atomic

    told = _told(suite, outcomes, drawn, warnings, without_truth)
    write_atomic(drawn.folder / RESULTS, results_csv(outcomes, suite.material.labels.classes))
    write_atomic(drawn.folder / RUNS, runs_table(outcomes, whole=True).csv())
    write_atomic(drawn.folder / TEXT, _render("experiment.md", told, escape=False))
    write_atomic(drawn.folder / PAGE, _render("experiment.html", told, escape=True))


def _told(
    suite: Suite,
    outcomes: Sequence[Outcome],
    drawn: _Drawn,
    warnings: Sequence[str],
    without_truth: Sequence[str],
) -> dict[str, Any]:
    classes = suite.material.labels.classes
    said = findings(outcomes)
    return {
        "title": "Experiments: " + ", ".join(one.plan.title.lower() for one in outcomes),
        "statements": [*_about(suite), state_words(outcomes)],
        "findings": [*said, *([_CAUTION] if said else [])],
        "warnings": list(warnings),
        "published": published_table(outcomes),
        "sections": [
            _section(suite, outcome, drawn, without_truth if outcome.plan.unlabelled else ())
            for outcome in outcomes
        ],
        "noise": drawn.by_plan.get("", []),
        "six": drawn.by_plan.get(_SIX, []),
        "slices": drawn.by_plan.get(_SLICES, []),
        "fractions": drawn.by_plan.get("fractions", []),
        "tables": [
            classes_table(outcomes, classes),
            fractions_table(outcomes, classes),
            runs_table(outcomes),
        ],
        "files": [(RESULTS, RESULTS), (RUNS, RUNS), (f"{FIGURES}/", f"{FIGURES}/")],
    }


def _about(suite: Suite) -> Iterator[str]:
    images = suite.material.images
    shape = " x ".join(map(str, images.shape))
    yield (
        f"Data: {images.name}, {shape} (z, y, x), {len(suite.material.usable)} labelled slices, "
        f"SHA-256 {suite.material.sha256}. Budget: {suite.budget}."
    )
    yield (
        "Blocked: a stretch of slices is scored, and slices near it do not train. Random: scored "
        "slices lie among those that train, as on the poster; they are nearly copies of them."
    )


def _section(suite: Suite, outcome: Outcome, drawn: _Drawn, words: Sequence[str]) -> dict[str, Any]:
    table: Table = points_table(outcome)
    return {
        "title": outcome.plan.title,
        "name": outcome.plan.name,
        "question": outcome.plan.question,
        "doubts": doubts(outcome, suite.budget),
        "words": words,
        "table": table,
        "figures": drawn.by_plan.get(outcome.plan.name, []),
    }


def _render(name: str, told: dict[str, Any], *, escape: bool) -> str:
    from jinja2 import DictLoader, Environment, StrictUndefined

    own = resources.files("napari_xseg.experiments.report") / "templates"
    base = resources.files("napari_xseg.review") / "templates" / "report.html"
    texts = {"report.html": base.read_text(encoding="utf-8")}
    texts[name] = (own / name).read_text(encoding="utf-8")
    rooms = Environment(
        loader=DictLoader(texts),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rooms.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    text: str = rooms.get_template(name).render(headline=[], **told)
    return text
