"""Threads that a training computes in, and its rests, as it is told while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from napari_xseg.events import Control, StepDone
from napari_xseg.training.loop import train
from napari_xseg.training.threads import threads_kept

if TYPE_CHECKING:
    from pathlib import Path

MakeJob = Any


@pytest.mark.parametrize("fixed", [{"threads": 1}, {"steps": 30}])
def test_threads_follow_the_control_where_nothing_is_reproducible(
    make_job: MakeJob, tmp_path: Path, fixed: dict[str, Any]
) -> None:
    def counts(job: Any) -> set[int]:
        control, found = Control(), set()
        for event in train(job, control):
            if isinstance(event, StepDone):
                found.add(torch.get_num_threads())
                control.use_threads({3: 2, 6: None}.get(event.step, control.threads))
                if event.step == 12:
                    control.stop()
        return found

    assert counts(make_job(out=tmp_path / "free", time_limit=60.0)) == {1, 2}
    assert torch.get_num_threads() == 1
    length = {} if "steps" in fixed else {"time_limit": 60.0}
    assert counts(make_job(out=tmp_path / "fixed", **length, **fixed)) == {1}


@pytest.mark.parametrize("fixed", [{"threads": 2}, {"steps": 12}])
def test_a_run_computes_in_the_threads_that_it_finds_fastest(
    make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fixed: dict[str, Any]
) -> None:
    class Choice:
        def __init__(self, most: int) -> None:
            assert most == 2
            self.paces: list[float] = []
            choices.append(self)

        @property
        def count(self) -> int:
            return 1 if len(self.paces) in (3, 4) else 2

        def note(self, seconds: float) -> None:
            assert torch.get_num_threads() == self.count
            self.paces.append(seconds)

    def counts(job: Any) -> list[int]:
        control, found = Control(), []
        for event in train(job, control):
            if isinstance(event, StepDone):
                found.append(torch.get_num_threads())
                control.use_threads(1 if event.step in (6, 7) else None)
                if event.step == 12:
                    control.stop()
        return found

    choices: list[Choice] = []
    monkeypatch.setattr("napari_xseg.training.run.Threads", Choice)
    with threads_kept():
        torch.set_num_threads(2)
        found = counts(make_job(out=tmp_path / "free", time_limit=60.0))
        # Steps 7 and 8 are computed in the threads that the control says: they tell nothing.
        assert found == [2, 2, 2, 1, 1, 2, 1, 1, 2, 2, 2, 2]
        assert len(choices[0].paces) == 10
        assert torch.get_num_threads() == 2
        length = {} if "steps" in fixed else {"time_limit": 60.0}
        assert counts(make_job(out=tmp_path / "fixed", **length, **fixed)) == [2] * 12
        assert choices[1].paces == []


def test_a_rest_is_time_of_the_training(make_job: MakeJob, tmp_path: Path) -> None:
    class Rests(Control):
        def rest_if_asked(self) -> float:
            return 0.05

    found = [
        event
        for event in train(make_job(out=tmp_path / "run", steps=4), Rests())
        if isinstance(event, StepDone)
    ]
    assert [event.step for event in found] == [1, 2, 3, 4]
    assert all(event.seconds >= 0.05 * event.step for event in found)
