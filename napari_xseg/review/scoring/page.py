"""What scores say, as one self-contained HTML page with its tables as CSV beside it."""

from __future__ import annotations

import base64
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from napari_xseg.review.canvas import figure_bytes
from napari_xseg.review.scoring import plots
from napari_xseg.review.scoring.reading import rows_csv
from napari_xseg.review.scoring.tables import headline, interval, number, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from napari_xseg.review.scoring.reading import Row
    from napari_xseg.review.scoring.summary import Summary
    from napari_xseg.review.scoring.tables import Table
    from napari_xseg.review.scoring.values import Session

NO_TRUTH = (
    "There is no truth in these figures: they say what people think of the masks when they look "
    "at them, not how many pixels are right."
)
HIDDEN = (
    "A blind session is under way: masks have neutral names, and their hashes are left out, until "
    "all of its items are scored or it is ended."
)
PAGE = "report.html"
_NOTES_SHOWN = 200
_FOLDED_OVER = 25
_PLOT_SCALE = 95

_PLOTS: dict[str, tuple[Callable[[Summary], Figure | None], str]] = {
    "masks": (plots.score_counts, "Scores given, from 1 (useless) to 5 (nothing to mend)"),
    "along_z": (plots.along_z, "Mean score of each slice"),
    "faults": (plots.fault_counts, "Kinds of fault"),
    "models": (plots.differences, "Difference of the scores, slice by slice"),
    "confidence": (plots.confidence_scatter, "Score against the model's own confidence"),
}


def write_score_report(
    rows: Sequence[Row],
    summary: Summary,
    folder: Path,
    *,
    title: str = "",
    warnings: Sequence[str] = (),
) -> list[Path]:
    """Write `report.html`, all tables and all scores into `folder`.

    Parameters
    ----------
    rows : sequence of Row
        The scores, as `AllScores.rows` gives them.
    summary : Summary
        Of these rows.
    folder : Path
        Made where it is missing; files of these names in it are replaced.
    title : str
        Heading of the page; by default the volumes that were scored.
    warnings : sequence of str
        What to beware of, such as files that could not be read.

    Returns
    -------
    list of Path
        The page first.

    Raises
    ------
    XsegError
        Where it cannot be written.
    """
    from napari_xseg.data.writing import write_atomic

    found = tables(summary)
    written = {f"{name}.csv": table.csv() for name, table in found.items()}
    written["scores.csv"] = rows_csv(rows)
    for name, text in written.items():
        write_atomic(folder / name, text)
    page = render_score_report(rows, summary, title=title, warnings=warnings, files=tuple(written))
    write_atomic(folder / PAGE, page)
    return [folder / PAGE, *(folder / name for name in written)]


def render_score_report(
    rows: Sequence[Row],
    summary: Summary,
    *,
    title: str = "",
    warnings: Sequence[str] = (),
    files: Sequence[str] = (),
) -> str:
    """Return the page as HTML; `files` lie beside it and are linked to."""
    from jinja2 import DictLoader, Environment, StrictUndefined

    folder = resources.files("napari_xseg.review") / "templates"
    names = ("report.html", "scores.html")
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in names}
    rooms = Environment(
        loader=DictLoader(texts),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    volumes = sorted({row.session.volume.name for row in rows})
    return rooms.get_template("scores.html").render(
        title=title or f"Scores of {', '.join(volumes) or 'nothing yet'}",
        statements=_statements(rows, summary),
        warnings=[NO_TRUTH, *([HIDDEN] if summary.hidden else []), *warnings],
        headline=_headline(summary),
        sections=[_section(name, table, summary) for name, table in tables(summary).items()],
        notes=_notes(rows),
        sessions=[_session(session, rows, summary) for session in _sessions(rows)],
        files=[(name, quote(name)) for name in files],
    )


def _statements(rows: Sequence[Row], summary: Summary) -> list[str]:
    people = sorted({row.reviewer for row in rows})
    count = len(_sessions(rows))
    said = (
        f"{summary.scores} scores and {summary.repeats} second askings by {', '.join(people)} in "
        f"{count} session{'s'[: count != 1]}."
    )
    return [said if rows else "Nothing is scored yet.", *map(headline, summary.masks)]


def _headline(summary: Summary) -> list[tuple[str, str]]:
    if len(summary.masks) != 1:
        return []
    one = summary.masks[0]
    return [
        ("mean score", number(one.mean.value)),
        ("95 % interval", interval(one.mean)),
        ("at 4 and more", f"{number(one.good.value, 100, 0)} %"),
        ("95 % interval of that", f"{interval(one.good, 100, 0)} %"),
    ]


def _section(name: str, table: Table, summary: Summary) -> dict[str, Any]:
    draw, caption = _PLOTS.get(name, (None, ""))
    figure = None if draw is None else draw(summary)
    return {
        "title": table.title,
        "note": table.note,
        "header": table.header,
        "rows": table.rows,
        "folded": len(table.rows) > _FOLDED_OVER,
        "plots": [] if figure is None else [_picture(figure, caption)],
    }


def _picture(figure: Figure, caption: str) -> dict[str, Any]:
    return {
        "caption": caption,
        "png": base64.b64encode(figure_bytes(figure)).decode("ascii"),
        "width": round(_PLOT_SCALE * figure.get_figwidth()),
    }


def _notes(rows: Sequence[Row]) -> list[tuple[str, str]]:
    told = [row for row in rows if row.score.note.strip()]
    shown = [
        (
            f"{row.mask_name}, z = {row.item.z}, {row.reviewer}: {row.score.score}",
            row.score.note,
        )
        for row in told[:_NOTES_SHOWN]
    ]
    rest = len(told) - len(shown)
    return [*shown, ("", f"and {rest:,} more in scores.csv")] if rest else shown


def _sessions(rows: Sequence[Row]) -> list[Session]:
    return list({(row.reviewer, row.session.uid): row.session for row in rows}.values())


def _session(
    session: Session, rows: Sequence[Row], summary: Summary
) -> tuple[str, list[tuple[str, str]]]:
    own = [
        row for row in rows if (row.reviewer, row.session.uid) == (session.reviewer, session.uid)
    ]
    seconds = [row.score.seconds for row in own if row.score.seconds is not None]
    facts = [
        ("session", session.uid),
        ("begun", session.created),
        (
            "volume",
            f"{session.volume.name}, {session.volume.size} (z, y, x)",
        ),
        ("volume's fingerprint", session.volume.fingerprint),
        ("plan", session.plan.words()),
        ("blind", "yes" if session.blind else "no"),
        ("scored", f"{len(own)} of {len(session.items)} items"),
        ("seconds for an item", number(sum(seconds) / len(seconds), 1, 1) if seconds else "-"),
        ("kinds of fault", ", ".join(kind.name for kind in session.faults)),
    ]
    if not summary.hidden:
        facts += [
            (f"mask {mask.name}", f"SHA-256 {mask.sha256}, model {mask.model or 'unknown'}")
            for mask in session.masks
        ]
    return f"{session.reviewer}: {session.title}", facts
