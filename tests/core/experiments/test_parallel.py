from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Finished, Message, TrialDone
from napari_xseg.experiments.parallel import run_parallel
from napari_xseg.experiments.plan import Scale, load_plan
from napari_xseg.experiments.results import read_outcomes
from napari_xseg.experiments.suite import Suite

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.experiments.material import Source

pytest.importorskip("distributed")


def small(source: Source, folder: Path, steps: int) -> Suite:
    plan = load_plan("baseline").replace(budgets={"cpu": Scale(steps=steps, repeats=1)})
    return Suite.make(folder, (plan,), source, "cpu")


def test_two_workers_do_what_one_does(source: Source, tmp_path: Path) -> None:
    suite = small(source, tmp_path / "out", 2)
    events = list(run_parallel(suite, workers=2))
    done = [event for event in events if isinstance(event, TrialDone)]
    assert [event.reason for event in done] == ["done", "done"]
    assert [event.done for event in done] == [1, 2]
    assert any("2 workers" in event.text for event in events if isinstance(event, Message))
    assert read_outcomes(suite)[0].complete
    again = list(run_parallel(suite, workers=2))
    assert [event.reason for event in again if isinstance(event, TrialDone)] == ["kept", "kept"]


def test_a_stop_reaches_the_workers(source: Source, tmp_path: Path) -> None:
    suite = small(source, tmp_path / "out", 100_000)
    control, events = Control(), []
    for event in run_parallel(suite, workers=1, control=control):
        events.append(event)
        if isinstance(event, Message):
            control.stop()
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "stopped"
    assert not (suite.folder / "stop").exists()
    assert not any(map(suite.is_done, suite.tasks))


def test_a_scheduler_that_does_not_answer(source: Source, tmp_path: Path) -> None:
    suite = small(source, tmp_path / "out", 2)
    with pytest.raises(XsegError, match="nowhere"):
        list(run_parallel(suite, scheduler="nowhere://127.0.0.1:1"))
