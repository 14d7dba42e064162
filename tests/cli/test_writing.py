"""Every command that writes: outputs that cannot be, full disks, kills, two at once. One line, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from vitrify.cli.main import app
from vitrify.core.locks import claim_file, claim_folder
from written.commands import COMMANDS, Command
from written.disks import files_of_at_most

pytestmark = pytest.mark.filterwarnings("ignore")
QUICK = ("generate", "train ogn", "artn", "glass")
CHEAP = (*QUICK, "explain", "trajectories", "structures")


def every(quick: Collection[str]) -> list[Any]:
    """All commands, those marked slow that are not among the quick ones."""
    return [pytest.param(name, marks=[pytest.mark.slow] * (name not in quick)) for name in COMMANDS]


HIDDEN = re.compile(r"\.(lock|partial)\b")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inputs")


def run(words: list[str]) -> Any:
    return CliRunner().invoke(app, words)


def refused(words: list[str], message: str) -> None:
    """One line on stderr, with the message, and exit status 1."""
    found = run(words)
    lines = [line for line in found.output.splitlines() if line.startswith("vitrify: ")]
    assert found.exit_code == 1 and len(lines) == 1, found.output[-500:]
    assert found.output.rstrip().endswith(lines[0]) and "Traceback" not in found.output
    assert re.search(message, lines[0]), lines[0]


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A file system of its own in the folder; the test is skipped where that is not allowed."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("name", every(CHEAP))
def test_an_output_that_cannot_be_is_one_line_before_any_work(name: str, inputs: Path, tmp_path: Path) -> None:
    command = COMMANDS[name]
    (tmp_path / "file").write_text("")
    refused(command.arguments(inputs, tmp_path / "file" / command.out), "cannot write .*: Not a directory$")
    wrong = tmp_path / f"wrong{command.suffix}"
    if command.is_folder:
        wrong.write_text("kept")
        refused(command.arguments(inputs, wrong), r"cannot write \S*wrong: Not a directory$")
        assert wrong.read_text() == "kept"
    else:
        wrong.mkdir()
        refused(
            command.arguments(inputs, wrong), r"(cannot write|structures cannot) .*wrong\S*: (Is a directory$|give)"
        )
    link = tmp_path / f"link{command.suffix}"
    link.symlink_to(tmp_path / "gone" / "there")
    refused(command.arguments(inputs, link), r"cannot write \S*link\S*: it is a link to .*gone/there, which is not")
    long = tmp_path / (300 * "x" + command.suffix)
    refused(command.arguments(inputs, long), "cannot write .*xxx.*: File name too long$")
    assert left(tmp_path) == sorted(["file", wrong.name, link.name])


@pytest.mark.parametrize("name", every(CHEAP))
def test_a_folder_that_is_read_only(name: str, inputs: Path, tmp_path: Path) -> None:
    command, place = COMMANDS[name], tmp_path / "read only"
    with mounted(place, "size=1m,ro"):
        refused(command.arguments(inputs, place / command.out), r"cannot write .*/read only\S*: Read-only file system$")
        assert left(place) == []


@pytest.mark.parametrize("name", every(CHEAP))
def test_an_output_in_use_is_refused_and_not_touched(name: str, inputs: Path, tmp_path: Path) -> None:
    command, out = COMMANDS[name], tmp_path / COMMANDS[name].out
    claim = claim_folder if command.is_folder else claim_file
    with claim(out, "vitrify elsewhere"):
        before = left(tmp_path)
        words = rf"{out.name} is in use by process {os.getpid()} on \S+ \(vitrify elsewhere, since 20"
        refused(command.arguments(inputs, out), words)
        assert left(tmp_path) == before
    assert left(tmp_path) == []


@pytest.mark.parametrize("name", every(QUICK))
def test_a_full_disk_leaves_nothing_and_the_next_run_goes_on(name: str, inputs: Path, tmp_path: Path) -> None:
    command = COMMANDS[name]
    words = command.arguments(inputs, tmp_path / command.out)
    # Nothing can be written; the lock can, but no result. The latter keeps MPI in new processes from starting, too.
    for size in (20,) if name in ("structures", "quench") else (20, 600):
        with files_of_at_most(size):
            refused(words, "cannot write .*: File too large")
        assert not [path for path in tmp_path.rglob("*") if HIDDEN.search(path.name)]
        if not command.is_folder:
            assert set(left(tmp_path)) <= set(command.journals)
    again = run(words)
    assert again.exit_code == 0, again.output[-500:]
    assert_whole(command, tmp_path)


@pytest.mark.parametrize("name", every(QUICK))
def test_a_killed_command_is_run_again(name: str, inputs: Path, tmp_path: Path) -> None:
    """Killed as it puts its first result in place: lock and unfinished file stay, and the next run goes on."""
    command = COMMANDS[name]
    words = command.arguments(inputs, tmp_path / command.out)
    pid = os.fork()
    if pid == 0:  # pragma: no cover
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        with contextlib.suppress(BaseException):
            run(words)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    assert [path for path in tmp_path.rglob("*") if HIDDEN.search(path.name)]
    again = run(words)
    assert again.exit_code == 0, again.output[-500:]
    assert_whole(command, tmp_path)


def assert_whole(command: Command, folder: Path) -> None:
    """The output is there, and nothing that belongs to a run."""
    assert not [path for path in folder.rglob("*") if HIDDEN.search(path.name)]
    made = [path for path in folder.rglob("*") if path.is_file()]
    assert made and all(path.stat().st_size for path in made)
    assert not {path for path in left(folder) if path.endswith((".part", ".parts"))}
