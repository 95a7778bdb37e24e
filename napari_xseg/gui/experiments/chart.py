"""Dice over what an experiment varies, drawn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_xseg.data.colours import COLOUR_BLIND, hex_colour, pick_colours

if TYPE_CHECKING:
    from napari_xseg.gui.experiments.series import Chart, Series

HEIGHT, AXIS = 190, 50
LONGEST = 16  # letters of a word on the axis


class ChartView(QWidget):
    """One chart; pyqtgraph is imported when it is first seen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chart: Chart | None = None
        self._text, self._back = "#ffffff", "#262930"
        self._view: Any = None
        self._plot: Any = None
        self.caption = QLabel()
        self.caption.setWordWrap(True)
        self.caption.setTextFormat(Qt.TextFormat.RichText)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.caption)
        self.setToolTip(
            "Foreground Dice over what the plan varies, and its 95 % interval where there are "
            "three repeats or more."
        )

    def set_theme(self, text: str, background: str) -> None:
        """Draw in these colours, as "#rrggbb"."""
        self._text, self._back = text, background
        if self._view is not None:
            self._view.setBackground(background)
            self._draw()

    def set_value(self, chart: Chart | None) -> None:
        """Draw another chart."""
        if chart != self._chart:
            self._chart = chart
            self._draw()

    def showEvent(self, event: Any) -> None:
        """Make the plot when it is first seen."""
        super().showEvent(event)
        if self._view is None:
            # After the dock is on the screen: the import takes a moment.
            QTimer.singleShot(0, self._make_plot)

    def _make_plot(self) -> None:
        if self._view is not None:
            return
        import pyqtgraph

        self._view = pyqtgraph.GraphicsLayoutWidget(self)
        self._view.setFixedHeight(HEIGHT)
        self._view.setBackground(self._back)
        # The wheel scrolls the dock, also above the plot.
        self._view.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        plot = self._plot = self._view.addPlot(row=0, col=0)
        plot.setMouseEnabled(x=False, y=False)
        plot.hideButtons()
        plot.setMenuEnabled(False)
        # pyqtgraph makes its menu all the same, and leaves it behind.
        plot.ctrlMenu.setParent(self, plot.ctrlMenu.windowFlags())
        plot.getAxis("left").setWidth(AXIS)
        for side in ("left", "bottom"):
            plot.getAxis(side).enableAutoSIPrefix(False)
        plot.setLabel("left", "Dice in %")
        plot.showGrid(x=False, y=True, alpha=0.2)
        layout = self.layout()
        assert layout is not None
        layout.addWidget(self._view)
        self._draw()

    def _draw(self) -> None:
        chart = self._chart
        lines = () if chart is None else tuple(line for line in chart.lines if line.x)
        colours = [hex_colour(colour) for colour in pick_colours(len(lines), COLOUR_BLIND)]
        self.caption.setText(
            " \N{MIDDLE DOT} ".join(
                f'<span style="color:{colour}">\N{BLACK SQUARE}</span> {line.name}'
                for line, colour in zip(lines, colours, strict=True)
            )
            if lines
            else "Nothing is scored yet."
        )
        if self._plot is None:
            return
        self._plot.clear()
        for side in ("left", "bottom"):
            self._plot.getAxis(side).setPen(self._text)
            self._plot.getAxis(side).setTextPen(self._text)
        for line, colour in zip(lines, colours, strict=True):
            self._draw_line(line, colour)
        if chart is not None:
            words = [(float(place), _short(word)) for place, word in enumerate(chart.ticks)]
            self._plot.getAxis("bottom").setTicks([words] if words else None)
            self._plot.setLabel("bottom", chart.axis)
        self._plot.autoRange()

    def _draw_line(self, line: Series, colour: str) -> None:
        import pyqtgraph

        pen = pyqtgraph.mkPen(colour, width=2)
        joined = pen if self._chart is not None and not self._chart.ticks else None
        self._plot.plot(
            line.x, line.y, pen=joined, symbol="o", symbolSize=6, symbolBrush=colour, symbolPen=None
        )
        for x, low, high in zip(line.x, line.low, line.high, strict=True):
            if not math.isnan(low):
                self._plot.plot([x, x], [low, high], pen=pen)


def _short(word: str) -> str:
    return word if len(word) <= LONGEST else f"{word[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"
