"""Build the wheel, install it into a fresh environment without a GUI, and use it there.

    python tools/wheel_check.py

Runs sample, train, predict and evaluate with the installed command, from
outside the checkout. Needs the packages of the `dev` extra.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
NEEDED = [
    "napari_xseg/napari.yaml",
    "napari_xseg/py.typed",
    "napari_xseg/recipes/poster.toml",
    "napari_xseg/recipes/quick.toml",
    "napari_xseg/review/templates/report.html",
]
ABSENT = ("napari", "PyQt5", "PyQt6", "PySide6", "pytest")
STEPS = 60
TRAINED = (3, 11, 19, 27, 35)
LEAST_DICE = 0.90


def run(*command: object, folder: pathlib.Path) -> None:
    """Run `command` in `folder`; stop with its exit code where it fails."""
    words = [str(part) for part in command]
    print("$", " ".join(words), flush=True)
    code = subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL).returncode
    if code:
        sys.exit(f"wheel check: exit code {code} from {words[0]}")


def build(folder: pathlib.Path) -> pathlib.Path:
    """Build the wheel of this checkout into `folder`."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    run(*command, "--outdir", folder, ROOT, folder=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def check_content(wheel: pathlib.Path) -> None:
    """Stop where the wheel lacks a file that the package reads, or holds what is not of it."""
    names = zipfile.ZipFile(wheel).namelist()
    missing = [name for name in NEEDED if name not in names]
    strange = [name for name in names if not name.startswith(("napari_xseg/", "napari_xseg-"))]
    if missing or strange:
        sys.exit(f"wheel check: the wheel lacks {missing} and should not hold {strange}")


def install(wheel: pathlib.Path, venv: pathlib.Path) -> pathlib.Path:
    """Install the wheel into the new environment `venv`; return its folder of commands."""
    run(sys.executable, "-m", "venv", venv, folder=venv.parent)
    commands = venv / ("Scripts" if os.name == "nt" else "bin")
    pip = [commands / "python", "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    run(*pip, "--constraint", ROOT / "constraints.txt", wheel, folder=venv.parent)
    look = f"import importlib.util as u; assert not any(map(u.find_spec, {ABSENT}))"
    run(commands / "python", "-c", look, folder=venv.parent)
    return commands


def use(commands: pathlib.Path, folder: pathlib.Path) -> None:
    """Train, predict and evaluate on the sample with the installed command."""
    xseg = commands / "napari-xseg"
    run(xseg, "--help", folder=folder)
    run(xseg, "sample", "sample", folder=folder)
    images, labels = ("--images", "sample/images"), ("--labels", "sample/labels")
    slices = ",".join(map(str, TRAINED))
    limits = ("--train-slices", slices, "--steps", STEPS, "--seed", 0)
    run(xseg, "train", *images, *labels, *limits, "--out", "run", folder=folder)
    run(xseg, "predict", "--model", "run", *images, "--out", "mask.tif", folder=folder)
    run(xseg, "evaluate", "--masks", "mask.tif", *labels, "--json", "figures.json", folder=folder)
    pooled = json.loads((folder / "figures.json").read_text(encoding="utf-8"))["pooled"]
    if not pooled["dice_foreground"] >= LEAST_DICE:
        sys.exit(f"wheel check: foreground Dice {pooled['dice_foreground']} after {STEPS} steps")


def main() -> None:
    """Build, look inside, install, use."""
    with tempfile.TemporaryDirectory(prefix="wheel-") as name:
        folder = pathlib.Path(name)
        wheel = build(folder)
        check_content(wheel)
        use(install(wheel, folder / "venv"), folder)
    print(f"wheel check: {wheel.name} installs and works without a GUI")


if __name__ == "__main__":
    main()
