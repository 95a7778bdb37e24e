"""What README and the guide show: each block runs, each option and link is there."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from napari_xseg.config import TrainConfig
from napari_xseg.data.classes import ClassTable

Xseg = Callable[..., Any]

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ("README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))
RUNNABLE = ("README.md", "docs/tutorial.md")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
# Run by `make`, in CI, or by pip from the network; their words are checked below.
ELSEWHERE = ("make", "pip", "python3", "xseg/bin/pip")
README_BEGINS = (ROOT / "README.md").read_text(encoding="utf-8")
QUOTED = re.compile(r'"([^"\n]+)"')
# What napari's own menus say, and words that are only stressed.
NAPARIS = {"Plugins > xseg", "File > Open Sample > xseg", "File > Open", "xseg", "not labelled"}


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str


def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [Block(*match.groups()) for match in FENCE.finditer(text)]


def commands(text: str) -> Iterator[list[str]]:
    for line in text.replace("\\\n", " ").splitlines():
        yield shlex.split(line)


@pytest.mark.parametrize("page", RUNNABLE)
def test_each_block_runs(
    page: str, xseg: Xseg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    opened: list[None] = []
    monkeypatch.setattr("napari_xseg.cli.app.open_window", lambda: opened.append(None))
    for block in blocks(page):
        if block.language == "sh":
            for words in commands(block.text):
                run(words, xseg)
                assert opened == [None] * (words == ["napari-xseg"])
                opened.clear()
        if block.language == "python":
            text = block.text.replace("time_limit=5", "steps=15")
            exec(compile(text, page, "exec"), {})


def run(words: list[str], xseg: Xseg) -> None:
    if words[0] in ELSEWHERE:
        return
    assert words[0] == "napari-xseg"
    if "--time-limit" in words:  # the same work, less of it
        place = words.index("--time-limit")
        words[place : place + 2] = ["--steps", "15"]
    said = xseg(*words[1:])
    assert (said.code, said.err) == (0, ""), said


@pytest.mark.parametrize("page", GUIDE)
def test_each_block_is_of_a_known_kind(page: str) -> None:
    for block in blocks(page):
        assert block.language in ("sh", "python", "toml", "json", "text")
        if block.language == "toml":
            found = tomllib.loads(block.text)
            (ClassTable if "classes" in found else TrainConfig).from_dict(found)
        if block.language == "json":
            json.loads(block.text)
        if block.language == "python":
            compile(block.text, page, "exec")


@pytest.mark.parametrize("page", GUIDE)
def test_each_command_exists(page: str, xseg: Xseg) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in blocks(page):
        for words in commands(block.text) if block.language == "sh" else ():
            if words[0] == "make":
                assert next(word for word in words[1:] if "=" not in word) in targets
            elif words == ["napari-xseg"]:
                assert "Without a command it opens napari" in xseg("--help").out
            elif words[0] == "napari-xseg":
                assert xseg(words[1], "--help").code == 0
            else:
                assert words[0] in ELSEWHERE


@pytest.mark.parametrize("page", GUIDE)
def test_each_link_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in LINK.findall(text):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [title.lower().replace(" ", "-") for title in titles]


def test_every_picture_is_shown_and_small() -> None:
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in GUIDE)
    text += (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    folder = ROOT / "docs" / "images"
    pictures = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.*")}
    assert len(pictures) >= 7
    assert [name for name in pictures if f"images/{name})" not in text] == []
    assert [name for name, path in pictures.items() if path.stat().st_size > 250_000] == []
    ours = [path.stat().st_size for name, path in pictures.items() if "experiments/" in name]
    assert 0 < sum(ours) <= 2_000_000


def test_the_readme_begins_with_a_sentence_a_picture_and_the_two_commands() -> None:
    (_, sentence, picture), start = README_BEGINS.split("\n\n")[:3], blocks("README.md")[0].text
    assert sentence.count(".") == 1
    assert picture.startswith("![")
    assert start.splitlines() == ["make demo", "make gui"]


def test_the_guide_names_what_the_window_shows() -> None:
    """Words in italics at the places where the guide says what to press."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "napari_xseg").rglob("*.py")]
    shown = {text.replace("&", "").rstrip(".: ") for text in QUOTED.findall("\n".join(sources))}
    text = " ".join((ROOT / "docs" / "window.md").read_text(encoding="utf-8").split())
    named = {name.rstrip(".") for name in re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text)}
    assert len(named) > 40
    assert sorted(named - shown - NAPARIS) == []


def test_the_reference_lists_every_option(xseg: Xseg) -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    listed = re.findall(r"^  (\w+) ", xseg("--help").out.split("Commands:")[1], re.MULTILINE)
    assert set(sections) == set(listed)
    for command, section in sections.items():
        shown = xseg(command, "--help").out
        options = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", shown, re.MULTILINE))
        told = set(re.findall(r"^\| `(--[a-z-]+)", section, re.MULTILINE))
        assert told == options - {"--help"}, command
