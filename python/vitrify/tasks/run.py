"""Independent tasks in local processes or on a Dask cluster; what kills a worker loses one task, not the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from vitrify.core.errors import VitrifyError
from vitrify.core.progress import Meter
from vitrify.tasks.dask_cluster import run_on_cluster
from vitrify.tasks.job import Interrupts, Job
from vitrify.tasks.processes import run_in_processes

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")


def run_tasks(
    make: Callable[[S], Callable[[T], R]],
    setup: S,
    tasks: Sequence[T],
    *,
    record: Callable[[T, R], None],
    lost: Callable[[T, str], R],
    workers: int | None = None,
    scheduler: str | None = None,
    attempts: int = 3,
    time_limit: float | None = None,
    progress: str | None = None,
    patience: float = 60.0,
) -> None:
    """Performs every task in one of several worker processes, and records each as it finishes, in any order.

    make: a function of a module, called in each worker with `setup`; what it returns performs tasks there. On a
        cluster that is once for each thread of a worker, since a LAMMPS instance belongs to one thread.
    record: called here, in the calling process.
    lost: what to record for a task that has killed its worker `attempts` times, given why it died. On a cluster the
        scheduler counts (`distributed.scheduler.allowed-failures`); what it gives up is tried again alone at the end.
    workers: local processes; by default one for each core that this process may use.
    scheduler: address of a Dask scheduler, or the path of its scheduler file; None works locally.
    time_limit: seconds for each task, in local processes only; a task that takes longer is lost, without a new attempt.
    progress: what to call the bar with the estimate; None shows none.
    patience: seconds to wait for a cluster without workers.

    An exception of `make` or of a task ends the others, when what is finished is recorded, and is raised here. So do
    Ctrl-C and SIGTERM. Only as many tasks leave this process at a time as the workers can hold.

    Raises:
        VitrifyError: from a task; workers that die while they start; no cluster, or one that lacks vitrify or workers.

    Most of this function describes its arguments, which is why it is long.
    """
    _check(workers, scheduler, time_limit)
    if not tasks:
        return
    bar = Meter(len(tasks), progress or "", "task", show=progress is not None)

    def finished(index: int, result: Any) -> None:
        record(tasks[index], result)
        bar.update()

    def gave_up(index: int, reason: str) -> None:
        finished(index, lost(tasks[index], reason))

    with bar, Interrupts() as interrupts:
        job = Job(make, setup, tasks, finished, gave_up, interrupts)
        if scheduler is None:
            count = min(workers or len(os.sched_getaffinity(0)), len(tasks))
            run_in_processes(job, count, attempts, time_limit)
        else:
            run_on_cluster(job, scheduler, patience)


def _check(workers: int | None, scheduler: str | None, time_limit: float | None) -> None:
    if workers is not None and workers < 1:
        raise VitrifyError(f"workers is {workers}, but must be at least 1")
    if time_limit is not None and (scheduler is not None or not time_limit > 0):
        raise VitrifyError(f"time_limit is {time_limit:g}, but must be above 0, and needs local processes")
