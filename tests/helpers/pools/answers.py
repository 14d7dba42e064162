"""Asks models of every kind for every property, in this process and by way of a copy or a pool, and compares.

    python answers.py FORM ENGINE

The parent asks first, so that its threads are there when it makes the pool. Prints the number of answers that were
compared; a difference is an error. `python answers.py busy ENGINE` forks while threads of the parent's predict.
"""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk

from vitrify import GlassCalc, open_model
from vitrify.ogn.step import OGNStepper

Job = tuple[Callable[..., Any], tuple[Any, ...]]
JOBS: dict[str, Job] = {}  # forked children take them from here


def structure() -> Atoms:
    atoms = bulk("CuZr", "cesiumchloride", a=3.3).repeat((3, 3, 4))
    atoms.rattle(0.05, seed=1)
    return atoms


def make_jobs(engine: str) -> dict[str, Job]:
    """What to ask, by name: a method and its arguments."""
    atoms, rng = structure(), np.random.default_rng(1)
    types = (atoms.numbers == 40).astype(int)
    calc = GlassCalc("Cu50Zr50.glassvae.pt", "Cu64Zr36.symgnn.pt", engine=engine, force=True)
    jobs: dict[str, Job] = {name: (calc.get_property, (name, atoms)) for name in calc.implemented_properties}
    velocities = rng.normal(0.0, 2.0, (len(atoms), 3))
    jobs["stride"] = (
        OGNStepper(open_model("cuzr.ogn.pt", engine), guard=False).step,
        (
            atoms.positions,
            velocities,
            atoms.cell.array,
            types,
        ),
    )
    flow = open_model("Si.amshortcut.pt", engine)
    asked = np.full(len(flow.metadata.properties), np.nan)
    jobs["flow"] = flow.answer, (atoms.positions, atoms.cell.array, np.ones((len(atoms), 1)), 0.3, 0.2, asked)
    return jobs


def answer(job: Job) -> Any:
    function, arguments = job
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a crystal is not what the models were trained on
        if getattr(function, "__name__", "") == "get_property":
            function.__self__.reset()  # what the parent has computed travels with the calculator
        return function(*arguments)


def answer_named(name: str) -> Any:
    return answer(JOBS[name])


def through_copies(duplicate: Callable[[Any], Any]) -> Callable[[], list[Any]]:
    return lambda: [answer(duplicate(job)) for job in JOBS.values()]


def through_executor(executor: Executor) -> list[Any]:
    with executor:
        return list(executor.map(answer, JOBS.values()))


def through_processes(method: str) -> Callable[[], list[Any]]:
    return lambda: through_executor(ProcessPoolExecutor(2, multiprocessing.get_context(method)))


def forked_pool() -> list[Any]:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(answer_named, JOBS, chunksize=1)


def through_joblib(backend: str) -> list[Any]:
    import joblib

    return list(joblib.Parallel(2, backend=backend)(joblib.delayed(answer)(job) for job in JOBS.values()))


def through_dask() -> list[Any]:
    from distributed import Client

    options = {"n_workers": 1, "threads_per_worker": 2, "processes": True, "dashboard_address": None}
    with Client(**options) as client:
        return list(client.gather(client.map(answer, list(JOBS.values()), pure=False)))


def forked_while_busy() -> list[Any]:
    """Answers of children that are forked one after the other, while two threads of the parent predict."""
    stop = threading.Event()

    def predict() -> None:
        while not stop.is_set():
            for job in JOBS.values():
                answer(job)

    busy = [threading.Thread(target=predict) for _ in range(2)]
    for thread in busy:
        thread.start()
    try:
        return [answer_in_child(name) for name in JOBS]
    finally:
        stop.set()
        for thread in busy:
            thread.join()


def answer_in_child(name: str) -> Any:
    ours, theirs = os.pipe()
    if os.fork() == 0:
        try:
            with open(theirs, "wb") as pipe:
                pickle.dump(answer_named(name), pipe)
        finally:
            os._exit(0)
    os.close(theirs)
    with open(ours, "rb") as pipe:
        found = pickle.load(pipe)
    os.wait()
    return found


def grandchild() -> list[Any]:
    """A child that has used the models forks, too."""

    def first() -> Iterator[Any]:
        with multiprocessing.get_context("fork").Pool(1) as pool:
            yield from pool.map(answer_named, JOBS)

    ours, theirs = os.pipe()
    if os.fork() == 0:
        try:
            for name in JOBS:
                answer_named(name)
            with open(theirs, "wb") as pipe:
                pickle.dump(list(first()), pipe)
        finally:
            os._exit(0)
    os.close(theirs)
    with open(ours, "rb") as pipe:
        found = pickle.load(pipe)
    os.wait()
    return list(found)


FORMS: dict[str, Callable[[], list[Any]]] = {
    "copy": through_copies(copy.copy),
    "deepcopy": through_copies(copy.deepcopy),
    "pickle": through_copies(lambda job: pickle.loads(pickle.dumps(job))),
    "threads": lambda: through_executor(ThreadPoolExecutor(4)),
    "fork": through_processes("fork"),
    "spawn": through_processes("spawn"),
    "forkserver": through_processes("forkserver"),
    "pool": forked_pool,
    "grandchild": grandchild,
    "busy": forked_while_busy,
    "loky": lambda: through_joblib("loky"),
    "threading": lambda: through_joblib("threading"),
    "dask": through_dask,
}


def main(form: str, engine: str) -> None:
    JOBS.update(make_jobs(engine))
    expected = [answer(job) for job in JOBS.values()]
    found = FORMS[form]()
    for name, got, want in zip(JOBS, found, expected, strict=True):
        for one, other in zip(got, want, strict=True) if isinstance(want, tuple) else [(got, want)]:
            # torch adds up in another order on one thread; the native engine does not
            rounding = 2e-5 * np.abs(np.asarray(other, float)).max() if engine == "torch" else 0.0
            assert np.shape(one) == np.shape(other), name
            assert np.allclose(one, other, rtol=0, atol=rounding), f"{name}: {one} instead of {other}"
    print(len(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
