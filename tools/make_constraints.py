"""Write constraints.txt anew: every package of the development set at one version.

    python3 tools/make_constraints.py

Installs all extras into a fresh virtual environment, with what constraints.in
fixes by hand, and writes down what came out.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXTRAS = "all,bench,cluster,dev,test,test-gui"
HEADER = """\
# Every package of the development set, written by `make constraints`.
# What is fixed by hand, and why, is said in tools/constraints.in.
"""


def frozen(python: pathlib.Path) -> list[str]:
    """`name==version` of everything in the environment, local version labels left out."""
    command = [str(python), "-m", "pip", "freeze", "--exclude-editable"]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = (re.sub(r"\+[\w.]+$", "", line) for line in text.splitlines() if "==" in line)
    return sorted(lines, key=str.lower)


def main() -> None:
    """Resolve in a temporary environment and replace constraints.txt."""
    with tempfile.TemporaryDirectory() as folder:
        venv = pathlib.Path(folder) / "venv"
        pins = ROOT / "tools" / "constraints.in"
        maker = [sys.executable, str(ROOT / "tools" / "make_venv.py"), str(venv), EXTRAS]
        subprocess.run([*maker, "--pins", str(pins)], check=True)
        lines = frozen(venv / "bin" / "python")
    (ROOT / "constraints.txt").write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
