"""Help, version, usage errors, streams: what holds for every command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

import napari_xseg
from napari_xseg import cli
from napari_xseg.data import sample

if TYPE_CHECKING:
    from pathlib import Path

Said = Any
Xseg = Callable[..., Said]
Start = Callable[..., "subprocess.Popen[str]"]
Finish = Callable[["subprocess.Popen[str]"], Said]

COMMANDS = (
    *("train", "predict", "evaluate", "suggest", "suspects", "review", "experiment"),
    *("info", "doctor", "recipe", "sample", "demo"),
)
HEAVY = {"torch", "numpy", "scipy", "zarr", "h5py", "matplotlib", "jinja2", "rich"}


@pytest.mark.parametrize("words", [["--help"], ["-h"]])
def test_help_names_all_commands(words: list[str], xseg: Xseg) -> None:
    said = xseg(*words)
    assert said.code == 0
    assert said.err == ""
    for command in COMMANDS:
        assert f"\n  {command} " in said.out


def test_without_a_command_the_window_opens(xseg: Xseg, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[bool] = []
    monkeypatch.setattr("napari_xseg.gui.window.run", lambda: opened.append(True))
    assert xseg().code == 0
    assert opened == [True]


def test_without_napari_a_sentence_says_what_to_install(
    xseg: Xseg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_xseg.cli.window.find_spec", lambda name: None)
    said = xseg()
    assert said.code == 2
    assert "napari is not installed" in said.err
    assert "napari-xseg[all]" in said.err


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str, xseg: Xseg) -> None:
    said = xseg(command, "--help")
    assert said.code == 0
    assert f"Usage: napari-xseg {command}" in said.out


def test_the_options_that_are_promised(xseg: Xseg) -> None:
    promised = {
        "train": "--images --labels --train-slices --val-slices --recipe --noise-std --device "
        "--time-limit --steps --seed --out --resume --unlabelled --roi --classes --raw "
        "--no-validation --overwrite --split --val-fraction --gap --pairs --precision --threads",
        "predict": "--model --images --slices --confidence --match-intensity --out --overwrite "
        "--device --precision --threads --roi --raw",
        "evaluate": "--masks --labels --slices --border --json --mistakes --overwrite "
        "--unlabelled --roi --classes --pairs",
    }
    for command, options in promised.items():
        out = xseg(command, "--help").out
        assert [option for option in options.split() if option not in out] == []


def test_version(xseg: Xseg) -> None:
    assert xseg("--version").out == f"napari-xseg {napari_xseg.__version__}\n"


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"]])
def test_help_loads_nothing_heavy(words: list[str], surroundings: dict[str, str]) -> None:
    code = (
        f"import sys; from napari_xseg.cli import main; main({words!r}); "
        "sys.stderr.write(' '.join(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=surroundings)
    assert "Usage: napari-xseg" in done.stdout
    assert HEAVY.isdisjoint(done.stderr.split())


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["train", "--nonsense"], "No such option: --nonsense"),
        (["train", "--images", "x"], "Missing option '--labels'"),
        (["predict", "--model"], "'--model' requires an argument"),
        (["sample", "a", "b"], "unexpected extra argument"),
        (["--nonsense"], "No such option: --nonsense"),
    ],
)
def test_usage_errors_are_one_line(
    words: list[str], complaint: str, refused: Callable[..., str]
) -> None:
    assert complaint in refused(*words)


@pytest.mark.parametrize(
    "option",
    [
        ["--steps", "0"],
        ["--steps", "many"],
        ["--time-limit", "0"],
        ["--time-limit", "nan"],
        ["--time-limit", "-3"],
        ["--seed", "-1"],
        ["--split", "fair"],
        ["--val-fraction", "1.5"],
        ["--gap", "-1"],
        ["--threads", "0"],
        ["--precision", "int8"],
    ],
)
def test_bad_values_name_their_option(option: list[str], refused: Callable[..., str]) -> None:
    line = refused("train", "--images", "a", "--labels", "b", "--out", "c", *option)
    assert option[0] in line
    assert "train --help" in line


def test_a_bug_shows_its_traceback(monkeypatch: pytest.MonkeyPatch, xseg: Xseg) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(sample, "write_sample", broken)
    with pytest.raises(ZeroDivisionError):
        xseg("sample", "somewhere")


def test_an_unexpected_end_of_file_is_a_bug(monkeypatch: pytest.MonkeyPatch, xseg: Xseg) -> None:
    def broken(*_: object, **__: object) -> None:
        raise EOFError("a bug")

    monkeypatch.setattr(sample, "write_sample", broken)
    with pytest.raises(EOFError):
        xseg("sample", "somewhere")


def test_bugs_exit_with_1(surroundings: dict[str, str]) -> None:
    code = (
        "import sys; from napari_xseg import cli; cli._run = lambda words: 1 / 0; "
        "sys.exit(cli.main([]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=surroundings, check=False
    )
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_an_interrupt_before_the_work_exits_with_130(
    monkeypatch: pytest.MonkeyPatch, xseg: Xseg
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sample, "write_sample", interrupted)
    assert xseg("sample", "somewhere").code == 130
    monkeypatch.setattr(cli, "_run", interrupted)
    assert xseg("sample", "somewhere").code == 130


def test_a_reader_that_goes_away_does_not_end_the_work(
    tmp_path: Path, start: Start, finish: Finish
) -> None:
    process = start("sample", tmp_path / "data")
    assert process.stdout
    process.stdout.close()
    process.stdout = None
    said = finish(process)
    assert (said.code, said.err) == (0, "")
    assert (tmp_path / "data" / "lis_like").is_dir()


def test_any_text_can_be_printed_in_any_encoding(
    tmp_path: Path, start: Start, finish: Finish
) -> None:
    folder = tmp_path / "Zellstück µm"
    narrow = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    said = finish(start("sample", folder, **narrow))
    assert (said.code, said.err) == (0, "")
    assert len(list((folder / "images").iterdir())) == 40


def test_output_without_a_terminal_has_no_escape_codes_and_no_cut_lines(
    tmp_path: Path, xseg: Xseg
) -> None:
    folder = tmp_path / ("long-" * 30)
    out = xseg("sample", folder).out
    assert "\x1b" not in out
    assert f"images      {folder / 'images'}\n" in out


def test_quiet_says_only_results(tmp_path: Path, xseg: Xseg) -> None:
    out = xseg("sample", tmp_path / "data", "--quiet").out
    assert "Next:" not in out
    assert "images" in out
