from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from napari_xseg.config import AugmentConfig, ModelConfig, NoiseConfig, TrainConfig
from napari_xseg.errors import XsegError
from napari_xseg.training.recipes import RECIPES, load_recipe, recipe_text

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", RECIPES)
def test_the_package_s_recipes_load(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert any(value is not None for value in (recipe.epochs, recipe.steps, recipe.time_limit))
    assert not recipe.noise.enabled
    assert TrainConfig.from_dict(tomllib.loads(recipe_text(name))) == recipe


def test_the_poster_s_recipe_is_the_poster_s() -> None:
    assert load_recipe("poster") == TrainConfig(
        name="poster",
        model=ModelConfig(
            width=64, depth=5, context=0, padding="valid", upsampling="transposed", patch=1
        ),
        loss="ce+dl2",
        crop=None,
        batch=1,
        balance=0.0,
        optimiser="rmsprop",
        learning_rate=1e-5,
        weight_decay=1e-8,
        momentum=0.999,
        clip_norm=1.0,
        schedule="plateau",
        patience=5,
        ema=None,
        epochs=200,
        keep="best",
        early_stop=None,
        augment=AugmentConfig(turns=False, reverse_context=False, context_drop=0, gain=0, offset=0),
        noise=NoiseConfig(copies=True),
    )


def test_the_quick_recipe_keeps_what_no_validation_label_has_chosen() -> None:
    quick = load_recipe("quick")
    assert quick.keep == "last"
    assert quick.early_stop is None
    assert quick.schedule != "plateau"
    assert quick.augment.context_drop > 0 or quick.model.context == 0


def test_a_copied_recipe_can_be_edited(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(recipe_text("quick").replace("crop = 64", "crop = 96"), encoding="utf-8")
    assert load_recipe(path).crop == 96
    assert load_recipe(str(path)) == load_recipe("quick").replace(crop=96)


def test_what_is_no_recipe_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("fast", "", "Poster", "poster.txt"):
        with pytest.raises(XsegError, match=r"expected quick or poster, or a \.toml file"):
            load_recipe(name)
    with pytest.raises(XsegError, match="cannot be read"):
        load_recipe("none.toml")
    with pytest.raises(XsegError, match="is not known"):
        recipe_text("../config")
    (tmp_path / "wrong.toml").write_text("croop = 3", encoding="utf-8")
    with pytest.raises(XsegError, match=r"wrong\.toml: croop"):
        load_recipe("wrong.toml")
