"""Recipes that come with the package, and those that users write."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from napari_xseg.config import TrainConfig
from napari_xseg.errors import XsegError

RECIPES = ("quick", "poster")


def recipe_text(name: str) -> str:
    """The TOML of the recipe `name`, to be copied and edited; XsegError where there is none."""
    if name not in RECIPES:
        raise XsegError(f"recipe {name}: is not known; expected one of {', '.join(RECIPES)}.")
    folder = resources.files("napari_xseg") / "recipes"
    return (folder / f"{name}.toml").read_text(encoding="utf-8")


def load_recipe(name_or_path: str | Path) -> TrainConfig:
    """The recipe of that name, or the one in a TOML file.

    Raises
    ------
    XsegError
        Neither; or the file has an unknown key or a value that does not fit.
    """
    if str(name_or_path) in RECIPES:
        with resources.as_file(resources.files("napari_xseg") / "recipes") as folder:
            return TrainConfig.from_toml(folder / f"{name_or_path}.toml")
    path = Path(name_or_path).expanduser()
    if path.suffix.lower() != ".toml" and not path.is_file():
        raise XsegError(
            f"recipe {name_or_path}: is not known; expected {' or '.join(RECIPES)}, "
            "or a .toml file."
        )
    return TrainConfig.from_toml(path)
