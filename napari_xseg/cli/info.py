"""`napari-xseg info`: what a path holds: images, labels, a mask or a model."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_xseg.cli import options
from napari_xseg.cli.console import Console
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from napari_xseg.data.labels import LabelVolume
    from napari_xseg.data.volume import RawSpec, Volume

# More different values than this in three slices are grey values.
MOST_CLASSES = 16
_MODEL_SUFFIX = ".safetensors"


class Meaning(StrEnum):
    """What the values of a file mean."""

    AUTO = "auto"
    IMAGES = "images"
    LABELS = "labels"


def info(
    path: Annotated[
        str,
        typer.Argument(help="Images, labels, a mask, a run folder or a model.", show_default=False),
    ],
    meaning: Annotated[
        Meaning, typer.Option("--as", help="Whether the values are grey or labels.")
    ] = Meaning.AUTO,
    classes: options.Classes = None,
    unlabelled: options.Unlabelled = None,
    raw: options.Raw = None,
) -> None:
    """Say what a path holds.

    Images: sizes, types, voxels, grey values. Labels and masks: classes with their
    pixels. Models: classes, settings and figures.
    """
    console = Console()
    if path.endswith(_MODEL_SUFFIX) or (Path(path) / f"model{_MODEL_SUFFIX}").exists():
        _show_model(path, console)
        return
    from napari_xseg.cli.sources import open_classes, parse_raw, read_mask_facts
    from napari_xseg.data.formats.opening import split_path
    from napari_xseg.data.volume import list_datasets

    spec = parse_raw(raw)
    datasets = list_datasets(path) if spec is None else ()
    if len(datasets) > 1 and split_path(path)[1] is None:
        console.table(("dataset",), [(f"{path}:{name}",) for name in datasets], title="Datasets")
        return
    facts = read_mask_facts(path)
    if facts is not None:
        _show_labels(_open(path, spec, Meaning.LABELS), console, facts.classes, unlabelled, facts)
        return
    volume = _open(path, spec, meaning)
    if meaning is Meaning.LABELS or (meaning is Meaning.AUTO and _looks_like_labels(volume)):
        labels = _open(path, spec, Meaning.LABELS)
        _show_labels(labels, console, open_classes(classes), unlabelled, None)
    else:
        _show_images(volume, console)


def _open(path: str, spec: "RawSpec | None", meaning: Meaning) -> "Volume":
    from napari_xseg.data.volume import open_label_volume, open_volume

    if meaning is Meaning.LABELS:
        return open_label_volume(path, raw=spec)
    try:
        return open_volume(path, raw=spec)
    except XsegError:
        if meaning is Meaning.IMAGES:
            raise
        colours = open_label_volume(path, raw=spec)
        if not _looks_like_labels(colours):
            raise
        return colours


def _looks_like_labels(volume: "Volume") -> bool:
    import numpy as np

    if volume.dtype.kind not in "iu":
        return False
    values: set[int] = set()
    for z in sorted({0, len(volume) // 2, len(volume) - 1}):
        values.update(np.unique(volume.read(z)).tolist())
    return len(values) <= MOST_CLASSES


def _show_shape(volume: "Volume", kind: str, console: Console) -> None:
    depth, height, width = volume.shape
    console.result(f"{volume.uri}: {kind}")
    rows = [
        ("slices", f"{depth} of {height} x {width} pixels (y, x)"),
        ("type", f"{volume.dtype}, {volume.dtype.itemsize * depth * height * width / 1e6:,.1f} MB"),
        ("voxel size", _voxels(volume)),
        ("neighbours", _neighbours(volume)),
        ("first, last", f"{volume.slice_names[0]}, {volume.slice_names[-1]}"),
    ]
    console.table(("", ""), rows, title="Volume")
    for text in volume.warnings:
        console.warn(text)


def _voxels(volume: "Volume") -> str:
    size = volume.voxel_size
    if size is None:
        return "not given"
    return f"{size.z:g} x {size.y:g} x {size.x:g} {size.unit} (z, y, x)"


def _neighbours(volume: "Volume") -> str:
    if not volume.has_neighbours:
        return "none: single images, each by itself"
    last = range(len(volume) - 1)
    breaks = [z + 1 for z in last if volume.neighbour(z, 1) == z]
    if not breaks:
        return "all slices lie beside each other"
    shown = ", ".join(map(str, breaks[:8])) + (", ..." if len(breaks) > 8 else "")
    return f"the row is broken before slice {shown}, where numbers are missing"


def _show_images(volume: "Volume", console: Console) -> None:
    import numpy as np

    _show_shape(volume, "images", console)
    z = len(volume) // 2
    plane = volume.read(z)
    known = plane[np.isfinite(plane)].astype(np.float64)
    rows = [("finite pixels", f"{100 * known.size / plane.size:.1f} %")]
    if known.size:
        rows += [
            ("lowest, highest", f"{known.min():g}, {known.max():g}"),
            ("mean, sd", f"{known.mean():g}, {known.std():g}"),
        ]
    console.table(("", ""), rows, title=f"Grey values of slice {z}")


def _show_labels(
    volume: "Volume", console: Console, table: Any, unlabelled: str | None, facts: Any
) -> None:
    from napari_xseg.cli.sources import show_classes
    from napari_xseg.data.slices import format_slices

    _show_shape(volume, "labels" if facts is None else "a predicted mask", console)
    labels = _read_labels(volume, table, unlabelled, console, mask=facts is not None)
    show_classes(console, labels, range(len(labels)))
    if facts is None:
        console.result(f"\nlabelled slices: {format_slices(labels.labelled) or 'none'}")
    else:
        rows = [("model", facts.model), ("slices of the images", format_slices(facts.slices))]
        console.table(("", ""), rows, title="Made with")


def _read_labels(
    volume: "Volume", table: Any, unlabelled: str | None, console: Console, *, mask: bool
) -> "LabelVolume":
    from napari_xseg.data.labels import label_volume, parse_unlabelled

    value = None if unlabelled is None else parse_unlabelled(unlabelled)
    try:
        return label_volume(volume, classes=table, unlabelled=value, masks=mask)
    except XsegError as error:
        if table is not None or value is not None:
            raise
        labels = label_volume(volume, unlabelled="none")
        console.warn(str(error))
        return labels


def _show_model(path: str, console: Console) -> None:
    from napari_xseg.data.classes import ClassTable
    from napari_xseg.data.colours import hex_colour
    from napari_xseg.model.checkpoint import find_model, read_metadata

    metadata = read_metadata(path)
    console.result(f"{find_model(path)}: a model")
    table = ClassTable.from_dict(metadata.get("classes", {}), str(path))
    rows = [(c.name, str(c.value), hex_colour(c.colour)) for c in table.classes]
    rows.append(("unlabelled", str(table.unlabelled), ""))
    console.table(("class", "value", "colour"), rows, title="Classes")
    others = {key: value for key, value in metadata.items() if key != "classes"}
    console.table(("", ""), list(_flat(others)), title="Settings")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", f"{value:.6g}" if isinstance(value, float) else str(value)
