"""Threads that a training computes in, and its rests, as it is told while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from napari_xseg.events import Control, StepDone
from napari_xseg.training.loop import train

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
