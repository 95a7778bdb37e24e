"""The command line: `napari-xseg train`, `predict`, `evaluate` and what goes with them.

Exit codes: 0 done, 1 a bug (with its traceback), 2 something the user can mend
(one line on stderr), 130 stopped.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

from napari_xseg.cli.console import complain, prepare_streams, remember_command
from napari_xseg.cli.stopping import STOPPED, interrupt_on_signals
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

MENDABLE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code; bugs are raised.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after `napari-xseg`; by default those of this process.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    prepare_streams()
    with remember_command(words), interrupt_on_signals():
        try:
            return _run(words)
        except XsegError as error:
            complain(str(error))
        except KeyboardInterrupt:
            complain("stopped.")
            return STOPPED
        except OSError as error:
            complain(_mendable(error))
    return MENDABLE


def _run(words: list[str]) -> int:
    import typer

    from napari_xseg.cli.app import app

    # BadParameter is what typer shows of click's exceptions in all its versions.
    usage_error = cast("type[Exception]", typer.BadParameter.__bases__[0])
    command = typer.main.get_command(app)
    try:
        code = command.main(words, prog_name="napari-xseg", standalone_mode=False)
    except usage_error as error:
        raise XsegError(_usage(error)) from error
    except typer.Abort as error:  # click makes it of these two
        raise error.__cause__ or KeyboardInterrupt from error
    return code or 0


def _usage(error: BaseException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "napari-xseg"
    text = (
        getattr(error, "format_message", lambda: str(error))()
        .rstrip(".")
        .replace("Value error, ", "")
    )
    return f"{text}; `{path} --help` lists what is expected."


def _mendable(error: OSError) -> str:
    """Say what a full disk or a refused file asks of the user; other errors are raised."""
    import errno

    where = error.filename or "napari-xseg"
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return f"{where}: the disk is full; make room or choose another disk."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and error.filename:
        return f"{where}: may not be used ({error.strerror}); choose another place."
    if error.errno == errno.EIO:
        return f"{where}: the disk or its connection fails ({error.strerror}); check it."
    raise error
