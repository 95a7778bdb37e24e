"""Several trainings at once: processes of this machine, or workers of a dask scheduler.

Workers see the suite's folder and its data by the same paths; nothing else travels.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import threading
import time
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_xseg.errors import XsegError
from napari_xseg.events import Control, Event, Finished, Message, TrialDone
from napari_xseg.experiments.running import Compute, note_fault
from napari_xseg.experiments.suite import Clock, Suite, run_suite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from napari_xseg.experiments.glance import Task

LOCAL = "local"
STOP = "stop"  # a file in the suite's folder that tells workers to stop
_LOOK = 0.5  # s between two looks at it
_WAIT = 0.2
# A terminal's Ctrl+C goes to every process; workers are stopped by the file, after a step.
_DEAF = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
_ONE = threading.Lock()  # a worker of several threads gives them all to one training


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
        known = client.scheduler_info()["workers"]
        count = max(1, len(known))
        yield _greeting(scheduler, len(waiting), len(known))
        share = asdict(_share(compute, count) if scheduler == LOCAL else compute)
        fixed = (str(suite.folder.absolute()), _stamp(suite), share, _places(known), command)
        futures = [
            client.submit(do_task, task.trial.key, *fixed, pure=False, retries=1)
            for task in waiting
        ]
        under_way = dict(zip(futures, waiting, strict=True))
        yield from _gather(client, under_way, suite, clock, count, control)
    stop.unlink(missing_ok=True)
    seconds = time.monotonic() - start
    yield Finished(suite.folder, "stopped" if control.stopped else "done", seconds, clock.figures)


def do_task(
    key: str,
    folder: str,
    stamp: str,
    share: dict[str, Any],
    places: dict[str, int],
    command: str,
) -> dict[str, Any]:
    """One training, in a worker: its TrialDone as a dict of plain values; none where stopped."""
    worker = importlib.import_module("distributed").get_worker()
    stop = Path(folder) / STOP
    with _ONE:
        if stop.exists():
            return {}
        suite = _opened(folder, stamp)
        task = suite.task(key)
        threads = share["threads"] or worker.state.nthreads
        place = places.get(worker.address, os.getpid())
        compute = Compute(_device(share["device"], place), share["precision"], threads)
        return _done_here(suite, task, compute, command, stop)


def _done_here(
    suite: Suite, task: Task, compute: Compute, command: str, stop: Path
) -> dict[str, Any]:
    control = Control()
    looked, done = 0.0, None
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
    client: Any,
    left: dict[Any, Task],
    suite: Suite,
    clock: Clock,
    workers: int,
    control: Control,
) -> Iterator[Event]:
    while left:
        if control.stopped:
            (suite.folder / STOP).touch()
            _drop_waiting(client, left)
        for future in [one for one in left if one.done()]:
            task = left.pop(future)
            run, words = suite.runs / task.trial.folder, task.trial.words
            try:
                told = future.result()
            except Exception as error:  # noqa: BLE001 - whatever ended the worker; the rest go on
                fault = _fault(error)
                note_fault(run, fault)
                yield clock.over(run, words, "failed", fault=fault)
                continue
            if told:
                yield clock.over(
                    run, words, told["reason"], told["seconds"], told["fault"], at_once=workers
                )
        time.sleep(_WAIT)


def _drop_waiting(client: Any, left: dict[Any, Task]) -> None:
    """Take back what no worker has; workers end what they have, and see the stop themselves."""
    had = {str(key) for keys in client.processing().values() for key in keys}
    for future in [one for one in left if not one.done() and str(one.key) not in had]:
        future.cancel()
        del left[future]


def _fault(error: Exception) -> str:
    if isinstance(error, XsegError):
        return str(error)
    lost = importlib.import_module("distributed").client.FutureCancelledError
    if isinstance(error, lost):
        return "the scheduler or its connection was lost; run the experiment again."
    return f"{type(error).__name__}: {error}"


def _greeting(scheduler: str, waiting: int, workers: int) -> Message:
    if not workers:
        return Message(
            f"{scheduler}: has no worker yet; {waiting} trainings wait until one joins.", "warning"
        )
    return Message(f"{waiting} trainings on {workers} worker{'s' if workers > 1 else ''}.")


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
        # Without a number the scheduler would want port 8787, and warn where another has it.
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        memory_limit=0,  # a training says itself where memory is short
        preload=_DEAF,
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


def _stamp(suite: Suite) -> str:
    """Another one for another plan or other data, so that workers open them anew."""
    told = [(task.trial.key, task.score_noise) for task in suite.tasks]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _places(workers: Iterable[str]) -> dict[str, int]:
    """By address, the number of each worker among those of its machine."""
    places: dict[str, int] = {}
    seen: dict[str, int] = {}
    for address in sorted(workers):
        host = address.rpartition(":")[0]
        places[address] = seen.get(host, 0)
        seen[host] = places[address] + 1
    return places


def _device(device: str, place: int) -> str:
    """A GPU of its own for each worker of a machine, where there are several."""
    if device not in ("auto", "cuda"):
        return device
    import torch

    count = torch.cuda.device_count()
    return device if count < 2 else f"cuda:{place % count}"


@lru_cache(maxsize=1)
def _opened(folder: str, _stamp: str) -> Suite:
    return Suite.open(Path(folder))
