from __future__ import annotations

import os
import shlex
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from napari_xseg.errors import XsegError
from napari_xseg.experiments.cluster import Wanted, submit, write_script
from napari_xseg.experiments.plan import Scale, load_plan
from napari_xseg.experiments.results import read_outcomes
from napari_xseg.experiments.suite import Suite

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.experiments.cluster import System
    from napari_xseg.experiments.material import Source

# What a batch system does with an array job, in a few lines: one element after the other.
STANDIN = """#!/bin/bash
set -eu
script="$HERE/received.sh"
if [ $# -gt 0 ]; then cp "$1" "$script"; else cat > "$script"; fi
last=$(grep -oE '(\\[1-|--array=1-)[0-9]+' "$script" | grep -oE '[0-9]+$')
for index in $(seq 1 "$last"); do
    LSB_JOBINDEX=$index SLURM_ARRAY_TASK_ID=$index bash "$script" > "$HERE/$index.log" 2>&1
done
echo "Submitted batch job 4711"
"""


@pytest.fixture
def suite(source: Source, tmp_path: Path) -> Suite:
    plan = load_plan("baseline").replace(budgets={"cpu": Scale(steps=2, repeats=1)})
    made = Suite.make(tmp_path / "an experiment", (plan,), source, "cpu")
    made.write()
    return made


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with stand-ins for `bsub` and `sbatch`, first on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bsub", "sbatch"):
        path = folder / name
        path.write_text(STANDIN, encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HERE", str(tmp_path))
    return folder


@pytest.mark.parametrize("system", ["lsf", "slurm"])
def test_an_array_job_does_every_training(
    suite: Suite, cluster: Path, system: System, tmp_path: Path
) -> None:
    script, count = write_script(suite, system, Wanted(cores=1, gpus=0))
    assert count == len(suite.tasks) == 2
    assert submit(script, system) == "Submitted batch job 4711"
    told = (tmp_path / "1.log").read_text(encoding="utf-8")
    assert all(map(suite.is_done, suite.tasks)), told
    assert read_outcomes(suite)[0].complete
    with pytest.raises(XsegError, match="every training is done"):
        write_script(suite, system, Wanted())


def test_what_is_asked_for_stands_in_the_script(suite: Suite) -> None:
    wanted = Wanted("long", 8, 2, 32.5, 90, 4, ("-P project",))
    lsf = write_script(suite, "lsf", wanted)[0].read_text(encoding="utf-8")
    for line in (
        "#BSUB -J napari-xseg[1-2]%4",
        "#BSUB -n 8",
        "#BSUB -M 32.5GB",
        "#BSUB -q long",
        "#BSUB -gpu num=2",
        "#BSUB -W 90",
        "#BSUB -P project",
    ):
        assert line in lsf.splitlines()
    slurm = write_script(suite, "slurm", wanted)[0].read_text(encoding="utf-8")
    for line in (
        "#SBATCH --array=1-2%4",
        "#SBATCH --cpus-per-task=8",
        "#SBATCH --mem=33280M",
        "#SBATCH --partition=long",
        "#SBATCH --gres=gpu:2",
        "#SBATCH --time=90",
        "#SBATCH -P project",
    ):
        assert line in slurm.splitlines()
    for text in (lsf, slurm):
        assert subprocess.run(["bash", "-n"], input=text.encode(), check=False).returncode == 0


@pytest.mark.parametrize(("system", "element"), [("lsf", "%I"), ("slurm", "%a")])
def test_a_folder_with_a_space_is_one_word_to_the_cluster(
    suite: Suite, system: System, element: str
) -> None:
    script = write_script(suite, system, Wanted())[0].read_text(encoding="utf-8")
    options = [line.split(" ", 1)[1] for line in script.splitlines() if "logs" in line[:200]]
    place = f"{suite.folder / 'logs'}/{element}.txt"
    assert " " in place
    assert shlex.split(options[0])[-1].removeprefix("--output=") == place


def test_a_machine_without_the_cluster_says_so(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script, _ = write_script(suite, "slurm", Wanted())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(XsegError, match="sbatch: is not on this machine"):
        submit(script, "slurm")


def test_a_cluster_that_refuses_is_quoted(suite: Suite, cluster: Path) -> None:
    script, _ = write_script(suite, "lsf", Wanted())
    (cluster / "bsub").write_text("#!/bin/bash\necho no such queue >&2\nexit 255", encoding="utf-8")
    with pytest.raises(XsegError, match="no such queue"):
        submit(script, "lsf")
