"""HDF5 and NeXus: one dataset of a file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.formats.layout import Layout
from napari_xseg.data.formats.source import (
    Array,
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
    from collections.abc import Iterator
    from pathlib import Path

MAGIC = b"\x89HDF\r\n\x1a\n"


def open_hdf5(path: Path, dataset: str | None) -> Source:
    """Open one dataset of an HDF5 or NeXus file.

    Parameters
    ----------
    path
        The file. It is opened for each read, so that nothing keeps it locked.
    dataset
        Path of a dataset, or of a group to look in. By default NeXus' default
        plot, else the only stack in the file, else the only image.

    Raises
    ------
    XsegError
        Where nothing, or more than one dataset, fits; the choices are listed.
    """
    import h5py

    with reading(path, "HDF5"), h5py.File(path, "r") as file:
        found = _choose(file, path, dataset)
        name = str(found.name)
        where = f"{path}:{name}"
        layout = Layout.guess(found.shape, found.dtype, where)
        chunks = found.chunks or (1,) * found.ndim
        size = _voxel_size(found, layout)
        shape, dtype = layout.shape(found.shape), found.dtype
    return stack_source(
        path,
        shape,
        dtype,
        partial(_read, path, name, layout),
        dataset=name,
        colour=layout.samples is not None,
        voxel_size=size,
        chunk_depth=1 if layout.z is None else min(chunks[layout.z], shape[0]),
        read_block=partial(_read_block, path, name, layout),
    )


def list_hdf5(path: Path) -> tuple[str, ...]:
    """List the datasets of a file that are stacks or images."""
    import h5py

    with reading(path, "HDF5"), h5py.File(path, "r") as file:
        return tuple(item.name for item in _datasets(file))


def _read(path: Path, name: str, layout: Layout, z: int) -> Array:
    import h5py

    with reading(f"{path}:{name}, slice {z}", "HDF5"), h5py.File(path, "r") as file:
        return layout.take(file[name], z)


def _read_block(path: Path, name: str, layout: Layout, start: int, stop: int) -> Array:
    import h5py

    where = f"{path}:{name}, slices {start}:{stop}"
    with reading(where, "HDF5"), h5py.File(path, "r") as file:
        return layout.take_block(file[name], start, stop)


def _choose(file: Any, path: Path, dataset: str | None) -> Any:
    import h5py

    start = file
    if dataset:
        start = file.get(dataset)
        if start is None:
            raise XsegError(f"{path}: holds no {dataset}; {_choices(path, list(_datasets(file)))}.")
        if isinstance(start, h5py.Dataset):
            return start
    default = _nexus_default(start)
    if default is not None and _stacked(default) >= 3:
        return default
    found = list(_datasets(start))
    for deep in (3, 2):
        fitting = [item for item in found if _stacked(item) == deep]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            break
    raise XsegError(f"{path}: {_choices(path, found)}.")


def _choices(path: Path, found: list[Any]) -> str:
    if not found:
        return "no dataset in it is a stack (z, y, x) or an image of numbers; give another file"
    listed = ", ".join(f"{item.name} {item.shape} {item.dtype}" for item in found[:12])
    return f"choose one of its datasets, as {path}:{found[0].name}: {listed}"


def _stacked(item: Any) -> int:
    """Count axes longer than one, 2 at least where there are two axes."""
    if item.ndim < 2:
        return int(item.ndim)
    return 2 + [size > 1 for size in item.shape[:-2]].count(True)


def _datasets(group: Any, seen: set[Any] | None = None) -> Iterator[Any]:
    """Walk all stacks and images once, however many links lead to them."""
    import h5py

    seen = set() if seen is None else seen
    for key in group:
        try:
            item = group[key]
        except (KeyError, OSError):
            # A link to nowhere, or to a file that is not there.
            continue
        address = (item.file.filename, h5py.h5o.get_info(item.id).addr)
        if address in seen:
            continue
        seen.add(address)
        if isinstance(item, h5py.Group):
            yield from _datasets(item, seen)
        elif isinstance(item, h5py.Dataset) and _is_image(item):
            yield item


def _is_image(item: Any) -> bool:
    numeric = item.dtype.kind in "buif"
    return bool(numeric and item.shape and len(item.shape) >= 2 and min(item.shape) >= 1)


def _nexus_default(group: Any) -> Any:
    """Follow NeXus' `default` attributes to the `signal` of a plot."""
    import h5py

    for _ in range(8):
        signal, default = _text(group.attrs.get("signal")), _text(group.attrs.get("default"))
        if signal and isinstance(group.get(signal), h5py.Dataset):
            found = group[signal]
            return found if _is_image(found) else None
        if not default or not isinstance(group.get(default), h5py.Group):
            return None
        group = group[default]
    return None


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = value.flat[0] if value.size else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


def _voxel_size(item: Any, layout: Layout) -> VoxelSize | None:
    return (
        _from_element_size(item, layout)
        or _from_attributes(item, layout)
        or _from_axes(item, layout)
        or _from_detector(item)
    )


def _from_element_size(item: Any, layout: Layout) -> VoxelSize | None:
    return _edges(item.attrs.get("element_size_um"), "um", layout)


def _from_attributes(item: Any, layout: Layout) -> VoxelSize | None:
    for owner in (item, item.parent):
        for name in ("voxel_size", "pixel_size", "spacing", "resolution"):
            unit = next(
                (owner.attrs[key] for key in (f"{name}_units", f"{name}_unit", "units", "unit")
                 if key in owner.attrs and physical_unit(_text(owner.attrs[key]))),
                None,
            )  # fmt: skip
            size = _edges(owner.attrs.get(name), _text(unit), layout) if unit is not None else None
            if size is not None:
                return size
    return None


def _edges(value: Any, unit: str, layout: Layout) -> VoxelSize | None:
    """Read edge lengths in the order of the axes: one for all, two (y, x) or one an axis."""
    if value is None:
        return None
    edges = np.atleast_1d(value)
    if edges.dtype.kind not in "uif" or edges.ndim != 1 or len(edges) not in (1, 2, 3, layout.rank):
        return None
    if len(edges) == layout.rank and layout.rank > 3:
        edges = edges[[layout.y if layout.z is None else layout.z, layout.y, layout.x]]
    down = edges[-2] if len(edges) > 1 else edges[0]
    return voxel_size(edges[0], down, edges[-1], unit)


def _from_axes(item: Any, layout: Layout) -> VoxelSize | None:
    """Read the steps of the coordinates that an NXdata group gives for its axes."""
    names = np.atleast_1d(item.parent.attrs.get("axes", []))
    if len(names) != layout.rank or layout.rank < 2:
        return None
    steps = [_step(item.parent, _text(name)) for name in names]
    down, across = steps[layout.y], steps[layout.x]
    deep = down if layout.z is None else steps[layout.z]
    if deep is None or down is None or across is None:
        return None
    return voxel_size(
        convert_length(*deep, across[1]), convert_length(*down, across[1]), across[0], across[1]
    )


def _step(group: Any, name: str) -> tuple[float, str] | None:
    axis = group.get(name)
    unit = physical_unit(_text(axis.attrs.get("units"))) if axis is not None else ""
    if not unit or axis.ndim != 1 or len(axis) < 2:
        return None
    return abs(float(axis[1]) - float(axis[0])), unit


def _from_detector(item: Any) -> VoxelSize | None:
    """Read NXdetector's x_pixel_size and y_pixel_size beside the data or in groups above."""
    group = item.parent
    while True:
        across, down = (_length(group.get(f"{axis}_pixel_size")) for axis in "xy")
        if across is not None:
            down = down or across
            edge = convert_length(*down, across[1])
            return voxel_size(edge, edge, *across)
        if group.name == "/":
            return None
        group = group.parent


def _length(item: Any) -> tuple[float, str] | None:
    if item is None or not hasattr(item, "shape") or item.size != 1:
        return None
    unit = physical_unit(_text(item.attrs.get("units")))
    return (float(np.ravel(item[()])[0]), unit) if unit else None
