"""Commands that signals end, or whose reader goes away: one line or none, a fitting status, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from child_processes import hear_interrupts, living, wait_until
from written.commands import COMMANDS

SAYS = {signal.SIGINT: "stopped", signal.SIGTERM: "stopped by SIGTERM", signal.SIGHUP: "stopped by SIGHUP"}
VITRIFY = [sys.executable, "-m", "vitrify.cli"]
HIDDEN = re.compile(r"\.(lock|partial)\b")


def start(words: list[str], **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=hear_interrupts, **options,
    )  # type: ignore[call-overload, no-any-return]  # fmt: skip


def ended(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """The line that the command ends with after a signal to its group, of which no process stays."""
    os.killpg(process.pid, number)
    _, errors = process.communicate()
    assert process.returncode == 128 + number, errors
    assert "Traceback" not in errors
    wait_until(lambda: not living(process.pid))
    return errors.rstrip().splitlines()[-1]


LONG = {
    "train ogn": (["--set", "training.max_steps=100000", "--set", "training.validate_every=50"], "run"),
    "trajectories": (["--frames", "100000"], "run"),
    "artn": (["--searches", "100000"], "searches"),
    "structures": (["--melt-time", "10000"], "run"),
    "glass": (["--rate", "1e11"], "run"),
}


@pytest.mark.slow
@pytest.mark.parametrize("number", SAYS)
@pytest.mark.parametrize("name", LONG)
def test_a_signal_ends_a_command_that_the_next_one_continues(
    name: str, number: signal.Signals, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    command, (more, work) = COMMANDS[name], LONG[name]
    out = tmp_path / command.out
    words = [*command.arguments(tmp_path_factory.mktemp("inputs"), out), *more]
    process = start([*VITRIFY, *words])
    lock = out / ".vitrify.lock" if command.is_folder else out.with_name(f".{out.name}.lock")
    wait_until(lambda: lock.exists() or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    assert ended(process, number) == f"vitrify: {SAYS[number]}; the same command continues the {work}"
    assert not [path for path in tmp_path.rglob("*") if HIDDEN.search(path.name)]


STUCK = """
    import ctypes, sys
    from vitrify.cli.main import app
    from vitrify.core import signals
    from vitrify.core.files import atomic_path
    from vitrify.core.locks import claim_file

    signals._PATIENCE = 0.2

    @app.command("stuck")
    def stuck(out: str) -> None:
        libc = ctypes.CDLL(None)
        with claim_file(out, "vitrify stuck"), atomic_path(out) as work:
            work.write_text("half")
            print("here", flush=True)
            while sys.argv[1] == "stuck":  # compiled code that no signal ends
                libc.pthread_join(ctypes.c_void_p(THREAD), None)

    app()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_ends_compiled_code_too(number: signal.Signals, tmp_path: Path) -> None:
    """pthread_join of a thread that sleeps: it goes on after a signal."""
    script = textwrap.dedent(STUCK).replace("THREAD", "thread.ident")
    script = script.replace("import ctypes, sys", "import ctypes, sys, threading, time").replace(
        "    libc =",
        "    thread = threading.Thread(target=time.sleep, args=(900,), daemon=True)\n    thread.start()\n    libc =",
    )
    process = start([sys.executable, "-c", script, "stuck", str(tmp_path / "out.txt")])
    assert process.stdout is not None and process.stdout.readline() == "here\n"
    assert len(list(tmp_path.iterdir())) == 2
    assert ended(process, number) == f"vitrify: {SAYS[number]}"
    assert list(tmp_path.iterdir()) == []


DROPS = """
import os, signal, sys, time
from vitrify.cli.main import app

@app.command("drop")
def drop() -> None:
    try:
        os.kill(os.getpid(), int(sys.argv[2]))
        time.sleep(900)
    except BaseException:
        pass
    time.sleep(900)

class Dropping:
    def __del__(self) -> None:
        os.kill(os.getpid(), int(sys.argv[2]))
        time.sleep(900)

@app.command("destroy")
def destroy() -> None:
    Dropping()
    time.sleep(900)

@app.command("save")
def save() -> None:
    try:
        os.kill(os.getpid(), int(sys.argv[2]))
        time.sleep(900)
    finally:
        for _ in range(10):
            try:
                int("a word")
            except ValueError:
                time.sleep(0.1)
        print("saved")

app([sys.argv[1]])
"""


@pytest.mark.parametrize("number", SAYS)
@pytest.mark.parametrize(("command", "output"), [("drop", ""), ("destroy", ""), ("save", "saved\n")])
def test_a_signal_that_is_dropped_comes_again_and_no_other(command: str, output: str, number: signal.Signals) -> None:
    """Compiled modules drop exceptions while they are imported; what is still on its way may take its time."""
    process = start([sys.executable, "-c", DROPS, command, str(int(number))])
    found, errors = process.communicate()
    assert (process.returncode, found) == (128 + number, output)
    assert errors == f"vitrify: {SAYS[number]}\n"


def test_hangups_that_the_caller_ignores_are_ignored(tmp_path: Path) -> None:
    """As under nohup."""
    script = "import os, signal; from vitrify.cli.main import app\n"
    script += "app.command('hang')(lambda: os.kill(os.getpid(), signal.SIGHUP) or print('went on'))\napp(['hang'])"
    done = subprocess.run(["nohup", sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "went on\n")


@pytest.mark.parametrize(
    ("redirection", "status", "says"),
    [
        ("| (exec <&-; sleep 1)", 141, ""),
        ("> /dev/full", 1, "vitrify: cannot write the output: No space left on device\n"),
        (">&-", 0, ""),
        ("< /dev/null >&- 2>&-", 0, ""),
    ],
)
def test_an_output_that_nobody_takes(redirection: str, status: int, says: str) -> None:
    script = "from vitrify.cli.main import app; import time\n"
    script += (
        "app.command('much')(lambda: [print('x' * 79, flush=not n % 9) for n in range(9999)] and None)\napp(['much'])"
    )
    shell = f'set -o pipefail; {sys.executable} -c "{script}" {redirection}'
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (status, says)
