from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Finished, Message, TrialDone
from napari_xseg.experiments.parallel import _places, run_parallel
from napari_xseg.experiments.plan import Scale, load_plan
from napari_xseg.experiments.results import read_outcomes
from napari_xseg.experiments.suite import Suite
from tests.limits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from napari_xseg.events import Event
    from napari_xseg.experiments.material import Source

pytest.importorskip("distributed")
from distributed import Client, LocalCluster


def small(source: Source, folder: Path, steps: int) -> Suite:
    plan = load_plan("baseline").replace(budgets={"cpu": Scale(steps=steps, repeats=1)})
    return Suite.make(folder, (plan,), source, "cpu")


def test_two_workers_do_what_one_does(source: Source, tmp_path: Path) -> None:
    suite = small(source, tmp_path / "out", 2)
    events = list(run_parallel(suite, workers=2))
    done = [event for event in events if isinstance(event, TrialDone)]
    assert [event.reason for event in done] == ["done", "done"]
    assert [event.done for event in done] == [1, 2]
    assert any("2 workers" in event.text for event in events if isinstance(event, Message))
    assert read_outcomes(suite)[0].complete
    again = list(run_parallel(suite, workers=2))
    assert [event.reason for event in again if isinstance(event, TrialDone)] == ["kept", "kept"]


def test_a_stop_reaches_the_workers(source: Source, tmp_path: Path) -> None:
    suite = small(source, tmp_path / "out", 100_000)
    control, events = Control(), []
    for event in run_parallel(suite, workers=1, control=control):
        events.append(event)
        if isinstance(event, Message):
            control.stop()
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "stopped"
    assert not (suite.folder / "stop").exists()
    assert not any(map(suite.is_done, suite.tasks))


def test_a_scheduler_that_does_not_answer(source: Source, tmp_path: Path) -> None:
    suite = small(source, tmp_path / "out", 2)
    with pytest.raises(XsegError, match="nowhere"):
        list(run_parallel(suite, scheduler="nowhere://127.0.0.1:1"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A scheduler and a worker that outlive an experiment, as those of a site do."""
    with LocalCluster(
        n_workers=1, threads_per_worker=1, memory_limit=0, dashboard_address="127.0.0.1:0"
    ) as made:
        yield made


def reasons(events: Iterable[Event]) -> list[str]:
    return [event.reason for event in events if isinstance(event, TrialDone)]


@contextmanager
def when(begun: Path, do: Callable[[], object]) -> Iterator[None]:
    """Do something once a training has come as far as its history, or in two minutes."""
    over = threading.Event()  # where no training comes so far
    end = time.monotonic() + PATIENCE

    def wait() -> None:
        while not over.wait(0.05):
            found = False
            with suppress(OSError):  # a folder that goes while it is looked into
                found = bool(list(begun.glob("runs/*/history.csv")))
            if found or time.monotonic() > end:
                do()
                return

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_workers_elsewhere_find_a_folder_that_was_named_from_here(
    source: Source, tmp_path: Path, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    suite = small(source, Path("out"), 2)
    events = run_parallel(suite, scheduler=cluster.scheduler_address)
    assert reasons(events) == ["done", "done"]


def test_a_worker_that_goes_on_takes_up_another_plan_in_the_same_folder(
    source: Source, tmp_path: Path, cluster: LocalCluster
) -> None:
    for steps in (2, 3):
        suite = small(source, tmp_path / "out", steps)
        assert reasons(run_parallel(suite, scheduler=cluster.scheduler_address)) == ["done", "done"]


def test_a_stop_ends_what_a_foreign_worker_trains(
    source: Source, tmp_path: Path, cluster: LocalCluster
) -> None:
    suite, control = small(source, tmp_path / "out", 100_000), Control()
    with when(suite.folder, control.stop):
        events = list(run_parallel(suite, scheduler=cluster.scheduler_address, control=control))
    with Client(cluster) as client:
        assert not any(client.processing().values())
    assert reasons(events) == ["stopped"]
    assert not (suite.folder / "stop").exists()


def test_what_a_killed_worker_had_is_gone_on_with(
    source: Source, tmp_path: Path, cluster: LocalCluster
) -> None:
    suite = small(source, tmp_path / "out", 40)

    def die_after_a_look() -> int:
        from napari_xseg.training.run import Run

        step = Run.step

        def look_then_die(run: Run) -> object:
            if run.steps == 9:
                run.next_look = 0.0
            elif run.steps == 20:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(run)

        Run.step = look_then_die  # type: ignore[assignment, method-assign]
        return os.getpid()

    with Client(cluster) as client:
        (pid,) = client.run(die_after_a_look).values()
        events = list(run_parallel(suite, scheduler=cluster.scheduler_address))
        assert pid not in client.run(os.getpid).values()
    assert reasons(events) == ["done", "done"]
    looks = [path.read_text(encoding="utf-8") for path in suite.runs.glob("*/history.csv")]
    assert any("\n10," in rows for rows in looks)  # of the training that was killed


def test_a_scheduler_without_workers_says_that_it_waits(source: Source, tmp_path: Path) -> None:
    suite, control = small(source, tmp_path / "out", 2), Control()
    with LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as empty:
        events = []
        for event in run_parallel(suite, scheduler=empty.scheduler_address, control=control):
            events.append(event)
            control.stop()
    assert any("no worker" in event.text for event in events if isinstance(event, Message))
    assert reasons(events) == []


def test_why_a_worker_failed_is_kept(
    source: Source, tmp_path: Path, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = small(source, tmp_path / "out", 2)
    # What the workers find is no experiment, such as where they see other files.
    monkeypatch.setattr("napari_xseg.experiments.parallel._stamp", lambda _: "another")
    monkeypatch.setattr(Suite, "write", lambda self: self.folder.mkdir())
    assert reasons(run_parallel(suite, scheduler=cluster.scheduler_address)) == ["failed"] * 2
    results = read_outcomes(suite)[0].results
    assert all("holds no experiment" in result.fault for result in results)


def test_workers_of_a_machine_are_numbered() -> None:
    addresses = ["tcp://one:5", "tcp://two:1", "tcp://one:7"]
    assert _places(addresses) == {"tcp://one:5": 0, "tcp://one:7": 1, "tcp://two:1": 0}
