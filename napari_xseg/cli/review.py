"""`napari-xseg review`: masks scored by eye, without a window."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_xseg.cli import options
from napari_xseg.cli.console import Console

app = typer.Typer(
    help="Score masks by eye: begin a session, score, sum up, exchange scores.",
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class PlanKind(StrEnum):
    """What is asked."""

    EVERY = "every"
    NTH = "nth"
    RANDOM = "random"
    SUSPECTS = "suspects"


class Conflicts(StrEnum):
    """Which of two scores counts."""

    KEEP = "keep"
    TAKE = "take"
    BOTH = "both"


Project = Annotated[
    Path, typer.Option(help="Project folder; scores lie in its folder reviews.", metavar="DIR")
]
Reviewer = Annotated[
    str | None, typer.Option(help="Whose scores (default: your login name).", metavar="NAME")
]
SessionOption = Annotated[
    str | None,
    typer.Option(
        "--session",
        help="The session's id or its beginning (default: the latest unfinished one).",
        metavar="ID",
    ),
]
SessionsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--session",
        help="Only this session, by its id or its beginning; may be given more than once.",
        metavar="ID",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]
ItemArgument = Annotated[
    str, typer.Argument(help="Number of the item, or next.", metavar="ITEM", show_default=False)
]


@app.command()
def new(
    mask: Annotated[
        list[str],
        typer.Option(
            help="Mask to score, in any format; give it again for each further mask.",
            metavar="PATH",
            show_default=False,
        ),
    ],
    project: Project = Path(),
    reviewer: Reviewer = None,
    images: Annotated[
        str | None,
        typer.Option(help="What the masks are of (default: the project's image).", metavar="PATH"),
    ] = None,
    plan: Annotated[
        PlanKind, typer.Option(help="What is asked: slices, or places from a list of suspects.")
    ] = PlanKind.EVERY,
    step: Annotated[
        int, typer.Option(help="Of nth: every so many slices.", min=1, metavar="N")
    ] = 10,
    count: Annotated[
        int, typer.Option(help="Of random and suspects: so many.", min=1, metavar="N")
    ] = 20,
    suspects: Annotated[
        Path | None,
        typer.Option(
            help="List of places, strongest first, with the columns z, y, x.", metavar="FILE.csv"
        ),
    ] = None,
    blind: Annotated[
        bool, typer.Option("--blind", help="Masks in random order, under neutral names.")
    ] = False,
    repeats: Annotated[
        float,
        typer.Option(
            help="Share of the items that is asked a second time.", min=0, max=1, metavar="SHARE"
        ),
    ] = 0.0,
    apart: Annotated[
        int, typer.Option(help="Least distance of the second time.", min=1, metavar="ITEMS")
    ] = 5,
    shuffled: Annotated[bool, typer.Option("--shuffled", help="Items in random order.")] = False,
    faults: Annotated[
        str | None,
        typer.Option(
            help="Kinds of fault with their keys (default: those of your latest session).",
            metavar="KEY=NAME,..",
        ),
    ] = None,
    title: Annotated[str, typer.Option(help="What to call the session.", metavar="TEXT")] = "",
    seed: options.Seed = 0,
    raw: options.Raw = None,
    classes: options.Classes = None,
    json: Json = False,
) -> None:
    """Begin a session: which masks of which volume are scored, and in which order."""
    from napari_xseg.cli import review_project as work
    from napari_xseg.cli import review_words as words
    from napari_xseg.cli.sources import open_classes
    from napari_xseg.errors import XsegError
    from napari_xseg.review.scoring.plan import Plan
    from napari_xseg.review.scoring.rules import check_session
    from napari_xseg.review.scoring.subject import mask_ref, volume_ref

    settings = Plan(plan.value, step, count, seed, blind, repeats, apart, shuffled)
    if (plan is PlanKind.SUSPECTS) != (suspects is not None):
        raise XsegError("--plan suspects, --suspects FILE.csv: give both of them, or neither.")
    kinds = work.parse_faults(faults)
    places = () if suspects is None else work.read_places(suspects)
    work.reviews_folder(project, make=True)
    volume = volume_ref(work.open_images(project, images, raw))
    table = open_classes(classes)
    masks = [mask_ref(path, volume, classes=table) for path in mask]
    check_session(volume, masks, settings, places)
    with work.open_scores(project, reviewer, make=True) as file:
        session = file.new_session(
            volume, masks, settings, faults=kinds, places=places, title=title
        )
        path = file.path
    if json:
        Console().result(words.session_json(session, path))
        return
    if short := words.missing_repeats(session):
        Console().warn(short)
    Console().result(
        f"session {session.uid[:8]}: {words.counted(len(session.items), 'item')}, "
        f"{session.plan.words()}; kept in {path}"
    )


@app.command("next")
def show_next(
    project: Project = Path(),
    reviewer: Reviewer = None,
    session: SessionOption = None,
    json: Json = False,
) -> None:
    """Say which item comes next."""
    from napari_xseg.cli import review_project as work
    from napari_xseg.cli import review_words as words
    from napari_xseg.review.scoring.subject import check_item_mask

    with work.open_scores(project, reviewer) as file:
        chosen = work.pick_session(file, session)
        item, progress = file.next(chosen.uid), file.progress(chosen.uid)
        if item is not None:
            check_item_mask(chosen, item)
    if json:
        Console().result(words.item_json(chosen, item, progress))
    elif item is None:
        Console().result(f"session {chosen.uid[:8]}: all {progress.total} items are scored")
    else:
        Console().result(f"{words.item_words(chosen, item)} ({progress.done} scored)")


@app.command()
def score(
    item: ItemArgument,
    score: Annotated[
        int,
        typer.Argument(help="1 (useless) to 5 (nothing to mend).", metavar="1..5", min=1, max=5),
    ],
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="Kind of fault, by name or key; may be given more than once.", metavar="FAULT"
        ),
    ] = None,
    note: Annotated[str, typer.Option(help="Anything to say about it.", metavar="TEXT")] = "",
    point: Annotated[
        str | None, typer.Option(help="Where on the image, in pixels.", metavar="Z,Y,X")
    ] = None,
    box: Annotated[
        str | None,
        typer.Option(help="Where on the image, half open.", metavar="Z,Y0,Y1,X0,X1"),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Time that it took.", min=0, metavar="SECONDS")
    ] = None,
    project: Project = Path(),
    reviewer: Reviewer = None,
    session: SessionOption = None,
) -> None:
    """Keep a score; it is on the disk when the command ends.

    A score given before stays in the file, the latest counts.
    """
    from napari_xseg.cli import review_project as work
    from napari_xseg.review.scoring.subject import check_item_mask
    from napari_xseg.review.scoring.values import Score

    mark = work.parse_mark(point, box)
    with work.open_scores(project, reviewer) as file:
        chosen = work.pick_session(file, session)
        asked = work.pick_item(file, chosen, item)
        check_item_mask(chosen, asked)
        work.check_mark(mark, chosen)
        by_key = {kind.key.casefold(): kind.name for kind in chosen.faults}
        names = tuple(by_key.get(name.casefold(), name) for name in fault or ())
        file.keep(chosen.uid, asked.number, Score(score, names, note, mark, seconds))
        progress = file.progress(chosen.uid)
    Console().result(
        f"kept: item {asked.number}, score {score} ({progress.done} of {progress.total} scored)"
    )


@app.command()
def undo(
    project: Project = Path(), reviewer: Reviewer = None, session: SessionOption = None
) -> None:
    """Take back the latest score of a session; the file remembers both."""
    from napari_xseg.cli import review_project as work

    with work.open_scores(project, reviewer) as file:
        chosen = work.last_session(file, session)
        number = file.undo(chosen.uid)
    Console().result("nothing to take back" if number is None else f"taken back: item {number}")


@app.command()
def end(
    project: Project = Path(), reviewer: Reviewer = None, session: SessionOption = None
) -> None:
    """End a session, finished or not: its scores stand, and blind names are shown."""
    from napari_xseg.cli import review_project as work

    with work.open_scores(project, reviewer) as file:
        ended = file.end(work.last_session(file, session).uid)
    Console().result(f"session {ended.uid[:8]}: ended")
    if ended.blind:
        names = [f"{ended.mask_name(place)}" for place in range(len(ended.masks))]
        Console().result(f"the masks were: {', '.join(names)}")


@app.command()
def summary(
    project: Project = Path(),
    session: SessionsOption = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write report.html with plots, and all tables as CSV, into this folder.",
            metavar="DIR",
        ),
    ] = None,
    seed: options.Seed = 0,
    overwrite: options.Overwrite = False,
) -> None:
    """Sum up the scores of all reviewers."""
    from napari_xseg.cli import review_project as work
    from napari_xseg.data.writing import check_output
    from napari_xseg.errors import XsegError
    from napari_xseg.review.scoring.confidence import slice_confidence
    from napari_xseg.review.scoring.page import HIDDEN, PAGE, write_score_report
    from napari_xseg.review.scoring.summary import summarise
    from napari_xseg.review.scoring.tables import tables

    console = Console()
    scores = work.all_scores(project, console)
    rows = scores.rows(work.pick_sessions(scores, session))
    if not rows:
        raise XsegError(f"{project.absolute()}: nothing is scored yet; begin with `review next`.")
    if report is not None:
        check_output(report / PAGE, overwrite=overwrite)
    confidence, faults = slice_confidence(rows)
    for fault in faults:
        console.warn(fault)
    found = summarise(rows, confidence=confidence, seed=seed)
    if found.hidden:
        console.warn(HIDDEN)
    for table in tables(found).values():
        console.table(table.header, table.rows, title=table.title)
    if report is not None:
        warnings = (*scores.faults, *faults)
        for path in write_score_report(rows, found, report, warnings=warnings):
            console.say(f"written: {path}")


@app.command()
def export(
    out: Annotated[
        Path, typer.Option(help="CSV file to write.", metavar="FILE.csv", show_default=False)
    ],
    project: Project = Path(),
    session: SessionsOption = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Write all scores that count as CSV, one line each."""
    from napari_xseg.cli import review_project as work
    from napari_xseg.cli import review_words as words
    from napari_xseg.data.writing import check_output
    from napari_xseg.review.scoring.page import HIDDEN
    from napari_xseg.review.scoring.reading import write_rows

    console = Console()
    own = work.reviews_folder(project).glob("*")
    target = check_output(out, overwrite=overwrite, inputs=tuple(own))
    scores = work.all_scores(project, console)
    rows = scores.rows(work.pick_sessions(scores, session))
    if any(row.hidden for row in rows):
        console.warn(HIDDEN)
    write_rows(rows, target)
    console.result(f"{words.counted(len(rows), 'score')} written: {target}")


@app.command("import")
def import_file(
    file: Annotated[
        Path, typer.Argument(help="A reviewer's file.", metavar="FILE", show_default=False)
    ],
    conflicts: Annotated[
        Conflicts | None,
        typer.Option(
            help="Where a reviewer of the same name scored an item in two ways: keep what is here, "
            "take what FILE says, or keep both, FILE's as those of a second reviewer."
        ),
    ] = None,
    mask: Annotated[
        list[str] | None,
        typer.Option(
            help="Further mask of this project that FILE may score; may be given more than once.",
            metavar="PATH",
        ),
    ] = None,
    project: Project = Path(),
    images: Annotated[
        str | None,
        typer.Option(help="What --mask is of (default: the project's image).", metavar="PATH"),
    ] = None,
) -> None:
    """Take in the scores of another reviewer, or of another computer; all or none."""
    from napari_xseg.cli import review_project as work
    from napari_xseg.cli import review_words as words
    from napari_xseg.review.scoring.importing import ConflictsFound, import_scores
    from napari_xseg.review.scoring.subject import mask_ref, volume_ref

    console = Console()
    folder = work.reviews_folder(project, make=True)
    known = None
    if mask:
        volume = volume_ref(work.open_images(project, images, None))
        known = [mask_ref(path, volume).sha256 for path in mask]
    try:
        done = import_scores(
            folder, file, None if conflicts is None else conflicts.value, masks=known
        )
    except ConflictsFound as error:
        for one in error.conflicts:
            console.result(one.words())
        raise
    for one in done.conflicts:
        console.say(one.words())
    taken = f"{words.counted(done.scores, 'score')} and {words.counted(done.sessions, 'session')}"
    console.result(f"{taken} of {done.reviewer} taken in: {done.path}")
