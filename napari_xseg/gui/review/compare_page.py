"""A mask against the truth, what is wrong with it, mistake by mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_xseg.gui.dock import Page
from napari_xseg.gui.forms import Fold, allow, fill
from napari_xseg.gui.in_front import WhenSeen
from napari_xseg.gui.layers import kind_of
from napari_xseg.gui.mending.mend_panel import MEND_TIP, MendPanel
from napari_xseg.gui.mending.mender import Mender, Target
from napari_xseg.gui.review.heat_map import HeatMap
from napari_xseg.gui.review.review_files import save_figure_six, save_mistakes
from napari_xseg.gui.review.review_form import MistakeForm, ReviewForm
from napari_xseg.gui.review.reviewing import Reviewer
from napari_xseg.gui.review.score_table import ScoreTable
from napari_xseg.review.evaluation import percent

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_xseg.gui.session import Session
    from napari_xseg.review.mistakes import Mistake

# Milliseconds between two looks at a count under way.
_LOOK = 150
_NOTHING = "There is nothing to compare: choose a truth and a mask above."
_NO_MISTAKES = "No mistake is listed."


class ComparePage(Page):
    """Shows what a `Reviewer` finds, and asks it for more.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.reviewer = Reviewer(self.session)
        self.form = ReviewForm()
        self.scores = ScoreTable()
        self.heat_map = HeatMap()
        self.mistakes = MistakeForm()
        self.mender = Mender(session)
        self.mend = MendPanel(session, self.mender)
        self._looked_at: Mistake | None = None
        self._layers = WhenSeen(self, self._offer)
        self._look = QTimer(self)
        self._look.setInterval(_LOOK)
        self._build()
        self._connect()
        self._on_theme()
        self._allow()
        self._layers.now()
        if self.reviewer.truth is None:
            self.reviewer.choose(None, self.reviewer.prediction)

    def let_go(self) -> None:
        """Give mouse and keys back."""
        self._look.stop()
        self.mend.leave()

    def take_away(self) -> None:
        """Take the overlay away."""
        self.reviewer.close()

    # -- making -------------------------------------------------------------

    def _build(self) -> None:
        figures = QWidget()
        inner = QVBoxLayout(figures)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.scores)
        inner.addWidget(self.heat_map)
        folds = (
            Fold(
                "Scores",
                figures,
                tip="Scores of each class, and which class is taken for which.",
                open_=True,
            ),
            Fold(
                "Mistakes",
                self.mistakes,
                tip="Connected mistakes, largest first; a click flies to one.",
                open_=True,
            ),
            Fold("Mend", self.mend, tip=MEND_TIP),
        )
        fill(self, (self.form, *folds))

    def _connect(self) -> None:
        form, reviewer, mistakes = self.form, self.reviewer, self.mistakes
        form.layers_chosen.connect(self._on_chosen)
        form.by_prediction_changed.connect(reviewer.set_by_prediction)
        form.scope_changed.connect(reviewer.set_scope)
        form.again_asked.connect(reviewer.again)
        form.cancel_asked.connect(reviewer.cancel)
        form.figure_asked.connect(self._save_figure)
        form.rules_changed.connect(self._on_rules)
        mistakes.rules_changed.connect(self._on_rules)
        mistakes.pair_changed.connect(reviewer.set_pair)
        mistakes.ticked.connect(reviewer.keeper.tick)
        mistakes.export_asked.connect(self._save_mistakes)
        mistakes.table.chosen.connect(self._on_mistake)
        mistakes.table.paint_asked.connect(self._paint)
        mistakes.paint_asked.connect(self._paint)
        self.heat_map.value_changed.connect(reviewer.set_pair)
        self._look.timeout.connect(self._show_progress)
        reviewer.compared.connect(self._on_compared)
        reviewer.counted.connect(self._on_counted)
        reviewer.running_changed.connect(self._on_running)
        reviewer.pair_changed.connect(self._on_pair)
        reviewer.troubled.connect(self._on_trouble)
        self.listen(
            (self.session.layers_changed, self._layers.now),
            (self.session.labels_changed, self._layers.now),
            (self.session.viewer.events.theme, self._on_theme),
        )

    # -- what the user asks for ---------------------------------------------

    def _on_chosen(self, truth: Labels | None, prediction: Labels | None) -> None:
        self.reviewer.choose(truth, prediction)

    def _on_rules(self) -> None:
        border, leave_out = self.form.border()
        rules = self.reviewer.rules.__class__(border, leave_out, self.mistakes.across_slices())
        self.reviewer.set_rules(rules)

    def _on_mistake(self, mistake: Mistake) -> None:
        self._looked_at = mistake
        self.reviewer.view.fly_to(mistake)
        self._aim(mistake)

    def _aim(self, mistake: Mistake | None) -> None:
        """Mend at a mistake, in the labels of the session."""
        comparison, ours = self.reviewer.comparison, self.session.classes.values
        if comparison is None:
            self.mender.aim(None, None)
            return
        target = None
        if mistake is not None:
            files = (
                comparison.classes.values[index] for index in (mistake.predicted, mistake.true)
            )
            wrong, right = (ours.index(one) + 1 if one in ours else 0 for one in files)
            target = Target(mistake, "mistake", wrong, right)
        self.mender.aim(self.reviewer.prediction, target)

    def _paint(self) -> None:
        """Take up the brush in the session's labels, with the true class of the mistake."""
        mistake = self.mistakes.table.value()
        if self.session.labels not in self.session.layers:
            self.session.warn("There are no labels to paint in: make new ones in the Label dock.")
        elif mistake is not None:
            self._aim(mistake)
            self.mend.paint_here()

    def _save_figure(self) -> None:
        save_figure_six(self.reviewer, self.session, self)

    def _save_mistakes(self) -> None:
        chosen = self.mistakes.table.mistakes.chosen()
        if chosen is not None:
            save_mistakes(self.reviewer, chosen, self.session, self)

    # -- what the review says -----------------------------------------------

    def _offer(self) -> None:
        """Offer the layers there are; begin with the labels and the mask on top.

        Nobody who does not look at the page wants an overlay over their image.
        """
        layers = self.session.layers.labels()
        before = truth, prediction = self.reviewer.truth, self.reviewer.prediction
        if truth not in layers:
            truth = self._first_truth([layer for layer in layers if layer is not prediction])
        if prediction not in layers:
            prediction = self._first_prediction(layers, truth)
        self.form.set_layers(layers, truth, prediction)
        if (truth, prediction) != before:
            self.reviewer.choose(truth, prediction)

    def _first_truth(self, layers: list[Labels]) -> Labels | None:
        if self.session.labels in layers:
            return self.session.labels
        return next((layer for layer in layers if kind_of(layer) != "mask"), None)

    def _first_prediction(self, layers: list[Labels], truth: Labels | None) -> Labels | None:
        others = [layer for layer in layers if layer is not truth]
        masks = [layer for layer in others if kind_of(layer) == "mask"]
        return next(iter(masks or others), None)

    def _on_compared(self) -> None:
        comparison, words = self.reviewer.comparison, self.reviewer.words
        self.form.set_words(words)
        self.heat_map.set_words(words)
        classes = None if comparison is None else comparison.classes
        self.mistakes.set_classes(classes, words)
        self._looked_at = None
        self._aim(None)
        self._allow()

    def _on_counted(self) -> None:
        outcome = self.reviewer.outcome
        self._show_figures()
        self.mistakes.set_mistakes(
            None if outcome is None else outcome.mistakes, self.reviewer.ticked, self._looked_at
        )
        if outcome is None:
            self.reviewer.view.leave_mistake()
        self._allow()

    def _allow(self) -> None:
        """Let buttons be pressed that have something to act on."""
        outcome = self.reviewer.outcome
        nothing = "" if self.reviewer.comparison is not None else _NOTHING
        for button in (self.form.figure, self.form.again):
            allow(button, nothing)
        some = outcome is not None and len(outcome.mistakes) > 0
        for button in (self.mistakes.paint, self.mistakes.export):
            allow(button, nothing or ("" if some else _NO_MISTAKES))

    def _on_running(self) -> None:
        sweep = self.reviewer.sweep
        long = sweep is not None and sweep.total > 1
        self.form.set_running(sweep if long else None)
        if long:
            self._look.start()
        else:
            self._look.stop()

    def _on_pair(self) -> None:
        self.heat_map.set_value(self.reviewer.pair)
        self.mistakes.set_pair(self.reviewer.pair)

    def _on_trouble(self) -> None:
        self.form.set_status(self.reviewer.trouble)

    def _show_progress(self) -> None:
        self.form.set_running(self.reviewer.sweep)
        self._show_figures()

    def _show_figures(self) -> None:
        comparison, reviews = self.reviewer.comparison, self.reviewer.reviews()
        if comparison is None or not reviews:
            self.scores.set_counts(None, None)
            self.heat_map.set_counts(None, None if comparison is None else comparison.classes)
            self.form.set_status(self.reviewer.trouble)
            return
        evaluation = comparison.evaluation(reviews)
        leave_out = comparison.rules.leave_out
        counts = evaluation.pooled_outside if leave_out else evaluation.pooled
        self.scores.set_counts(counts, comparison.classes)
        self.heat_map.set_counts(counts, comparison.classes)
        self.form.set_status(self.reviewer.trouble or self._told(counts, evaluation.not_predicted))

    def _told(self, counts: Any, missing: int) -> str:
        reviews, slices = self.reviewer.reviews(), self.reviewer.slices()
        pixels = int(counts.sum())
        where = f"z = {reviews[0].score.z}" if len(slices) == 1 else f"{len(reviews)} slices"
        if len(reviews) < len(slices):
            where = f"{len(reviews)} of {len(slices)} slices"
        if not pixels:
            return f"{where}: no pixel is labelled in both."
        wrong = percent(float(pixels - counts.trace()) / pixels)
        told = f"{where}: {wrong} % of {pixels:,} pixels differ."
        return f"{told} {missing:,} labelled pixels are not predicted." if missing else told

    def _on_theme(self, _: object = None) -> None:
        text, ground = map(QColor, self.colours)
        self.heat_map.set_colours(text, ground)
