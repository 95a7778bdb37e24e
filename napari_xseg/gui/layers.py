"""The layers of napari-xseg: the one file that adds, removes or changes layers.

Each layer of ours says in `metadata["napari_xseg"]` what it is: its `kind`, and the
class table where it holds classes. Labels layers hold class k as k + 1, and 0 where
nothing is labelled or predicted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer, Shapes

from napari_xseg.gui.layer_kinds import (
    COVERED_BY,
    KEY,
    OPACITY,
    Kind,
    class_colormap,
    classes_of,
    grid_of,
    kind_of,
    lies_on,
)
from napari_xseg.gui.planes import PreviewPlanes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari import Viewer
    from numpy.typing import NDArray

    from napari_xseg.data.classes import ClassTable

__all__ = [
    "KEY",
    "OPACITY",
    "Kind",
    "Layers",
    "class_colormap",
    "classes_of",
    "grid_of",
    "kind_of",
]


def _keep_thumbnail(layer: Labels) -> None:
    """Leave the picture in the layer list as it is.

    napari makes it anew for each slice, and paints the whole window again for it: with
    three layers a quarter of what scrolling costs.
    """
    layer._update_thumbnail = lambda *_: None


class Layers:
    """What napari-xseg does with the layers of one viewer."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer

    def images(self) -> list[Image]:
        """Image layers that the user may want to segment, top first."""
        ours = ("confidence", "crops")
        return [
            layer
            for layer in reversed(self._viewer.layers)
            if isinstance(layer, Image) and kind_of(layer) not in ours
        ]

    def labels(self) -> list[Labels]:
        """All Labels layers but previews and overlays, top first."""
        passing = ("preview", "mistakes", "crops", "scored")
        return [
            layer
            for layer in reversed(self._viewer.layers)
            if isinstance(layer, Labels) and kind_of(layer) not in passing
        ]

    def of_kind(self, kind: Kind) -> Iterator[Layer]:
        """The layers of ours that are such, top first."""
        return (layer for layer in reversed(self._viewer.layers) if kind_of(layer) == kind)

    def __contains__(self, layer: Layer | None) -> bool:
        return layer is not None and layer in self._viewer.layers

    def add_classes(
        self,
        data: Any,
        classes: ClassTable,
        *,
        kind: Kind,
        name: str,
        image: Image | Labels | None,
        below: Layer | None = None,
        **metadata: Any,
    ) -> Labels:
        """Add a Labels layer in class colours.

        Parameters
        ----------
        data : array-like
            (z, y, x) uint8, class k as k + 1.
        kind, name
            What it is, and what it is called.
        image : Image, optional
            The layer on whose grid it lies.
        below : Layer, optional
            The layer under which it is put; on top without it.
        """
        self._uncover(kind)
        grid = {} if image is None else grid_of(image)
        layer = Labels(
            data,
            name=name,
            colormap=class_colormap(classes),
            opacity=OPACITY.get(kind, 0.5),
            metadata={KEY: {"kind": kind, "classes": classes.to_dict(), **metadata}},
            **grid,
        )
        self._add(layer, below)
        if kind != "labels":
            layer.editable = False
        _keep_thumbnail(layer)
        return layer

    def add_image(
        self, data: Any, *, kind: Kind, name: str, image: Image | None = None, **options: Any
    ) -> Image:
        """Add an Image layer of ours, such as a confidence map; `metadata` is what it says more."""
        grid = {} if image is None else grid_of(image)
        known = {KEY: {"kind": kind, **options.pop("metadata", {})}}
        layer = Image(data, name=name, metadata=known, **{**grid, **options})
        self._add(layer, None)
        return layer

    def add_shapes(
        self,
        corners: Sequence[NDArray[Any]],
        *,
        kind: Kind,
        name: str,
        image: Image | Labels,
        **options: Any,
    ) -> Shapes:
        """Add a Shapes layer on the image's grid; `corners` are rectangles of (4, 3) points."""
        layer = Shapes(
            list(corners) or None,
            ndim=3,
            name=name,
            metadata={KEY: {"kind": kind}},
            **{**grid_of(image), **options},
        )
        self._add(layer, None)
        return layer

    def show_outline(
        self, corners: Sequence[NDArray[Any]], *, name: str, on: Image | Labels, width: float
    ) -> Shapes:
        """Show rectangles of (4, 3) data points of the layer `on`, in place of those before.

        `width` is that of the line, in pixels of the layer.
        """
        shown = next(self.of_kind("outline"), None)
        if isinstance(shown, Shapes) and lies_on(shown, on):
            # Not a new layer, which takes napari 0.3 s.
            shown.data = list(corners)
            shown.edge_width = width
            return shown
        self.remove(shown)
        return self.add_shapes(
            corners,
            kind="outline",
            name=name,
            image=on,
            face_color="transparent",
            edge_color="#ffd500",
            edge_width=width,
        )

    def paint_with(self, layer: Labels, label: int) -> None:
        """Take up the brush in a layer, with a label."""
        layer.visible = True
        self.select(layer)
        layer.selected_label = label
        layer.mode = "paint"

    def add_region(self, image: Image) -> Shapes:
        """Add a Shapes layer on the image's grid, ready for drawing a polygon."""
        layer = self.add_shapes(
            [],
            kind="region",
            name="region",
            image=image,
            face_color="#ffd54f22",
            edge_color="#ffd54f",
            edge_width=2,
        )
        layer.mode = "add_polygon"
        return layer

    def add(self, data: Any, options: dict[str, Any], kind: str) -> Layer:
        """Add a layer as readers give it: data, its options, "image" or "labels"."""
        made: Layer = Layer.create(data, options, kind)
        self._add(made, None)
        return made

    def show_only(self, kind: Kind) -> None:
        """Show the layers of this kind, and hide those that would hide them."""
        self._uncover(kind)
        for layer in self.of_kind(kind):
            layer.visible = True

    def uncover(self, image: Image) -> None:
        """Show an image, and hide other images above it and masks that are not of its shape."""
        image.visible = True
        shape = tuple(image.data.shape[-3:])
        for layer in tuple(self._viewer.layers)[self._viewer.layers.index(image) + 1 :]:
            ours = isinstance(layer, Labels) and kind_of(layer) is not None
            other = ours and tuple(layer.data.shape)[-len(shape) :] != shape
            if other or layer in self.images():
                layer.visible = False

    def set_visible(self, layer: Layer, visible: bool, mode: str = "") -> None:
        """Show or hide a layer that is still there; hidden, it loses its mode, unless given."""
        if layer in self._viewer.layers:
            layer.visible = visible
            if mode:
                layer.mode = mode

    def put_over(self, layer: Layer, other: Layer) -> None:
        """Move a layer right above another one that lies above it."""
        layers = self._viewer.layers
        if layer in layers and other in layers and layers.index(layer) < layers.index(other):
            layers.move(layers.index(layer), layers.index(other) + 1)

    def rename(self, layer: Layer, name: str) -> None:
        """Give a layer that is still there another name."""
        if layer in self._viewer.layers:
            layer.name = name

    def recolour(self, layer: Labels, classes: ClassTable) -> None:
        """Give a layer of ours another class table."""
        layer.metadata = {
            **layer.metadata,
            KEY: {**layer.metadata[KEY], "classes": classes.to_dict()},
        }
        layer.colormap = class_colormap(classes)

    def make_ours(self, layer: Labels, data: Any, classes: ClassTable) -> Labels:
        """Have a layer show other labels of the same shape, in class colours, to paint in."""
        known = layer.metadata.get(KEY, {})
        content = {**known, "kind": "labels", "classes": classes.to_dict()}
        layer.metadata = {**layer.metadata, KEY: content}
        layer.data = data
        layer.colormap = class_colormap(classes)
        layer.editable = True
        return layer

    def replace_data(self, layer: Labels, data: Any) -> None:
        """Show another array of the same shape in a layer."""
        layer.data = data

    def refresh(self, layer: Layer) -> None:
        """Draw the slice in view anew: the layer's array has changed."""
        layer.refresh(extent=False, thumbnail=False)
        if not layer.visible:  # napari says nothing then, and a review would not know of it
            layer.events.set_data()

    def forget_strokes(self, layer: Labels) -> None:
        """Let nothing be undone that was painted before: labels mean something else by then."""
        layer._reset_history()
        self.refresh(layer)

    def remove(self, *layers: Layer | None) -> None:
        """Take layers away; those that the user took away already are none."""
        for layer in layers:
            if layer is not None and layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def select(self, layer: Layer) -> None:
        """Make a layer the active one, without a change of what is seen."""
        self._viewer.layers.selection.active = layer

    def show_preview(
        self,
        z: int,
        box: tuple[int, int, int, int],
        values: NDArray[np.uint8],
        *,
        classes: ClassTable,
        shape: tuple[int, int, int],
        image: Image,
        seen: bool = True,
    ) -> Labels:
        """Show the mask of a part of a slice, class k as k + 1, in the preview layer.

        A mask that is not `seen`, of another slice than the one in view, costs no drawing.
        """
        layer = self._preview_layer(classes, shape, image)
        layer.data.put(z, box, values)
        if seen:
            layer.refresh(extent=False, thumbnail=False, highlight=False)
        return layer

    def hide_preview(self, *slices: int) -> None:
        """Take the masks of these slices out of the preview layer."""
        for layer in self.of_kind("preview"):
            if slices and isinstance(layer.data, PreviewPlanes):
                layer.data.forget(*slices)
                layer.refresh(extent=False, thumbnail=False)

    def show_crops(
        self,
        values: NDArray[np.float32],
        labels: NDArray[np.uint8],
        *,
        classes: ClassTable,
        image: Image,
    ) -> None:
        """Show grey values and labels, class k as k + 1, both (y, x), to the right of the image."""
        self.remove(*list(self.of_kind("crops")))
        grid = {key: tuple(value)[-2:] for key, value in grid_of(image).items()}
        y, x = grid["translate"]
        grid["translate"] = (y, x + 1.05 * image.data.shape[-1] * grid["scale"][1])
        known = {KEY: {"kind": "crops", "classes": classes.to_dict()}}
        limits = image.contrast_limits
        colours = class_colormap(classes)
        for layer in (
            Image(values, name="crops", contrast_limits=limits, metadata=known, **grid),
            Labels(
                labels,
                name="labels of crops",
                opacity=0.4,
                colormap=colours,
                metadata=known,
                **grid,
            ),
        ):
            self._add(layer, None)
            layer.editable = False

    def edit_slice(self, layer: Labels, z: int, plane: NDArray[np.uint8]) -> int:
        """Replace slice z of a painted layer by `plane` (y, x), as one step that can be undone.

        Returns the number of pixels that changed.
        """
        old = np.asarray(layer.data[z])
        differs = old != plane
        rows, columns = (np.flatnonzero(differs.any(axis=axis)) for axis in (1, 0))
        if not rows.size:
            return 0
        key = (z, slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        # Not data_setitem, whose index of each pixel takes gigabytes for a large slice.
        layer._save_history((key, old[key[1:]].copy(), plane[key[1:]].copy()))
        layer.data[key] = plane[key[1:]]
        layer.refresh(extent=False)
        self.select(layer)  # for Ctrl+Z, and the keys of the classes
        return int(np.count_nonzero(differs))

    def _uncover(self, kind: Kind) -> None:
        """Hide masks in the same colours, among which a layer of this kind could not be read."""
        for layer in self._viewer.layers:
            if isinstance(layer, Labels) and kind_of(layer) in COVERED_BY.get(kind, ()):
                layer.visible = False

    def _preview_layer(
        self, classes: ClassTable, shape: tuple[int, int, int], image: Image
    ) -> Labels:
        for layer in self.of_kind("preview"):
            if isinstance(layer, Labels) and layer.data.shape == shape:
                if classes_of(layer) != classes:
                    self.recolour(layer, classes)
                self.put_over(layer, image)  # which may have been opened anew
                return layer
            self.remove(layer)
        painted = next(self.of_kind("labels"), None)
        return self.add_classes(
            PreviewPlanes(shape),
            classes,
            kind="preview",
            name="preview",
            image=image,
            below=painted,
        )

    def _add(self, layer: Layer, below: Layer | None) -> None:
        active = self._viewer.layers.selection.active
        kept = kind_of(layer) not in ("labels", "region", None) and active in self._viewer.layers
        if below is not None and below in self._viewer.layers:
            self._viewer.layers.insert(self._viewer.layers.index(below), layer)
        else:
            self._viewer.layers.append(layer)
        if kept:
            # The user goes on painting in the layer that was theirs.
            self._viewer.layers.selection.active = active
