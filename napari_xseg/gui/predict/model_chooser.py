"""Which model predicts: the runs of the project, models used recently, or a file."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.config import NoiseConfig, read_toml
from napari_xseg.data.colours import hex_colour
from napari_xseg.errors import XsegError
from napari_xseg.gui.dock import Links
from napari_xseg.gui.predict.recent_models import recent_models
from napari_xseg.model.metadata import MODEL_FILE, ModelInfo, read_model_info

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_xseg.data.project import Project
    from napari_xseg.data.runs_list import RunInfo
    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Call

NO_MODEL = "No model yet: train one, or press File."
FILTER = "Models (*.safetensors);;All files (*)"


class ModelChooser(QWidget):
    """A list of models, and what the chosen one says of itself.

    Parameters
    ----------
    session : Session
        Its `model` is what is chosen.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.info: ModelInfo | None = None
        self._runs: list[RunInfo] = []
        self._asked: Call[list[RunInfo]] | None = None
        self._last = session.model
        self._make_widgets()
        self._links = Links(
            (session.project_changed, self._ask_runs),
            (session.runs_changed, self._ask_runs),
            (session.model_changed, self._fill),
            (session.image_changed, self._keep_model),
        )
        self._fill()
        self._ask_runs()

    def leave(self) -> None:
        """Let go of the session: the window closes, or the dock."""
        self._links.leave()
        if self._asked is not None:
            self._asked.cancel()

    def _make_widgets(self) -> None:
        self.box = QComboBox()
        self.box.setToolTip(
            "The model that predicts: trainings of this project, newest first, and models that "
            "you used before."
        )
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMinimumContentsLength(12)
        self.box.activated.connect(self._on_activated)
        label = QLabel("&Model")
        label.setBuddy(self.box)
        self.file = QPushButton("File...")
        self.file.setToolTip("Choose a model file (.safetensors) of another project or machine.")
        self.file.clicked.connect(self._choose_file)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.RichText)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(label)
        row.addWidget(self.box, 1)
        row.addWidget(self.file)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(row)
        layout.addWidget(self.text)

    # -- the list -----------------------------------------------------------

    def value(self) -> Path | None:
        """The chosen model: a run folder or a file."""
        return self.session.model

    def _ask_runs(self) -> None:
        """Read the run folders in the background: they may lie on a slow disk."""
        if self._asked is not None:
            self._asked.cancel()
        project = self.session.project
        if project is None:
            self._asked = None
            self._take_runs([])
            return
        self._asked = self.session.jobs.call(lambda: _usable_runs(project))
        self._asked.returned.connect(self._take_runs)
        self._asked.failed.connect(self.session.show_error)

    def _take_runs(self, runs: list[RunInfo]) -> None:
        self._runs = runs
        self._fill()

    def _keep_model(self) -> None:
        """Go on with the same model on an image whose project has none."""
        last, session = self._last, self.session
        missing = session.image is not None and session.model is None
        if missing and last is not None and last.exists():
            session.set_model(last)
        self._describe()

    def _fill(self) -> None:
        box, chosen = self.box, self.session.model
        self._last = chosen or self._last
        box.clear()
        for run in self._runs:
            box.addItem(_run_words(run), run.path)
        known = [run.path for run in self._runs]
        others = [path for path in recent_models() if path not in known]
        if chosen is not None and chosen not in known and chosen not in others:
            others.insert(0, chosen)
        if self._runs and others:
            box.insertSeparator(box.count())
        for path in others:
            box.addItem(_file_words(path), path)
            box.setItemData(box.count() - 1, str(path), Qt.ItemDataRole.ToolTipRole)
        places = [box.itemData(index) for index in range(box.count())]
        box.setCurrentIndex(places.index(chosen) if chosen in places else -1)
        box.setEnabled(bool(places))
        self._describe()

    def _on_activated(self, index: int) -> None:
        path = self.box.itemData(index)
        if path is not None:
            self.session.set_model(Path(path))

    def _choose_file(self) -> None:
        start = "" if self.session.model is None else str(self.session.model)
        name, _ = QFileDialog.getOpenFileName(self, "Choose a model", start, FILTER)
        if not name:
            return
        path = Path(name)
        self.session.set_model(path.parent if path.name == MODEL_FILE else path)

    # -- what it says -------------------------------------------------------

    def _describe(self) -> None:
        self.info, path = None, self.session.model
        if path is None:
            self._say(NO_MODEL)
            return
        try:
            self.info = read_model_info(path)
        except XsegError as error:
            self._say(html.escape(str(error)))
            return
        images = self.session.images
        depth = None if images is None else images.shape[0]
        self._say("<br>".join(describe(self.info, depth)))
        self.text.setToolTip(f"{self.info.path}\n{self.info.identity}")

    def _say(self, text: str) -> None:
        self.text.setText(text)
        self.text.setToolTip("What the chosen model says of itself.")


def describe(info: ModelInfo, depth: int | None = None) -> list[str]:
    """Lines of rich text about a model.

    Parameters
    ----------
    info : ModelInfo
    depth : int, optional
        Slices of the image that it would predict.
    """
    swatches = [
        f'<span style="color: {hex_colour(colour)}">\N{BLACK SQUARE}</span>&nbsp;'
        f"{html.escape(name)}"
        for name, colour in zip(info.classes.names, info.classes.colours, strict=True)
    ]
    lines = [" &nbsp;".join(swatches), _score_words(info)]
    if info.split:
        lines.append(html.escape(info.split))
    lines.append(_context_words(info, depth))
    lines.append(html.escape(_training_words(info)))
    return [line for line in lines if line]


def _score_words(info: ModelInfo) -> str:
    figures = info.figures
    parts = [
        f"{100 * figures[key]:.2f} % {word}"
        for key, word in (("dice_foreground", "foreground"), ("dice_all", "all"))
        if key in figures
    ]
    if not parts:
        return "Not validated."
    words = f"<b>Dice {', '.join(parts)}</b>"
    if info.rough:
        words += "; rough: on the training slices themselves"
    return words


def _context_words(info: ModelInfo, depth: int | None) -> str:
    if info.context == 0:
        return "Sees single slices."
    plural = "s" if info.context > 1 else ""
    words = f"Sees a slice with {info.context} neighbour{plural} on each side."
    if depth == 1:
        words += " This image has one slice, which stands for them: expect less."
    return words


def _training_words(info: ModelInfo) -> str:
    steps = "" if info.steps is None else f"{info.steps:,} steps"
    seconds = "" if info.seconds is None else f"{info.seconds:.0f} s"
    recipe = f"recipe {info.recipe}" if info.recipe else ""
    parts = [recipe, steps, seconds, noise_words(info)]
    return ", ".join(part for part in parts if part).capitalize() + "."


def noise_words(info: ModelInfo) -> str:
    """What noise the model was trained with; empty where that is not known.

    Only a run folder tells, in its settings.
    """
    if info.path.name != MODEL_FILE:
        return ""
    path = info.path.with_name("config.toml")
    try:
        noise = NoiseConfig.from_dict(_table(read_toml(path).get("noise")), str(path))
    except XsegError:
        return ""
    if not noise.enabled:
        return "no noise"
    if noise.std is None:
        return "noise, its sd from the images"
    if noise.copies:
        return f"noisy copies of sd {noise.std:g}"
    return f"noise of sd {noise.low * noise.std:g} to {noise.high * noise.std:g}"


def _table(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _usable_runs(project: Project) -> list[RunInfo]:
    return [run for run in project.runs() if run.usable]


def _run_words(run: RunInfo) -> str:
    score = (
        "" if run.dice_foreground is None else f" \N{MIDDLE DOT} {100 * run.dice_foreground:.2f} %"
    )
    return f"{run.name}{score} \N{MIDDLE DOT} {run.date:%d %b %H:%M}"


def _file_words(path: Path) -> str:
    """A model outside the project: its name and the folder it lies in."""
    names: Sequence[str] = (path.stem if path.is_file() else path.name, path.parent.name)
    return " \N{MIDDLE DOT} ".join(name for name in names if name)
