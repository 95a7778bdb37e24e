from __future__ import annotations

import json
import math
import re
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from benchmarks import __main__ as command
from benchmarks import curves, next_slice, table
from benchmarks.commands import XSEG, CommandError, run_module
from benchmarks.machine import Machine, this_machine
from benchmarks.promises import (
    CURVE_NOISE,
    CURVE_SIZES,
    NEEDS_SCAN,
    NEXT_COUNTS,
    NOT_FOR_LAPTOP,
    TOPICS,
    Promise,
)
from benchmarks.scan import TRAIN, UNLABELLED, VALIDATE, Scan, strokes
from benchmarks.table import BEGIN, END, HERE, LAPTOP, Column, Results
from benchmarks.topics import MEASURE, Figures

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Bench

MACHINE = Machine("Some(R) CPU @ 3 GHz", ("avx2",), 2, 8.0, "Linux", {"torch": "2"}, 0.1, "")
SHAPE = (120, 24, 32)


def results(*columns: Column, topics: tuple[str, ...] = tuple(TOPICS)) -> Results:
    named = dict(zip((HERE, LAPTOP), columns, strict=False))
    return Results("2026-01-02", MACHINE, 1, topics, named)


def filled(value: float = 100.0) -> Column:
    column = Column()
    column.add({row.key: value for rows in TOPICS.values() for row in rows})
    return column


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    """A scan of grey 30000 whose labels hold three values in each slice."""
    found = Scan(tmp_path / "scan")
    truth = np.repeat(np.array([0, 128, 255], np.uint8), SHAPE[1] * SHAPE[2] // 3)
    for folder in (found.images, found.labels):
        folder.mkdir(parents=True)
    for z in range(SHAPE[0]):
        plane = np.full(SHAPE[1:], 30000 if z else 65000, np.uint16)
        tifffile.imwrite(found.images / f"slice{z + 1:03}.tif", plane)
        tifffile.imwrite(found.labels / f"slice{z + 1:03}.tif", truth.reshape(SHAPE[1:]))
    return found


def test_every_topic_is_measured_and_every_key_is_one_row() -> None:
    assert set(MEASURE) == set(TOPICS)
    assert {*NEEDS_SCAN, *NOT_FOR_LAPTOP} <= set(TOPICS)
    keys = [row.key for rows in TOPICS.values() for row in rows]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("promise", "value", "kept"),
    [
        (Promise("dice", "Dice", least=99.0), 99.0, True),
        (Promise("dice", "Dice", least=99.0), 98.999, False),
        (Promise("wall", "seconds", most=9), 9.0, True),
        (Promise("wall", "seconds", most=9), 9.01, False),
        (Promise("told", "told only"), 1.0, None),
    ],
)
def test_a_promise_is_kept_at_its_bound_and_not_beyond(
    promise: Promise, value: float, kept: bool | None
) -> None:
    assert promise.kept(value) is kept


def test_the_table_says_what_was_reached_and_what_was_not() -> None:
    here, laptop = filled(), filled(7.0)
    del here.values["speed"], laptop.values["help"]
    here.failures["predict"] = "`napari-xseg predict` ended with exit code 1"
    rows = {row[0]: row for row in results(here, laptop).rows()}
    assert rows["foreground Dice after 10 s"][1:] == ["≥ 99 %", "100.00 %", "yes", "7.00 %"]
    assert rows["whole `predict` command, 200 slices"][1:4] == ["≤ 9 s", "100.0 s", "NO"]
    assert rows["optimiser steps in 10 s"][1:4] == ["", "100", ""]
    assert rows["200 slices predicted, first read to last written"][2:4] == ["failed", ""]
    assert rows["`napari-xseg --help`, median of 5"][4] == "-"
    assert "its peak memory" in results(here).broken
    assert "foreground Dice after 10 s" not in results(here).broken


def test_repeats_give_medians_and_unknown_values_are_left_out() -> None:
    column = Column()
    for value in (98.0, 99.5, 99.0):
        column.add({"dice_10": value, "predict_memory": math.nan})
    assert column.median("dice_10") == 99.0
    assert column.median("predict_memory") is None


def test_markdown_and_json_hold_the_machine_and_all_rows(tmp_path: Path) -> None:
    found = results(filled(), filled())
    written, figures = table.write_results(found, tmp_path / "new")
    assert written.name == "some-cpu-3-ghz-2-cores-2026-01-02.md"
    text = written.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + sum(len(rows) for rows in TOPICS.values())
    assert {line.count(" | ") for line in lines} == {4}
    assert MACHINE.describe() in text
    content = json.loads(figures.read_text(encoding="utf-8"))
    assert content["columns"][LAPTOP]["values"]["dice_60"] == [100.0]
    assert content["machine"]["cores"] == 2


def test_quoting_replaces_the_older_table_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    for _ in range(2):
        table.quote(results(filled()), page)
        text = page.read_text(encoding="utf-8")
        assert text == f"before\n{BEGIN}\n{results(filled()).markdown()}\n{END}\nafter\n"
    page.write_text("no marks\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"page\.md: lacks"):
        table.quote(results(filled()), page)


def test_the_documents_quote_a_table_that_was_written(repository: Path) -> None:
    written = list((repository / "benchmarks" / "results").glob("*.md"))
    page = (repository / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    quoted = page.partition(BEGIN)[2].partition(END)[0].strip()
    assert quoted
    if written:
        assert quoted in [path.read_text(encoding="utf-8").strip() for path in written]


def test_options_have_defaults_and_may_be_repeated(tmp_path: Path) -> None:
    options = command.parse([])
    assert (options.only, options.repeat, options.laptop, options.out) == ([], 1, False, None)
    chosen = command.parse(["--only", "noise", "--only", "help", "--out", str(tmp_path)])
    assert command.choose_topics(chosen.only, Scan(tmp_path)) == ("help",)
    assert chosen.out == tmp_path.resolve()


@pytest.mark.parametrize(
    "words", [["--only", "nothing"], ["--repeat", "0"], ["--quote", "--only", "help"], ["more"]]
)
def test_wrong_options_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.parse(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err


def test_rows_without_their_data_are_left_out_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--only", "predict", "--data", str(tmp_path / "nowhere")]) == 0
    said = capsys.readouterr().out
    assert "The real scan is not in" in said
    assert "left out: predict." in said


def test_a_failing_topic_is_told_and_the_others_go_on(
    scan: Scan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_: Bench) -> Figures:
        raise CommandError("`napari-xseg predict` ended with exit code 1", "the last line")

    monkeypatch.setitem(MEASURE, "predict", fail)
    monkeypatch.setitem(MEASURE, "scribbles", lambda bench: {"scribbles": 99.0 + bench.seed})
    only = ["--only", "predict", "--only", "scribbles", "--repeat", "3", "--laptop"]
    out = tmp_path / "out"
    assert command.main([*only, "--data", str(scan.folder), "--out", str(out)]) == 1
    assert "the last line" in capsys.readouterr().out
    (written,) = out.glob("*.json")
    column = json.loads(written.read_text(encoding="utf-8"))["columns"][HERE]
    assert column["values"]["scribbles"] == [99.0, 100.0, 101.0]
    assert column["failures"] == {"predict": "`napari-xseg predict` ended with exit code 1"}


def test_a_part_of_the_table_is_written_only_where_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "RESULTS", tmp_path / "results")
    monkeypatch.setitem(MEASURE, "help", lambda _: {"help": 0.1})
    assert command.main(["--only", "help"]) == 0
    assert not (tmp_path / "results").exists()


def test_a_command_is_measured_and_a_failing_one_tells_its_end(tmp_path: Path) -> None:
    ended = run_module(XSEG, "--version", variables={"PYTHONUTF8": "1"})
    assert ended.output.startswith("napari-xseg ")
    assert ended.wall > 0
    if sys.platform != "win32":
        assert ended.peak > 5e6  # a child starts with its parent's memory: no upper bound here
    with pytest.raises(
        CommandError, match=r"^`napari-xseg info` ended with exit code 2$"
    ) as caught:
        run_module(XSEG, "info", tmp_path / "nothing.tif", variables={})
    assert "nothing.tif" in caught.value.said


@pytest.mark.parametrize("share", [0.02, 0.2])
def test_strokes_cover_their_share_and_no_more(share: float) -> None:
    drawn = strokes((80, 90), share, np.random.default_rng(0))
    wanted = share * drawn.size
    assert wanted - 9 <= drawn.sum() <= wanted
    again, other = (strokes((80, 90), share, np.random.default_rng(seed)) for seed in (0, 1))
    assert np.array_equal(drawn, again)
    assert not np.array_equal(drawn, other)


def test_scribbled_labels_keep_true_values_in_strokes(scan: Scan, tmp_path: Path) -> None:
    scan.write_strokes(tmp_path / "strokes", 0.1, seed=0)
    files = sorted((tmp_path / "strokes").iterdir())
    assert [path.name for path in files] == [f"slice{z + 1:03}.tif" for z in TRAIN]
    for path in files:
        scribbled, truth = tifffile.imread(path), tifffile.imread(scan.labels / path.name)
        known = scribbled != UNLABELLED
        assert known.mean() == pytest.approx(0.1, abs=0.015)
        assert np.array_equal(scribbled[known], truth[known])


def test_noise_is_gaussian_of_its_own_in_each_slice_and_clipped(scan: Scan, tmp_path: Path) -> None:
    scan.write_noisy(tmp_path / "noisy", 1000, seed=0)
    files = sorted((tmp_path / "noisy").iterdir())
    assert [path.name for path in files] == sorted(path.name for path in scan.images.iterdir())
    first, second, third = (tifffile.imread(path).astype(float) for path in files[:3])
    assert first.max() == 65535
    assert second.std() == pytest.approx(1000, rel=0.1)
    assert second.mean() == pytest.approx(30000, abs=150)
    assert abs(np.corrcoef(second.ravel(), third.ravel())[0, 1]) < 0.15


def test_some_slices_are_darker_and_the_others_as_they_were(scan: Scan, tmp_path: Path) -> None:
    scan.write_darker(tmp_path / "darker", 0.85, (2, 3))
    files = sorted((tmp_path / "darker").iterdir())
    assert [path.name for path in files] == sorted(path.name for path in scan.images.iterdir())
    levels = [set(tifffile.imread(path).ravel().tolist()) for path in files[1:5]]
    assert levels == [{30000}, {25500}, {25500}, {30000}]


def test_this_machine_has_a_name_for_people_and_one_for_files() -> None:
    found = this_machine()
    assert found.cores >= 1
    assert found.name in found.describe()
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", found.slug)
    assert found.slug.endswith("cores")


def test_slices_that_may_be_labelled_lie_far_from_the_scored_ones() -> None:
    assert min(next_slice.SCORED) - max(next_slice.POOL) > 20
    for part in (next_slice.POOL, next_slice.SCORED):
        share = len(set(part) & set(next_slice.DARKER)) / len(part)
        assert share == pytest.approx(0.2)


@pytest.mark.parametrize("choice", ["even", "random"])
def test_places_do_not_depend_on_what_was_learnt(
    choice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(next_slice.Curve, "__init__", lambda *_: None)
    monkeypatch.setattr(next_slice.Curve, "score", lambda *_: 50.0)
    curve = next_slice.Curve(tmp_path, tmp_path, tmp_path, 0)
    curve.seed = 3
    rows = list(next_slice.CHOICES[choice](curve))
    assert [len(set(labelled)) for labelled, _ in rows] == list(NEXT_COUNTS)
    assert all(z in next_slice.POOL for labelled, _ in rows for z in labelled)
    if choice == "even":
        assert rows[2][0] == (17, 52, 87, 122)
    else:
        assert rows[3][0][:4] == rows[2][0]


def test_the_scored_slices_lie_far_from_those_that_train() -> None:
    assert min(abs(z - trained) for z in VALIDATE for trained in TRAIN) >= 30


def test_each_point_of_the_curves_is_one_training() -> None:
    size, noise = curves.plans(1)
    assert [point.slices for point in size.points()] == list(CURVE_SIZES)
    assert [point.noise for point in noise.points()] == list(CURVE_NOISE)
    assert {plan.splits for plan in (size, noise)} == {("blocked",)}
    keys = {row.key for row in TOPICS["curves"]}
    told = {f"size_{point.slices}" for point in size.points()}
    told |= {
        f"noise_{point.noise}_{std:g}" for point in noise.points() for std in noise.score_noise
    }
    assert keys == told
