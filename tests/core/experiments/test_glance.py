from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest

from napari_xseg.errors import XsegError
from napari_xseg.events import Finished, Progress, TrialDone
from napari_xseg.experiments.glance import Glance
from napari_xseg.experiments.material import Remembered
from napari_xseg.experiments.plan import load_plan, with_changes
from napari_xseg.experiments.results import read_outcomes
from napari_xseg.jobs.experiment_request import (
    REPORT_WANTED,
    ExperimentReport,
    ExperimentRequest,
)
from tests.core.experiments.fabricated import fabricate, small

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.experiments.material import Source


def test_a_glance_knows_what_the_suite_knows(source: Source, tmp_path: Path) -> None:
    suite = fabricate(tmp_path, [small("baseline")], source, lambda *_: 0.1, leave=2)
    glance = Glance.open(tmp_path)
    assert [task.trial.key for task in glance.tasks] == [task.trial.key for task in suite.tasks]
    assert [glance.is_done(task) for task in glance.tasks] == [True] * 4 + [False] * 2
    (outcome,), (known,) = read_outcomes(glance), read_outcomes(suite)
    assert [point.dice().mean for point in outcome.points] == [
        point.dice().mean for point in known.points
    ]
    assert outcome.scaled


def test_a_glance_tells_the_time_that_is_left(tmp_path: Path) -> None:
    slices = Remembered(tuple(range(30)))
    timed = with_changes(load_plan("baseline"), "cpu", seconds=10, repeats=2)
    assert Glance.of(tmp_path, [timed], slices, "cpu").seconds == 40
    stepped = Glance.of(tmp_path, [small("baseline")], slices, "cpu")
    assert math.isnan(stepped.seconds)


def test_a_damaged_experiment_is_told(source: Source, tmp_path: Path) -> None:
    fabricate(tmp_path, [small("baseline")], source, lambda *_: 0.1)
    path = tmp_path / "experiment.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    del told["slices"]
    path.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(XsegError, match="missing or damaged"):
        Glance.open(tmp_path)


def test_a_report_is_written_between_trainings(source: Source, tmp_path: Path) -> None:
    fabricate(tmp_path, [small("baseline", splits=("blocked",))], source, lambda *_: 0.1)
    (tmp_path / REPORT_WANTED).touch()
    page = tmp_path / "report.html"
    said = []
    for event in ExperimentRequest(folder=tmp_path, report=False, device="cpu").run():
        said.append((type(event), page.exists()))
    kinds = [kind for kind, _ in said]
    first = kinds.index(TrialDone)
    assert kinds[first + 1] is Progress
    assert said[kinds.index(TrialDone, first + 1)][1]
    assert kinds.count(TrialDone) == 3
    assert not (tmp_path / REPORT_WANTED).exists()


def test_a_report_is_a_job_of_its_own(source: Source, tmp_path: Path) -> None:
    fabricate(tmp_path, [small("baseline", splits=("blocked",))], source, lambda *_: 0.1, leave=1)
    *_, last = ExperimentReport(folder=tmp_path, device="cpu").run()
    assert isinstance(last, Finished)
    assert last.path == tmp_path / "report.html"
    assert last.path.is_file()
