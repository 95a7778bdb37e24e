"""The choices of the Train dock as the project keeps them, for whoever goes on with a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_xseg.data.slices import parse_slices
from napari_xseg.errors import XsegError
from napari_xseg.gui.train.train_form import LENGTH, TrainChoices
from napari_xseg.jobs import SplitWish
from napari_xseg.training.recipes import RECIPES, load_recipe

if TYPE_CHECKING:
    from napari_xseg.gui.session import Session

# The project's settings in which the choices of the Train dock are kept.
SETTINGS = "train"
# How slices that validate are found.
AUTOMATIC, NONE, CHOSEN = CHOICES = ("automatic", "none", "chosen slices")


def kept_choices(session: Session) -> tuple[TrainChoices, SplitWish]:
    """What the Train dock was told last in this project: settings, and how to split.

    Raises
    ------
    XsegError
        No image; validation slices that are not there.
    """
    depth = session.require_images().shape[0]
    kept = session.require_project().settings.get(SETTINGS, {})
    choices = TrainChoices(config=load_recipe(RECIPES[0]).with_budget(time_limit=LENGTH))
    try:
        choices = TrainChoices.from_dict(kept["choices"], str(session.project))
    except (XsegError, LookupError):  # nothing is kept, or by another version
        return choices, SplitWish()
    return choices, split_wish(kept.get("validation", AUTOMATIC), kept.get("slices", ""), depth)


def split_wish(choice: str, slices: str, count: int) -> SplitWish:
    """How to split `count` slices by one of `CHOICES`; XsegError where `slices` names none."""
    if choice == NONE:
        return SplitWish(validation=False)
    if choice != CHOSEN:
        return SplitWish()
    if not slices.strip():
        raise XsegError("Validation: names no slice; give z such as 13,39 or choose automatic.")
    return SplitWish(val=parse_slices(slices.strip(), count, "Validation slices"))
