"""How a training goes, as curves: Dice by class, loss and learning rate over the steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_xseg.data.colours import COLOUR_BLIND, hex_colour, pick_colours
from napari_xseg.gui.in_front import WhenSeen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_xseg.data.classes import ClassTable
    from napari_xseg.gui.train.train_curves import Look, TrainCurves

# Points that a curve has at most, and milliseconds between two paints.
POINTS, PACE = 1000, 500
# Share that a point of the smoothed loss keeps of the one before.
SMOOTHING = 0.9
# The plots' height in pixels, and the lowest Dice shown below the best one.
HEIGHT, DICE_SPAN = 330, 0.1
# Width of the numbers and names at the left, in pixels, and the most numbers on the loss axis.
AXIS, TICKS = 58, 5
# The losses that a logarithmic axis shows reach down to here.
LOWEST = 1e-6


class Curves(QWidget):
    """Curves of the training that runs, and of others beside it.

    pyqtgraph is imported when they are first seen.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._training: TrainCurves | None = None
        self._others: dict[str, TrainCurves] = {}
        self._classes: ClassTable | None = None
        self._text, self._back = "#ffffff", "#262930"
        self._plots: dict[str, Any] = {}
        # What is drawn, by plot, name and looks: (plot, item).
        self._items: dict[tuple[Any, ...], tuple[str, Any]] = {}
        self._drawn: set[tuple[Any, ...]] = set()
        self._view: Any = None
        self.caption = QLabel()
        self.caption.setWordWrap(True)
        self.caption.setTextFormat(Qt.TextFormat.RichText)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.caption)
        self.setToolTip(
            "Dice of the validation slices by class, in its colour, and their mean (dashed); the "
            "best one is marked. Below: the training loss, smoothed over its values, and the "
            "learning rate."
        )
        self._drawing = WhenSeen(self, self._draw, PACE)

    def set_theme(self, text: str, background: str) -> None:
        """Draw in these colours, as "#rrggbb"."""
        self._text, self._back = text, background
        if self._view is not None:
            self._view.setBackground(background)
            self._colour_axes()
        self.refresh()

    def set_classes(self, classes: ClassTable) -> None:
        """Name and colour the Dice curves."""
        self._classes = classes
        self.refresh()

    def show_training(self, curves: TrainCurves | None) -> None:
        """Draw this training; it may go on growing, see `refresh`."""
        self._training = curves
        self.refresh()

    def compare(self, others: Mapping[str, TrainCurves]) -> None:
        """Draw these trainings too, each in a colour of its own, under its name."""
        self._others = dict(others)
        self.refresh()

    def refresh(self) -> None:
        """Draw anew soon; many calls in short time are one."""
        self._drawing.soon()

    def showEvent(self, event: Any) -> None:
        """Make the plots when they are first seen."""
        super().showEvent(event)
        if self._view is None:
            # After the dock is on the screen: the import takes a moment.
            QTimer.singleShot(0, self._make_plots)
        else:
            self.refresh()

    # -- plots --------------------------------------------------------------

    def _make_plots(self) -> None:
        if self._view is not None:
            return
        import pyqtgraph

        self._view = pyqtgraph.GraphicsLayoutWidget(self)
        self._view.setFixedHeight(HEIGHT)
        self._view.setBackground(self._back)
        # The wheel scrolls the dock, also above the plots.
        self._view.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        for row, (key, title, share) in enumerate(
            (("dice", "Dice in %", 5), ("loss", "loss", 4), ("rate", "rate", 3))
        ):
            plot = self._view.addPlot(row=row, col=0)
            plot.setMouseEnabled(x=False, y=False)
            plot.hideButtons()
            plot.setMenuEnabled(False)
            # pyqtgraph makes its menu all the same, and leaves it behind.
            plot.ctrlMenu.setParent(self, plot.ctrlMenu.windowFlags())
            plot.getAxis("left").setWidth(AXIS)
            plot.setLabel("left", title)
            plot.getAxis("left").enableAutoSIPrefix(False)
            plot.getAxis("bottom").enableAutoSIPrefix(False)
            plot.showGrid(x=False, y=True, alpha=0.2)
            self._view.ci.layout.setRowStretchFactor(row, share)
            self._plots[key] = plot
        for key in ("loss", "rate"):
            self._plots[key].setXLink(self._plots["dice"])
        self._plots["loss"].setLogMode(y=True)
        self._plots["rate"].setLabel("bottom", "step")
        self._plots["dice"].getAxis("bottom").setStyle(showValues=False)
        self._plots["loss"].getAxis("bottom").setStyle(showValues=False)
        self._colour_axes()
        self.layout().addWidget(self._view)
        self.refresh()

    def _colour_axes(self) -> None:
        for plot in self._plots.values():
            for side in ("left", "bottom"):
                plot.getAxis(side).setPen(self._text)
                plot.getAxis(side).setTextPen(self._text)

    def _draw(self) -> None:
        if self._view is None:
            return
        self._drawn = set()
        self._draw_others()
        if self._training is not None:
            self._draw_training(self._training)
        for key in self._items.keys() - self._drawn:
            plot, item = self._items.pop(key)
            self._plots[plot].removeItem(item)
        self._fit()
        self._write_caption()

    def _draw_training(self, curves: TrainCurves) -> None:
        steps, losses = curves.loss.points()
        self._line("loss", "each", steps, _shown(losses), self._text, faint=True)
        self._line("loss", "mean", steps, _shown(curves.smoothed_loss()), self._text)
        self._line("rate", "this", *curves.rate.points(), self._text)
        at = [look.step for look in curves.looks]
        for index, colour in enumerate(self._colours(curves)):
            dice = [100 * look.dice[index] for look in curves.looks]
            self._line("dice", f"class {index}", at, dice, colour)
        mean = [100 * look.dice_foreground for look in curves.looks]
        self._line("dice", "mean", at, mean, self._text, dashed=True)
        if curves.best is not None:
            self._mark(curves.best)

    def _draw_others(self) -> None:
        others = zip(self._other_colours(), self._others.items(), strict=True)
        for colour, (name, curves) in others:
            at = [look.step for look in curves.looks]
            mean = [100 * look.dice_foreground for look in curves.looks]
            loss = _shown(curves.smoothed_loss())
            self._line("dice", f"other {name}", at, mean, colour)
            self._line("loss", f"other {name}", curves.loss.points()[0], loss, colour)
            self._line("rate", f"other {name}", *curves.rate.points(), colour)

    def _line(
        self,
        plot: str,
        name: str,
        x: list[Any],
        y: list[float],
        colour: str,
        *,
        faint: bool = False,
        dashed: bool = False,
    ) -> None:
        import pyqtgraph

        shade = pyqtgraph.mkColor(colour)
        shade.setAlpha(70 if faint else 255)
        style = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine
        # Wide lines are slow to paint where they have many points.
        pen = pyqtgraph.mkPen(shade, width=2 if plot == "dice" else 1, style=style)
        # A curve of one point is seen as a point.
        few = len(x) < 3
        key = (plot, name, colour, few)
        self._drawn.add(key)
        if key in self._items:
            # A line made anew costs ten times as much as new points for it.
            self._items[key][1].setData(x, y)
            return
        symbol = {"symbol": "o", "symbolSize": 4, "symbolBrush": shade, "symbolPen": None}
        options = {"antialias": False, "connect": "finite", **(symbol if few else {})}
        self._items[key] = (plot, self._plots[plot].plot(x, y, pen=pen, **options))

    def _mark(self, best: Look) -> None:
        import pyqtgraph

        x, y = best.step, 100 * best.dice_foreground
        key = ("dice", "best", self._text, (x, y))
        words_key = ("dice", "best words", self._text, (x, y))
        self._drawn |= {key, words_key}
        if key in self._items:
            return
        point = pyqtgraph.ScatterPlotItem([x], [y], size=9, pen=self._text, brush=None)
        words = pyqtgraph.TextItem(f"{y:.2f} %", color=self._text, anchor=(1, 0))
        words.setPos(x, y)
        self._plots["dice"].addItem(point)
        self._plots["dice"].addItem(words, ignoreBounds=True)
        self._items |= {key: ("dice", point), words_key: ("dice", words)}

    def _fit(self) -> None:
        drawn = [*self._others.values(), *([self._training] if self._training else [])]
        steps = [curves.loss.points()[0][-1] for curves in drawn if len(curves.loss)]
        steps += [curves.looks[-1].step for curves in drawn if curves.looks]
        self._plots["dice"].setXRange(0, max(steps, default=1), padding=0.02)
        self._fit_dice(drawn)
        self._fit_loss([loss for curves in drawn for loss in curves.loss.points()[1]])

    def _fit_dice(self, drawn: list[TrainCurves]) -> None:
        """Show the upper Dice well: the first, bad values may leave the plot below."""
        values = [look.dice_foreground for curves in drawn for look in curves.looks]
        values += [d for curves in drawn for look in curves.looks for d in look.dice]
        values = [value for value in values if not math.isnan(value)]
        if not values:
            self._plots["dice"].setYRange(0, 100, padding=0)
            return
        low = max(min(values), max(values) - DICE_SPAN)
        room = max(0.1 * (max(values) - low), 0.002)
        self._plots["dice"].setYRange(100 * (low - room), 100 * (max(values) + room), padding=0)

    def _fit_loss(self, losses: list[float]) -> None:
        """Put few, round numbers on the logarithmic axis."""
        shown = _shown(losses) or [0.1, 1.0]
        low, high = math.log10(min(shown)), math.log10(max(shown))
        self._plots["loss"].setYRange(low, high, padding=0.08)
        ticks = [(math.log10(value), f"{value:g}") for value in round_numbers(low, high)]
        self._plots["loss"].getAxis("left").setTicks([ticks])

    # -- words and colours --------------------------------------------------

    def _colours(self, curves: TrainCurves) -> list[str]:
        count = len(curves.looks[0].dice) if curves.looks else 0
        known = () if self._classes is None else self._classes.colours
        return [hex_colour(colour) for colour in (known or pick_colours(count))[:count]]

    def _other_colours(self) -> list[str]:
        return [hex_colour(colour) for colour in pick_colours(len(self._others), COLOUR_BLIND)]

    def _write_caption(self) -> None:
        parts = []
        if self._training is not None and self._training.looks:
            names = () if self._classes is None else self._classes.names
            last = self._training.looks[-1]
            for name, colour, dice in zip(
                names, self._colours(self._training), last.dice, strict=False
            ):
                value = "-" if math.isnan(dice) else f"{100 * dice:.2f} %"
                parts.append(f"{_square(colour)} {_escaped(name)} {value}")
            parts.append(f"mean of foreground {100 * last.dice_foreground:.2f} %")
        for name, colour in zip(self._others, self._other_colours(), strict=True):
            parts.append(f"{_square(colour)} {_escaped(name)}")
        self.caption.setText(" \N{MIDDLE DOT} ".join(parts))


def round_numbers(low: float, high: float) -> list[float]:
    """At most `TICKS` numbers 1, 2 and 5 times powers of ten between 10 ** low and 10 ** high."""
    powers = range(math.floor(low) - 1, math.ceil(high) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [float(f"{factor}e{power}") for power in powers for factor in factors]
        found = [value for value in found if low - 0.05 <= math.log10(value) <= high + 0.05]
        if len(found) <= TICKS:
            return found or [float(f"{10**at:.2g}") for at in (low, high)]
    return found[:: -(-len(found) // TICKS)]


def _shown(losses: list[float]) -> list[float]:
    return [max(loss, LOWEST) for loss in losses]


def _square(colour: str) -> str:
    return f'<span style="color:{colour}">\N{BLACK SQUARE}</span>'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
