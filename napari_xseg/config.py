"""Frozen settings, in and out of TOML.

A settings object is a value: it is checked when it is made and never changes.
Forms edit it, run folders keep it, jobs receive it.
"""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_xseg.errors import XsegError

Loss = Literal["ce", "dice", "dl2", "ce+dice", "ce+dl2"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]


# What people mistype most, by pydantic's names of faults, in words of ours.
_WORDS = {
    "float_parsing": "is no number",
    "float_type": "is no number",
    "finite_number": "is no number that can be computed with",
    "int_parsing": "is no whole number",
    "int_type": "is no whole number",
    "int_from_float": "is no whole number",
    "greater_than": "has to be more than {gt:g}",
    "greater_than_equal": "has to be {ge:g} or more",
    "less_than": "has to be less than {lt:g}",
    "less_than_equal": "has to be {le:g} or less",
}


def first_complaint(error: ValidationError) -> str:
    """The first of pydantic's complaints as `key: what is wrong`."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    text = first["msg"].removeprefix("Value error, ")
    words = _WORDS.get(first["type"])
    if words is not None:
        text = f"{first['input']!r} {words.format(**first.get('ctx', {}))}"
    return f"{where}: {text}" if where else text


class Settings(BaseModel):
    """Base of all settings: frozen, unknown keys refused, TOML in and out."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def from_dict(cls, values: dict[str, Any], source: str = "settings") -> Self:
        """Check `values`; a wrong key or value raises XsegError naming `source`."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise XsegError(f"{source}: {first_complaint(error)}.") from error

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Read settings from the TOML file at `path`."""
        return cls.from_dict(read_toml(Path(path)), str(path))

    def to_toml(self) -> str:
        """These settings as TOML text; what is None is left out."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    def replace(self, **changes: Any) -> Self:
        """A checked copy with `changes`; XsegError where they do not fit."""
        return self.from_dict({**self.model_dump(), **changes})


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of the TOML file at `path`; XsegError where it is none."""
    try:
        # "-sig": editors on Windows may put a byte order mark first
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise XsegError(f"{path}: cannot be read ({error.strerror}).") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise XsegError(f"{path}: is not a TOML file ({error}).") from error


class ModelConfig(Settings):
    """Shape of the UNet.

    `width` channels at the first of `depth` levels, doubled at each further one;
    `widths`, where given, lists the channels of each level instead. The input is
    a slice with `context` neighbours on each side, `channels` values a pixel.
    With `patch` p the network works on blocks of p x p pixels (space to depth,
    Shi et al. 2016) and gives each pixel of a block its own logits: the mask has
    the full resolution, the convolutions a p * p-th of the positions.
    """

    width: Annotated[int, Field(ge=1, le=1024)] = 16
    depth: Annotated[int, Field(ge=1, le=8)] = 4
    widths: tuple[Annotated[int, Field(ge=1, le=4096)], ...] | None = None
    context: Annotated[int, Field(ge=0, le=16)] = 0
    channels: Annotated[int, Field(ge=1, le=64)] = 1
    patch: Literal[1, 2, 4] = 1
    classes: Annotated[int, Field(ge=2, le=254)] = 3
    padding: Literal["same", "valid"] = "same"
    upsampling: Literal["transposed", "bilinear"] = "transposed"

    @model_validator(mode="after")
    def _widths_match_depth(self) -> Self:
        if self.widths is not None and len(self.widths) != self.depth:
            raise ValueError(f"widths lists {len(self.widths)} levels, depth is {self.depth}")
        return self

    @property
    def level_widths(self) -> tuple[int, ...]:
        """Channels of each level, first to deepest."""
        return self.widths or tuple(self.width * 2**level for level in range(self.depth))

    @property
    def input_channels(self) -> int:
        """Channels of the network's input: the slice and its neighbours."""
        return self.channels * (2 * self.context + 1)


class AugmentConfig(Settings):
    """What is varied in a training crop, drawn afresh each time.

    `gain` and `offset` are sds: of a factor around 1, and of an addition in
    spreads of the training images. `context_drop` is the share of crops whose
    neighbours are replaced by the slice itself, so that one model serves stacks
    and single images.
    """

    turns: bool = True
    reverse_context: bool = True
    context_drop: Fraction = 0.0
    gain: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    offset: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0


# Without an sd of its own, noise has this one, in spreads of the training images.
DEFAULT_NOISE = 0.64


class NoiseConfig(Settings):
    """Gaussian noise added in training.

    `std` is in the image's own counts; without it, 0.64 of the training spread.
    Each crop draws its sd between `low` and `high` times `std`, each pixel of
    each neighbour its own value. With `copies` each training slice gets one
    fixed noisy copy of sd `std` instead, clipped and rounded to the dtype.
    """

    enabled: bool = False
    std: Positive | None = None
    low: Annotated[float, Field(ge=0.0)] = 0.0
    high: Positive = 1.3
    copies: bool = False

    @model_validator(mode="after")
    def _low_below_high(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low ({self.low:g}) is above high ({self.high:g})")
        return self

    def in_spreads(self, spread: float) -> Self:
        """As strong on images of any grey values as `std` is on those of this spread, in counts.

        Copies, whose sd can be said in counts alone, become noise drawn afresh.
        """
        if self.std is None:
            return self
        ratio = self.std / (DEFAULT_NOISE * spread)
        low = 1.0 if self.copies else self.low
        high = 1.0 if self.copies else self.high
        return self.replace(std=None, low=low * ratio, high=high * ratio, copies=False)

    def switched_on(self, text: str) -> Self:
        """These settings with noise on: `text` is an sd in counts, `low:high`, or "auto"."""
        if text.strip().lower() == "auto":
            return self.replace(enabled=True, std=None)
        try:
            sds = [float(part.replace(",", ".")) for part in text.split(":")]
        except ValueError:
            sds = []
        if len(sds) == 1 and 0 < sds[0] < math.inf:
            return self.replace(enabled=True, std=sds[0])
        if len(sds) == 2 and 0 <= sds[0] <= sds[1] and 0 < sds[1] < math.inf:
            return self.replace(enabled=True, std=sds[1], low=sds[0] / sds[1], high=1.0)
        raise XsegError(
            f"--noise-std {text}: expected a number of counts above 0, a range low:high, or auto."
        )


class TrainConfig(Settings):
    """A recipe: the network, its loss, how it is optimised, what is varied.

    Lengths are pixels, `time_limit` is seconds of training. Without `crop` the
    network sees whole slices. `schedule` "one-cycle" warms up over
    `warmup_steps`, then falls as a cosine to zero at the last step; "plateau"
    divides the learning rate by ten after `patience` validations without a
    better Dice. `keep` says which model stands at the end of a run: the one with
    the best validation Dice, or the last averaged one, which no validation label
    has chosen.
    """

    name: str = "recipe"
    model: ModelConfig = ModelConfig()
    loss: Loss = "ce"
    crop: Annotated[int, Field(ge=8, le=8192)] | None = None
    batch: Annotated[int, Field(ge=1, le=4096)] = 1
    balance: Fraction = 0.0
    optimiser: Literal["adamw", "rmsprop"] = "adamw"
    learning_rate: Positive = 1e-3
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    clip_norm: Positive | None = None
    schedule: Literal["one-cycle", "plateau", "constant"] = "one-cycle"
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    patience: Annotated[int, Field(ge=0)] = 5
    ema: Annotated[float, Field(ge=0.0, lt=1.0)] | None = None
    epochs: Annotated[int, Field(ge=1)] | None = None
    steps: Annotated[int, Field(ge=1)] | None = None
    time_limit: Positive | None = None
    keep: Literal["best", "last"] = "best"
    early_stop: Annotated[int, Field(ge=1)] | None = None
    augment: AugmentConfig = AugmentConfig()
    noise: NoiseConfig = NoiseConfig()

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        given = [key for key in ("epochs", "steps", "time_limit") if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are both given; give one")
        return self

    def with_budget(self, *, steps: int | None = None, time_limit: float | None = None) -> Self:
        """The same recipe with another length; itself where neither is given."""
        if steps is None and time_limit is None:
            return self
        return self.replace(epochs=None, steps=steps, time_limit=time_limit)
