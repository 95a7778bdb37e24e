from __future__ import annotations

from pathlib import Path

import pytest

from napari_xseg.gui import telling
from napari_xseg.gui.telling import Telling, in_lines

HERE = Path("folder").absolute()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"{HERE / 'a scan.tif'}: is damaged: no.", f"a scan.tif: is damaged: no.\n{HERE}"),
        ("layer 'x': is a colour image.", "layer 'x': is a colour image."),
        ("Done", "Done"),
    ],
)
def test_what_matters_comes_first(text: str, shown: str) -> None:
    assert in_lines(text) == shown


def test_the_same_is_said_once_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, heard, words = [0.0], [], Telling()
    monkeypatch.setattr(telling.time, "monotonic", lambda: clock[0])
    for at, text in ((0.0, "a"), (1.0, "a"), (3.5, "b"), (3.9, "a"), (7.5, "a")):
        clock[0] = at
        words.say(heard.append, text)
    assert heard == ["a", "b", "a"]
