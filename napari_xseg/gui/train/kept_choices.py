"""The choices of the Train dock as the project keeps them, for whoever goes on with a training."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from napari_xseg.config import TrainConfig
from napari_xseg.data.slices import parse_slices
from napari_xseg.errors import XsegError
from napari_xseg.gui.train.train_form import LENGTH, TrainChoices
from napari_xseg.jobs import SplitWish
from napari_xseg.model.metadata import MODEL_FILE, find_model, read_model_info
from napari_xseg.training.recipes import RECIPES, load_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.gui.session import Session

# The project's settings in which the choices of the Train dock are kept.
SETTINGS = "train"
# How slices that validate are found.
AUTOMATIC, NONE, CHOSEN = CHOICES = ("automatic", "none", "chosen slices")


def kept_choices(session: Session, parent: Path | None = None) -> tuple[TrainChoices, SplitWish]:
    """What the Train dock was told last in this project: settings, and how to split.

    Parameters
    ----------
    session : Session
    parent : Path, optional
        A run folder or model file: where nothing was told, the settings that it was
        trained with, if they lie beside it.

    Raises
    ------
    XsegError
        No image; validation slices that are not there.
    """
    depth = session.require_images().shape[0]
    kept = session.require_project().settings.get(SETTINGS, {})
    try:
        choices = TrainChoices.from_dict(kept["choices"], str(session.project))
    except (XsegError, LookupError):  # nothing is kept, or by another version
        config = None if parent is None else settings_of(parent, match=session.match_intensity)
        quick = load_recipe(RECIPES[0]).with_budget(time_limit=LENGTH)
        return TrainChoices(config=config or quick), SplitWish()
    return choices, split_wish(kept.get("validation", AUTOMATIC), kept.get("slices", ""), depth)


def settings_of(model: Path, *, match: bool) -> TrainConfig | None:
    """The settings that a run was trained with; None where they cannot be read.

    With `match` they are for images of other grey values, which are mapped onto those
    that the model knows: noise is then as strong, whatever the counts are.
    """
    with suppress(XsegError):
        file = find_model(model)
        if file.name != MODEL_FILE:  # its folder is not that of a run
            return None
        config = TrainConfig.from_toml(file.with_name("config.toml"))
        if match:
            noise = config.noise.in_spreads(read_model_info(file).intensity.std)
            config = config.replace(noise=noise.model_dump())
        timed = (config.epochs, config.steps, config.time_limit) != (None, None, None)
        return config if timed else config.with_budget(time_limit=LENGTH)
    return None


def split_wish(choice: str, slices: str, count: int) -> SplitWish:
    """How to split `count` slices by one of `CHOICES`; XsegError where `slices` names none."""
    if choice == NONE:
        return SplitWish(validation=False)
    if choice != CHOSEN:
        return SplitWish()
    if not slices.strip():
        raise XsegError("Validation: names no slice; give z such as 13,39 or choose automatic.")
    return SplitWish(val=parse_slices(slices.strip(), count, "Validation slices"))
