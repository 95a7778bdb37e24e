"""One training of an experiment, as a value: what it learns from, how, and how long."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from napari_xseg.config import AugmentConfig, TrainConfig
from napari_xseg.errors import XsegError
from napari_xseg.experiments.splits import split_parts, thinned
from napari_xseg.training.recipes import load_recipe

if TYPE_CHECKING:
    from napari_xseg.experiments.material import Material, Remembered
    from napari_xseg.experiments.plan import Augment, Budget, Conditions, Plan, SplitKind

_FORMAT = 1
_NONE = AugmentConfig(turns=False, reverse_context=False)
_AUGMENT: dict[Augment, AugmentConfig] = {
    "none": _NONE,
    "noise": _NONE,
    "turns": _NONE.replace(turns=True),
    "context": _NONE.replace(reverse_context=True, context_drop=0.1),
    "grey": _NONE.replace(gain=0.1, offset=0.1),
    "all": AugmentConfig(context_drop=0.1, gain=0.1, offset=0.1),
}


@dataclass(frozen=True)
class Trial:
    """A training.

    Attributes
    ----------
    conditions : Conditions
        As the plan says.
    split : str
        "blocked" or "random".
    repeat : int
        From 0; also the seed of weights, crops and noise.
    train, validation : tuple of int
        z of the images.
    guard : int
        Of a blocked split.
    config : TrainConfig
        The recipe with all that the conditions change.
    noise_std : float
        sd of the noise in copies, in counts.
    data : str
        SHA-256 of what is learnt from and scored.
    """

    conditions: Conditions
    split: SplitKind
    repeat: int
    train: tuple[int, ...]
    validation: tuple[int, ...]
    guard: int
    config: TrainConfig
    noise_std: float
    data: str

    @cached_property
    def key(self) -> str:
        """Two trials with the same key are the same training, whatever plan asks for it."""
        told: dict[str, Any] = {
            "format": _FORMAT,
            "recipe": self.config.model_dump(mode="json", exclude={"name"}),
            "train": self.train,
            "validation": self.validation,
            "noise": self.conditions.noise,
            "validation_noise": self.conditions.validation_noise,
            "side": self.conditions.side,
            "noise_std": self.noise_std if self.has_copies else None,
            "seed": self.repeat,
            "data": self.data,
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def has_copies(self) -> bool:
        """Whether noisy copies of slices take part."""
        return self.conditions.noise in ("copies", "only") or self.conditions.validation_noise

    @property
    def folder(self) -> str:
        """Name of its run folder."""
        words = self.conditions.words().replace(" ", "-").replace(",", "")
        return f"{self.split}-{self.repeat + 1}-{words}-{self.key[:8]}"

    @property
    def words(self) -> str:
        """What the user is told that it is."""
        return f"{self.conditions.words()}, {self.split} split, repeat {self.repeat + 1}"


@dataclass(frozen=True)
class Left:
    """A point of a plan that these data cannot show, and why."""

    conditions: Conditions
    split: SplitKind
    why: str


def make_trials(
    plan: Plan, material: Material | Remembered, budget: Budget
) -> tuple[tuple[Trial, ...], tuple[Left, ...]]:
    """All trainings of a plan on these data, and what had to be left out.

    XsegError where the data are too few for any, or the recipe cannot be read.
    """
    scale = plan.scale(budget)
    recipe = load_recipe(scale.recipe).with_budget(steps=scale.steps, time_limit=scale.seconds)
    trials: list[Trial] = []
    left: list[Left] = []
    for repeat in range(scale.repeats):
        for split in plan.splits:
            parts = split_parts(
                material.usable, split, plan.training, plan.validation, repeat, scale.repeats
            )
            scored = thinned(parts.validation, scale.scored)
            for conditions in plan.points():
                try:
                    train = parts.first(conditions.slices)
                except XsegError as error:
                    if repeat == 0:
                        left.append(Left(conditions, split, str(error)))
                    continue
                trials.append(
                    Trial(
                        conditions=conditions,
                        split=split,
                        repeat=repeat,
                        train=train,
                        validation=scored,
                        guard=parts.guard,
                        config=config_of(recipe, conditions, plan.noise_std),
                        noise_std=plan.noise_std,
                        data=material.sha256,
                    )
                )
    if not trials:
        raise XsegError(f"experiment {plan.name}: {left[0].why}")
    return tuple(trials), tuple(left)


def config_of(recipe: TrainConfig, conditions: Conditions, noise_std: float) -> TrainConfig:
    """The recipe with what the conditions change of it."""
    augment = conditions.augment
    noisy = conditions.noise == "toggle" or augment in ("noise", "all")
    changes: dict[str, Any] = {
        # Copies are slices of their own here, so that they can be scored and counted.
        "noise": {"enabled": noisy, "std": noise_std if noisy else None},
    }
    if augment != "recipe":
        changes["augment"] = _AUGMENT[augment].model_dump()
    if conditions.crop is not None:
        changes["crop"] = conditions.crop
    return recipe.replace(**changes)
