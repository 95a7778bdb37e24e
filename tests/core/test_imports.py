from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import napari_xseg

PACKAGE = Path(napari_xseg.__file__).parent
GUI_PACKAGES = ("napari", "qtpy", "superqt", "magicgui", "pyqtgraph")
TORCH_ROOMS = ("model", "training", "prediction", "data/augment")
# Each of these takes a tenth of a second or more, or brings in something that does.
HEAVY = ("torch", "scipy", "zarr", "h5py", "matplotlib", "dask", "jinja2", "imagecodecs")

BLOCK = """
import importlib, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocker())
for name in {modules!r}:
    try:
        importlib.import_module(name)
    except ImportError as error:
        sys.exit(name + ": " + str(error))
"""


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def core_files() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if "gui" not in path.parts]


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def loaded_after(code: str) -> set[str]:
    result = run_python(f"{code}\nimport sys\nprint(*sys.modules)")
    assert result.returncode == 0, result.stderr
    return {name.partition(".")[0] for name in result.stdout.split()}


def top_level_imports(path: Path) -> set[str]:
    """Packages that importing the file imports: its module level, TYPE_CHECKING left out."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
        waiting.extend(ast.iter_child_nodes(node))
    return found


def test_core_imports_without_gui_packages_and_says_nothing() -> None:
    modules = [module_name(path) for path in core_files() if path.stem != "__main__"]
    result = run_python(BLOCK.format(blocked=GUI_PACKAGES, modules=modules))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_blocker_blocks() -> None:
    result = run_python(BLOCK.format(blocked=("fractions",), modules=["fractions"]))
    assert result.returncode == 1
    assert "fractions is blocked" in result.stderr


@pytest.mark.parametrize("module", ["napari_xseg", "napari_xseg.cli", "napari_xseg.config"])
def test_cheap_modules_load_nothing_heavy(module: str) -> None:
    assert loaded_after(f"import {module}").isdisjoint({*HEAVY, *GUI_PACKAGES})


def test_only_the_rooms_that_compute_import_torch_at_module_level() -> None:
    rooms = tuple(str(Path(room)) for room in TORCH_ROOMS)
    elsewhere = [
        str(path.relative_to(PACKAGE))
        for path in core_files()
        if "torch" in top_level_imports(path)
        and not str(path.relative_to(PACKAGE)).startswith(rooms)
    ]
    assert elsewhere == []


def test_reading_data_loads_no_torch() -> None:
    modules = "labels, pairing, phantom, sample, split, volume"
    assert "torch" not in loaded_after(f"from napari_xseg.data import {modules}")


def test_sample_data_for_the_viewer_needs_no_torch_and_no_viewer() -> None:
    loaded = loaded_after("from napari_xseg.gui import sample_data")
    assert loaded.isdisjoint({"torch", *GUI_PACKAGES})


@pytest.mark.parametrize("name", napari_xseg.__all__)
def test_public_names_resolve(name: str) -> None:
    assert callable(getattr(napari_xseg, name))
    assert name in dir(napari_xseg)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'elsewhere'"):
        _ = napari_xseg.elsewhere
