from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_xseg.data.writing import save_volume
from napari_xseg.errors import XsegError
from napari_xseg.experiments.suite import Suite
from napari_xseg.gui.experiments.found import find_experiments, fresh_report
from napari_xseg.gui.experiments.preparing import (
    ExperimentChoices,
    ExperimentPlan,
    plan_experiment,
)
from napari_xseg.gui.images import Images
from napari_xseg.jobs import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_xseg.gui.session import Session

CHOICES = ExperimentChoices(plan="baseline", steps=3, repeats=1)


def test_an_experiment_opens_again_without_the_window(
    session: Session, label: Callable[..., None], truth: Any, tmp_path: Path
) -> None:
    label(1, 2, 4, 6)
    assert session.store is not None
    plane = session.store.read(2)
    plane[:10] = 0
    session.store.write(2, plane)
    plan_experiment(session, CHOICES, tmp_path / "one").write()
    suite = Suite.open(tmp_path / "one")
    material = suite.material
    assert material.usable == (1, 2, 4, 6)
    assert material.images.shape == (12, 64, 96)
    assert session.images is not None
    np.testing.assert_array_equal(material.images.read(4), session.images.volume.read(4))
    index = material.labels.read(material.label_of[2])
    assert (index[:10] == 255).all()
    np.testing.assert_array_equal(index[10:], np.searchsorted([0, 128, 255], truth[2][10:]))
    assert material.labels.classes.names == session.classes.names
    assert [plan.name for plan in suite.plans] == ["baseline"]
    assert {task.trial.config.steps for task in suite.tasks} == {3}


def test_images_in_files_are_not_copied(
    session: Session, label: Callable[..., None], tmp_path: Path
) -> None:
    label(0, 3, 5)
    images = session.require_images()
    file = tmp_path / "scan.tif"
    save_volume(file, images.volume)
    filed = Images("scan", images.volume, FileSource(path=str(file)))
    assert session.store is not None
    plan = ExperimentPlan(filed, session.store, session.classes, CHOICES, tmp_path / "one")
    suite = plan.write()
    assert suite.source.images == str(file)
    assert not list((tmp_path / "one" / "data").glob("images*"))


def test_a_folder_with_an_experiment_is_not_written_over(
    session: Session, label: Callable[..., None], tmp_path: Path
) -> None:
    label(0, 3, 5)
    plan_experiment(session, CHOICES, tmp_path / "one").write()
    with pytest.raises(XsegError, match="holds an experiment already"):
        plan_experiment(session, CHOICES, tmp_path / "one").write()


def test_the_dock_needs_no_torch_and_draws_nothing_yet() -> None:
    code = (
        "import sys, napari_xseg.gui.experiments.experiments_dock\n"
        "print([name for name in ('torch', 'matplotlib', 'pyqtgraph') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.strip() == "[]", done.stdout


def test_one_labelled_slice_is_too_few(session: Session, label: Callable[..., None]) -> None:
    label(3)
    with pytest.raises(XsegError, match="1 labelled slice"):
        plan_experiment(session, CHOICES)


def test_experiments_on_disk_are_found(
    session: Session, label: Callable[..., None], tmp_path: Path
) -> None:
    assert find_experiments(tmp_path / "none") == []
    label(0, 3, 5)
    plan_experiment(session, CHOICES, tmp_path / "all" / "one").write()
    broken = tmp_path / "all" / "two"
    broken.mkdir()
    (broken / "experiment.json").write_text("{}", encoding="utf-8")
    one, two = find_experiments(tmp_path / "all")
    assert (one.done, one.total, one.complete, one.plans) == (0, 2, False, ("baseline",))
    assert "missing or damaged" in two.fault
    assert not two.complete


def test_a_report_is_fresh_until_more_is_scored(tmp_path: Path) -> None:
    assert fresh_report(tmp_path) is None
    page, scores = tmp_path / "report.html", tmp_path / "runs" / "a" / "scores.json"
    scores.parent.mkdir(parents=True)
    for path, at in ((page, 200), (scores, 100)):
        path.touch()
        os.utime(path, (at, at))
    assert fresh_report(tmp_path) == page
    os.utime(scores, (300, 300))
    assert fresh_report(tmp_path) is None
