"""Fields for the values of a settings object, each with its own line for what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QLineEdit, QWidget

from napari_xseg.gui.forms import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_xseg.config import Settings


@dataclass(frozen=True)
class Row:
    """One value of a settings object: where it lies ("model.width"), its label and tooltip.

    `empty` is what an empty text field means, shown in it; without it a value is needed.
    """

    path: str
    label: str
    tip: str
    empty: str = ""


def kind_of_field(settings: type[Settings], path: str) -> Any:
    """The annotation of the value at `path`, without None."""
    kind: Any = settings
    for name in path.split("."):
        kind = kind.model_fields[name].annotation
        parts = [part for part in get_args(kind) if part is not type(None)]
        if len(parts) == 1 and get_origin(kind) is not Literal and type(None) in get_args(kind):
            kind = parts[0]
    return kind


def get_value(values: Mapping[str, Any], path: str) -> Any:
    """The value at `path` in nested mappings."""
    found: Any = values
    for name in path.split("."):
        found = found[name]
    return found


def put_value(values: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at `path` in nested dicts."""
    *parents, name = path.split(".")
    for parent in parents:
        values = values[parent]
    values[name] = value


def number_of(text: str) -> Any:
    """A text as a number, a comma being a decimal point; what is none stays text."""
    words = text.strip()
    try:
        return int(words)
    except ValueError:
        pass
    try:
        return float(words.replace(",", "."))
    except ValueError:
        return words


class Field(QWidget):
    """One value: a check box, a list of choices, or a text, as its type wants it."""

    value_changed = Signal()

    def __init__(self, row: Row, kind: Any) -> None:
        super().__init__()
        self.row = row
        self._several = get_origin(kind) is tuple
        self.input = self._make_input(kind)
        self.input.setToolTip(row.tip)
        self.input.setAccessibleName(row.label)
        self.fault = QLabel()
        self.fault.setWordWrap(True)
        self.fault.setVisible(False)
        self.setFocusProxy(self.input)
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(1)
        layout.addRow(self.input)
        layout.addRow(self.fault)

    def _make_input(self, kind: Any) -> QCheckBox | QComboBox | QLineEdit:
        if kind is bool:
            box = QCheckBox()
            box.toggled.connect(self.value_changed)
            return box
        if get_origin(kind) is Literal:
            choice = Choice()
            for value in get_args(kind):
                choice.addItem(str(value), value)
            choice.currentIndexChanged.connect(self.value_changed)
            return choice
        text = QLineEdit()
        text.setPlaceholderText(self.row.empty)
        text.editingFinished.connect(self.value_changed)
        return text

    def value(self) -> Any:
        """What is entered, as settings take it; None where an empty text stands for that."""
        if isinstance(self.input, QCheckBox):
            return self.input.isChecked()
        if isinstance(self.input, QComboBox):
            return self.input.currentData()
        text = self.input.text().strip()
        if not text and self.row.empty:
            return None
        if self._several:
            return tuple(number_of(part) for part in text.replace(",", " ").split())
        return text if self.row.path.endswith("name") else number_of(text)

    def set_value(self, value: Any) -> None:
        """Show a value."""
        if isinstance(self.input, QCheckBox):
            self.input.setChecked(bool(value))
        elif isinstance(self.input, QComboBox):
            self.input.setCurrentIndex(self.input.findData(value))
        else:
            self.input.setText(text_of(value))

    def say(self, fault: str) -> None:
        """Say what is wrong with the value; nothing where it is right."""
        self.fault.setText(fault)
        self.fault.setVisible(bool(fault))


class SettingsFields(QWidget):
    """A form of fields for some values of a kind of settings.

    Parameters
    ----------
    settings : type of Settings
        What the values belong to.
    rows : sequence of Row or str
        The values in their order; a text is a heading.
    """

    value_changed = Signal()

    def __init__(self, settings: type[Settings], rows: Sequence[Row | str]) -> None:
        super().__init__()
        self.fields: dict[str, Field] = {}
        self._quiet = False
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(3)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for row in rows:
            if isinstance(row, str):
                layout.addRow(QLabel(f"<b>{row}</b>"))
                continue
            field = Field(row, kind_of_field(settings, row.path))
            field.value_changed.connect(self._on_change)
            label = QLabel(row.label)
            label.setToolTip(row.tip)
            label.setBuddy(field.input)
            layout.addRow(label, field)
            self.fields[row.path] = field

    def put(self, values: dict[str, Any]) -> None:
        """Write what is entered into nested dicts of settings."""
        for path, field in self.fields.items():
            put_value(values, path, field.value())

    def show_values(self, values: Mapping[str, Any]) -> None:
        """Show the values of nested mappings, without a word that they changed."""
        self._quiet = True
        for path, field in self.fields.items():
            field.set_value(get_value(values, path))
        self._quiet = False

    def say(self, fault: str) -> bool:
        """Say a fault beside the field that it names ("...: model.width: ..."); True where one is.

        Without a fault all fields are right.
        """
        named = [path for path in self.fields if f"{path}: " in fault]
        best = max(named, key=len, default=None)
        for path, field in self.fields.items():
            field.say(fault if path == best else "")
        return best is not None

    def _on_change(self) -> None:
        if not self._quiet:
            self.value_changed.emit()


def text_of(value: Any) -> str:
    """A value as it is shown in a text field, all its digits; empty for None."""
    if value is None:
        return ""
    if isinstance(value, tuple | list):
        return " ".join(map(str, value))
    return f"{value:.12g}" if isinstance(value, float) else str(value)
