"""Tasks in worker processes and on a cluster: all are recorded once, whatever dies; nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from child_processes import hear_interrupts, living, wait_until
from toy_tasks import Recorded, Setup, make, run, traces
from vitrify.core.errors import VitrifyError
from vitrify.tasks.job import Interrupts, Job


@pytest.mark.parametrize("workers", [1, 3])
def test_every_task_is_done_once(workers: int, tmp_path: Path) -> None:
    assert run(Setup(tmp_path), range(20), workers=workers) == {n: n**2 for n in range(20)}
    assert traces(tmp_path, "run") == {str(n): 1 for n in range(20)}
    assert len(traces(tmp_path, "make")) == workers


def test_a_dead_worker_costs_its_task_only(tmp_path: Path) -> None:
    """One task kills its worker at first and one always; the others do not notice."""
    found = run(Setup(tmp_path, once=(2,), deadly=(5,)), range(10), workers=2)
    reason = found.pop(5)
    assert "SIGKILL" in reason and found == {n: n**2 for n in range(10) if n != 5}
    assert traces(tmp_path, "run") == {str(n): {2: 2, 5: 3}.get(n, 1) for n in range(10)}


def test_errors_end_the_campaign_as_they_are(tmp_path: Path) -> None:
    found: Recorded = {}
    with pytest.raises(VitrifyError, match=r"^3 is bad$"):
        run(Setup(tmp_path, bad=(3,)), range(200), found, workers=1)
    assert found == {n: n**2 for n in range(3)}
    with pytest.raises(RuntimeError, match=r"Strange.*one and two") as caught:
        run(Setup(tmp_path, strange=(0,)), range(1), workers=1)
    assert "in perform" in caught.value.__notes__[0]
    with pytest.raises(VitrifyError, match="nothing can be made"):
        run(Setup(tmp_path, start="error"), range(3), workers=1)
    with pytest.raises(VitrifyError, match=r"die while they start \(exit status 3\)"):
        run(Setup(tmp_path, start="death"), range(3), workers=1)
    with pytest.raises(VitrifyError, match="workers is 0"):
        run(Setup(tmp_path), range(3), workers=0)
    assert run(Setup(tmp_path), range(0)) == {}


def test_a_task_over_its_time_limit_is_lost_alone(tmp_path: Path) -> None:
    found = run(Setup(tmp_path, endless=(1,)), range(4), workers=2, time_limit=5.0)
    assert found == {0: 0, 1: "it took longer than 5 s", 2: 4, 3: 9}
    assert traces(tmp_path, "run")["1"] == 1
    for settings in ({"time_limit": 0.0}, {"time_limit": 1.0, "scheduler": "tcp://127.0.0.1:1"}):
        with pytest.raises(VitrifyError, match="time_limit is"):
            run(Setup(tmp_path), range(3), **settings)


SCRIPT = """
from pathlib import Path
import sys

from toy_tasks import Setup, run

if __name__ == "__main__":
    class Printed(dict):
        def __setitem__(self, key, value):
            print(key, flush=True)

    run(Setup(Path(sys.argv[1]), seconds=0.2), range(10000), Printed(), workers=2)
"""


def interrupted(folder: Path, number: int, group: bool = False) -> tuple[int, str, str]:
    """Exit status, output and errors of a run that gets a signal when something is recorded, and leaves no process."""
    here, script = Path(__file__).parent, folder / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (here, here.parent / "helpers")))},
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    (os.killpg if group else os.kill)(process.pid, number)
    output, errors = process.communicate()
    wait_until(lambda: not living(process.pid))
    return process.returncode, first + output, errors


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_its_run(number: int, tmp_path: Path) -> None:
    status, output, errors = interrupted(tmp_path, number, group=number == signal.SIGINT)
    assert status == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: -2}[signal.Signals(number)]
    assert output
    # of the parent's own, Ctrl-C alone leaves a traceback, which the command line replaces
    assert errors.count("Traceback") == (number == signal.SIGINT), errors


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers of one thread; a task is given up when two workers have died that held it."""
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    # a worker that starts slowly is not one that is lost
    settings = {"distributed.scheduler.allowed-failures": 1, "distributed.deploy.lost-worker-timeout": "900s"}
    with (
        dask.config.set(settings),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as found,
    ):
        yield found


def test_a_cluster_gives_the_same(cluster: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(Setup(tmp_path), range(12), scheduler=cluster.scheduler_address) == {n: n**2 for n in range(12)}
    assert traces(tmp_path, "run") == {str(n): 1 for n in range(12)}
    assert len(traces(tmp_path, "make")) == 2
    assert capfd.readouterr().err == ""


def test_a_cluster_survives_the_death_of_workers(cluster: Any, tmp_path: Path) -> None:
    """What the scheduler gives up because it was with a task that kills is tried again alone."""
    found = run(Setup(tmp_path, once=(1,), deadly=(4,)), range(8), scheduler=cluster.scheduler_address)
    reason = found.pop(4)
    assert reason == "2 workers died with it" and found == {n: n**2 for n in range(8) if n != 4}
    runs = traces(tmp_path, "run")
    assert runs["1"] >= 2 and runs["4"] >= 2


def test_a_result_that_dies_before_it_is_fetched_is_made_again(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vitrify.tasks.dask_cluster import _Campaign

    fetch, killed = _Campaign._outcomes, []

    def lose(campaign: Any, futures: list[Any]) -> Any:
        if futures and not killed:
            client, held = campaign.client, futures[0]
            (holder, *_) = client.who_has([held])[held.key]
            killed.append(client.run(os.getpid, workers=[holder])[holder])
            os.kill(killed[0], signal.SIGKILL)
            wait_until(lambda: held.status != "finished")
        return fetch(campaign, futures)

    monkeypatch.setattr(_Campaign, "_outcomes", lose)
    found = run(Setup(tmp_path), range(4), scheduler=cluster.scheduler_address)
    assert killed and found == {n: n**2 for n in range(4)}


def test_errors_of_a_cluster(cluster: Any, tmp_path: Path) -> None:
    found: Recorded = {}
    with pytest.raises(VitrifyError, match=r"^5 is bad$"):
        run(Setup(tmp_path, bad=(5,)), range(100), found, scheduler=cluster.scheduler_address)
    assert found and all(found[n] == n**2 for n in found)
    with pytest.raises(VitrifyError, match="nothing can be made"):
        run(Setup(tmp_path, start="error"), range(3), scheduler=cluster.scheduler_address)
    for address in ("tcp://127.0.0.1:1", "nonsense", str(Path(__file__))):
        with pytest.raises(VitrifyError, match=f"no Dask scheduler answers at {address}"):
            run(Setup(tmp_path), range(3), scheduler=address, patience=1.0)


def test_a_thread_has_what_it_made_to_itself(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
    ) as cluster:
        for name in "ab":
            (tmp_path / name).mkdir()
            setup = Setup(tmp_path / name, seconds=0.05)
            assert len(run(setup, range(8), scheduler=cluster.scheduler_address)) == 8
            made = traces(tmp_path / name, "make")
            assert made.keys() == traces(tmp_path / name, "thread").keys()
            assert len(made) == 2 and set(made.values()) == {1}
        cluster.scale(0)
        with pytest.raises(VitrifyError, match="had no workers for 1 s"):
            run(Setup(tmp_path), range(8), scheduler=cluster.scheduler_address, patience=1.0)


def test_a_cluster_without_vitrify_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    from vitrify.tasks.dask_cluster import run_on_cluster

    job = Job(make, Setup(tmp_path), range(3), print, print, Interrupts())
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        monkeypatch.context() as patch,
    ):
        patch.setitem(sys.modules, "vitrify.tasks.dask_cluster", None)
        with pytest.raises(VitrifyError, match=r"the scheduler of .*cannot import it .*environment of this process"):
            run_on_cluster(job, cluster.scheduler_address, 5.0)
