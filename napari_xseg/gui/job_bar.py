"""A running job at the foot of a dock: how far it is, what it is at, and orders to it."""

from __future__ import annotations

import math
from time import monotonic
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_xseg.events import (
    Event,
    Finished,
    Message,
    Progress,
    SlicesDone,
    Started,
    StepDone,
    Validated,
)
from napari_xseg.gui.forms import make_button

if TYPE_CHECKING:
    from napari_xseg.gui.worker import Job, Jobs

# Seconds that a stop may take before "Stop now" is offered; between two looks at the job's state,
# which follows an order when the engine has answered.
PATIENCE, LOOK = 1.0, 0.25
# Milliseconds between two paints of what a job says, however often it says something: each
# repaints the window.
PACE = 500
PHASES = {
    "read": "Reading slices",
    "train": "Step",
    "validate": "Validating",
    "predict": "Predicting",
    "save": "Saving",
    "evaluate": "Scoring",
    "score": "Scoring slices",
    "report": "Writing the report",
    "suspects": "Looking for suspects",
    "uncertainty": "Measuring slices",
}
READING, STARTING, WAITING = "Reading slices", "Starting the engine", "Waiting for another job"
ENDS = {"done": "Done", "early": "Done: it no more improved", "stopped": "Stopped"}


def time_words(seconds: float) -> str:
    """A duration as people say it: "8 s", "3 min", "2 h 5 min"."""
    whole = math.ceil(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = math.ceil(whole / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def phase_words(event: Event) -> str | None:
    """What a job is at, in words, as an event tells it; None where it does not."""
    match event:
        case Started(what="train"):
            return "Training begins"
        case Started(what=what):
            return PHASES.get(what, what)
        case StepDone(step=step, steps=steps):
            return f"Step {step:,} of {steps:,}" if steps else f"Step {step:,}"
        case Progress(what="train", done=done, total=total):
            return f"Step {done:,} of {total:,}"
        case Progress(what=what, done=done, total=total):
            return f"{PHASES.get(what, what)}: {done:,} of {total:,}"
        case Validated(dice_foreground=dice) if not math.isnan(dice):
            return f"Validated: Dice {100 * dice:.2f} %"
        case Finished(reason=reason, figures=figures):
            score = figures.get("dice_foreground")
            if score is None or math.isnan(score):
                return ENDS[reason]
            return f"{ENDS[reason]}: Dice {100 * score:.2f} %"
    return None


class JobBar(QWidget):
    """Progress with the time left, the phase in words, the last message, and buttons.

    Pause, Stop and Stop now are there while a job runs; buttons that start one,
    given to `add_start`, while none does.

    Parameters
    ----------
    jobs : Jobs
        Whose engine *Stop now* ends.
    pausable : bool
        Whether there is a Pause button.
    """

    def __init__(self, jobs: Jobs, *, pausable: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._job: Job | None = None
        self._pausable = pausable
        self._starts: list[QPushButton] = []
        self._now: tuple[int, int, str] = (0, 1, "")
        self._unsaid: str | None = None  # of the job, not shown yet
        self._stopped_at: float | None = None
        self._stepped_at: float | None = None
        self._step_seconds = 0.0
        self._make_widgets()
        self._paint = self._timer(PACE, self._show_heard, single=True)
        self._watch = self._timer(int(1000 * LOOK), self._on_state)
        self._show_buttons()

    def _timer(self, interval: int, slot: object, *, single: bool = False) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(interval)
        timer.setSingleShot(single)
        timer.timeout.connect(slot)
        return timer

    def _make_widgets(self) -> None:
        self.phase = _line("What is being done.")
        self.log = _line("The last thing that the job said.")
        self.log.setEnabled(False)
        self.bar = QProgressBar()
        self.bar.setToolTip("How far it is, and the time left.")
        self.pause = make_button("&Pause", "Wait after the current step; nothing is lost.")
        self.pause.clicked.connect(self._pause_or_go_on)
        self.stop = make_button("&Stop", "End after the current step. What is done is kept.")
        self.stop.clicked.connect(self._stop)
        self.stop_now = make_button(
            "Stop now",
            "End at once, in mid-step, whatever else the engine does too. What was saved last is "
            "kept.",
        )
        self.stop_now.clicked.connect(self._jobs.stop_now)
        self._buttons = QGridLayout()
        self._buttons.setContentsMargins(0, 0, 0, 0)
        self._buttons.setHorizontalSpacing(4)
        orders = QHBoxLayout()
        orders.setSpacing(4)
        for button in (self.pause, self.stop, self.stop_now):
            orders.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(self._buttons)
        layout.addLayout(orders)
        layout.addWidget(self.bar)
        layout.addWidget(self.phase)
        layout.addWidget(self.log)
        for widget in (self.bar, self.phase, self.log):
            widget.setVisible(False)

    def add_start(self, text: str, tip: str) -> QPushButton:
        """Add a button that starts a job; it is there while none runs. Connect its `clicked`."""
        button = make_button(text, tip)
        self._buttons.addWidget(button, 0, len(self._starts))
        self._starts.append(button)
        self._show_buttons()
        return button

    # -- the job ------------------------------------------------------------

    @property
    def job(self) -> Job | None:
        """The job that is followed, until it is over."""
        return self._job

    def follow(self, job: Job | None, heard: list[Event] | None = None) -> None:
        """Show a job until it is over; `heard` is what it has said already.

        The last words of the one before stay to be read until then.
        """
        if self._job is not None:
            self._job.events.disconnect(self.hear)
            self._job.state_changed.disconnect(self._on_state)
            self._job.ended.disconnect(self._on_end)
        self._job = None if job is None or job.over else job
        self._stopped_at = self._stepped_at = self._unsaid = None
        if self._job is not None:
            self._job.events.connect(self.hear)
            self._job.state_changed.connect(self._on_state)
            self._job.ended.connect(self._on_end)
            self.show_message("")
            self._set_progress(0, 0, "")
            self._watch.start()
            self.say(READING)
            self.hear(heard or [])
            self._show_heard()
            self._on_state()
        self._show_buttons()

    def hear(self, events: list[Event]) -> None:
        """Take in what the job says."""
        for event in events:
            self._unsaid = phase_words(event) or self._unsaid
            match event:
                case Message(text=text):
                    self.show_message(text)
                case StepDone(step=step, steps=steps, seconds=seconds):
                    self._note_step()
                    self._set_progress(step, steps, _left(step, steps, seconds))
                case Progress(done=done, total=total, seconds=seconds):
                    self._set_progress(done, total, _left(done, total, seconds))
                case SlicesDone():
                    self._note_step()
        self._show_soon()

    def say(self, words: str) -> None:
        """Show what is being done; empty words take the line away."""
        self._unsaid = None
        self.phase.setText(words)
        self.phase.setVisible(bool(words))

    def show_message(self, text: str) -> None:
        """Show the last message, whole in its tooltip."""
        self.log.setText(text)
        self.log.setToolTip(text)
        self.log.setVisible(bool(text))

    # -- orders -------------------------------------------------------------

    def _stop(self) -> None:
        if self._job is not None:
            self._job.stop()

    def _pause_or_go_on(self) -> None:
        job = self._job
        if job is None:
            return
        if job.state == "paused":
            job.go_on()
        else:
            job.pause()

    # -- what is shown ------------------------------------------------------

    def _waits(self) -> bool:
        return self._job is not None and self._job.state in ("paused", "stopping")

    def _on_state(self) -> None:
        if self._job is None:
            return
        match self._job.state:
            case "paused":
                self.say("Paused")
            case "stopping":
                self._say_stopping()
            case "starting":
                self.say(STARTING)
            case "waiting":
                self.say(STARTING if self._jobs.warming else WAITING)
            case "running" if self.phase.text() == "Paused":
                self.say("Going on")
            case "running" if self.phase.text() in (STARTING, WAITING):
                self.say(READING)
        self._show_buttons()

    def _on_end(self) -> None:
        job = self._job
        finished = None if job is None else job.finished
        self.follow(None)
        self._watch.stop()
        self._paint.stop()
        if finished is not None:
            self.say(phase_words(finished) or "")
        elif job is not None:
            self.say("Not finished" if job.error is not None else "Stopped")
        self.bar.setVisible(False)

    def _note_step(self) -> None:
        at = monotonic()
        if self._stepped_at is not None:
            self._step_seconds = at - self._stepped_at
        self._stepped_at = at

    def _say_stopping(self) -> None:
        """Say how long the step takes, and offer to end it, where a stop takes long."""
        at = monotonic()
        if self._stopped_at is None:
            self._stopped_at = at
            self.say("Stopping after this step")
        waited = at - self._stopped_at
        if waited < PATIENCE:
            return
        left = self._step_seconds - (at - (self._stepped_at or self._stopped_at))
        rest = f"about {time_words(left)} left" if left > 0 else f"waiting for {time_words(waited)}"
        self.say(f"Stopping after this step: {rest}")
        self.stop_now.setVisible(True)

    def _set_progress(self, done: int, total: int, left: str) -> None:
        self._now = (done, total, left)
        self._show_soon()

    def _show_soon(self) -> None:
        if not self._paint.isActive():
            self._paint.start()

    def _show_heard(self) -> None:
        if self._unsaid is not None and not self._waits():
            self.say(self._unsaid)
        self._show_progress()

    def _show_progress(self) -> None:
        done, total, left = self._now
        share = f"{100 * done // total} %" if total else ""
        words = " \N{MIDDLE DOT} ".join(part for part in (share, left) if part)
        if self.bar.isVisible() and self.bar.format() == words and self.bar.maximum() == total:
            return
        # A new value repaints at once, the whole window with it; together, and soon, will do.
        self.bar.setUpdatesEnabled(False)
        self.bar.setRange(0, total)  # without a total the bar moves to and fro
        self.bar.setValue(done)
        self.bar.setFormat(words)
        self.bar.setVisible(self._job is not None)
        self.bar.setUpdatesEnabled(True)

    def _show_buttons(self) -> None:
        job = self._job
        for button in self._starts:
            button.setVisible(job is None)
        self.pause.setVisible(job is not None and self._pausable)
        self.stop.setVisible(job is not None)
        if job is None:
            self.stop_now.setVisible(False)
            return
        self.pause.setText("Go on" if job.state == "paused" else "&Pause")
        self.pause.setEnabled(job.state in ("running", "paused", "waiting", "starting"))
        self.stop.setEnabled(job.state != "stopping")


def _left(done: int, total: int, seconds: float) -> str:
    """The time left in words, once there is something to judge it by."""
    if not done or not total or seconds <= 0:
        return ""
    return f"{time_words(seconds / done * (total - done))} left"


def _line(tip: str) -> QElidingLabel:
    label = QElidingLabel()
    label.setElideMode(Qt.TextElideMode.ElideRight)
    label.setToolTip(tip)
    return label
