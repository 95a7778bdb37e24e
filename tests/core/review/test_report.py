from __future__ import annotations

import base64
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from napari_xseg.review.evaluation import evaluate_slices
from napari_xseg.review.figures import SliceView
from napari_xseg.review.mistakes import MistakeFinder
from napari_xseg.review.report import (
    NO_TRUTH,
    ROUGH,
    PredictedFractions,
    Report,
    pick_slices,
    plain_value,
    render_report,
    write_report,
)

FOLDER = Path("run")
HOSTILE = '<script>alert("x")</script>'


class Page(HTMLParser):
    """What a browser would see: tags with attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if data.strip():
            self.words.append(" ".join(data.split()))

    def named(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def whole(blobs, table):
    truth, prediction = blobs
    evaluation = evaluate_slices(zip(range(5), *blobs, strict=True), table)
    finder = MistakeFinder(table)
    for z in range(5):
        finder.visit(z, truth[z], prediction[z])
    return Report(
        title="Five slices of a phantom",
        classes=table,
        statements=["Trained on 5 slices.", HOSTILE],
        headline={"training": "60 s"},
        data={"images": "phantom", "split": {"training z": [13, 39, *range(60, 66)]}},
        evaluation=evaluation,
        history={"seconds": [1.0, 2.0], "loss": [2.0, 1.0], "dice_foreground": [0.5, 0.9]},
        slices=[SliceView(z, prediction[z], truth[z]) for z in pick_slices(evaluation).values()],
        mistakes=finder.mistakes(),
        settings={"train": {"noise_std": None, "seed": 0}, "name": HOSTILE},
        provenance={"python": "3.11", "inputs": {"phantom": "ab" * 32}},
        files={"the mask": FOLDER / "my masks" / "mask #1.tif"},
    )


@pytest.fixture(scope="module")
def html(whole):
    return render_report(whole, FOLDER)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_page_stands_alone(page):
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    pictures = page.named("img")
    assert len(pictures) == 1 + 3 + 3
    for picture in pictures:
        kind, _, data = picture["src"].partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data).startswith(b"\x89PNG")
        assert picture["alt"]
    assert [link["href"] for link in page.named("a")] == ["my%20masks/mask%20%231.tif"]


def test_the_page_tells_the_figures(whole, page):
    table = whole.evaluation.table()
    assert {cell for row in table[1:] for cell in row if cell} <= set(page.words)
    foreground = table[4][2]
    assert f"{foreground} %" in page.words
    assert {"60 s", "13, 39, 60 to 65", "split.training z", "inputs.phantom"} <= set(page.words)
    assert any(f"{len(whole.mistakes):,} connected mistakes" in words for words in page.words)
    assert NO_TRUTH not in page.words
    assert ROUGH not in page.words


def test_what_others_wrote_is_only_text(html):
    assert HOSTILE not in html
    assert Page(html).words.count(HOSTILE) == 2


def test_the_slices_are_called_best_median_worst(whole, page):
    captions = [words for words in page.words if "slice, z" in words]
    named = pick_slices(whole.evaluation)
    assert [caption.split(",")[0] for caption in captions] == [
        *("Best slice", "Median slice", "Worst slice"),
    ]
    assert all(f"z = {z}," in caption for z, caption in zip(named.values(), captions, strict=True))


def test_missing_predictions_and_rough_figures_are_said(whole, tmp_path):
    rough = Report(
        title="r", classes=whole.classes, evaluation=whole.evaluation, rough=True, warnings=["wet"]
    )
    warned = [
        words for words in Page(render_report(rough, tmp_path)).words if words in (ROUGH, "wet")
    ]
    assert warned == [ROUGH, "wet"]
    assert "labelled pixels are not predicted" in render_report(rough, tmp_path)


def test_without_truth_the_page_says_so(table, tmp_path):
    plane = np.zeros((6, 8), np.uint8)
    values = np.array([[0.5, 0.3, 0.2], [0.6, 0.2, 0.2], [np.nan] * 3])
    report = Report(
        title="unlabelled",
        classes=table,
        predicted=PredictedFractions((0, 1, 2), values),
        slices=[SliceView(0, plane, image=np.arange(48.0).reshape(6, 8))],
    )
    page = Page(render_report(report, tmp_path))
    assert NO_TRUTH in page.words
    assert {"55.00", "50.00", "60.00"} <= set(page.words)
    assert not any("Dice" in words for words in page.words)


def test_the_smallest_report_is_a_page(table, tmp_path):
    page = Page(render_report(Report(title="t & t", classes=table), tmp_path))
    assert page.words[0] == "t & t"
    assert not page.named("img")


def test_equal_reports_are_equal_files(whole, html, tmp_path):
    path = tmp_path / FOLDER / "report.html"
    path.parent.mkdir()
    moved = replace(whole, files={"the mask": path.parent / "my masks" / "mask #1.tif"})
    write_report(moved, path)
    assert path.read_text(encoding="utf-8") == html
    assert html.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(("count", "names"), [(1, ["best"]), (2, ["best", "worst"])])
def test_few_slices_are_picked_once(blobs, table, count, names):
    slices = zip(range(count), *blobs, strict=False)
    assert list(pick_slices(evaluate_slices(slices, table))) == names


def test_picked_slices_are_ranked_by_foreground_dice(table):
    truth = np.ones((4, 10), np.uint8)
    scored = []
    for z, wrong in enumerate((3, 0, 6, 2, 40)):
        prediction = truth.copy().ravel()
        prediction[:wrong] = 2
        blank = np.full_like(truth, 255) if z == 4 else truth
        scored.append((z, blank, prediction.reshape(truth.shape)))
    assert pick_slices(evaluate_slices(scored, table)) == {"best": 1, "median": 0, "worst": 2}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (True, "yes"),
        (0.0001234567, "0.000123457"),
        ([], "none"),
        ([3, 4, 5], "3, 4, 5"),
        (tuple(range(20)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 8 more"),
    ],
)
def test_plain_values(value, shown):
    assert plain_value(value) == shown


def test_slice_indices_are_ranges():
    assert plain_value([1, 2, 3, 7, 9, 10], ranges=True) == "1 to 3, 7, 9 to 10"
