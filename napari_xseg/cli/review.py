"""`napari-xseg review`: masks scored by eye, without a window."""

from pathlib import Path
from typing import Annotated

import typer

from napari_xseg.cli import options
from napari_xseg.cli.console import Console
from napari_xseg.cli.review_options import (
    Apart,
    Blind,
    Conflicts,
    Count,
    Faults,
    Images,
    ItemArgument,
    Json,
    Masks,
    PlanKind,
    PlanOption,
    Project,
    Repeats,
    Reviewer,
    SessionOption,
    SessionsOption,
    Shuffled,
    Step,
    Suspects,
    Title,
)

app = typer.Typer(
    help="Score masks by eye: begin a session, score, sum up, exchange scores.",
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
def new(
    mask: Masks,
    project: Project = Path(),
    reviewer: Reviewer = None,
    images: Images = None,
    plan: PlanOption = PlanKind.EVERY,
    step: Step = 10,
    count: Count = 20,
    suspects: Suspects = None,
    blind: Blind = False,
    repeats: Repeats = 0.0,
    apart: Apart = 5,
    shuffled: Shuffled = False,
    faults: Faults = None,
    title: Title = "",
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
    if short := "" if json else words.missing_repeats(session):
        Console().warn(short)
    told = words.session_json if json else words.session_words
    Console().result(told(session, path))


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
    from napari_xseg.review.scoring.page import HIDDEN, NO_TRUTH, PAGE, write_score_report
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
    console.result(f"\n{NO_TRUTH}")
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
    from napari_xseg.review.scoring.importing import (
        ConflictsFound,
        conflict_words,
        import_scores,
    )
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
        for line in conflict_words(error.conflicts):
            console.result(line)
        raise
    for line in conflict_words(done.conflicts):
        console.say(line)
    taken = f"{words.counted(done.scores, 'score')} and {words.counted(done.sessions, 'session')}"
    ended = f", {words.counted(done.ended, 'session')} ended there too" if done.ended else ""
    console.result(f"{taken} of {done.reviewer} taken in{ended}: {done.path}")
