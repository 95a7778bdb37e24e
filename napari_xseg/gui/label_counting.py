"""Label files counted in the background, slice by slice."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_xseg.data.label_store import LabelStore
    from napari_xseg.gui.project_state import ProjectState

# Seconds of counting between two looks at what was found.
COUNTED_AT_ONCE = 0.5


def count_label_files(state: ProjectState, store: LabelStore, counting: Iterator[int]) -> None:
    """Count on, and say which slices were counted as they come, while `store` is in use."""

    def some() -> tuple[int, ...]:
        found, start = [], time.monotonic()
        for z in counting:
            found.append(z)
            if time.monotonic() - start > COUNTED_AT_ONCE:
                break
        return tuple(found)

    def take(found: tuple[int, ...]) -> None:
        if state.store is store and found:
            state.slices_changed.emit(frozenset(found))
            count_label_files(state, store, counting)

    if store.uncounted:
        call = state.jobs.call(some)
        call.returned.connect(take)
        call.failed.connect(state.show_error)
