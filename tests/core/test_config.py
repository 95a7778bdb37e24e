from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_xseg.config import AugmentConfig, ModelConfig, NoiseConfig, TrainConfig, read_toml
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path

fractions = st.floats(0, 1)
positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
not_negative = st.floats(min_value=0, allow_infinity=False)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def model_configs(draw: st.DrawFn) -> ModelConfig:
    depth = draw(st.integers(1, 8))
    widths = st.lists(st.integers(1, 4096), min_size=depth, max_size=depth).map(tuple)
    return ModelConfig(
        width=draw(st.integers(1, 1024)),
        depth=depth,
        widths=draw(st.none() | widths),
        context=draw(st.integers(0, 16)),
        channels=draw(st.integers(1, 64)),
        patch=draw(st.sampled_from([1, 2, 4])),
        classes=draw(st.integers(2, 254)),
        padding=draw(st.sampled_from(["same", "valid"])),
        upsampling=draw(st.sampled_from(["transposed", "bilinear"])),
    )


augment_configs = st.builds(
    AugmentConfig,
    turns=st.booleans(),
    reverse_context=st.booleans(),
    context_drop=fractions,
    gain=fractions,
    offset=fractions,
)
noise_configs = st.builds(
    NoiseConfig,
    enabled=st.booleans(),
    std=st.none() | positive,
    low=fractions,
    high=st.floats(1, 5),
    copies=st.booleans(),
)
budgets = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"epochs": st.integers(1, 10**6)}),
    st.fixed_dictionaries({"steps": st.integers(1, 10**9)}),
    st.fixed_dictionaries({"time_limit": positive}),
)


@st.composite
def recipes(draw: st.DrawFn) -> TrainConfig:
    return TrainConfig(
        name=draw(names),
        model=draw(model_configs()),
        loss=draw(st.sampled_from(["ce", "dice", "dl2", "ce+dice", "ce+dl2"])),
        crop=draw(st.none() | st.integers(8, 8192)),
        batch=draw(st.integers(1, 4096)),
        balance=draw(fractions),
        optimiser=draw(st.sampled_from(["adamw", "rmsprop"])),
        learning_rate=draw(positive),
        weight_decay=draw(not_negative),
        momentum=draw(st.floats(0, 1, exclude_max=True)),
        clip_norm=draw(st.none() | positive),
        schedule=draw(st.sampled_from(["one-cycle", "plateau", "constant"])),
        warmup_steps=draw(st.integers(0, 10**6)),
        patience=draw(st.integers(0, 100)),
        ema=draw(st.none() | st.floats(0, 1, exclude_max=True)),
        keep=draw(st.sampled_from(["best", "last"])),
        early_stop=draw(st.none() | st.integers(1, 100)),
        augment=draw(augment_configs),
        noise=draw(noise_configs),
        **draw(budgets),
    )


@given(recipes())
def test_a_recipe_survives_toml(tmp_path_factory: pytest.TempPathFactory, recipe: TrainConfig):
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(recipe.to_toml(), encoding="utf-8")
    assert TrainConfig.from_toml(path) == recipe


@given(recipes())
def test_a_recipe_survives_a_dict(recipe: TrainConfig) -> None:
    assert TrainConfig.from_dict(recipe.model_dump()) == recipe
    assert TrainConfig.from_dict(recipe.model_dump(mode="json")) == recipe
    assert recipe.replace() == recipe


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        TrainConfig().batch = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('rate = 1\nname = "x"', "rate: "),
        ("[model]\nwith = 8", "model.with: "),
        ("[noise]\nsd = 1", "noise.sd: "),
        ('loss = "hinge"', "loss: "),
        ("crop = 0", "crop: "),
        ("crop = 64.5", "crop: "),
        ("batch = -1", "batch: "),
        ("learning_rate = nan", "learning_rate: "),
        ("learning_rate = inf", "learning_rate: "),
        ("time_limit = inf", "time_limit: "),
        ("weight_decay = inf", "weight_decay: "),
        ("ema = 1.0", "ema: "),
        ("[model]\npatch = 3", "model.patch: "),
        ("[model]\nclasses = 255", "model.classes: "),
        ("[model]\nclasses = 1", "model.classes: "),
        ("[model]\ndepth = 3\nwidths = [4, 8]", "widths lists 2 levels, depth is 3"),
        ("[noise]\nlow = 2.0\nhigh = 1.0", "low (2) is above high (1)"),
        ("steps = 3\nepochs = 4", "epochs and steps are both given"),
        ("model = 3", "model: "),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_sentence(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(XsegError) as caught:
        TrainConfig.from_toml(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert complaint in said
    assert "\n" not in said
    assert "pydantic" not in said


@pytest.mark.parametrize(
    "content", [b"not toml at all", b"a = [", b"\xff\xfe\x00", b"a = 1\na = 2"]
)
def test_what_is_not_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(XsegError, match="is not a TOML file") as caught:
        read_toml(path)
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_of_an_editor_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("batch = 3", encoding="utf-8-sig")
    assert TrainConfig.from_toml(path).batch == 3


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(XsegError, match=r"none\.toml: cannot be read"):
        TrainConfig.from_toml(tmp_path / "none.toml")
    with pytest.raises(XsegError, match="cannot be read"):
        TrainConfig.from_toml(tmp_path)


def test_widths_of_levels() -> None:
    assert ModelConfig(width=64, depth=5).level_widths == (64, 128, 256, 512, 1024)
    assert ModelConfig(depth=2, widths=(5, 7)).level_widths == (5, 7)
    assert ModelConfig(context=2, channels=3).input_channels == 15


@pytest.mark.parametrize("kept", [{"epochs": 3}, {"steps": 3}, {"time_limit": 3.0}, {}])
def test_a_budget_takes_the_place_of_the_recipes(kept: dict[str, Any]) -> None:
    recipe = TrainConfig(**kept)
    assert recipe.with_budget() == recipe
    by_steps = recipe.with_budget(steps=7)
    assert (by_steps.epochs, by_steps.steps, by_steps.time_limit) == (None, 7, None)
    by_time = recipe.with_budget(time_limit=7)
    assert (by_time.epochs, by_time.steps, by_time.time_limit) == (None, None, 7)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"time_limit": 0}, {"time_limit": float("inf")}])
def test_a_budget_of_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(XsegError, match=next(iter(wrong))):
        TrainConfig().with_budget(**wrong)


@pytest.mark.parametrize(
    ("text", "std", "low", "high"),
    [
        ("5000", 5000, 0.25, 2.0),
        ("5000,5", 5000.5, 0.25, 2.0),
        (" 12.5 ", 12.5, 0.25, 2.0),
        ("1e3", 1000, 0.25, 2.0),
        ("auto", None, 0.25, 2.0),
        ("Auto ", None, 0.25, 2.0),
        ("0:4000", 4000, 0.0, 1.0),
        ("1000:4000", 4000, 0.25, 1.0),
        ("4000:4000", 4000, 1.0, 1.0),
    ],
)
def test_the_noise_toggle(text: str, std: float | None, low: float, high: float) -> None:
    noise = NoiseConfig(low=0.25, high=2.0, copies=True).switched_on(text)
    assert noise == NoiseConfig(enabled=True, std=std, low=low, high=high, copies=True)


@pytest.mark.parametrize(
    "text", ["", "0", "-3", "nan", "abc", "5000:1000", "0:0", "-1:5", "1:2:3", ":", "1:nan", "inf"]
)
def test_noise_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(XsegError) as caught:
        NoiseConfig().switched_on(text)
    assert "\n" not in str(caught.value)
