"""Small pictures of suspects: the image around each, with the borders of the mask."""

from __future__ import annotations

import html
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.writing import write_atomic
from napari_xseg.review.pictures import grey_picture
from napari_xseg.review.suspects.table import KIND_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.review.matching import IndexMap
    from napari_xseg.review.pictures import Picture
    from napari_xseg.review.suspects.table import Suspect, Suspects

SIZE = 128
# Around a suspect at least so many pixels are seen on each side.
MARGIN = 24
_FRAME = (255, 255, 255)
_STYLE = (
    "body{font:14px sans-serif;margin:1em;background:#222;color:#ddd}"
    "main{display:flex;flex-wrap:wrap;gap:12px}"
    "figure{margin:0;width:200px}img{width:192px;height:192px;image-rendering:pixelated}"
)


def thumbnail(
    image: NDArray[Any], mask: IndexMap, suspect: Suspect, classes: ClassTable, size: int = SIZE
) -> Picture:
    """The image around a suspect, the mask's borders in the classes' colours, its box in white.

    Parameters
    ----------
    image : ndarray (y, x)
        The slice, of any real dtype.
    mask : uint8 (y, x)
        Class indices, 255 where unlabelled.
    size : int
        Pixels a side.

    Returns
    -------
    uint8 (size, size, 3)
        Black beyond the edge of the slice.
    """
    side = _side(suspect)
    top = round(sum(suspect.y_range) / 2) - side // 2
    left = round(sum(suspect.x_range) / 2) - side // 2
    rows, columns = _seen(top, side, image.shape[0]), _seen(left, side, image.shape[1])
    part = grey_picture(image[rows, columns])
    part = np.where(
        _borders(mask[rows, columns])[..., None], _coloured(mask, rows, columns, classes), part
    )
    picture = np.zeros((side, side, 3), np.uint8)
    picture[_moved(rows, top), _moved(columns, left)] = part
    _frame(picture, suspect, top, left)
    nearest = np.arange(size) * side // size
    return picture[nearest[:, None], nearest]


def write_sheet(
    path: Path,
    suspects: Suspects,
    read: Callable[[int], tuple[NDArray[Any], IndexMap]],
    size: int = SIZE,
) -> None:
    """Write one HTML page with a picture and a line for each suspect.

    Parameters
    ----------
    suspects : Suspects
        Those to show; slices are read one at a time.
    read : callable
        Gives image and mask (y, x) of slice z.

    Raises
    ------
    XsegError
        Where it cannot be written.
    """
    shown: dict[int, str] = {}
    for z in sorted({one.z for one in suspects}):
        image, mask = read(z)
        for one in suspects.of_slice(z):
            picture = thumbnail(image, mask, one, suspects.classes, size)
            shown[one.rank] = _figure(one, suspects.words(one), picture)
    body = "\n".join(shown[rank] for rank in sorted(shown))
    write_atomic(
        path,
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Suspects</title>'
        f"<style>{_STYLE}</style></head><body><h1>Suspects</h1>\n"
        "<p>Places that are probably wrong. There are no labels to compare with: "
        f"nothing here says that they are.</p>\n<main>\n{body}\n</main></body></html>\n",
    )


def _figure(one: Suspect, words: str, picture: Picture) -> str:
    data = b64encode(_png(picture)).decode()
    title = f"{one.rank}. {KIND_WORDS[one.kind]}, {100 * one.strength:.0f} %"
    place = f"z {one.z}, y {one.y:.0f}, x {one.x:.0f}"
    return (
        f'<figure><img alt="{html.escape(place)}" src="data:image/png;base64,{data}">'
        f"<figcaption><b>{html.escape(title)}</b><br>{html.escape(place)}<br>"
        f"{html.escape(words)}</figcaption></figure>"
    )


def _png(picture: Picture) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.png_encode(np.ascontiguousarray(picture)))


def _side(suspect: Suspect) -> int:
    """Pixels of the slice that a thumbnail shows on each side."""
    extents = (stop - start for start, stop in (suspect.y_range, suspect.x_range))
    return max(extents) + 2 * MARGIN


def _seen(start: int, side: int, length: int) -> slice:
    return slice(min(max(start, 0), length), min(max(start + side, 0), length))


def _moved(part: slice, start: int) -> slice:
    return slice(part.start - start, part.stop - start)


def _coloured(mask: IndexMap, rows: slice, columns: slice, classes: ClassTable) -> Picture:
    from napari_xseg.review.pictures import class_picture

    return class_picture(mask[rows, columns], classes)


def _borders(mask: IndexMap) -> NDArray[np.bool_]:
    """Pixels whose right or lower neighbour is of another class."""
    border = np.zeros(mask.shape, bool)
    border[:-1] |= mask[:-1] != mask[1:]
    border[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    return border


def _frame(picture: Picture, suspect: Suspect, top: int, left: int) -> None:
    """Draw the box of the suspect, a pixel outside of it."""
    side = len(picture)
    (y0, y1), (x0, x1) = suspect.y_range, suspect.x_range
    first_y, last_y = max(y0 - 1 - top, 0), min(y1 - top, side - 1)
    first_x, last_x = max(x0 - 1 - left, 0), min(x1 - left, side - 1)
    picture[[first_y, last_y], first_x : last_x + 1] = _FRAME
    picture[first_y : last_y + 1, [first_x, last_x]] = _FRAME
