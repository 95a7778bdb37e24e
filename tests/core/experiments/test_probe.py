from __future__ import annotations

import math
import tempfile
from typing import TYPE_CHECKING

import pytest

from napari_xseg.events import Control, StepDone
from napari_xseg.experiments import probe
from napari_xseg.experiments.plan import Scale, load_plan
from napari_xseg.experiments.suite import Suite, run_suite

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.experiments.material import Source


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(probe, "SECONDS", 0.3)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def suite_of(source: Source, folder: Path, scale: Scale) -> Suite:
    plan = load_plan("baseline").replace(budgets={"cpu": scale})
    return Suite.make(folder, (plan,), source, "cpu")


def seconds_of(suite: Suite, control: Control | None = None) -> tuple[float, int]:
    """The estimate, and how many steps it took."""
    told, steps = probe.estimate_seconds(suite, control=control), 0
    while True:
        try:
            steps += isinstance(next(told), StepDone)
        except StopIteration as end:
            return end.value, steps


def test_time_grows_with_steps_and_nothing_is_left(source: Source, tmp_path: Path) -> None:
    short, tried = seconds_of(suite_of(source, tmp_path / "a", Scale(steps=100, repeats=2)))
    long, _ = seconds_of(suite_of(source, tmp_path / "a", Scale(steps=10_000, repeats=2)))
    assert tried > 0
    assert long > short + 4
    assert not (tmp_path / "a").exists()
    assert list((tmp_path / "temporary").glob("napari-xseg-*")) == []


def test_a_time_limit_is_taken_at_its_word(source: Source, tmp_path: Path) -> None:
    found, _ = seconds_of(suite_of(source, tmp_path / "a", Scale(seconds=600, repeats=3)))
    assert 3600 < found < 3660


def test_what_is_done_takes_no_time(source: Source, tmp_path: Path) -> None:
    suite = suite_of(source, tmp_path / "a", Scale(steps=1, repeats=1))
    for _ in run_suite(suite):
        pass
    assert seconds_of(suite) == (0.0, 0)


def test_a_stop_gives_no_figure(source: Source, tmp_path: Path) -> None:
    control = Control()
    control.stop()
    found, _ = seconds_of(suite_of(source, tmp_path / "a", Scale(steps=5)), control)
    assert math.isnan(found)
    assert list((tmp_path / "temporary").glob("napari-xseg-*")) == []
