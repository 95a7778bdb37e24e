"""How slices are predicted: confidence, grey values, region and device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QWidget

from napari_xseg.gui.dock import Links
from napari_xseg.gui.predict.prediction import PredictOptions

if TYPE_CHECKING:
    from napari_xseg.gui.session import Session

EVERYTHING, CIRCLE = "everything", "circle"


class OptionsForm(QWidget):
    """Edits one `PredictOptions`; emits `value_changed`.

    Parameters
    ----------
    session : Session
        Knows the devices.
    """

    value_changed = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.confidence = QCheckBox("Confi&dence layer")
        self.confidence.setToolTip(
            "Keep the probability of each pixel's class too, as a layer under the mask: 255 is "
            "certain. It is hidden at first; its eye in the layer list shows it."
        )
        self.match = QCheckBox("Match i&ntensity")
        self.match.setToolTip(
            "Map the grey values onto those of the training images, by robust percentiles: for "
            "data of another scan or detector."
        )
        self.region = QComboBox()
        self.region.setEditable(True)
        self.region.addItems([EVERYTHING, CIRCLE])
        self.region.setToolTip(
            "The part of each slice that is predicted: everything, the largest circle, a box "
            "x0:x1,y0:y1 in pixels, or the path of a mask."
        )
        self.device = QComboBox()
        self.device.setToolTip("What computes; auto takes the fastest.")
        form = QFormLayout(self)
        form.setContentsMargins(8, 0, 0, 0)
        form.setVerticalSpacing(4)
        form.addRow(self.confidence)
        form.addRow(self.match)
        for text, field in (("&Region", self.region), ("Device", self.device)):
            label = QLabel(text)
            label.setBuddy(field)
            form.addRow(label, field)
        self._show_devices()
        self._links = Links(
            (session.devices_changed, self._show_devices),
            (session.image_changed, lambda: self.match.setChecked(session.match_intensity)),
        )
        for box in (self.confidence, self.match):
            box.toggled.connect(lambda _: self.value_changed.emit())
        self.match.toggled.connect(lambda on: setattr(session, "match_intensity", on))
        for combo in (self.region, self.device):
            combo.currentTextChanged.connect(lambda _: self.value_changed.emit())

    def leave(self) -> None:
        """Let go of the session: the window closes, or the dock."""
        self._links.leave()

    def value(self) -> PredictOptions:
        """The options as they are set."""
        region = self.region.currentText().strip()
        return PredictOptions(
            confidence=self.confidence.isChecked(),
            match_intensity=self.match.isChecked(),
            region="" if region == EVERYTHING else region,
            device=self.device.currentData() or "auto",
        )

    def set_value(self, options: PredictOptions) -> None:
        """Show other options."""
        self.confidence.setChecked(options.confidence)
        self.match.setChecked(options.match_intensity)
        self.region.setCurrentText(options.region or EVERYTHING)
        self.device.setCurrentIndex(max(self.device.findData(options.device), 0))

    def _show_devices(self) -> None:
        chosen = self.device.currentData()
        devices = self._session.devices
        self.device.clear()
        self.device.addItem("auto", "auto")
        if devices is not None:
            for name, words in zip(devices.names, devices.descriptions, strict=True):
                self.device.addItem(words, name)
        self.device.setCurrentIndex(max(self.device.findData(chosen), 0))
