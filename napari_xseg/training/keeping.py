"""What a run keeps on disk: its best model, its curves, and the state that it goes on from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_xseg.data.jsontext import json_text
from napari_xseg.errors import XsegError
from napari_xseg.model.checkpoint import save_model
from napari_xseg.training.run_folder import RESUME

if TYPE_CHECKING:
    from napari_xseg.training.run import Run


def keep_model(run: Run, figures: dict[str, Any]) -> None:
    """Save the model as it is, with what it scored."""
    job = run.job
    run.folder.check_there()
    parent = {} if run.parent is None else {"parent": run.parent.told()}
    save_model(
        run.folder.model,
        run.learner.best_guess.state_dict(),
        run.config.model,
        job.labels.classes,
        run.intensity,
        figures=figures,
        split=job.split.describe(),
        rough=job.split.rough,
        training={
            "recipe": run.config.name,
            "steps": run.steps,
            "seconds": round(run.seconds, 3),
            "seed": job.seed,
        },
        **parent,
    )


def keep_state(run: Run) -> None:
    """Save everything to go on from.

    The model is on disk before the state that knows of it, the history after.
    """
    run.folder.write_state(
        {
            "settings": json_text(run.job.fingerprint(run.intensity)),
            "learner": run.learner.state(),
            "sampler": run.sampler.state(),
            "steps": run.length.steps,
            "bend": run.length.bend,
            "seconds": run.seconds,
            "best": run.best,
            "judged": run.judged,
            "worse": run.worse,
            "losses": run.losses,
            "rows": run.rows,
            "told": json_text(run.told),
        }
    )
    scored = ["dice_all", "dice_foreground"]
    scored += [f"dice_{name}" for name in run.job.labels.classes.names]
    columns = ["step", "seconds", "learning_rate", "loss"]
    run.folder.write_history(columns + (scored if run.job.split.val else []), run.rows)


def restore(run: Run, state: dict[str, Any]) -> None:
    """Go on from what `keep_state` saved; XsegError where that was another training."""
    try:
        told = json.loads(state["told"])
        _check_same(run, json.loads(state["settings"]), told["sha256"]["train"])
        run.learner.load_state(state["learner"])
        run.sampler.load_state(state["sampler"])
        run.length.steps = state["steps"]
        bend = state.get("bend")
        run.length.bend = None if bend is None else (int(bend[0]), float(bend[1]))
        run.seconds, run.best = float(state["seconds"]), state["best"]
        run.judged, run.worse = bool(state["judged"]), int(state["worse"])
        run.losses = list(map(float, state["losses"]))
        run.rows = [list(map(float, row)) for row in state["rows"]]
        run.told = told
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise XsegError(
            f"{run.job.out / RESUME}: does not fit this training; start anew with --overwrite."
        ) from error


def _check_same(run: Run, settings: dict[str, Any], pixels: dict[str, str]) -> None:
    before = {**settings, **pixels}
    here = json.loads(json_text(run.job.fingerprint(run.intensity)))
    here |= run.sampler.data.sha256(run.sampler.slices)
    other = [key for key in here if before.get(key) != here[key]]
    if other:
        raise XsegError(
            f"{run.job.out}: was started with other settings or data ({', '.join(other)}); "
            "resume it with the same, or start anew with --overwrite."
        )
