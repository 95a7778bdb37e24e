"""What to train with: the recipe, the few settings that matter, and the rest in a fold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_xseg.config import Settings, TrainConfig
from napari_xseg.data.region import parse_region
from napari_xseg.data.writing import write_atomic
from napari_xseg.errors import XsegError
from napari_xseg.gui.forms import Choice, Fold, NumberField
from napari_xseg.gui.train.advanced_rows import ROWS
from napari_xseg.gui.train.settings_editor import SettingsFields, number_of, text_of
from napari_xseg.training.recipes import RECIPES, load_recipe

if TYPE_CHECKING:
    from napari_xseg.events import Devices

AUTO = "auto"
OPEN = "file..."
# Units of the length of a training: the setting, and how many of its units one is.
UNITS = {
    "seconds": ("time_limit", 1),
    "minutes": ("time_limit", 60),
    "steps": ("steps", 1),
    "epochs": ("epochs", 1),
}
# Digits behind the point of a length, by its setting.
DECIMALS = {"time_limit": 2, "steps": 0, "epochs": 0}
# A recipe without a length of its own is given this one, in seconds.
LENGTH = 60.0


class TrainChoices(Settings):
    """What the form says: a recipe, the device to compute on, and the region that counts."""

    config: TrainConfig = TrainConfig()
    device: str = AUTO
    region: str = ""


class LengthField(NumberField):
    """A length that shows no more digits than it has."""

    def textFromValue(self, value: float) -> str:
        """The number as people write it."""
        return text_of(value)


class TrainForm(QWidget):
    """An editor of `TrainChoices`.

    Attributes
    ----------
    fault : str
        What is wrong with what is entered, empty where nothing is; `value` is then
        what was right last.
    """

    value_changed = Signal()
    preview_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value = TrainChoices(config=load_recipe(RECIPES[0]))
        self.fault = ""
        self._quiet = False
        self._region = ("", parse_region(""))
        self._opened: dict[str, TrainConfig] = {}
        self._make_fields()
        self.advanced = SettingsFields(TrainConfig, ROWS)
        self.advanced.value_changed.connect(self._on_edit)
        self.fold = Fold("Advanced", self.advanced, tip="All other settings of the recipe.")
        self.fault_line = QLabel()
        self.fault_line.setWordWrap(True)
        self.fault_line.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(self._lay_out())
        layout.addWidget(self.fault_line)
        layout.addWidget(self.fold)
        self._show()

    # -- making -------------------------------------------------------------

    def _make_fields(self) -> None:
        self.recipe = Choice()
        self.recipe.addItems([*RECIPES, OPEN])
        self.recipe.asking = {OPEN}
        self.recipe.setToolTip(
            "Quick: a first mask within seconds, on any machine. Poster: the large network of the "
            "poster, which wants a GPU. Or a recipe file (.toml)."
        )
        self.recipe.activated.connect(self._on_recipe)
        self.save = QPushButton("Save...")
        self.save.setToolTip("Save these settings as a recipe file, for other data or a cluster.")
        self.save.clicked.connect(self._save_recipe)
        self.length = LengthField(1, 1e7, LENGTH, decimals=2, tip="How long to train.")
        self.length.valueChanged.connect(self._on_edit)
        self.unit = Choice()
        self.unit.addItems(list(UNITS))
        self.unit.setToolTip(
            "Seconds and minutes are training time; a step is one batch; an epoch shows each "
            "labelled slice once."
        )
        self.unit.activated.connect(self._on_unit)
        self.device = Choice()
        self.device.setToolTip("What computes. Automatic takes a GPU where there is one.")
        self.device.addItem("automatic", AUTO)
        self.device.activated.connect(self._on_edit)
        self._make_noise()
        self.context = NumberField(
            0,
            16,
            0,
            tip="Neighbouring slices on each side that the network sees too. 0 for single images; "
            "a model with neighbours takes those as well.",
        )
        self.context.valueChanged.connect(self._on_edit)
        self.region = Choice()
        self.region.setEditable(True)
        self.region.addItems(["", "circle"])
        self.region.setToolTip(
            "The part of each slice that counts: empty for all of it, circle for a "
            "reconstruction's field of view, a box x0:x1,y0:y1 in pixels, or the path of a mask."
        )
        line = self.region.lineEdit()
        assert line is not None
        line.setPlaceholderText("the whole slice")
        line.editingFinished.connect(self._on_edit)
        self.region.activated.connect(self._on_edit)

    def _make_noise(self) -> None:
        self.noise = QCheckBox("sd")
        self.noise.setToolTip(
            "Add noise to the images in training, so that the model holds on noisy data too."
        )
        self.noise.toggled.connect(self._on_edit)
        self.std = QLineEdit()
        self.std.setPlaceholderText("automatic")
        self.std.setToolTip(
            "The standard deviation of the noise in the image's own counts; empty: 0.64 of the "
            "spread of the training slices."
        )
        self.std.setAccessibleName("Noise sd in counts")
        self.std.editingFinished.connect(self._on_edit)
        self.preview = QPushButton("Preview aug&mentation")
        self.preview.setToolTip(
            "Show some crops as the training sees them, turned, mirrored and with noise, beside "
            "their labels, as two layers."
        )
        self.preview.clicked.connect(self.preview_asked)

    def _lay_out(self) -> QFormLayout:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(3)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for text, fields in (
            ("&Recipe", (self.recipe, self.save)),
            ("Length", (self.length, self.unit)),
            ("Devi&ce", (self.device,)),
            ("Noise", (self.noise, self.std)),
            ("Conte&xt", (self.context,)),
            ("R&egion", (self.region,)),
            ("", (self.preview,)),
        ):
            row = QHBoxLayout()
            row.setSpacing(4)
            for field in fields:
                row.addWidget(field, 0 if isinstance(field, QCheckBox) else 1)
            label = QLabel(text)
            label.setBuddy(fields[0])
            label.setToolTip(fields[0].toolTip())
            form.addRow(label, row)
        return form

    # -- value --------------------------------------------------------------

    def value(self) -> TrainChoices:
        """What is entered; the last right choices where there is a `fault`."""
        return self._value

    def set_value(self, choices: TrainChoices) -> None:
        """Show other choices."""
        if choices != self._value or self.fault:
            self._value = choices
            self._show()
            self.value_changed.emit()

    def set_devices(self, devices: Devices | None) -> None:
        """Offer these devices beside the automatic choice."""
        with QSignalBlocker(self.device):
            self.device.clear()
            self.device.addItem("automatic", AUTO)
            if devices is not None:
                for name, text in zip(devices.names, devices.descriptions, strict=True):
                    self.device.addItem(f"{name}: {text}", name)
            self._show_device()

    def _show_device(self) -> None:
        at = self.device.findData(self._value.device)
        if at < 0:  # of another machine, or not asked for yet
            self.device.addItem(self._value.device, self._value.device)
            at = self.device.count() - 1
        self.device.setCurrentIndex(at)

    def _show(self) -> None:
        """Show `_value` in all fields."""
        config = self._value.config
        self._quiet = True
        self._show_recipe(config.name)
        self._show_length(config)
        self._show_device()
        self.noise.setChecked(config.noise.enabled)
        self.context.setValue(config.model.context)
        self.region.setEditText(self._value.region)
        self._show_texts(config)
        self._quiet = False
        self._say("")

    def _show_texts(self, config: TrainConfig) -> None:
        self.std.setText(text_of(config.noise.std))
        self.advanced.show_values(config.model_dump())

    def _show_recipe(self, name: str) -> None:
        if self.recipe.findText(name) < 0:
            self.recipe.insertItem(self.recipe.count() - 1, name)
        self.recipe.setCurrentText(name)

    def _show_length(self, config: TrainConfig) -> None:
        unit = next((key for key in ("steps", "epochs") if getattr(config, key)), "seconds")
        seconds = config.time_limit or LENGTH
        if unit == "seconds" and seconds >= 600 and seconds % 60 == 0:
            unit = "minutes"
        key, factor = UNITS[unit]
        self.unit.setCurrentText(unit)
        self.length.setDecimals(DECIMALS[key])
        self.length.setValue((getattr(config, key) or LENGTH) / factor)

    # -- editing ------------------------------------------------------------

    def _on_edit(self, *_: object) -> None:
        if self._quiet:
            return
        try:
            self._value = self._entered()
        except XsegError as error:
            self._say(str(error))
        else:
            self._say("")
            self._show_texts(self._value.config)  # as they were understood
        self.value_changed.emit()

    def _entered(self) -> TrainChoices:
        values = self._value.config.model_dump()
        self.advanced.put(values)
        key, factor = UNITS[self.unit.currentText()]
        number = self.length.value() * factor
        values |= {"steps": None, "epochs": None, "time_limit": None}
        values[key] = number if key == "time_limit" else round(number)
        std = self.std.text().strip()
        values["noise"] |= {"enabled": self.noise.isChecked()}
        values["noise"] |= {"std": _counts(std) if std else None}
        values["model"]["context"] = round(self.context.value())
        region = self.region.currentText().strip()
        self._region = (region, parse_region(region))
        return TrainChoices(
            config=TrainConfig.from_dict(values, "recipe"),
            device=self.device.currentData(),
            region=region,
        )

    def check_region(self, shape: tuple[int, int, int]) -> None:
        """Raise XsegError where the region does not fit an image of `shape` (z, y, x)."""
        region = self._value.region
        if self._region[0] != region:
            self._region = (region, parse_region(region))
        self._region[1].check(shape)

    def _say(self, fault: str) -> None:
        self.fault = fault
        beside = self.advanced.say(fault)
        if beside:
            self.fold.set_open(True)
        self.fault_line.setText(fault)
        self.fault_line.setVisible(bool(fault) and not beside)
        self.std.setEnabled(self.noise.isChecked())

    def _on_unit(self) -> None:
        """Keep a length of time where the unit of time changes."""
        key, factor = UNITS[self.unit.currentText()]
        before = self._value.config.time_limit
        self._quiet = True
        self.length.setDecimals(DECIMALS[key])
        if key == "time_limit" and before is not None:
            self.length.setValue(max(1.0, before / factor))
        self._quiet = False
        self._on_edit()

    # -- recipes ------------------------------------------------------------

    def _on_recipe(self) -> None:
        name = self.recipe.currentText()
        try:
            if name == OPEN:
                self._open_recipe()
            else:
                self._take_recipe(self._opened.get(name) or load_recipe(name))
        except XsegError as error:
            self._show_recipe(self._value.config.name)
            self._say(str(error))

    def _open_recipe(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Recipe", "", "Recipes (*.toml)")
        self._show_recipe(self._value.config.name)
        if path:
            config = load_recipe(path)
            self._opened[config.name] = config
            self._take_recipe(config)

    def _take_recipe(self, config: TrainConfig) -> None:
        """The recipe's own settings; noise stays on or off as it was chosen."""
        noise = config.noise.replace(
            enabled=self.noise.isChecked(), std=self._value.config.noise.std
        )
        chosen: dict[str, Any] = {**self._value.model_dump(), "config": config.replace(noise=noise)}
        self.set_value(TrainChoices.from_dict(chosen))

    def _save_recipe(self) -> None:
        if self.fault:
            return
        name = f"{self._value.config.name}.toml"
        path, _ = QFileDialog.getSaveFileName(self, "Save recipe", name, "Recipes (*.toml)")
        if not path:
            return
        target = Path(path if path.endswith(".toml") else f"{path}.toml")
        config = self._value.config.replace(name=target.stem)
        try:
            write_atomic(target, config.to_toml())
        except XsegError as error:
            self._say(str(error))
            return
        self._opened[config.name] = config
        self.set_value(self._value.replace(config=config.model_dump()))


def _counts(text: str) -> float:
    """The sd of the noise; XsegError where the text is no number above 0."""
    number = number_of(text)
    if isinstance(number, str) or not 0 < number < float("inf"):
        raise XsegError(
            f"Noise sd: {text!r} is no number above 0; give counts of the image, such as "
            "250, or leave it empty."
        )
    return float(number)
