"""What is said of an item before it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_xseg.review.scoring.values import Mark, Score

if TYPE_CHECKING:
    from napari_xseg.review.scoring.values import Kept


@dataclass(frozen=True)
class Draft:
    """A score in the making; `score` is None until a number was given."""

    score: int | None = None
    faults: tuple[str, ...] = ()
    note: str = ""
    mark: Mark | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said yet."""
        return self == Draft()

    def toggled(self, fault: str) -> Draft:
        """With this kind of fault, or without it where it was named."""
        named = fault in self.faults
        rest = tuple(one for one in self.faults if one != fault)
        return Draft(self.score, rest if named else (*rest, fault), self.note, self.mark)

    def equals(self, kept: Kept | None) -> bool:
        """Whether it says what is on disk."""
        if kept is None or self.score is None:
            return kept is None and self.is_empty
        return self.to_score(None).said == kept.score.said

    def to_score(self, seconds: float | None) -> Score:
        """As it is kept; a number must have been given."""
        assert self.score is not None
        return Score(self.score, self.faults, self.note.strip(), self.mark, seconds)


def draft_of(kept: Kept | None) -> Draft:
    """What is on disk, to be changed; an empty draft without."""
    if kept is None:
        return Draft()
    score = kept.score
    return Draft(score.score, score.faults, score.note, score.mark)
