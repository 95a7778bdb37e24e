"""`napari-xseg` without a command: napari with the docks."""

from importlib.util import find_spec

from napari_xseg.errors import XsegError


def open_window() -> None:
    """Open napari with the docks, and return when it is closed.

    Raises
    ------
    XsegError
        Where napari or a Qt binding is not installed.
    """
    missing = "napari" if find_spec("napari") is None else ""
    if not missing:
        try:
            from napari_xseg.gui.window import run
        except ImportError as error:
            missing = f"Qt ({error})"
    if missing:
        raise XsegError(
            f"{missing} is not installed: `pip install napari-xseg[all]` gives the window; "
            "`napari-xseg --help` lists the commands that need none."
        )
    run()
