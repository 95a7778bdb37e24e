"""Zarr 2 and 3: an array, a group with one, or OME-Zarr at full resolution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.formats.layout import Layout
from napari_xseg.data.formats.source import (
    Array,
    Palette,
    Source,
    VoxelSize,
    convert_length,
    physical_unit,
    reading,
    stack_source,
    voxel_size,
)
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path

_METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs")


@dataclass(frozen=True)
class _Candidate:
    """An array, with what the OME metadata of its group say of it."""

    name: str
    array: Any
    axes: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    scale: tuple[float, ...] = ()
    colours: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)


def is_zarr(path: Path) -> bool:
    """Say whether the folder `path` is a Zarr array or group."""
    return any((path / name).is_file() for name in _METADATA)


def open_zarr(path: Path, dataset: str | None) -> Source:
    """Open an array of a Zarr store.

    Parameters
    ----------
    path
        Folder of an array or a group.
    dataset
        Path of an array or group within it. By default the image of OME metadata
        at full resolution, else the only array that is a stack, else an image.

    Raises
    ------
    XsegError
        Where nothing, or more than one array, fits; the choices are listed.
    """
    import zarr

    with reading(path, "Zarr"):
        node: Any = zarr.open(path, mode="r")
        if dataset:
            node = _inner(node, path, dataset)
        found = _choose(node, path, path / node.path)
    return _source(path, found, dataset)


def list_zarr(path: Path) -> tuple[str, ...]:
    """List the arrays of a store that are stacks or images."""
    import zarr

    with reading(path, "Zarr"):
        return tuple(item.name for item in _candidates(zarr.open(path, mode="r"), path))


def _source(path: Path, found: _Candidate, dataset: str | None) -> Source:
    array = found.array
    name = f"/{array.path}" if array.path and dataset else None
    where = f"{path}:{name}" if name else str(path)
    stored = tuple(map(int, array.shape))
    layout = (
        Layout.named(stored, found.axes, where)
        if found.axes
        else Layout.guess(stored, array.dtype, where)
    )
    shape = layout.shape(stored)
    chunks = getattr(array, "shards", None) or array.chunks
    return stack_source(
        path,
        shape,
        np.dtype(array.dtype),
        partial(_read, where, array, layout),
        dataset=name,
        list_files=partial(_files, path / array.path),
        colour=layout.samples is not None,
        palette=_palette(found.colours),
        voxel_size=_voxel_size(found, layout),
        chunk_depth=1 if layout.z is None else min(int(chunks[layout.z]), shape[0]),
        read_block=partial(_read_block, where, array, layout),
    )


def _read(where: str, array: Any, layout: Layout, z: int) -> Array:
    with reading(f"{where}, slice {z}", "Zarr"):
        return layout.take(array, z)


def _read_block(where: str, array: Any, layout: Layout, start: int, stop: int) -> Array:
    with reading(f"{where}, slices {start}:{stop}", "Zarr"):
        return layout.take_block(array, start, stop)


def _files(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in folder.rglob("*") if path.is_file()))


def _inner(node: Any, path: Path, dataset: str) -> Any:
    inner = dataset.strip("/")
    if not inner:
        return node
    if not hasattr(node, "get") or node.get(inner) is None:
        choices = _choices(path, list(_candidates(node, path)))
        raise XsegError(f"{path}: holds no {dataset}; {choices}.")
    return node[inner]


def _choose(node: Any, path: Path, folder: Path) -> _Candidate:
    found = list(_candidates(node, folder))
    for deep in (3, 2):
        fitting = [item for item in found if _stacked(item.array.shape) == deep]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            break
    if len(found) == 1:
        return found[0]
    raise XsegError(f"{path}: {_choices(path, found)}.")


def _choices(path: Path, found: list[_Candidate]) -> str:
    if not found:
        return "holds no array that is a stack (z, y, x) or an image of numbers; give another"
    listed = ", ".join(f"{item.name} {item.array.shape} {item.array.dtype}" for item in found[:12])
    return f"choose one of its arrays, as {path}:{found[0].name}: {listed}"


def _stacked(shape: tuple[int, ...]) -> int:
    return 2 + sum(size > 1 for size in shape[:-2])


def _candidates(node: Any, folder: Path) -> Iterator[_Candidate]:
    if not hasattr(node, "arrays"):
        yield _Candidate(f"/{node.path}", node)
        return
    ome = node.attrs.get("ome", node.attrs)
    scales = ome.get("multiscales") if isinstance(ome, Mapping) else None
    if scales:
        yield _full_resolution(node, scales[0], ome)
        return
    # Zarr's own listing warns of every file beside that is none of its own.
    for name in sorted(child.name for child in folder.iterdir() if is_zarr(child)):
        inner = node[name]
        if hasattr(inner, "arrays"):
            yield from _candidates(inner, folder / name)
        elif _is_image(inner):
            yield _Candidate(f"/{inner.path}", inner)


def _is_image(array: Any) -> bool:
    numeric = np.dtype(array.dtype).kind in "buif"
    return numeric and len(array.shape) >= 2 and min(array.shape) > 0


def _full_resolution(group: Any, scales: Mapping[str, Any], ome: Mapping[str, Any]) -> _Candidate:
    first = scales["datasets"][0]
    array = group[first["path"]]
    axes = [
        axis if isinstance(axis, Mapping) else {"name": axis} for axis in scales.get("axes", [])
    ]
    scale = np.ones(len(array.shape))
    for transform in (
        *first.get("coordinateTransformations", []),
        *scales.get("coordinateTransformations", []),
    ):
        if transform.get("type") == "scale":
            scale = scale * np.asarray(transform["scale"], float)
    return _Candidate(
        name=f"/{group.path}".rstrip("/") or "/",
        array=array,
        axes=tuple(str(axis["name"]) for axis in axes),
        units=tuple(physical_unit(axis.get("unit")) for axis in axes),
        scale=tuple(scale.tolist()),
        colours=_colours(ome.get("image-label", {})),
    )


def _colours(label: Mapping[str, Any]) -> dict[int, tuple[int, int, int]]:
    return {
        int(entry["label-value"]): tuple(entry["rgba"][:3])
        for entry in label.get("colors", [])
        if entry.get("rgba")
    }


def _palette(colours: Mapping[int, tuple[int, int, int]]) -> Palette | None:
    values = [value for value in colours if 0 <= value <= 255]
    if not values:
        return None
    palette = np.zeros((256, 3), np.uint8)
    for value in values:
        palette[value] = colours[value]
    return palette


def _voxel_size(found: _Candidate, layout: Layout) -> VoxelSize | None:
    if not found.axes or len(found.scale) != layout.rank:
        return None
    unit = found.units[layout.x]
    try:
        z, y, x = (
            convert_length(found.scale[axis], found.units[axis], unit)
            for axis in (layout.y if layout.z is None else layout.z, layout.y, layout.x)
        )
    except ValueError:
        return None
    return voxel_size(z, y, x, unit)
