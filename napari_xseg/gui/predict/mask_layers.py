"""Masks on disk as arrays that layers show, finished or still being written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_xseg.data.classes import ClassTable
from napari_xseg.data.volume import open_label_volume, open_volume
from napari_xseg.errors import XsegError
from napari_xseg.gui.layer_kinds import KEY
from napari_xseg.gui.planes import LazyPlanes
from napari_xseg.prediction.sidecar import read_sidecar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_xseg.data.volume import Volume
    from napari_xseg.gui.predict.kept_masks import KeptMask
    from napari_xseg.gui.session import Session

Shape = tuple[int, int, int]
# Bytes of planes that one layer keeps, and the least and most planes that may be.
HELD = 256 << 20
LEAST, MOST = 4, 256


def planes_kept(shape: Shape) -> int:
    """How many planes of an array (z, y, x) of uint8 a layer keeps in memory."""
    return int(np.clip(HELD // (shape[1] * shape[2]), LEAST, MOST))


class FilePlanes(LazyPlanes):
    """The pages of a mask file or of a confidence file, each at the z that it belongs to.

    Pages are read when they are looked at. Slices without a page, or whose page is
    not written yet, are 0. What cannot be read is 0 too, and said once.

    Parameters
    ----------
    shape : (int, int, int)
        (z, y, x) of the image.
    slices : sequence of int
        z of page 0, 1, ...
    path : Path
        Where the file is, or will be when it is finished.
    classes : ClassTable, optional
        Turns file values into layer values, class k to k + 1; without it values
        stay as they are.
    written : bool
        Whether the file is finished.
    on_fault : callable, optional
        Called once with the XsegError of a page that cannot be read, in whatever
        thread asked for it.
    """

    def __init__(
        self,
        shape: Shape,
        slices: Sequence[int],
        path: Path,
        *,
        classes: ClassTable | None = None,
        written: bool = True,
        on_fault: Callable[[XsegError], None] | None = None,
    ) -> None:
        super().__init__(shape, self._read, planes_kept(shape))
        self._page = {z: page for page, z in enumerate(slices)}
        self._known = set(self._page) if written else set[int]()
        self._final = path
        self._place = path
        self._finished = written
        self._classes = classes
        self._volume: Volume | None = None
        self._on_fault = on_fault

    @property
    def path(self) -> Path:
        """Where it is read from."""
        return self._place

    @property
    def known(self) -> frozenset[int]:
        """Z of the slices that can be read."""
        return frozenset(self._known)

    def add(self, slices: Iterable[int], place: Path) -> None:
        """Take slices that have been written, to a file that is still at `place`."""
        if not self._finished and place != self._place:
            self._place, self._volume = place, None
        found = [z for z in slices if z in self._page]
        self._known.update(found)
        if found:
            self.forget(*found)

    def finish(self) -> None:
        """Take the whole file, which has come to its own place."""
        self._finished = True
        self._place, self._volume = self._final, None
        self._known = set(self._page)
        self.forget()

    def _read(self, z: int) -> NDArray[np.uint8]:
        if z not in self._known:
            return np.zeros(self.shape[1:], np.uint8)
        try:
            plane = self._opened().read(self._page[z])
            if self._classes is None:
                return np.asarray(plane, np.uint8)
            return self._classes.to_layer(self._classes.encode(plane, source=str(self._place)))
        except XsegError as error:
            if self._finished:  # before, whoever writes it says what is wrong
                self._say(error)
            return np.zeros(self.shape[1:], np.uint8)

    def _opened(self) -> Volume:
        # A Zarr that has gone gives blank pages, not an error.
        if not self._place.exists() and self._final.exists():
            self._place, self._volume = self._final, None
        if not self._place.exists():
            raise XsegError(
                f"{self._place}: is not there any more; its layer stays empty: remove the layer."
            )
        if self._volume is None:
            opener = open_volume if self._classes is None else open_label_volume
            self._volume = opener(self._place)
        return self._volume

    def _say(self, error: XsegError) -> None:
        say, self._on_fault = self._on_fault, None
        if say is not None:
            say(error)


def file_of(layer: Layer) -> Path | None:
    """The file that a layer shows: under a hidden name until it is finished."""
    if isinstance(layer.data, FilePlanes):
        return layer.data.path
    path = layer.metadata.get(KEY, {}).get("path")
    return None if path is None else Path(path)


def layers_on(session: Session, mask: KeptMask) -> list[Layer]:
    """The layers that show a mask or its confidences."""
    return [layer for layer in session.viewer.layers if file_of(layer) in mask.files]


@dataclass(frozen=True)
class MaskFile:
    """What is known of a mask that was predicted: its file and the one beside it.

    Attributes
    ----------
    path : Path
        The mask.
    shape : (int, int, int)
        (pages, y, x).
    classes : ClassTable
        Its classes.
    slices : tuple of int
        z of page 0, 1, ...
    model : str
        Identity of the model; may be empty.
    model_name : str
        Of its run folder or file; may be empty.
    images : str
        Where the images lie; may be empty.
    fractions : dict
        Share of the predicted pixels by class name.
    confidence : Path, optional
        Where its confidences lie, where there are any.
    """

    path: Path
    shape: Shape
    classes: ClassTable
    slices: tuple[int, ...]
    model: str = ""
    model_name: str = ""
    images: str = ""
    fractions: dict[str, float] | None = None
    confidence: Path | None = None

    def shape_on(self, image: Shape | None) -> Shape:
        """(z, y, x) of a layer with this mask: that of the image where the mask lies on it."""
        if image is not None and self.fits(image):
            return image
        return (max(self.slices) + 1, *self.shape[1:])

    def fits(self, image: Shape) -> bool:
        """Whether it can be a mask of an image (z, y, x)."""
        return image[1:] == self.shape[1:] and max(self.slices) < image[0]


def open_mask(path: Path) -> MaskFile:
    """Open a mask with the file beside it; slow for some formats: not for the main thread.

    Raises
    ------
    XsegError
        A mask that cannot be read, or without a file beside it that names its classes.
    """
    volume = open_label_volume(path)
    told = read_sidecar(path)
    if told is None or not isinstance(told.get("classes"), dict):
        raise XsegError(
            f"{path}: has no file {path.name}.json beside it that names its classes; open it as "
            "labels instead."
        )
    classes = ClassTable.from_dict(told["classes"], f"{path}.json")
    slices = _slices(told.get("slices"), len(volume))
    sure = told.get("confidence")
    return MaskFile(
        path=path,
        shape=(volume.shape[0], volume.shape[1], volume.shape[2]),
        classes=classes,
        slices=slices,
        model=str(told.get("model") or ""),
        model_name=_model_name(told.get("model_file")),
        images=str(told.get("images") or ""),
        fractions=_fractions(told, classes),
        confidence=Path(sure) if isinstance(sure, str) and Path(sure).exists() else None,
    )


def _slices(found: Any, pages: int) -> tuple[int, ...]:
    """Z of the pages; those not reached before a stop come last and are left out."""
    if isinstance(found, list) and 0 < len(found) <= pages:
        whole = [z for z in found if isinstance(z, int) and z >= 0]
        if len(whole) == len(found):
            return tuple(whole)
    return tuple(range(pages))


def _model_name(found: Any) -> str:
    if not isinstance(found, str):
        return ""
    path = Path(found)
    return path.parent.name if path.name == "model.safetensors" else path.stem


def _fractions(told: dict[str, Any], classes: ClassTable) -> dict[str, float] | None:
    shares = told.get("fractions")
    pooled = shares.get("pooled") if isinstance(shares, dict) else None
    if not isinstance(pooled, dict):
        return None
    found = {name: pooled.get(name) for name in classes.names}
    return {name: float(v) for name, v in found.items() if isinstance(v, int | float)}
