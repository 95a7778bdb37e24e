"""What the commands say: results and remarks on stdout, one line of complaint on stderr."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import rich.console

_COMMAND: ContextVar[str] = ContextVar("command", default="")
# Without a terminal nothing is cut or wrapped.
_ENDLESS = 10_000


class Console:
    """Where a command writes; with `quiet` only results, warnings and errors."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    @cached_property
    def rich(self) -> rich.console.Console:
        """The terminal, for progress bars and tables."""
        from rich.console import Console as RichConsole

        class Unbreakable(RichConsole):
            def on_broken_pipe(self) -> None:
                _go_on_unheard()

        width = None if sys.stdout.isatty() else _ENDLESS
        return Unbreakable(width=width, highlight=False, markup=False, emoji=False, soft_wrap=True)

    @property
    def interactive(self) -> bool:
        """Whether somebody watches: bars are drawn on a terminal alone, and not when quiet."""
        return not self.quiet and sys.stdout.isatty() and self.rich.is_interactive

    def say(self, text: str = "") -> None:
        """Say something that may be left out."""
        if not self.quiet:
            self.result(text)

    def result(self, text: str) -> None:
        """Say what was asked for."""
        self.rich.print(text, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Say what the user should know."""
        self.rich.print(f"warning: {text}", style="yellow", soft_wrap=True)

    def table(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        title: str,
        remark: bool = False,
    ) -> None:
        """Show a table; a header of empty names is not shown, a `remark` only where not quiet."""
        if remark and self.quiet:
            return
        from rich.table import Table

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.show_header = any(header)
        for place, name in enumerate(header):
            numbers = place > 0 and all(_is_number(row[place]) for row in rows)
            table.add_column(name, justify="right" if numbers else "left", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        self.rich.print(f"\n{title}")
        self.rich.print(table)


def complain(text: str) -> None:
    """Write one line to stderr, whatever `text` holds."""
    try:
        sys.stderr.write(f"napari-xseg: {' '.join(text.split())}\n")
        sys.stderr.flush()
    except BrokenPipeError:
        _give_away(sys.stderr)


def prepare_streams() -> None:
    """Let stdout and stderr take any text, whatever their encoding, even where they are closed."""
    nowhere = Path(os.devnull)
    sys.stdout = sys.stdout or nowhere.open("w", encoding="utf-8")
    sys.stderr = sys.stderr or nowhere.open("w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


@contextmanager
def remember_command(words: Sequence[str]) -> Iterator[None]:
    """Have `current_command` give these words within the block."""
    token = _COMMAND.set(shlex.join(["napari-xseg", *words]))
    try:
        yield
    finally:
        _COMMAND.reset(token)


def current_command() -> str:
    """Give the command line that runs, as a shell takes it; empty outside of `main`."""
    return _COMMAND.get()


def _is_number(text: str) -> bool:
    return not text.strip("0123456789.,-+ %e")


def _go_on_unheard() -> None:
    # `napari-xseg train ... | head` must not lose a training.
    _give_away(sys.stdout)


def _give_away(stream: Any) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
