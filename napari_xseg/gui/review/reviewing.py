"""A review as it goes on: what is compared, what is counted, which mistakes were seen.

The Review dock shows a `Reviewer` and asks it for changes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_xseg.errors import XsegError
from napari_xseg.gui.layers import classes_of, kind_of
from napari_xseg.gui.review.comparison import (
    MASK_WORDS,
    TRUTH_WORDS,
    Chosen,
    Comparison,
    Outcome,
    Rules,
    SliceReview,
    Sweep,
    compare,
)
from napari_xseg.gui.review.review_view import ReviewView
from napari_xseg.gui.review.tick_keeper import TickKeeper
from napari_xseg.review.selection import ANY_PAIR, ClassPair
from napari_xseg.review.ticks import Ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from napari.layers import Labels
    from numpy.typing import NDArray
    from psygnal import SignalInstance

    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Call

Scope = Literal["slice", "labelled", "volume"]
# Milliseconds in which changes are gathered before they are counted.
_GATHER = 40
_EVENTS = ("set_data", "paint", "labels_update")
_DIMS_EVENTS = ("current_step", "ndisplay", "order")
# What napari adds to a name that another layer has.
_NUMBERED = re.compile(r" \[\d+\]$")


class Reviewer:
    """Compares two Labels layers and keeps the figures up to date.

    Attributes
    ----------
    truth, prediction : Labels or None
        The layers; called A and B where the first is a mask, too.
    comparison : Comparison or None
        None while there is nothing to compare; `trouble` says why.
    outcome : Outcome or None
        What was counted of the scope.
    ticked : bool array or None
        One for each mistake of the outcome.
    """

    compared = Signal()  # another comparison, or none
    counted = Signal()  # another outcome
    running_changed = Signal()
    pair_changed = Signal()
    troubled = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self.view = ReviewView(session)
        self.truth: Labels | None = None
        self.prediction: Labels | None = None
        self.comparison: Comparison | None = None
        self.outcome: Outcome | None = None
        self.ticked: NDArray[np.bool_] | None = None
        self.trouble = ""
        self.scope: Scope = "slice"
        self.pair: ClassPair = ANY_PAIR
        self.by_prediction = False
        self._rules = Rules()
        self.keeper = TickKeeper(session)
        self._folder: Path | None = None
        self._sweep: Sweep | None = None
        self._call: Call[Any] | None = None
        self._z: int | None = None
        self._painted = False
        self._connected: list[Labels] = []
        self._gather = QTimer()
        self._gather.setSingleShot(True)
        self._gather.setInterval(_GATHER)
        self._gather.timeout.connect(self._settle)
        for signal, slot in self._heard():
            signal.connect(slot)
        session.closed.connect(self._let_go)
        for name in _DIMS_EVENTS:
            getattr(session.viewer.dims.events, name).connect(self._on_change)

    # -- what is compared ---------------------------------------------------

    @property
    def words(self) -> tuple[str, str]:
        """What the two are called: truth and prediction, or A and B for two masks."""
        masks = self.truth is not None and kind_of(self.truth) == "mask"
        return MASK_WORDS if masks else TRUTH_WORDS

    @property
    def rules(self) -> Rules:
        """How mistakes are counted."""
        return self._rules

    @property
    def z(self) -> int | None:
        """The slice in view; None in 3D."""
        return self._session.slice_of(self.truth)

    def choose(self, truth: Labels | None, prediction: Labels | None) -> None:
        """Compare two layers; None for none."""
        self.truth, self.prediction = truth, prediction
        self._leave()
        self._connect([layer for layer in (truth, prediction) if layer is not None])
        self.trouble = ""
        if truth is None or prediction is None:
            self._say("There is nothing to compare: open or predict a mask, and choose two layers.")
        elif truth is prediction:
            self._say("Both are the same layer; choose another one.")
        else:
            self._compare(truth, prediction)
        self.compared.emit()
        self.counted.emit()

    def set_pair(self, pair: ClassPair) -> None:
        """Look at one pair of classes, or at all."""
        if pair != self.pair:
            self.pair = pair
            self.view.set_pair(pair, by_prediction=self.by_prediction)
            self.pair_changed.emit()

    def set_by_prediction(self, by_prediction: bool) -> None:
        """Colour the overlay by the predicted class instead of the true one."""
        self.by_prediction = by_prediction
        self.view.set_pair(self.pair, by_prediction=by_prediction)

    def set_rules(self, rules: Rules) -> None:
        """Count by other rules."""
        if rules == self._rules:
            return
        self._rules = rules
        if self.comparison is not None:
            self.comparison.set_rules(rules)
            self.view.refresh()
            self._count()

    # -- counting -----------------------------------------------------------

    @property
    def sweep(self) -> Sweep | None:
        """The count under way: how far it is."""
        return self._sweep

    def set_scope(self, scope: Scope) -> None:
        """Count this slice, the labelled ones, or all."""
        if scope != self.scope:
            self.scope = scope
            self._count()

    def again(self) -> None:
        """Count everything of the scope anew."""
        if self.comparison is not None:
            self.comparison.touch()
            self.view.refresh()
            self._count()

    def cancel(self) -> None:
        """End the count after its current slice; its figures stay."""
        if self._sweep is not None:
            self._sweep.cancel()

    def reviews(self) -> Sequence[SliceReview]:
        """The slices counted so far of the scope, also while more are counted."""
        if self._sweep is not None and self.comparison is not None and self.scope != "slice":
            return self.comparison.known(self._sweep.slices)
        return () if self.outcome is None else self.outcome.reviews

    def slices(self) -> tuple[int, ...]:
        """Each z of the scope."""
        if self.comparison is None:
            return ()
        if self.scope == "slice":
            return () if self.z is None else (self.z,)
        labelled = getattr(self.comparison.truth.data, "labelled", None)
        if self.scope == "labelled" and labelled is not None:
            return tuple(labelled)
        return tuple(range(self.comparison.shape[0]))

    def close(self) -> None:
        """Let go of session and viewer; take overlay and outline away."""
        self._let_go()
        self._leave()
        self.view.close()

    # -- inside -------------------------------------------------------------

    def _let_go(self) -> None:
        """Listen no more. What is under way ends unheard."""
        self._gather.stop()
        self.cancel()
        if self._call is not None:
            self._call.cancel()
        self._connect(())
        session = self._session
        for signal, slot in self._heard():
            signal.disconnect(slot, missing_ok=True)
        session.closed.disconnect(self._let_go, missing_ok=True)
        for name in _DIMS_EVENTS:
            getattr(session.viewer.dims.events, name).disconnect(self._on_change)

    def _heard(self) -> tuple[tuple[SignalInstance, Callable[..., None]], ...]:
        session = self._session
        return (
            (session.slices_changed, self._on_slices),
            (session.classes_changed, self._on_classes),
            (session.project_changed, self._on_project),
            (self.view.failed, self._on_failed),
        )

    def _leave(self) -> None:
        self.cancel()
        if self._call is not None:
            self._call.cancel()
        self._sweep = self._call = None
        self.comparison = self.outcome = self.ticked = self.keeper.ticks = self._z = None
        self.view.clear()
        self.running_changed.emit()

    def _connect(self, layers: Sequence[Labels]) -> None:
        """Hear of changes of these layers, and of no others."""
        for layer in self._connected:
            for name in _EVENTS:
                getattr(layer.events, name).disconnect(self._on_change)
            layer.events.data.disconnect(self._on_data)
        self._connected = list(layers)
        for layer in layers:
            for name in _EVENTS:
                getattr(layer.events, name).connect(self._on_change)
            layer.events.data.connect(self._on_data)

    def _compare(self, truth: Labels, prediction: Labels) -> None:
        try:
            chosen = [
                Chosen(item.name, item.data, classes_of(item)) for item in (truth, prediction)
            ]
        except XsegError as error:
            self._say(str(error))
            return
        folder = self._folder = self.keeper.folder
        names = self._name(truth), self._name(prediction)

        def work() -> tuple[Comparison, Ticks]:
            ticks = Ticks(*names) if folder is None else Ticks.load(folder, *names)
            return compare(*chosen), ticks

        self._call = self._session.jobs.call(work)
        self._call.returned.connect(self._on_compared)
        self._call.failed.connect(self._on_failed)

    def _on_compared(self, made: tuple[Comparison, Ticks]) -> None:
        if self.truth is None or self.truth not in self._session.layers:
            return
        self.comparison, self.keeper.ticks = made
        self.comparison.set_rules(self._rules)
        self._z = self.z
        self.pair = ANY_PAIR
        self.view.set_pair(self.pair, by_prediction=self.by_prediction)
        self.view.show(self.comparison, self.truth, self.words)
        self.compared.emit()
        self.pair_changed.emit()
        self._count()

    def _count(self) -> None:
        """Count the scope in the background, what is known already from memory."""
        ticks = self.keeper.ticks
        if self.comparison is None or ticks is None:
            return
        self.cancel()
        if self._call is not None:
            self._call.cancel()
        sweep = self._sweep = Sweep(self.comparison, self.slices())

        def work() -> tuple[Outcome, NDArray[np.bool_]]:
            outcome = sweep.run()
            return outcome, ticks.of(outcome.mistakes)

        self._call = self._session.jobs.call(work)
        self._call.returned.connect(self._on_outcome)
        self._call.failed.connect(self._on_failed)
        self.running_changed.emit()

    def _on_outcome(self, counted: tuple[Outcome, NDArray[np.bool_]]) -> None:
        self.outcome, self.ticked = counted
        self._sweep = None
        self.trouble = ""
        self.running_changed.emit()
        self.counted.emit()

    def _on_failed(self, error: Exception) -> None:
        self._sweep = None
        self.running_changed.emit()
        self._say(str(error))

    def _say(self, trouble: str) -> None:
        self.trouble = trouble
        self.troubled.emit()

    # -- what changes meanwhile ---------------------------------------------

    def _on_slices(self, slices: frozenset[int]) -> None:
        """Labels were painted: the overlay follows at once, the figures soon."""
        if self._session.labels in (self.truth, self.prediction) and self.comparison is not None:
            self.comparison.touch(*slices)
            self.view.refresh(*slices)
            self._gather.start()
            self._painted = True

    def _on_classes(self) -> None:
        if self._session.labels in (self.truth, self.prediction):
            self.choose(self.truth, self.prediction)

    def _on_project(self) -> None:
        before, self._folder = self._folder, self.keeper.folder
        # A first tick makes the project: then its ticks are not on disk yet.
        if before not in (None, self._folder):
            self.choose(self.truth, self.prediction)

    def _on_data(self, _: Any = None) -> None:
        """Another array, maybe of another size, in one of the layers."""
        known = self.comparison
        shown = [layer.data for layer in (self.truth, self.prediction) if layer is not None]
        arrays = [] if known is None else [known.truth.data, known.prediction.data]
        if len(shown) != len(arrays) or any(a is not b for a, b in zip(shown, arrays, strict=True)):
            self.choose(self.truth, self.prediction)

    def _on_change(self, _: Any = None) -> None:
        if not self._gather.isActive():
            self._gather.start()

    def _settle(self) -> None:
        """Count anew where the slice in view is another one, or its masks have changed."""
        painted, self._painted = self._painted, False
        z, before = self.z, self._z
        self._z = z
        if self.comparison is None or z is None:
            return
        moved = z != before
        changed = painted or (not moved and self.view.is_stale(z))
        if changed:
            self.view.refresh(z)
        if moved or changed:
            self.comparison.touch(z)
        joined = self._rules.across_slices and self.scope != "slice"
        if (self.scope == "slice" and moved) or (changed and not joined):
            self._count()
        elif changed:
            self._say("The masks have changed since these mistakes were joined: count again.")

    def _name(self, layer: Labels) -> str:
        """What a layer is called in the project: the file of a mask, else its name."""
        if layer is self._session.labels:
            return "labels"
        path = getattr(layer.data, "path", None)
        # napari numbers layers of one name in the order in which they come: another one each time.
        return _NUMBERED.sub("", layer.name) if path is None else Path(path).name
