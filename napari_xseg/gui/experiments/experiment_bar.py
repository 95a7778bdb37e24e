"""Progress over all trainings of an experiment, with orders to it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_xseg.events import Finished, Message, StepDone, TrialDone
from napari_xseg.gui.job_bar import JobBar, phase_words, time_words

if TYPE_CHECKING:
    from napari_xseg.events import Event


class ExperimentBar(JobBar):
    """As any job's bar, but for its progress, which is that of all trainings together."""

    def hear(self, events: list[Event]) -> None:
        """Take in what the experiment says."""
        for event in events:
            self._unsaid = self._words(event) or self._unsaid
            if isinstance(event, Message):
                self.show_message(event.text)
            elif isinstance(event, StepDone):
                self._note_step()
            elif isinstance(event, TrialDone):
                left = "" if math.isnan(event.left) else f"{time_words(event.left)} left"
                count = f"{event.done} of {event.total}"
                self._set_progress(event.done, event.total, f"{count}, {left}" if left else count)
        self._show_soon()

    def _words(self, event: Event) -> str | None:
        match event:
            case TrialDone(reason="failed", words=words):
                return f"Failed: {words}"
            case TrialDone(reason=reason, words=words):
                return f"{reason.capitalize()}: {words}"
            case Finished(figures=figures) if "kept" in figures:
                return None
        return phase_words(event)
