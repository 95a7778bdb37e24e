from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_xseg.review.scoring.plan import Plan
from napari_xseg.review.scoring.store import ScoreFile
from napari_xseg.review.scoring.values import MaskRef, Score, Session, VolumeRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VOLUME = VolumeRef("scan.tif", "scan", (12, 40, 50), "f" * 64)
MASKS = tuple(
    MaskRef(f"{name}.tif", name, digit * 64, tuple(range(12)), f"model {digit}")
    for name, digit in (("quick", "1"), ("poster", "2"))
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project's `reviews`, not made yet."""
    return tmp_path / "reviews"


@pytest.fixture
def open_file(folder: Path) -> Iterator[Callable[..., ScoreFile]]:
    """Open a reviewer's file; all are closed at the end."""
    opened: list[ScoreFile] = []

    def open_one(reviewer: str = "anna", where: Path = folder) -> ScoreFile:
        opened.append(ScoreFile.open(where, reviewer))
        return opened[-1]

    yield open_one
    for file in opened:
        file.close()


@pytest.fixture
def file(open_file: Callable[..., ScoreFile]) -> ScoreFile:
    return open_file()


@pytest.fixture
def session(file: ScoreFile) -> Session:
    """Twelve slices of one mask."""
    return file.new_session(VOLUME, MASKS[:1], Plan())


@pytest.fixture
def volume() -> VolumeRef:
    return VOLUME


@pytest.fixture
def masks() -> tuple[MaskRef, ...]:
    return MASKS


@pytest.fixture
def fill() -> Callable[..., Session]:
    """Begin a session and score its items in order; None leaves one out."""

    def run(file: ScoreFile, scores: list[int | None], **options: object) -> Session:
        plan = options.pop("plan", Plan())
        masks = options.pop("masks", MASKS[:1])
        made = file.new_session(VOLUME, masks, plan, **options)  # type: ignore[arg-type]
        for item, score in zip(made.items, scores, strict=False):
            if score is not None:
                file.keep(made.uid, item.number, Score(score))
        return made

    return run
