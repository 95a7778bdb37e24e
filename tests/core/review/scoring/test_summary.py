from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from napari_xseg.review.scoring import plots
from napari_xseg.review.scoring.page import HIDDEN, NO_TRUTH, write_score_report
from napari_xseg.review.scoring.plan import Plan
from napari_xseg.review.scoring.reading import read_scores
from napari_xseg.review.scoring.store import ScoreFile
from napari_xseg.review.scoring.summary import TOO_FEW, Summary, summarise
from napari_xseg.review.scoring.tables import tables
from napari_xseg.review.scoring.values import MaskRef, Place, Score, Session

if TYPE_CHECKING:
    from pathlib import Path

Open = Callable[..., ScoreFile]
Fill = Callable[..., Session]


def summed(folder: Path, **options: Any) -> Summary:
    return summarise(read_scores(folder).rows(), resamples=200, **options)


def test_the_figures_of_one_mask(open_file: Open, folder: Path, fill: Fill) -> None:
    file = open_file()
    made = fill(file, [4, 5, 3, 2, 4])
    file.keep(made.uid, 4, Score(2, ("artefact", "other")))
    file.keep(made.uid, 3, Score(3, ("artefact",)))
    (mask,) = summed(folder).masks
    assert mask.mean.value == pytest.approx(3.6)
    assert mask.mean.low < 3.6 < mask.mean.high
    assert mask.good.value == 0.6
    assert mask.counts == (0, 1, 1, 2, 1)
    assert mask.faults == {"artefact": 2, "other": 1}
    assert mask.along_z == ((0, 4, 1), (1, 5, 1), (2, 3, 1), (3, 2, 1), (4, 4, 1))


def test_reviewers_are_averaged_for_each_slice(open_file: Open, folder: Path, fill: Fill) -> None:
    fill(open_file("anna"), [4, 2])
    fill(open_file("bert"), [5, 5])
    found = summed(folder)
    (mask,) = found.masks
    assert (mask.scores, mask.mean.n) == (4, 2)
    assert mask.mean.value == 4
    assert mask.good.value == 0.5  # 4.5 and 3.5
    assert mask.reviewers == ("anna", "bert")
    (pair,) = found.agreement
    assert (pair.n, pair.kappa, pair.exact, pair.near) == (2, None, 0, 0.5)


def test_agreement_and_consistency(open_file: Open, folder: Path, fill: Fill) -> None:
    scores = [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 3, 2]
    fill(open_file("anna"), scores)
    fill(open_file("bert"), scores)
    plan = Plan(repeats=1.0, apart=1)
    file = open_file("clara")
    made = fill(file, [], plan=plan)
    for item in made.items:
        file.keep(made.uid, item.number, Score(6 - scores[item.z] if item.repeat_of else 3))
    found = summed(folder)
    by_pair = {(one.first, one.second): one for one in found.agreement}
    agreed = by_pair["anna", "bert"]
    assert agreed.kappa is not None
    assert (agreed.kappa.value, agreed.exact) == (1, 1)
    (own,) = found.consistency
    assert (own.first, own.n) == ("clara", 12)
    assert own.kappa is not None
    assert own.kappa.value == pytest.approx(0, abs=0.1)
    assert found.repeats == 12
    clara = [one for one in found.agreement if "clara" in (one.first, one.second)]
    assert [one.n for one in clara] == [12, 12]  # second askings count for consistency alone


def test_of_two_sessions_the_later_score_counts(open_file: Open, folder: Path, fill: Fill) -> None:
    file = open_file()
    fill(file, [1, 1, 1])
    fill(file, [5])
    (mask,) = summed(folder).masks
    assert mask.counts == (2, 0, 0, 0, 1)


def test_mask_against_mask(
    open_file: Open, folder: Path, fill: Fill, masks: tuple[MaskRef, ...]
) -> None:
    fill(open_file(), [5, 3] * 8 + [4, 4], masks=masks, plan=Plan())
    (pair,) = summed(folder).models
    # Names in order: poster is scored 3, quick 5.
    assert (pair.first, pair.second, pair.n) == ("poster", "quick", 9)
    assert (pair.better, pair.equal, pair.worse) == (0, 1, 8)
    assert pair.difference.value == pytest.approx(-16 / 9)
    assert pair.p == pytest.approx(2 / 2**8)
    assert pair.words() == "quick is scored higher"


def test_few_pairs_say_nothing(
    open_file: Open, folder: Path, fill: Fill, masks: tuple[MaskRef, ...]
) -> None:
    fill(open_file(), [5, 1] * 5, masks=masks, plan=Plan())
    found = summed(folder)
    assert found.models[0].p is None
    assert tables(found)["models"].rows[0][-1] == TOO_FEW


def test_scores_and_confidence(open_file: Open, folder: Path, fill: Fill) -> None:
    scores = [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 3, 2]
    made = fill(open_file(), scores)
    sha256 = made.masks[0].sha256
    sure = {(sha256, z): score / 10 for z, score in enumerate(scores)}
    (found,) = summed(folder, confidence=sure).confidence
    assert found.rho is not None
    assert found.rho.value == pytest.approx(1)
    few = {key: sure[key] for key in list(sure)[:3]}
    assert summed(folder, confidence=few).confidence[0].rho is None
    assert summed(folder).confidence == ()
    level = summed(folder, confidence=dict.fromkeys(sure, 1.0))
    assert "all confidences are the same" in tables(level)["confidence"].rows[0][2]


def test_suspects_do_not_count_as_slices(
    open_file: Open, folder: Path, fill: Fill, masks: tuple[MaskRef, ...]
) -> None:
    file = open_file()
    fill(file, [5, 5, 5])
    places = [Place(z, 5, 5, kind="hole") for z in (0, 0, 1)]
    places[1] = Place(0, 9, 9, kind="hole")
    fill(file, [1, 2, 1], plan=Plan("suspects"), places=places)
    slices, suspects = summed(folder).masks
    assert (slices.name, slices.mean.value) == ("quick", 5)
    assert (suspects.name, suspects.mean.n) == ("quick, suspects", 3)


def test_nothing_scored_is_no_error(folder: Path) -> None:
    found = summed(folder)
    assert found == Summary((), (), (), (), (), 0, 0, False)
    assert tables(found) == {}
    draw = (plots.score_counts, plots.along_z, plots.fault_counts, plots.differences)
    assert [one(found) for one in (*draw, plots.confidence_scatter)] == [None] * 5


def test_tables_are_csv_with_decimal_points(open_file: Open, folder: Path, fill: Fill) -> None:
    fill(open_file(), [4, 5, 4])
    table = tables(summed(folder))["masks"]
    (header, row) = csv.reader(io.StringIO(table.csv()))
    assert dict(zip(header, row, strict=True))["mean score"] == "4.33"
    assert not any(math.isnan(float(cell)) for cell in row if cell.replace(".", "").isdigit())


@pytest.fixture
def scored(open_file: Open, folder: Path, fill: Fill, masks: tuple[MaskRef, ...]) -> Path:
    file = open_file("<b>Anna")
    made = fill(file, [5, 3] * 12, masks=masks, plan=Plan())
    file.keep(made.uid, 3, Score(2, ("artefact",), "<script>alert(1)</script>", seconds=3))
    fill(open_file("bert"), [4, 3] * 7, masks=masks, plan=Plan())
    return folder


def test_the_report_says_who_scored_what(scored: Path, tmp_path: Path) -> None:
    rows = read_scores(scored).rows()
    sure = {(row.mask, row.item.z): row.item.z / 20 for row in rows}
    summary = summarise(rows, confidence=sure, resamples=100)
    files = write_score_report(rows, summary, tmp_path / "report", warnings=["beware"])
    text = files[0].read_text(encoding="utf-8")
    assert files[0].name == "report.html"
    assert NO_TRUTH in text
    assert HIDDEN not in text
    for part in ("1" * 64, "model 2", "every slice", "bert", "beware", "kappa", "sign-flip"):
        assert part in text
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "<b>Anna" not in text
    assert text.count("data:image/png;base64,") == 5
    assert "http" not in text
    for path in files[1:]:
        assert f'href="{path.name}"' in text
        assert path.read_text(encoding="utf-8").count("\n") >= 2
    assert "scores.csv" in {path.name for path in files}


def test_a_report_of_a_blind_session_under_way_gives_nothing_away(
    open_file: Open, folder: Path, fill: Fill, masks: tuple[MaskRef, ...], tmp_path: Path
) -> None:
    fill(open_file(), [5, 3, 4], masks=masks, plan=Plan(blind=True))
    rows = read_scores(folder).rows()
    files = write_score_report(rows, summarise(rows, resamples=50), tmp_path / "report")
    for path in files:
        text = path.read_text(encoding="utf-8")
        for mask in masks:
            assert mask.sha256 not in text
            assert mask.name not in text
            assert mask.model not in text
    assert HIDDEN in files[0].read_text(encoding="utf-8")
