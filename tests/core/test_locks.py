"""The lock of outputs: refused while it is held, free after any end of its holder, also where there is no flock."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from child_processes import hear_interrupts
from vitrify.core.errors import VitrifyError
from vitrify.core.locks import claim_file, claim_folder

Claim = Callable[[Path], AbstractContextManager[None]]
CLAIMS: dict[str, tuple[Claim, str, str]] = {
    "file": (lambda path: claim_file(path, "vitrify test"), "out.h5", ".out.h5.lock"),
    "folder": (lambda path: claim_folder(path, "vitrify test"), "run", "run/.vitrify.lock"),
}
HOLD = """
import sys, pathlib
from vitrify.core.locks import claim_file, claim_folder
claim, path = sys.argv[1:]
with (claim_file if claim == "file" else claim_folder)(path, "vitrify holder"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["flock", "no flock"])
def locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With flock, and as on a file system that has none."""
    if request.param == "no flock":

        def without(*_: Any) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", without)
    return str(request.param)


@pytest.fixture(params=CLAIMS)
def holder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Claim, Path, Path, subprocess.Popen[str]]]:
    """Another process that holds an output: how to claim it, the output, its lock, and the process."""
    claim, name, lock = CLAIMS[request.param]
    command = [sys.executable, "-c", HOLD, request.param, str(tmp_path / name)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield claim, tmp_path / name, tmp_path / lock, process


def test_a_living_holder_is_named_and_a_dead_one_is_followed(holder: Any, locks: str) -> None:
    claim, path, lock, process = holder
    words = rf"{path.name} is in use by process {process.pid} on {socket.gethostname()} \(vitrify holder, since 2"
    for _ in range(2):
        with pytest.raises(VitrifyError, match=words), claim(path):
            pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert lock.exists()
    with claim(path):
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert not lock.exists()


def test_a_holder_is_waited_for_where_that_is_asked_for(tmp_path: Path, capfd: Any) -> None:
    """And named once, while the other process goes on undisturbed."""
    path, ended = tmp_path / "run", threading.Event()
    command = [sys.executable, "-c", HOLD, "folder", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"

        def end() -> None:
            ended.set()
            process.communicate()

        timer = threading.Timer(1.5, end)
        timer.start()
        with claim_folder(path, "vitrify test", wait=True):
            assert ended.is_set() and json.loads((path / ".vitrify.lock").read_text())["pid"] == os.getpid()
        timer.join()
    said = capfd.readouterr().err
    assert said.count("waiting until it has finished") == 1
    assert f"is in use by process {process.pid} on {socket.gethostname()} (vitrify holder, since 2" in said


def test_a_clean_end_leaves_no_lock(holder: Any) -> None:
    claim, path, lock, process = holder
    process.communicate()
    assert not lock.exists() and not path.exists()
    with claim(path):
        pass


@pytest.mark.parametrize("content", ["", "no json", "[]", '{"pid": "x"}', "\x00" * 100])
@pytest.mark.parametrize("name", CLAIMS)
def test_a_lock_that_says_nothing_is_taken_over(name: str, content: str, tmp_path: Path, locks: str) -> None:
    claim, out, lock = CLAIMS[name]
    path = tmp_path / lock
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    if locks == "no flock":  # it may be one that another process is just writing
        with pytest.raises(VitrifyError, match="is in use by another process"), claim(tmp_path / out):
            pass
        os.utime(path, (1e9, 1e9))
    with claim(tmp_path / out):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert not path.exists()


def test_a_holder_elsewhere_counts_where_there_are_no_locks(tmp_path: Path, locks: str) -> None:
    lock = tmp_path / ".out.h5.lock"
    lock.write_text(json.dumps({"pid": 1, "host": "elsewhere", "command": "vitrify artn", "since": "2026"}))
    if locks == "flock":  # its holder is dead, or would hold it
        with claim_file(tmp_path / "out.h5", "vitrify test"):
            pass
        return
    words = rf"process 1 on elsewhere \(vitrify artn, since 2026\): .*remove {lock} if"
    with pytest.raises(VitrifyError, match=words), claim_file(tmp_path / "out.h5", "vitrify test"):
        pass
    assert lock.exists()


@pytest.mark.parametrize("name", CLAIMS)
def test_threads_and_forked_children_do_not_share_it(name: str, tmp_path: Path) -> None:
    claim, out, lock = CLAIMS[name]
    refused: list[str] = []

    def second() -> None:
        try:
            with claim(tmp_path / out):
                pass
        except VitrifyError as error:
            refused.append(str(error))

    with claim(tmp_path / out):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        assert len(refused) == 1 and f"process {os.getpid()}" in refused[0]
        pid = os.fork()
        if pid == 0:  # pragma: no cover
            signal.pause()
    # The child is alive, and holds nothing.
    with claim(tmp_path / out):
        pass
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert not (tmp_path / lock).exists()


FORK = """
import os, pathlib, sys
from vitrify.core.locks import claim_file
with claim_file(sys.argv[1], "vitrify test"):
    if os.fork() == 0:
        sys.exit(0)  # leaves the context
    os.wait()
    print(os.path.exists(sys.argv[2]))
"""


def test_a_child_that_leaves_the_context_frees_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORK, str(tmp_path / "out"), str(tmp_path / ".out.lock")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", ["file", "link", "hard link", "folder/../file"])
def test_an_input_is_no_output(make: str, tmp_path: Path) -> None:
    given, out = tmp_path / "given.h5", tmp_path / "out.h5"
    given.write_text("precious")
    (tmp_path / "folder").mkdir()
    if make == "link":
        out.symlink_to(given)
    elif make == "hard link":
        out.hardlink_to(given)
    else:
        out = tmp_path / ("folder/../given.h5" if "/" in make else "given.h5")
    with (
        pytest.raises(VitrifyError, match=r"cannot write .*: it is the input .*given.h5"),
        claim_file(out, "x", [given]),
    ):
        pass
    assert given.read_text() == "precious" and not list(tmp_path.glob("**/.*"))


def test_folders_that_stay_empty_go(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), claim_folder(tmp_path / "a/b/c", "vitrify test"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with claim_file(tmp_path / "a/b/x.h5", "vitrify test"):
        (tmp_path / "a/b/x.h5").write_text("x")
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "b", "x.h5"]


SIGNALLED = """
import os, sys, time
import vitrify.cli.main
from vitrify.core import locks

def sign(*arguments):
    os.kill(os.getpid(), int(sys.argv[1]))  # at the worst moment: the lock is there and nobody's yet
    time.sleep(0.05)
    real(*arguments)

class Destroyed:
    def __del__(self):
        os.kill(os.getpid(), int(sys.argv[1]))  # what is raised here, Python drops

def claim(how: str, out: str) -> None:
    with locks.claim_file(out, "vitrify claim"):
        if how == "destructor":
            Destroyed()
        time.sleep(20)
        print("went on")

real, locks._sign = locks._sign, sign if sys.argv[2] == "signing" else locks._sign
vitrify.cli.main.app.command("claim")(claim)
vitrify.cli.main.app(["claim", *sys.argv[2:]])
"""


@pytest.mark.parametrize("how", ["signing", "destructor"])
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_at_a_bad_moment_leaves_no_lock(how: str, number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SIGNALLED, str(int(number)), how, str(tmp_path / "a/out")]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=hear_interrupts)
    assert (done.returncode, done.stdout) == (128 + number, "")
    assert done.stderr.startswith("vitrify: stopped") and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
