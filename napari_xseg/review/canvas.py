"""How figures are drawn and saved: one style, no window, the same bytes each time."""

from __future__ import annotations

import functools
import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from matplotlib.figure import Figure

Colour = tuple[int, int, int]

_STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 11.0,
    "axes.titlesize": 12.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "figure.dpi": 150.0,
    # A class may be called a$b; and an SVG's ids come from a salt, random if none is set.
    "text.parse_math": False,
    "svg.hashsalt": "napari-xseg",
}
_PLAIN = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_DARKEST_CONTRAST = 0.42

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


def styled(make: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
    """Run `make` in the style of the figures, whatever the user's own matplotlib settings."""

    @functools.wraps(make)
    def in_style(*args: _Given.args, **kwargs: _Given.kwargs) -> _Made:
        with _style():
            return make(*args, **kwargs)

    return in_style


@styled
def figure_bytes(figure: Figure, suffix: str = ".png", dpi: float | None = None) -> bytes:
    """Draw `figure` as a ".png", ".svg" or ".pdf"; no date, so equal figures give equal bytes.

    `dpi` is by default the figure's own.
    """
    if suffix not in _PLAIN:
        raise XsegError(
            f"figure: found the file ending {suffix or 'none'!r}, expected {', '.join(_PLAIN)}."
        )
    drawn = io.BytesIO()
    figure.savefig(drawn, format=suffix[1:], metadata=_PLAIN[suffix], dpi=dpi or "figure")
    return drawn.getvalue()


def save_figure(figure: Figure, path: Path) -> None:
    """Write `figure` to `path`, as PNG, SVG or PDF by its ending; XsegError for another one."""
    from napari_xseg.data.writing import write_atomic

    write_atomic(path, figure_bytes(figure, path.suffix.lower()))


def line_colour(colour: Colour) -> tuple[float, float, float]:
    """Darken a class colour until a line in it shows on white: RGB, each 0 to 1."""
    red, green, blue = (part / 255 for part in colour)
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    keep = min(1.0, _DARKEST_CONTRAST / light) if light else 1.0
    return red * keep, green * keep, blue * keep


def legend_name(name: str) -> str:
    """Return `name` so that matplotlib shows it: it hides names that begin with `_`."""
    return f" {name}" if name.startswith("_") else name


@contextmanager
def _style() -> Iterator[None]:
    import matplotlib as mpl

    style: dict[Any, Any] = dict(mpl.rcParamsDefault) | _STYLE
    kept = {key: value for key, value in style.items() if not key.startswith("backend")}
    with mpl.rc_context(kept):
        yield
