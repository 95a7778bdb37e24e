"""Experiments whose trainings are only pretended: results are written by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_xseg.events import Finished, Started, StepDone, TrialDone, Validated
from napari_xseg.experiments.glance import Glance
from napari_xseg.experiments.running import SCORES
from napari_xseg.jobs.experiment_request import ExperimentRequest
from tests.core.experiments.fabricated import write_result

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.events import Event
    from tests.gui.fake import FakeEngine, FakeRunning

HISTORY = (
    "step,seconds,learning_rate,loss,dice_all,dice_foreground,dice_a,dice_b,dice_c\n"
    "10,1,0.01,0.4,0.8,0.8,0.8,0.8,0.8\n"
    "20,2,0.01,0.2,0.92,0.92,0.93,0.92,0.91\n"
    "30,3,0.001,0.1,0.94,0.94,0.95,0.94,0.93\n"
)
WRONG = 0.05  # share of class 2 that each pretended model misses, more with each repeat


class Pretended:
    """Scripts of a fake engine for the experiment that is asked for last."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine

    @property
    def request(self) -> ExperimentRequest:
        found = [one for one in self.engine.submitted if isinstance(one, ExperimentRequest)]
        return found[-1]

    @property
    def glance(self) -> Glance:
        return Glance.open(self.request.folder)

    def begin(self) -> list[Event]:
        """The next training begins."""
        return [
            Started("train", 40, "cpu", "float32"),
            *(StepDone(step, 40, 1 / step, 0.01, step / 20) for step in (10, 20, 30, 40)),
            Validated(20, 1.0, 0.2, 0.9, 0.9, (0.9, 0.91, 0.89), True),
            Validated(40, 2.0, 0.1, 0.95, 0.95, (0.95, 0.96, 0.94), True),
        ]

    def over(self, number: int, fault: str = "") -> Callable[[FakeRunning], Event]:
        """Training `number` is over."""

        def end(_: FakeRunning) -> Event:
            glance = self.glance
            task, total = glance.tasks[number], len(glance.tasks)
            run = glance.runs / task.trial.folder
            if fault:
                run.parent.mkdir(parents=True, exist_ok=True)
                run.with_name(f"{run.name}.fault.txt").write_text(fault, encoding="utf-8")
            else:
                write_result(glance, task, lambda trial, std: WRONG * (1 + trial.repeat))
                (run / "history.csv").write_text(HISTORY, encoding="utf-8")
                assert (run / SCORES).is_file()
            reason = "failed" if fault else "done"
            left = 20.0 * (total - number - 1)
            return TrialDone(run, task.trial.words, reason, 20.0, number + 1, total, left, fault)

        return end

    def trained(self, first: int, count: int) -> list[Any]:
        """Several trainings, one after the other."""
        return [
            event
            for number in range(first, first + count)
            for event in (*self.begin(), self.over(number))
        ]

    def end(self, reason: Any = "done") -> Callable[[FakeRunning], Event]:
        def finish(_: FakeRunning) -> Event:
            figures = {"done": 1.0, "kept": 0.0, "failed": 0.0, "stopped": 0.0}
            return Finished(self.request.folder, reason, 9.0, figures)

        return finish
