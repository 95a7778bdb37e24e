"""A session of scores in one viewer: its items one after the other, each score kept at once."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_xseg.errors import XsegError
from napari_xseg.events import Control
from napari_xseg.gui.scoring.draft import Draft, draft_of
from napari_xseg.gui.scoring.preparing import Opened, Stopped, Wanted, begin, go_on
from napari_xseg.review.scoring.store import next_item

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_xseg.gui.session import Session
    from napari_xseg.gui.worker import Call
    from napari_xseg.review.scoring.values import Item, Kept, Mark

UNSCORED = "Give a score first, 1 to 5: without it nothing of this item is kept."


class Scorer:
    """Begins sessions, walks through their items, and keeps what is said of each.

    A score goes to the disk when it is given; the next item shows when it is there.

    Attributes
    ----------
    opened : Opened or None
        The session that runs.
    item : Item or None
        What is looked at.
    draft : Draft
        What is said of it so far.
    trouble : str
        Why the last thing asked for was not done; empty where it was.
    """

    changed = Signal()  # a session was begun or left
    item_changed = Signal()  # another item is looked at
    drafted = Signal()  # what is said of it, or what is kept, has changed
    opening_changed = Signal()
    troubled = Signal()
    finished = Signal()  # every item has its score

    def __init__(self, session: Session) -> None:
        self._session = session
        self.opened: Opened | None = None
        self.item: Item | None = None
        self.draft = Draft()
        self.trouble = ""
        self._opening: Call[Opened] | None = None
        self._control = Control()
        self._saving: Call[dict[int, Kept]] | None = None
        self._undoing: Call[tuple[int | None, dict[int, Kept]]] | None = None
        self._then: Callable[[], None] | None = None
        self._refused = False
        # What was said of items without a score, or could not be kept.
        self._drafts: dict[tuple[str, int], Draft] = {}
        self._since = 0.0
        self._before = 0.0
        self._was_scored = False  # when the item came into view

    # -- sessions -----------------------------------------------------------

    @property
    def is_opening(self) -> bool:
        """Whether volume and masks are looked at before a session begins."""
        return self._opening is not None

    def begin(self, wanted: Wanted) -> None:
        """Begin a session; `changed` says when its first item can be shown."""
        control = self._control = Control()
        self._open(lambda: begin(wanted, control))

    def go_on(self, folder: Path, reviewer: str, uid: str) -> None:
        """Take up a session where it was left."""
        volume = self._session.require_images().volume
        control = self._control = Control()
        self._open(lambda: go_on(folder, reviewer, uid, volume, control))

    def cancel(self) -> None:
        """Begin nothing after all."""
        self._control.stop()

    def leave(self) -> None:
        """Leave the session, to be gone on with; what cannot be kept is said first."""
        self._after_saving(self._leave)

    def let_go(self) -> None:
        """Leave at once: the window closes, or the image has gone. One more try to keep a score."""
        self._control.stop()
        if self._opening is not None:
            self._opening = None
            self.opening_changed.emit()
        if self.opened is not None:
            self._keep_last()
            self._leave()

    # -- what is said -------------------------------------------------------

    def set_score(self, score: int) -> None:
        """Score the item, 1 to 5."""
        self._say(replace(self.draft, score=score))

    def toggle(self, key: str) -> bool:
        """Name the kind of fault of a letter, or name it no more; False where there is none."""
        faults = () if self.opened is None else self.opened.session.faults
        for kind in faults:
            if kind.key.casefold() == key.casefold():
                self._say(self.draft.toggled(kind.name))
                return True
        return False

    def set_note(self, text: str) -> None:
        """Note something; it is kept with the next step, or `keep`."""
        if self.item is not None and text != self.draft.note:
            self.draft = replace(self.draft, note=text)
            self.drafted.emit()

    def set_mark(self, mark: Mark | None) -> None:
        """Mark a place on the image; None takes the mark away."""
        self._say(replace(self.draft, mark=mark))

    def keep(self) -> None:
        """Keep what is said where it is not on the disk yet."""
        self._after_saving(None)

    @property
    def is_kept(self) -> bool:
        """Whether all that is said of the item is on the disk."""
        if self.opened is None or self.item is None:
            return True
        return self.draft.equals(self.opened.kept.get(self.item.number))

    @property
    def seconds(self) -> float:
        """How long the item was looked at."""
        return self._before + time.monotonic() - self._since

    # -- from item to item --------------------------------------------------

    def next(self) -> None:
        """Go to the next item; at the end to one that was left out, else the session is done."""
        if self.draft.score is None and not self.draft.is_empty:
            self._trouble(UNSCORED)
            return
        self._after_saving(self._next)

    def back(self) -> None:
        """Go to the item before."""
        if self.item is not None and self.item.number > 1:
            self._after_saving(lambda: self._step(-1))

    def undo(self) -> None:
        """Take back the last change, whichever item it was of, and show that item."""
        if self.draft.score is None and not self.draft.is_empty:
            self.draft = Draft()
            self.drafted.emit()
            return
        self._after_saving(self._undo)

    # -- inside: sessions ---------------------------------------------------

    def _open(self, work: Callable[[], Opened]) -> None:
        if self._opening is not None or self.opened is not None:
            return
        self._trouble("")
        call = self._opening = self._session.jobs.call(work)
        call.returned.connect(lambda opened: self._on_opened(call, opened))
        call.failed.connect(lambda error: self._on_not_opened(call, error))
        self.opening_changed.emit()

    def _on_opened(self, call: Call[Opened], opened: Opened) -> None:
        if self._opening is not call:  # the image has changed meanwhile, or the window closed
            opened.file.close()
            return
        self._opening = None
        self.opened = opened
        if opened.warning:
            self._session.warn(opened.warning)
        self.opening_changed.emit()
        self.changed.emit()
        first = next_item(opened.session, opened.kept) or opened.session.items[0]
        self._look_at(first)

    def _on_not_opened(self, call: Call[Opened], error: Exception) -> None:
        if self._opening is not call:
            return
        self._opening = None
        self.opening_changed.emit()
        if not isinstance(error, Stopped):
            self._trouble(str(error))
            self._session.show_error(error)

    def _leave(self) -> None:
        if self.opened is None:
            return
        self._remember()
        opened, self.opened, self.item = self.opened, None, None
        self.draft, self._then, self._refused = Draft(), None, False
        self._trouble("")
        self._close(opened)
        self._saving = self._undoing = None
        self.changed.emit()

    def _close(self, opened: Opened) -> None:
        """Let the file go, once nobody writes to it any more."""
        for call in (self._saving, self._undoing):
            if call is not None and not call.over:
                call.returned.connect(lambda _: opened.file.close())
                call.failed.connect(lambda _: opened.file.close())
                return
        opened.file.close()

    def _keep_last(self) -> None:
        opened, item = self.opened, self.item
        if opened is None or item is None or self.draft.score is None or self.is_kept:
            return
        score = self.draft.to_score(self.seconds)
        with suppress(XsegError):  # it was said when it was tried, and stays as a draft
            opened.kept[item.number] = opened.file.keep(opened.session.uid, item.number, score)

    # -- inside: items ------------------------------------------------------

    def _look_at(self, item: Item) -> None:
        assert self.opened is not None
        self._remember()
        kept = self.opened.kept.get(item.number)
        self.item = item
        self.draft = self._drafts.pop((self.opened.session.uid, item.number), draft_of(kept))
        self._was_scored = kept is not None
        self._before = 0.0 if kept is None else kept.score.seconds or 0.0
        self._since = time.monotonic()
        self._refused = False
        self._trouble("")
        self.item_changed.emit()

    def _remember(self) -> None:
        if self.opened is not None and self.item is not None and not self.is_kept:
            self._drafts[self.opened.session.uid, self.item.number] = self.draft

    def _next(self) -> None:
        assert self.opened is not None
        assert self.item is not None
        items, number = self.opened.session.items, self.item.number
        left = next_item(self.opened.session, self.opened.kept)
        again = number < len(items) and (left is not None or self._was_scored)
        if again:
            self._look_at(items[number])
        elif left is None:
            self._leave()
            self.finished.emit()
        elif left is not self.item:
            self._look_at(left)
        else:
            self._trouble(UNSCORED)

    def _step(self, by: int) -> None:
        if self.opened is not None and self.item is not None:
            self._look_at(self.opened.session.items[self.item.number - 1 + by])

    # -- inside: keeping ----------------------------------------------------

    def _say(self, draft: Draft) -> None:
        # On its way to the next item a key would score one that nobody has seen.
        if self.item is None or self._then is not None:
            return
        self.draft = draft
        self._refused = False
        self.drafted.emit()
        self._after_saving(None)

    def _after_saving(self, then: Callable[[], None] | None) -> None:
        """Do something once all that is said is on the disk."""
        if self.opened is None or self.item is None or self._undoing is not None:
            return
        self._then = then
        if self._saving is None:
            self._settle()

    def _settle(self) -> None:
        if not self.is_kept and self.draft.score is not None and not self._gives_up:
            self._save()
            return
        then, self._then = self._then, None
        if then is not None:
            then()

    @property
    def _gives_up(self) -> bool:
        """Whether the user leaves once more after it was said that a score is not kept."""
        return self._refused and self._then == self._leave

    def _save(self) -> None:
        opened, item = self.opened, self.item
        assert opened is not None
        assert item is not None
        try:
            score = self.draft.to_score(round(self.seconds, 2))
        except XsegError as error:  # such as a note that is too long
            self._on_not_kept(error)
            return
        call = self._saving = self._session.jobs.call(lambda: opened.keep(item, score))
        call.returned.connect(lambda kept: self._on_kept(opened, kept))
        call.failed.connect(lambda error: self._on_not_kept(error, opened))

    def _on_kept(self, opened: Opened, kept: dict[int, Kept]) -> None:
        if self.opened is not opened:
            return
        self._saving = None
        opened.kept = kept
        self._trouble("")
        self.drafted.emit()
        self._settle()

    def _on_not_kept(self, error: Exception, opened: Opened | None = None) -> None:
        if opened is not None and self.opened is not opened:
            return
        self._saving = None
        leaving = self._then == self._leave
        self._then, self._refused = None, leaving
        again = "leave once more to go without it" if leaving else "Space tries again"
        self._trouble(f"{error} Nothing is lost: {again}.")
        self._session.show_error(error)
        self.drafted.emit()

    def _undo(self) -> None:
        opened = self.opened
        assert opened is not None
        file, uid = opened.file, opened.session.uid

        def work() -> tuple[int | None, dict[int, Kept]]:
            return file.undo(uid), file.kept(uid)

        call = self._undoing = self._session.jobs.call(work)
        call.returned.connect(lambda undone: self._on_undone(opened, *undone))
        call.failed.connect(lambda error: self._on_not_undone(opened, error))

    def _on_undone(self, opened: Opened, number: int | None, kept: dict[int, Kept]) -> None:
        if self.opened is not opened:
            return
        self._undoing = None
        opened.kept = kept
        if number is None:
            self._trouble("There is nothing to take back.")
            return
        # What is shown was kept a moment ago: it is no draft, and the undone must not be one.
        self.item = None
        self._look_at(opened.session.item(number))

    def _on_not_undone(self, opened: Opened, error: Exception) -> None:
        if self.opened is opened:
            self._undoing = None
            self._trouble(str(error))
            self._session.show_error(error)

    def _trouble(self, text: str) -> None:
        if text != self.trouble:
            self.trouble = text
            self.troubled.emit()
