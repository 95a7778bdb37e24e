"""Job scripts for LSF and Slurm: one array job, an element for each training."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from napari_xseg.data.formats.atomic import write_atomic
from napari_xseg.errors import XsegError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_xseg.experiments.suite import Suite

System = Literal["lsf", "slurm"]
TASKS, SCRIPT, LOGS = "tasks.txt", "submit.sh", "logs"
_SUBMIT: dict[System, str] = {"lsf": "bsub", "slurm": "sbatch"}


@dataclass(frozen=True)
class Wanted:
    """What each element of the array asks of the cluster.

    Attributes
    ----------
    queue : str
        Queue (LSF) or partition (Slurm); empty for the site's own choice.
    cores, gpus : int
        Of each training.
    memory : float
        GB.
    minutes : int
        Longest time of one training; 0 leaves it to the queue.
    at_once : int
        Trainings that run at the same time at most; 0 for no limit.
    more : tuple of str
        Further lines of options, as the cluster's own commands take them.
    """

    queue: str = ""
    cores: int = 4
    gpus: int = 1
    memory: float = 16
    minutes: int = 0
    at_once: int = 0
    more: tuple[str, ...] = ()


def write_script(suite: Suite, system: System, wanted: Wanted) -> tuple[Path, int]:
    """Write the job script and the list of trainings that are not done; gives its path and count.

    XsegError where nothing is left to do, or the folder cannot be written.
    """
    keys = [task.trial.key for task in suite.tasks if not suite.is_done(task)]
    if not keys:
        raise XsegError(f"{suite.folder}: every training is done; nothing to submit.")
    suite.write()
    folder = suite.folder.absolute()
    (folder / LOGS).mkdir(exist_ok=True)
    write_atomic(folder / TASKS, "".join(f"{key}\n" for key in keys))
    index = "LSB_JOBINDEX" if system == "lsf" else "SLURM_ARRAY_TASK_ID"
    lines = (
        _lsf(folder, wanted, len(keys)) if system == "lsf" else _slurm(folder, wanted, len(keys))
    )
    command = [sys.executable, "-m", "napari_xseg.cli", "experiment", "run", str(folder)]
    script = [
        "#!/bin/bash",
        *lines,
        *(f"#{'BSUB' if system == 'lsf' else 'SBATCH'} {line}" for line in wanted.more),
        "set -eu",
        f'key=$(sed -n "${{{index}}}p" {shlex.quote(str(folder / TASKS))})',
        f'exec {shlex.join(command)} --only "$key" --threads {wanted.cores}',
        "",
    ]
    write_atomic(folder / SCRIPT, "\n".join(script))
    return folder / SCRIPT, len(keys)


def submit(script: Path, system: System) -> str:
    """Give the script to the cluster; what its command answers.

    XsegError where the command is not there or refuses.
    """
    name = _SUBMIT[system]
    try:
        # bsub reads the script from stdin, sbatch from a file.
        if system == "lsf":
            text = script.read_text(encoding="utf-8")
            done = subprocess.run([name], input=text, capture_output=True, text=True, check=False)
        else:
            done = subprocess.run([name, str(script)], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise XsegError(
            f"{name}: is not on this machine; log in where jobs are submitted, or run {script} "
            "there."
        ) from error
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()
        raise XsegError(f"{name}: refused ({reason[-1] if reason else done.returncode}).")
    return done.stdout.strip()


def _lsf(folder: Path, wanted: Wanted, count: int) -> list[str]:
    limit = f"%{wanted.at_once}" if wanted.at_once else ""
    lines = [
        f"#BSUB -J napari-xseg[1-{count}]{limit}",
        f"#BSUB -n {wanted.cores}",
        "#BSUB -R span[hosts=1]",
        f"#BSUB -M {wanted.memory:g}GB",
        f"#BSUB -o {shlex.quote(f'{folder / LOGS}/%I.txt')}",
    ]
    if wanted.queue:
        lines.append(f"#BSUB -q {wanted.queue}")
    if wanted.gpus:
        lines.append(f"#BSUB -gpu num={wanted.gpus}")
    if wanted.minutes:
        lines.append(f"#BSUB -W {wanted.minutes}")
    return lines


def _slurm(folder: Path, wanted: Wanted, count: int) -> list[str]:
    limit = f"%{wanted.at_once}" if wanted.at_once else ""
    lines = [
        "#SBATCH --job-name=napari-xseg",
        f"#SBATCH --array=1-{count}{limit}",
        "#SBATCH --ntasks=1",
        f"#SBATCH --cpus-per-task={wanted.cores}",
        f"#SBATCH --mem={round(wanted.memory * 1024)}M",
        f"#SBATCH --output={shlex.quote(str(folder / LOGS).replace('%', '%%') + '/%a.txt')}",
    ]
    if wanted.queue:
        lines.append(f"#SBATCH --partition={wanted.queue}")
    if wanted.gpus:
        lines.append(f"#SBATCH --gres=gpu:{wanted.gpus}")
    if wanted.minutes:
        lines.append(f"#SBATCH --time={wanted.minutes}")
    return lines
