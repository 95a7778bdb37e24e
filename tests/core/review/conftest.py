from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from napari_xseg.data.classes import ClassSpec, ClassTable
from napari_xseg.data.coding import smallest_unused
from napari_xseg.metrics import IGNORE


@pytest.fixture(scope="session")
def table() -> ClassTable:
    return make_table((0, 128, 255), ("pore", "YSZ", "nickel"))


def make_table(values, names=None):
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    names = names or [f"class {value}" for value in values]
    specs = tuple(
        ClassSpec(name, value, colour)
        for name, value, colour in zip(names, values, colours, strict=False)
    )
    return ClassTable(specs, smallest_unused(values))


@dataclass
class Slices:
    """Index maps in memory that remember which slices were read."""

    planes: np.ndarray
    classes: ClassTable
    name: str = "labels"
    reads: list[int] = field(default_factory=list)

    @property
    def shape(self):
        return self.planes.shape

    def read(self, z):
        self.reads.append(z)
        return self.planes[z]


@pytest.fixture(scope="session")
def make_slices():
    return Slices


@pytest.fixture(scope="session")
def make_classes():
    return make_table


@pytest.fixture(scope="session")
def blobs():
    """Truth of three phases (5, 48, 40) and a prediction with some pixels wrong or missing."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(3)
    field = gaussian_filter(rng.normal(size=(5, 48, 40)), (1, 4, 4))
    low, high = np.quantile(field, (0.3, 0.7))
    truth = (field > low).astype(np.uint8) + (field > high)
    moved = (
        field + 0.15 * field.std() * gaussian_filter(rng.normal(size=field.shape), (0, 2, 2)) * 8
    )
    prediction = (moved > low).astype(np.uint8) + (moved > high)
    truth[:, :3] = IGNORE
    prediction[1, 20:22, 5:9] = IGNORE
    return truth, prediction


@pytest.fixture(scope="session")
def finish():
    """Run a job to its end: what it returns, and its events."""

    def run(job):
        events = []
        while True:
            try:
                events.append(next(job))
            except StopIteration as stop:
                return stop.value, events

    return run
