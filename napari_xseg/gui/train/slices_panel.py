"""Which slices of the session are labelled, and what each is for, kept up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_xseg.errors import XsegError
from napari_xseg.gui.dock import Links, looks
from napari_xseg.gui.in_front import WhenSeen
from napari_xseg.gui.train.plan import choose_split
from napari_xseg.gui.train.slice_strip import SliceStrip, ValidationField

if TYPE_CHECKING:
    from napari_xseg.data.label_store import LabelStore
    from napari_xseg.data.partition import Split
    from napari_xseg.gui.session import Session
    from napari_xseg.jobs import SplitWish

# Milliseconds between two looks at what was painted.
PACE = 300


class SlicesPanel(QWidget):
    """The strip of slices, the choice of those that validate, and the split in words.

    Attributes
    ----------
    split : Split or None
        What trains and what validates; None where nothing is labelled or it is not
        known yet.
    fault : str
        Why the labelled slices cannot be split; empty where they can.
    changed : Signal()
        The labels or the split are others.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.split: Split | None = None
        self.fault = ""
        self._pixels: dict[int, int] = {}
        self._stale: set[int] | None = None  # None: all
        self._splittings = 0
        self.strip = SliceStrip()
        self.validation = ValidationField()
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setToolTip("What trains, what validates, and where the Dice comes from.")
        self._lay_out()
        # Whether the Train button may be pressed depends on it, also where its fold is closed.
        self._counting = WhenSeen(parent or self, self._count, PACE)
        self._connect()
        self.read_again()

    def _lay_out(self) -> None:
        form = QFormLayout()
        label = QLabel("Validation")
        label.setBuddy(self.validation.choice)
        label.setToolTip(self.validation.choice.toolTip())
        form.addRow(label, self.validation)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.strip)
        layout.addLayout(form)
        layout.addWidget(self.words)

    def _connect(self) -> None:
        session = self.session
        self.strip.picked.connect(session.go_to)
        self.validation.value_changed.connect(self._choose_split)
        self._links = Links(
            (session.image_changed, self.read_again),
            (session.labels_changed, self.read_again),
            (session.classes_changed, self.read_again),
            (session.slices_changed, self._on_strokes),
            *((event, self._on_dims) for event in looks(session)),
        )

    def leave(self) -> None:
        """Follow the session no more."""
        self._links.leave()
        self._counting.stop()
        self._splittings += 1

    def wish(self) -> SplitWish:
        """How to split; XsegError where the field names no slices."""
        return self.validation.value()

    # -- what is labelled ---------------------------------------------------

    def read_again(self) -> None:
        """Look at all that is labelled."""
        images = self.session.images
        self.validation.set_count(1 if images is None else images.shape[0])
        self._stale = None
        self._counting.now()
        self._on_dims()

    def _on_strokes(self, slices: frozenset[int]) -> None:
        if self._stale is not None:
            self._stale |= slices
        self._counting.soon()

    def _on_dims(self, _: object = None) -> None:
        self.strip.set_current(self.session.z)

    def _count(self) -> None:
        store = self.session.store
        self._pixels = {} if store is None else self._counted(store)
        self._stale = set()
        self._show()
        self._choose_split()

    def _counted(self, store: LabelStore) -> dict[int, int]:
        """Labelled pixels by z; what is not counted yet is 0, counting takes its time."""
        labelled, waiting = set(store.labelled), store.uncounted
        kept = {} if self._stale is None else self._pixels
        pixels = dict.fromkeys(labelled, 0)
        pixels |= {z: count for z, count in kept.items() if z in labelled}
        for z in (labelled if self._stale is None else labelled & self._stale) - waiting:
            pixels[z] = int(store.counts(z)[1:].sum())
        return pixels

    # -- what it is for -----------------------------------------------------

    def _choose_split(self) -> None:
        """Split in the background, since rows of slices may have to be read for it."""
        session = self.session
        store, images, classes = session.store, session.images, session.classes
        self._splittings += 1
        number = self._splittings
        try:
            wish = self.wish()
        except XsegError as error:
            self._take(None, str(error))
            return
        if store is None or images is None or not self._pixels:
            self._take(None, "")
            return
        call = session.jobs.call(lambda: choose_split(images, store, classes, wish))

        def take(split: Split | None, fault: str = "") -> None:
            if number == self._splittings:
                self._take(split, fault)

        call.returned.connect(take)
        call.failed.connect(lambda error: take(None, str(error)))

    def _take(self, split: Split | None, fault: str) -> None:
        self.split, self.fault = split, fault
        self.words.setText("" if split is None else split.describe())
        self.words.setVisible(split is not None)
        self._show()

    def _show(self) -> None:
        images = self.session.images
        depth = 0 if images is None else images.shape[0]
        self.strip.set_slices(depth, self._pixels, self.split)
        self.changed.emit()
