"""On a GPU, where there is one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.events import Event
    from napari_xseg.training.job import TrainJob

# What docs/concepts.md states: Dice, as a fraction.
TOLERANCE = 0.005


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_runs_of_one_seed_agree_within_the_stated_tolerance(
    make_job: Callable[..., TrainJob], run: Callable[..., list[Event]]
) -> None:
    jobs = [replace(make_job(), device="cuda") for _ in range(2)]
    jobs = [replace(job, out=job.out / str(place)) for place, job in enumerate(jobs)]
    first, second = (run(job)[-1].figures["dice_foreground"] for job in jobs)  # type: ignore[attr-defined]
    assert first == pytest.approx(second, abs=TOLERANCE)
