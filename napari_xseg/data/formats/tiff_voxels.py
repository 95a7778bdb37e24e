"""The voxel size a TIFF tells of, by whatever convention it follows."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from napari_xseg.data.formats.source import (
    VoxelSize,
    convert_length,
    physical_unit,
    voxel_size,
)

_INCH, _CENTIMETRE = 2, 3
_UM_PER_UNIT = {_INCH: 25400.0, _CENTIMETRE: 10000.0}
# What programs write where nothing is known (a screen's, or none).
_SCREEN_DPI = (72, 96)


def tiff_voxel_size(file: Any) -> VoxelSize | None:
    """Read the voxel size from an open `tifffile.TiffFile`.

    OME metadata come first, then ImageJ's unit and spacing, then the resolution
    tags, unless these say 72 or 96 dpi or have no physical unit.
    """
    return _from_ome(file) or _from_imagej(file) or _from_resolution(file)


def _from_ome(file: Any) -> VoxelSize | None:
    if not file.is_ome or not file.ome_metadata:
        return None
    try:
        pixels = ElementTree.fromstring(file.ome_metadata).find(".//{*}Pixels")
    except ElementTree.ParseError:
        return None
    if pixels is None:
        return None
    unit = physical_unit(pixels.get("PhysicalSizeXUnit", "µm"))
    across = _length(pixels, "X", unit)
    down = _length(pixels, "Y", unit) or across
    if across is None or down is None:
        return None
    return voxel_size(_length(pixels, "Z", unit) or down, down, across, unit)


def _length(pixels: ElementTree.Element, axis: str, unit: str) -> float | None:
    text = pixels.get(f"PhysicalSize{axis}")
    if text is None:
        return None
    own_unit = physical_unit(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
    try:
        return convert_length(float(text), own_unit, unit)
    except ValueError:
        return None


def _from_imagej(file: Any) -> VoxelSize | None:
    told = file.imagej_metadata
    if not told:
        return None
    unit = physical_unit(told.get("unit"))
    across, down = _pixels_per_unit(file, "XResolution"), _pixels_per_unit(file, "YResolution")
    if not unit or across is None or down is None:
        return None
    return voxel_size(told.get("spacing", 1 / down), 1 / down, 1 / across, unit)


def _from_resolution(file: Any) -> VoxelSize | None:
    unit = file.pages.first.tags.valueof("ResolutionUnit")
    across, down = _pixels_per_unit(file, "XResolution"), _pixels_per_unit(file, "YResolution")
    if unit not in _UM_PER_UNIT or across is None or down is None:
        return None
    dots_per_inch = across * 25400.0 / _UM_PER_UNIT[unit]
    if round(dots_per_inch) in _SCREEN_DPI or across <= 1:
        return None
    down_um, across_um = _UM_PER_UNIT[unit] / down, _UM_PER_UNIT[unit] / across
    return voxel_size(down_um, down_um, across_um, "um")


def _pixels_per_unit(file: Any, tag: str) -> float | None:
    ratio = file.pages.first.tags.valueof(tag)
    if not isinstance(ratio, tuple) or len(ratio) < 2 or not ratio[0] or not ratio[1]:
        return None
    return float(ratio[0]) / float(ratio[1])
