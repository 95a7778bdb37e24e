"""What a review writes when asked: figure 6 of a slice, and the list of mistakes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_xseg.gui.review.comparison import TRUTH_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_xseg.gui.review.reviewing import Reviewer
    from napari_xseg.gui.session import Session
    from napari_xseg.review.mistakes import Mistakes


def ask_path(parent: QWidget, title: str, default: Path, kinds: str) -> Path | None:
    """Ask where to save; None where the user thinks better of it."""
    if default.parent.parent.is_dir():
        default.parent.mkdir(exist_ok=True)
    name, _ = QFileDialog.getSaveFileName(parent, title, str(default), kinds)
    if not name:
        return None
    path = Path(name)
    return path if path.suffix else path.with_suffix(default.suffix)


def save_figure_six(reviewer: Reviewer, session: Session, parent: QWidget) -> None:
    """Save the slice in view as the poster's figure 6, PNG, SVG or PDF."""
    comparison, z = reviewer.comparison, reviewer.z
    if comparison is None or z is None:
        return
    default = _folder(reviewer) / f"figure6_{_stem(reviewer)}_z{z:04}.png"
    path = ask_path(parent, "Save figure 6", default, "PNG (*.png);;SVG (*.svg);;PDF (*.pdf)")
    if path is None:
        return
    name = "" if reviewer.words == TRUTH_WORDS else reviewer.words[0]

    def work() -> Path:
        from napari_xseg.review.canvas import save_figure
        from napari_xseg.review.figures import SliceView, figure_six

        truth, prediction = comparison.read(z)
        figure = figure_six(SliceView(z, prediction, truth), comparison.classes, name=name)
        save_figure(figure, path)
        return path

    _in_background(session, work)


def save_mistakes(
    reviewer: Reviewer, mistakes: Mistakes, session: Session, parent: QWidget
) -> None:
    """Save a list of mistakes as CSV."""
    default = _folder(reviewer) / f"mistakes_{_stem(reviewer)}.csv"
    path = ask_path(parent, "Save the list of mistakes", default, "CSV (*.csv)")
    if path is None:
        return

    def work() -> Path:
        mistakes.write_csv(path)
        return path

    _in_background(session, work)


def _in_background(session: Session, work: Callable[[], Path]) -> None:
    call = session.jobs.call(work)
    call.returned.connect(lambda path: session.notify(f"Saved {path}."))
    call.failed.connect(lambda error: session.show_error(error))


def _folder(reviewer: Reviewer) -> Path:
    return reviewer.keeper.folder or Path.home()


def _stem(reviewer: Reviewer) -> str:
    name = "" if reviewer.prediction is None else reviewer.prediction.name
    return re.sub(r"[^\w-]+", "_", name).strip("_") or "mask"
