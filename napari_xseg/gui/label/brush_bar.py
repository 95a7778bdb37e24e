"""The tools of the labels layer: brush, fill, erase, size, undo. napari's own stay in step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledSlider

from napari_xseg.gui.forms import make_button

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Labels

TOOLS = {
    "paint": ("&Brush", "Paint the chosen class (P with the mouse over the picture)."),
    "fill": ("Fill", "Give the patch that is clicked the chosen class (F)."),
    "erase": ("&Erase", "Make pixels not labelled again (E, or 0)."),
}
LARGEST_BRUSH = 100
# What a layer says at a stroke, an edit, an undo, and where its history is dropped.
CHANGES = ("paint", "labels_update", "set_data")


class BrushBar(QWidget):
    """Shows and changes the tool and the brush of a labels layer.

    Parameters
    ----------
    layer_to_paint : callable
        Gives the layer when a tool is chosen; it may make one, or give None.
    """

    def __init__(
        self, layer_to_paint: Callable[[], Labels | None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._layer: Labels | None = None
        self._layer_to_paint = layer_to_paint
        self.tools = {mode: self._tool(mode) for mode in TOOLS}
        self.undo = make_button("&Undo", "Take back the last stroke or slice edit (Ctrl+Z).")
        self.redo = make_button("&Redo", "Do again what was taken back (Ctrl+Shift+Z).")
        self.undo.clicked.connect(lambda: self._layer and self._layer.undo())
        self.redo.clicked.connect(lambda: self._layer and self._layer.redo())
        for button in (self.undo, self.redo):  # a hidden layer does not say that it has changed
            button.clicked.connect(lambda: self._show_history())
        self.size_slider = QLabeledSlider(Qt.Orientation.Horizontal)
        self.size_slider.setRange(1, LARGEST_BRUSH)
        self.size_slider.setValue(10)
        self.size_slider.setToolTip("Diameter of brush and eraser, in pixels of the image.")
        self.size_slider.valueChanged.connect(self._on_size)
        self._lay_out()

    def set_layer(self, layer: Labels | None) -> None:
        """Show the tools of another layer; None for none."""
        if self._layer is not None:
            self._layer.events.mode.disconnect(self._show)
            self._layer.events.brush_size.disconnect(self._show)
            for name in CHANGES:
                self._layer.events[name].disconnect(self._show_history)
        self._layer = layer
        if layer is not None:
            layer.events.mode.connect(self._show)
            layer.events.brush_size.connect(self._show)
            for name in CHANGES:
                layer.events[name].connect(self._show_history)
        self._show()

    def _show(self, _: object = None) -> None:
        layer = self._layer
        mode = "" if layer is None else str(layer.mode)
        for name, button in self.tools.items():
            button.setChecked(name == mode)
        self._show_history()
        if layer is not None:
            self.size_slider.blockSignals(True)
            size = max(1, int(layer.brush_size))
            self.size_slider.setMaximum(max(LARGEST_BRUSH, size))
            self.size_slider.setValue(size)
            self.size_slider.blockSignals(False)

    def _show_history(self, _: object = None) -> None:
        layer = self._layer
        self.undo.setEnabled(layer is not None and bool(layer._undo_history))
        self.redo.setEnabled(layer is not None and bool(layer._redo_history))

    def _on_size(self, size: int) -> None:
        if self._layer is not None:
            self._layer.brush_size = size

    def _on_tool(self, mode: str) -> None:
        layer = self._layer_to_paint()
        if layer is not None:
            layer.mode = mode
        self._show()

    def _tool(self, mode: str) -> QPushButton:
        text, tip = TOOLS[mode]
        button = make_button(text, tip)
        button.setCheckable(True)
        button.clicked.connect(lambda: self._on_tool(mode))
        return button

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        for button in (*self.tools.values(), self.undo, self.redo):
            button.setMinimumWidth(40)
        for button in self.tools.values():
            buttons.addWidget(button, 1)
        buttons.addSpacing(8)
        buttons.addWidget(self.undo, 1)
        buttons.addWidget(self.redo, 1)
        size = QHBoxLayout()
        label = QLabel("Brush si&ze")
        label.setBuddy(self.size_slider)
        size.addWidget(label)
        size.addWidget(self.size_slider, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        layout.addLayout(size)
