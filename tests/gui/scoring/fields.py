"""A widget that says which keys it hears."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QWidget


class Listening(QWidget):
    """Remembers the text of each key."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def keyPressEvent(self, event: Any) -> None:
        self.heard.append(event.text())
