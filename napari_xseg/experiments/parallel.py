"""Several trainings at once: processes of this machine, or workers of a dask scheduler.

Workers see the suite's folder and its data by the same paths; nothing else travels.
"""

from __future__ import annotations

import importlib
import os
import time
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Finished, Message, TrialDone
from napari_xseg.experiments.running import Compute
from napari_xseg.experiments.suite import Clock, Suite, run_suite

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCAL = "local"
STOP = "stop"  # a file in the suite's folder that tells workers to stop
_LOOK = 0.5  # s between two looks at it
_WAIT = 0.2


def run_parallel(
    suite: Suite,
    *,
    scheduler: str = LOCAL,
    workers: int = 2,
    compute: Compute | None = None,
    command: str = "",
    control: Control | None = None,
) -> Iterator[Event]:
    """Do what is not done yet on several workers, each with its share of threads or a GPU.

    Parameters
    ----------
    suite : Suite
        What to do.
    scheduler : str
        "local" starts `workers` processes here; else the address of a running dask
        scheduler, such as tcp://host:8786.
    workers : int
        Processes, with "local".
    compute, command, control
        As in `run_suite`. A stop reaches workers by a file in the suite's folder.

    Yields
    ------
    Event
        A TrialDone after each training, in the order in which they end, and Finished.

    Raises
    ------
    XsegError
        No `distributed`, or no scheduler at that address.
    """
    control, compute = control or Control(), compute or Compute()
    suite.write()
    stop = suite.folder / STOP
    stop.unlink(missing_ok=True)
    waiting = [task for task in suite.tasks if not suite.is_done(task)]
    clock, start = Clock(len(suite.tasks)), time.monotonic()
    for task in suite.tasks:
        if task not in waiting:
            yield clock.over(suite.runs / task.trial.folder, task.trial.words, "kept")
    with _client(scheduler, min(workers, max(1, len(waiting)))) as client:
        count = max(1, len(client.scheduler_info()["workers"]))
        yield Message(f"{len(waiting)} trainings on {count} workers.")
        share = asdict(_share(compute, count) if scheduler == LOCAL else compute)
        futures = [
            client.submit(
                do_task, str(suite.folder), task.trial.key, share, command, pure=False, retries=1
            )
            for task in waiting
        ]
        yield from _gather(futures, suite, waiting, clock, count, stop, control)
    stop.unlink(missing_ok=True)
    seconds = time.monotonic() - start
    yield Finished(suite.folder, "stopped" if control.stopped else "done", seconds, clock.figures)


def do_task(folder: str, key: str, share: dict[str, Any], command: str) -> dict[str, Any]:
    """One training, in a worker: its TrialDone as a dict of plain values."""
    suite = _opened(folder)
    task = next(task for task in suite.tasks if task.trial.key == key)
    control, stop = Control(), Path(folder) / STOP
    looked, done = 0.0, None
    worker = importlib.import_module("distributed").get_worker()
    threads = share["threads"] or worker.state.nthreads
    compute = Compute(_device(share["device"], str(worker.name)), share["precision"], threads)
    for event in run_suite(suite, compute=compute, command=command, control=control, tasks=(task,)):
        if isinstance(event, TrialDone):
            done = event
        if time.monotonic() - looked > _LOOK:
            looked = time.monotonic()
            if stop.exists():
                control.stop()
    assert done is not None
    return {**asdict(done), "path": str(done.path)}


def _gather(
    futures: list[Any],
    suite: Suite,
    tasks: list[Any],
    clock: Clock,
    workers: int,
    stop: Path,
    control: Control,
) -> Iterator[Event]:
    left = dict(zip(futures, tasks, strict=True))
    while left:
        if control.stopped and not stop.exists():
            stop.touch()
            for future in left:  # those that no worker has taken up
                future.cancel()
        for future in [one for one in left if one.done()]:
            task = left.pop(future)
            if future.cancelled():
                continue
            run, words = suite.runs / task.trial.folder, task.trial.words
            try:
                told = future.result()
            except Exception as error:  # noqa: BLE001 - whatever ended the worker; the rest go on
                yield clock.over(run, words, "failed", fault=f"{type(error).__name__}: {error}")
                continue
            yield clock.over(
                run, words, told["reason"], told["seconds"], told["fault"], at_once=workers
            )
        time.sleep(_WAIT)


def _client(scheduler: str, workers: int) -> Any:
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError as error:
        raise XsegError(
            "Several trainings at once want the package distributed: "
            'pip install "napari-xseg[cluster]".'
        ) from error
    if scheduler != LOCAL:
        try:
            return distributed.Client(scheduler, timeout=20)
        except (OSError, ValueError) as error:
            raise XsegError(
                f"scheduler {scheduler}: does not answer ({error}); start it, or check the address."
            ) from error
    cluster = distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        memory_limit=0,  # a training says itself where memory is short
    )
    return _Owning(distributed.Client(cluster), cluster)


class _Owning:
    """A client whose cluster goes with it."""

    def __init__(self, client: Any, cluster: Any) -> None:
        self._client = client
        self._cluster = cluster

    def __enter__(self) -> Any:
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._cluster.close()


def _share(compute: Compute, workers: int) -> Compute:
    threads = compute.threads or max(1, (os.cpu_count() or 1) // workers)
    return Compute(compute.device, compute.precision, threads)


def _device(device: str, worker: str) -> str:
    """A GPU of its own for each worker of a machine, where there are several."""
    if device not in ("auto", "cuda"):
        return device
    import torch

    count = torch.cuda.device_count()
    if count < 2:
        return device
    return f"cuda:{(int(worker) if worker.isdigit() else os.getpid()) % count}"


@lru_cache(maxsize=1)
def _opened(folder: str) -> Suite:
    return Suite.open(Path(folder))
