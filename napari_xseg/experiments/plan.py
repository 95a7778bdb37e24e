"""What an experiment is, as a value: which trainings, on which slices, scored how.

A plan is a TOML file that a person can read and edit; those of the package are in
`experiments/plans`.
"""

from __future__ import annotations

import itertools
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from napari_xseg.config import Positive, Settings, read_toml
from napari_xseg.errors import XsegError

SplitKind = Literal["blocked", "random"]
TrainNoise = Literal["off", "toggle", "copies", "only"]
Augment = Literal["recipe", "none", "turns", "context", "grey", "noise", "all"]
Budget = Literal["cpu", "gpu", "full"]
Count = Annotated[int, Field(ge=1)]
Crop = Annotated[int, Field(ge=8, le=8192)]
Side = Annotated[int, Field(ge=16)]

PLANS = (
    "baseline",
    "noisy-training",
    "noise-in-validation",
    "training-size",
    "single-image",
    "crops",
    "noisy-only",
    "noise-curve",
    "lis",
)
POSTER = "poster"  # all of them
BUDGETS: tuple[Budget, ...] = ("cpu", "gpu", "full")


def _check_each_once(lists: dict[str, tuple[Any, ...]]) -> None:
    for key, values in lists.items():
        for value in values:
            if values.count(value) > 1:  # its repeats would be counted twice
                raise ValueError(f"{key}: {value} is named twice; name it once")


class Conditions(Settings):
    """What one training learns from, and how.

    Attributes
    ----------
    slices : int, optional
        Labelled slices that train; without it, all that the split gives.
    noise : str
        "off"; "toggle" (noise drawn anew for each crop, sd 0 to 1.3 times the
        plan's); "copies" (each slice and one noisy copy of it, as the poster did);
        "only" (the noisy copies alone).
    validation_noise : bool
        Whether a noisy copy of each validation slice validates too.
    augment : str
        "recipe" as it says; "none"; or one kind alone: "turns" (quarter turns and
        mirror images), "context" (neighbours reversed and left out), "grey" (gain and
        offset), "noise" (as the toggle); "all" of them.
    crop : int, optional
        Side of the training crops in pixels.
    side : int, optional
        Side in pixels of the middle part of each slice that is learnt from.
    """

    slices: Count | None = None
    noise: TrainNoise = "off"
    validation_noise: bool = False
    augment: Augment = "recipe"
    crop: Crop | None = None
    side: Side | None = None

    def words(self, *, but: Self | None = None) -> str:
        """What is said of it in tables and folder names; `but` is left out where equal."""
        told = {
            "slices": f"{self.slices} slices" if self.slices != 1 else "1 slice",
            "noise": _NOISE_WORDS[self.noise],
            "validation_noise": "noise in validation" if self.validation_noise else "",
            "augment": "" if self.augment == "recipe" else f"augment {self.augment}",
            "crop": f"crops of {self.crop} px",
            "side": f"{self.side} x {self.side} px",
        }
        mine, other = self.model_dump(), (but or Conditions()).model_dump()
        parts = [told[key] for key in mine if mine[key] is not None and mine[key] != other[key]]
        return ", ".join(filter(None, parts)) or "all slices"


_NOISE_WORDS = {
    "off": "no noise",
    "toggle": "random noise",
    "copies": "noisy copies",
    "only": "noisy slices only",
}


class Vary(Settings):
    """What varies: each combination is a point of the experiment; `Conditions` has the names."""

    slices: tuple[Count, ...] = ()
    noise: tuple[TrainNoise, ...] = ()
    augment: tuple[Augment, ...] = ()
    crop: tuple[Crop, ...] = ()
    side: tuple[Side, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        _check_each_once(self.model_dump())
        return self

    def points(self, base: Conditions) -> tuple[Conditions, ...]:
        """Every combination, the last name varying fastest."""
        named = [(key, values) for key, values in self.model_dump().items() if values]
        keys = [key for key, _ in named]
        return tuple(
            base.replace(**dict(zip(keys, values, strict=True)))
            for values in itertools.product(*(values for _, values in named))
        )


class Scale(Settings):
    """How much a budget allows: each training's recipe and length, and how many repeats.

    Attributes
    ----------
    recipe, seconds, steps
        Without `seconds` and `steps` a training is as long as its recipe says. Steps
        are the same on a busy machine, and give the same models again.
    scored : int, optional
        So many slices of each split are scored at most, spread evenly over them.
    repeats
        Trainings of each point and split.
    """

    recipe: str = "quick"
    seconds: Positive | None = None
    steps: Count | None = None
    scored: Count | None = None
    repeats: Count = 3

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.seconds is not None and self.steps is not None:
            raise ValueError("seconds and steps are both given; give one")
        return self


class Published(Settings):
    """A figure of the poster that started the project.

    Attributes
    ----------
    what : str
        What it is of.
    dice : float
        Percent.
    slices : int, optional
        The count of training slices that it is of, where that varies.
    curve : str, optional
        "best" or "end" of the validation Dice over the training.
    """

    what: str
    dice: Annotated[float, Field(ge=0, le=100)]
    slices: Count | None = None
    curve: Literal["best", "end"] | None = None


class Plan(Settings):
    """An experiment.

    Attributes
    ----------
    name, title, question
        What it is called, and what it asks.
    published
        Figures that stand beside it.
    splits
        How training and validation slices are chosen.
    training, validation : int
        Slices of each as published; where there are fewer, both shrink in proportion.
    noise_std : float
        Of all noise, in the images' counts.
    conditions, vary
        What holds for all trainings, and what varies.
    score_noise : tuple of float
        sd of the noise in the validation slices that the models are scored on.
    threshold : float, optional
        Points of Dice (percent) below the best count of slices that still count as
        enough; the smallest such count is the threshold of diminishing returns.
    unlabelled
        Whether the model that does best under noise predicts a volume without labels.
    budgets
        What each budget allows.
    """

    name: Annotated[str, Field(pattern=r"^[\w-]+$")]
    title: str
    question: str = ""
    published: tuple[Published, ...] = ()
    splits: Annotated[tuple[SplitKind, ...], Field(min_length=1)] = ("blocked", "random")
    training: Count = 400
    validation: Count = 100
    noise_std: Positive = 5000.0
    conditions: Conditions = Conditions()
    vary: Vary = Vary()
    score_noise: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)] = (0.0,)
    threshold: Positive | None = None
    unlabelled: bool = False
    budgets: dict[Budget, Scale] = Field(default_factory=lambda: dict(_SCALES))

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        _check_each_once({"splits": self.splits, "score_noise": self.score_noise})
        return self

    @model_validator(mode="after")
    def _threshold_of_slices(self) -> Self:
        if self.threshold is not None and len(self.vary.slices) < 2:
            raise ValueError("threshold: wants two counts or more in vary.slices")
        return self

    def points(self) -> tuple[Conditions, ...]:
        """The conditions of every training, repeats and splits apart."""
        return self.vary.points(self.conditions)

    def scale(self, budget: Budget) -> Scale:
        """What `budget` allows."""
        return self.budgets.get(budget, _SCALES[budget])


_SCALES: dict[Budget, Scale] = {
    "cpu": Scale(recipe="quick", steps=250, scored=20, repeats=3),
    "gpu": Scale(recipe="quick", seconds=60, repeats=5),
    "full": Scale(recipe="poster", repeats=3),
}


def load_plan(name: str | Path) -> Plan:
    """Read a plan of the package by its name, or a TOML file.

    XsegError where there is neither, or it says what plans cannot say.
    """
    if str(name) in PLANS:
        file = resources.files(__package__) / "plans" / f"{name}.toml"
        with resources.as_file(file) as path:
            return Plan.from_dict(read_toml(path), str(name))
    if Path(name).suffix != ".toml":
        raise XsegError(
            f"experiment {name}: is none of {', '.join((*PLANS, POSTER))}, and no .toml file; give "
            "one of them."
        )
    return Plan.from_toml(name)


def load_plans(name: str | Path) -> tuple[Plan, ...]:
    """The plans that `name` stands for: one, or all of the poster's."""
    return tuple(map(load_plan, PLANS if str(name) == POSTER else (name,)))


def with_changes(plan: Plan, budget: Budget, **changes: Any) -> Plan:
    """A plan whose scale for `budget` has `changes`, such as `repeats=1`; None is left out."""
    given = {key: value for key, value in changes.items() if value is not None}
    if "steps" in given or "seconds" in given:  # one of them
        given = {"steps": None, "seconds": None, **given}
    scale = plan.scale(budget).replace(**given)
    return plan.replace(budgets={**plan.budgets, budget: scale})
