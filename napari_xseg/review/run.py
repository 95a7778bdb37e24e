"""Score masks and write everything about their mistakes, in one pass over the files."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_xseg.errors import XsegError
from napari_xseg.review import figures
from napari_xseg.review.border import check_border
from napari_xseg.review.canvas import save_figure
from napari_xseg.review.evaluation import Evaluation, Visitor, evaluate_volumes
from napari_xseg.review.figures import SliceView
from napari_xseg.review.matching import IndexMaps, match
from napari_xseg.review.mistakes import MistakeFinder, Mistakes, mistakes_writer
from napari_xseg.review.report import pick_slices

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.data.labels import Masked
    from napari_xseg.data.volume import VoxelSize
    from napari_xseg.events import Event

Pairs = Sequence[tuple[int, int]]

_FOLDER_FILES = (
    *("evaluation.json", "evaluation.csv", "mistakes.tif", "mistakes.csv", "confusion.png"),
    *("dice.png", "fractions.png"),
    *("figure6_best.png", "figure6_median.png", "figure6_worst.png"),
)


@dataclass(frozen=True, eq=False, slots=True)
class Targets:
    """Where a review is written; None is not written.

    Parameters
    ----------
    json, csv : Path, optional
        All figures; one row a slice.
    folder : Path, optional
        Gets `evaluation.json`, `evaluation.csv`, `mistakes.tif` (a page for each
        scored slice, in their order), `mistakes.csv` and the pictures.
    overwrite : bool
        Replace what is there; otherwise it raises XsegError before work starts.
    """

    json: Path | None = None
    csv: Path | None = None
    folder: Path | None = None
    overwrite: bool = False

    def check(self, inputs: Sequence[Path] = ()) -> None:
        """Raise XsegError where something stands and may not be replaced, or cannot be written."""
        from napari_xseg.data.writing import check_output

        folder = None if self.folder is None else self.folder.resolve()
        if folder is not None and any(path.resolve().parent == folder for path in inputs):
            raise XsegError(f"{self.folder}: holds what is scored; give another folder.")
        wanted = [path for path in (self.json, self.csv) if path is not None]
        if self.folder is not None and self.folder.is_dir():
            wanted += [self.folder / name for name in _FOLDER_FILES]
        for path in wanted:
            check_output(path, overwrite=self.overwrite, inputs=inputs)
        if self.json is not None and self.json == self.csv:
            raise XsegError(f"{self.json}: is named for JSON and CSV; give two files.")


@dataclass(frozen=True, eq=False, slots=True)
class Review:
    """Scores, the connected mistakes where a folder was asked for, and all files written."""

    evaluation: Evaluation
    mistakes: Mistakes | None
    files: tuple[Path, ...]


def review_volumes(
    masks: IndexMaps,
    labels: IndexMaps,
    pairs: Pairs,
    targets: Targets,
    *,
    border: int = 2,
    region: Masked | None = None,
    voxel_size: VoxelSize | None = None,
    across_slices: bool = False,
) -> Generator[Event, None, Review]:
    """Score masks against labels and write the `targets`: events, then the `Review`.

    Parameters are those of `evaluate_volumes`; `voxel_size` goes into the
    mistakes volume where the slices follow each other, and `across_slices`
    joins mistakes of consecutive slices.

    Raises
    ------
    XsegError
        As `evaluate_volumes`; also for targets that exist or cannot be written.
    """
    targets.check()
    check_border(border)
    classes, _ = match(masks, labels, pairs)
    finder = MistakeFinder(classes, border, across_slices=across_slices)
    with ExitStack() as stack:
        visitors: list[Visitor] = []
        if targets.folder is not None:
            path = stack.enter_context(_made(targets.folder)) / "mistakes.tif"
            shape = (len(pairs), *labels.shape[1:])
            size = voxel_size if _consecutive(pairs) else None
            write = mistakes_writer(
                path, shape, classes, voxel_size=size, overwrite=targets.overwrite
            )
            visitors = [finder.visit, stack.enter_context(write)]
        evaluation = yield from evaluate_volumes(
            masks, labels, pairs, border=border, region=region, visitors=visitors
        )
    files = _write_figures(evaluation, targets)
    if targets.folder is None:
        return Review(evaluation, None, tuple(files))
    mistakes = finder.mistakes()
    mistakes.write_csv(targets.folder / "mistakes.csv")
    files += [targets.folder / "mistakes.tif", targets.folder / "mistakes.csv"]
    views = read_views(masks, labels, pairs, evaluation, region)
    files += save_pictures(targets.folder, evaluation, views)
    return Review(evaluation, mistakes, tuple(files))


def read_views(
    masks: IndexMaps,
    labels: IndexMaps,
    pairs: Pairs,
    evaluation: Evaluation,
    region: Masked | None = None,
) -> dict[str, SliceView]:
    """Read the best, median and worst slice of an evaluation again, to be looked at."""
    wanted = pick_slices(evaluation)
    chosen = [pair for pair in pairs if pair[1] in wanted.values()]
    if not chosen:
        return {}
    read = {z: (truth, mask) for z, truth, mask in match(masks, labels, chosen, region)[1]}
    return {
        name: SliceView(z, prediction=read[z][1], truth=read[z][0]) for name, z in wanted.items()
    }


def save_pictures(
    folder: Path, evaluation: Evaluation, views: dict[str, SliceView]
) -> tuple[Path, ...]:
    """Save the pictures of a review as PNG: confusion, figures along z, figure 6 of each view."""
    drawn = {"confusion.png": figures.confusion_map(evaluation.pooled, evaluation.classes)}
    if len(evaluation.slices) > 1:
        drawn["dice.png"] = figures.dice_along_z(evaluation)
        drawn["fractions.png"] = figures.scored_fractions(evaluation)
    for name, view in views.items():
        drawn[f"figure6_{name}.png"] = figures.figure_six(view, evaluation.classes)
    for name, figure in drawn.items():
        save_figure(figure, folder / name)
    return tuple(folder / name for name in drawn)


def _write_figures(evaluation: Evaluation, targets: Targets) -> list[Path]:
    from napari_xseg.data.writing import write_atomic

    folder = targets.folder
    files = [
        (targets.json, evaluation.to_json()),
        (targets.csv, evaluation.to_csv()),
        (folder and folder / "evaluation.json", evaluation.to_json()),
        (folder and folder / "evaluation.csv", evaluation.to_csv()),
    ]
    for path, text in files:
        if path is not None:
            write_atomic(path, text)
    return [path for path, _ in files if path is not None]


@contextmanager
def _made(folder: Path) -> Iterator[Path]:
    """Make `folder`; take it away again where it was new and the work in it fails."""
    fresh = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise XsegError(
            f"{folder}: cannot be made ({error.strerror}); choose a folder you may write to."
        ) from error
    try:
        yield folder
    except BaseException:
        if fresh:
            with suppress(OSError):
                folder.rmdir()
        raise


def _consecutive(pairs: Pairs) -> bool:
    z = [label_z for _, label_z in pairs]
    return z == list(range(z[0], z[0] + len(z)))
