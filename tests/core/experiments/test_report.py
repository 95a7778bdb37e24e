from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from napari_xseg import metrics
from napari_xseg.events import Progress, TrialDone
from napari_xseg.experiments.plan import Vary
from napari_xseg.experiments.report import report_events, write_report
from napari_xseg.experiments.results import read_outcomes
from napari_xseg.experiments.running import Compute
from napari_xseg.experiments.suite import Suite, run_suite
from napari_xseg.model.metadata import read_metadata
from tests.core.experiments.fabricated import fabricate, small

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.experiments.material import Source


class Page(HTMLParser):
    """What a browser would see: tags with attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def suite(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """Three trainings of three steps, reported."""
    folder = tmp_path_factory.mktemp("experiments")
    suite = Suite.make(folder, (small("baseline", splits=("blocked",)),), source, "cpu")
    # "auto" takes the faster precision of the moment, and the pictures might differ by a pixel.
    compute = Compute(device="cpu", precision="float32", threads=1)
    events = run_suite(suite, compute=compute)
    assert [one.reason for one in events if isinstance(one, TrialDone)] == ["done"] * 3
    write_report(suite, compute=compute)
    return suite


def test_the_page_needs_no_other_file_and_no_network(suite: Suite) -> None:
    html = (suite.folder / "report.html").read_text(encoding="utf-8")
    assert "http" not in html
    page = Page(html)
    pictures = page.named("img")
    assert len(pictures) == 6
    assert all((one["src"] or "").startswith("data:image/png;base64,") for one in pictures)
    assert not page.named("script")
    assert not page.named("link")
    assert "3 of 3 trainings are done." in page.text


def test_each_figure_is_a_picture_a_drawing_and_numbers(suite: Suite) -> None:
    figures = suite.folder / "figures"
    names = {path.stem for path in figures.iterdir()}
    assert names == {
        "baseline-curves",
        "figure-6",
        "best-slice",
        "median-slice",
        "worst-slice",
        "phase-fractions",
    }
    for name in names:
        with Image.open(figures / f"{name}.png") as picture:
            assert picture.mode == "P"
        assert (figures / f"{name}.svg").read_text().lstrip().startswith("<?xml")
        rows = list(csv.reader(io.StringIO((figures / f"{name}.csv").read_text())))
        assert len(rows) > 1
        assert {len(row) for row in rows} == {len(rows[0])}


def test_the_text_links_to_files_that_exist(suite: Suite) -> None:
    text = (suite.folder / "report.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) >= 18
    assert all((suite.folder / link).exists() for link in links)
    header, rule, row = text[text.index("| experiment") :].splitlines()[:3]
    assert header.count("|") == rule.count("|") == row.count("|")
    assert "\n\n\n\n" not in text


def test_best_median_and_worst_are_slices_of_the_median_run(suite: Suite) -> None:
    results = read_outcomes(suite)[0].results
    chosen = sorted(results, key=lambda one: one.dice())[1]
    dice = {z: metrics.dice_foreground(counts) for z, counts in chosen.scores[0.0].items()}
    order = sorted(dice, key=dice.__getitem__)
    for name, z in (("best", order[-1]), ("worst", order[0])):
        path = suite.folder / "figures" / f"{name}-slice.csv"
        rows = list(csv.DictReader(path.read_text().splitlines()))
        assert {int(row["z"]) for row in rows} == {z}
        # Predicted anew, the slice has the counts that were scored.
        assert [int(row["pixels"]) for row in rows] == chosen.scores[0.0][z].ravel().tolist()
    text = Page((suite.folder / "report.html").read_text(encoding="utf-8")).text
    assert (
        f"Worst slice: Baseline (all slices), blocked split, repeat {chosen.trial.repeat + 1}"
        in text
    )


def test_every_training_is_told_with_its_hashes_and_machine(suite: Suite) -> None:
    rows = list(csv.DictReader((suite.folder / "trainings.csv").read_text().splitlines()))
    assert len(rows) == 3
    for row in rows:
        assert row["model"] == read_metadata(suite.runs / row["run"])["identity"]
        assert row["data"] == suite.material.sha256
        assert row["steps"] == "3"
        assert float(row["seconds"]) > 0
        assert "-" not in (row["machine"], row["device"], row["torch"])


def test_a_half_done_suite_is_reported(source: Source, tmp_path: Path) -> None:
    plans = [
        small("baseline"),
        small("noisy-training"),
        small("noise-in-validation"),
        small("training-size", splits=("blocked",), vary=Vary(slices=(1, 5))),
        small("single-image", splits=("blocked",), vary=Vary(augment=("none", "turns"))),
        small("crops", splits=("blocked",), vary=Vary(crop=(16, 32), side=(64, 96))),
        small("noisy-only", vary=Vary(slices=(1, 5), augment=("none", "recipe"))),
        small("noise-curve", score_noise=(0, 2500, 5000), splits=("blocked",)),
        small("lis", splits=("blocked",)),
    ]
    suite = fabricate(
        tmp_path / "out", plans, source, lambda trial, std: 0.01 + std / 1e5, leave=40
    )
    events = list(report_events(suite, tmp_path / "report"))
    assert all(isinstance(one, Progress) for one in events)
    assert events[-1].done == events[-1].total  # type: ignore[attr-defined]
    assert not (tmp_path / "out" / "report.html").exists()
    page = Page((tmp_path / "report" / "report.html").read_text(encoding="utf-8"))
    assert f"{len(suite.tasks) - 40} of {len(suite.tasks)} trainings are done" in page.text
    assert "Missing so far" in page.text
    assert "Some pictures of slices are missing" in page.text  # there are no models
    names = {path.name for path in (tmp_path / "report" / "figures").iterdir()}
    stems = {name.rsplit(".", 1)[0] for name in names}
    assert {
        "noise-training",
        "training-size-slices",
        "single-image-augment",
        "crops-sizes",
        "noisy-only-slices",
        "noise-curve-noise",
        "noise-in-validation-curves",
    } <= stems
    assert "lis-curves" not in stems  # the same trainings as those of the noise curve
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("png", "svg", "csv")}


def test_a_suite_not_begun_is_reported(source: Source, tmp_path: Path) -> None:
    suite = Suite.make(tmp_path, (small("baseline"), small("crops")), source, "cpu")
    page = Page(write_report(suite).read_text(encoding="utf-8"))
    assert "0 of" in page.text
    assert "Nothing can be said yet." in page.text
    assert not page.named("img")
