"""What all tests share: one thread each, no window, and the real scans where they are."""

from __future__ import annotations

import os

# Before anything imports torch or matplotlib. With two test processes on two cores a second
# OpenMP thread in each only spins.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "Agg"
# Both bindings are installed: one for qtpy and pytest-qt alike; QT_API=pyside6 takes the other.
os.environ["PYTEST_QT_API"] = os.environ.setdefault("QT_API", "pyqt6")

from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = ROOT.parent / "shared" / "data"

settings.register_profile("xseg", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("xseg")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if REAL_DATA.is_dir():
        return
    skip = pytest.mark.skip(reason="the real scans are not in ../shared/data")
    for item in items:
        if "realdata" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def sample_dir() -> Path:
    """The sample data that the repository holds."""
    return ROOT / "sample_data"


@pytest.fixture(scope="session")
def soc_dir() -> Path:
    """The real labelled scan: `data` and `labels`, 200 slices each; mark the test `realdata`."""
    return REAL_DATA / "soc"


@pytest.fixture(scope="session")
def lis_dir() -> Path:
    """The real scan without labels, six slices; mark the test `realdata`."""
    return REAL_DATA / "lis"
