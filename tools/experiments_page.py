"""Take the report of an experiment over into docs/experiments.md, with its pictures.

    python tools/experiments_page.py FOLDER

FOLDER holds report.md and figures/, as `napari-xseg experiment` leaves them. What stands
above the page's mark stays; the list of all trainings is left out, long tables fold.
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, PICTURES = DOCS / "experiments.md", DOCS / "images" / "experiments"
MARK = "<!-- The report, written by tools/experiments_page.py: do not edit below. -->\n"
LEFT_OUT = ("All trainings", "Files")
MOST_BYTES = 2_000_000  # of pictures
MOST_ROWS = 12  # of a table that does not fold

_PICTURE = re.compile(r"!\[(.*?)\]\(figures/([\w-]+\.png)\)")
_FILES = re.compile(r" \(\[SVG\]\(.*?\), \[CSV\]\(.*?\)\)")
_TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
_BLANK = re.compile(r"\n{3,}")


def main() -> None:
    """Write the page and its pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    text = section_text((folder / "report.md").read_text(encoding="utf-8"))
    names = [match[2] for match in _PICTURE.finditer(text)]
    size = sum((folder / "figures" / name).stat().st_size for name in names)
    if size > MOST_BYTES:
        raise SystemExit(f"{size} bytes of pictures, {MOST_BYTES} at most")
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    for name in names:
        shutil.copy(folder / "figures" / name, PICTURES / name)
    above, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    below = _PICTURE.sub(rf"![\1](images/{PICTURES.name}/\2)", text)
    PAGE.write_text(f"{above}{MARK}\n{below}", encoding="utf-8")


def section_text(report: str) -> str:
    """The report without its title, its lists of files and what is left out."""
    _, first, *sections = re.split(r"^(?=#{1,2} )", report, flags=re.MULTILINE)
    kept = [first.partition("\n")[2]]
    for section in sections:
        if section.partition("\n")[0].removeprefix("## ") not in LEFT_OUT:
            kept.append(f"#{section}")
    text = _TABLE.sub(_folded, _FILES.sub("", "".join(kept)))
    return _BLANK.sub("\n\n", text).strip() + "\n"


def _folded(table: re.Match[str]) -> str:
    rows = table[0].count("\n") - 2
    if rows <= MOST_ROWS:
        return table[0]
    return f"<details><summary>{rows} rows</summary>\n\n{table[0]}\n</details>\n"


if __name__ == "__main__":
    main()
