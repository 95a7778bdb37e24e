"""What the commands of `review` take."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


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
Masks = Annotated[
    list[str],
    typer.Option(
        help="Mask to score, in any format; give it again for each further mask.",
        metavar="PATH",
        show_default=False,
    ),
]
Images = Annotated[
    str | None,
    typer.Option(help="What the masks are of (default: the project's image).", metavar="PATH"),
]
PlanOption = Annotated[
    PlanKind, typer.Option(help="What is asked: slices, or places from a list of suspects.")
]
Step = Annotated[int, typer.Option(help="Of nth: every so many slices.", min=1, metavar="N")]
Count = Annotated[int, typer.Option(help="Of random and suspects: so many.", min=1, metavar="N")]
Suspects = Annotated[
    Path | None,
    typer.Option(
        help="List of places, strongest first, with the columns z, y, x.", metavar="FILE.csv"
    ),
]
Blind = Annotated[bool, typer.Option("--blind", help="Masks in random order, under neutral names.")]
Repeats = Annotated[
    float,
    typer.Option(
        help="Share of the items that is asked a second time.", min=0, max=1, metavar="SHARE"
    ),
]
Apart = Annotated[
    int, typer.Option(help="Least distance of the second time.", min=1, metavar="ITEMS")
]
Shuffled = Annotated[bool, typer.Option("--shuffled", help="Items in random order.")]
Faults = Annotated[
    str | None,
    typer.Option(
        help="Kinds of fault with their keys (default: those of your latest session).",
        metavar="KEY=NAME,..",
    ),
]
Title = Annotated[str, typer.Option(help="What to call the session.", metavar="TEXT")]
