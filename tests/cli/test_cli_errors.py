"""Whatever goes wrong, the command line says it in one line and gives an exit status."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vitrify.cli.main import app
from vitrify.core.errors import VitrifyError, one_line, shown

runner = CliRunner()

RAISED = {
    "an error of ours": (VitrifyError("no\nsuch\tatom\x1b[31m"), 1, "no such atom\\x1b[31m"),
    "a missing file": (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.h5"), 1, "a.h5: No such file"),
    "a full disk": (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left"),
    "no memory": (MemoryError(), 1, "not enough memory"),
    "no memory in torch": (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), 1, "not enough memory"),
    "no package": (ModuleNotFoundError("No module named 'umap'", name="umap"), 1, "the package umap"),
    "depth": (RecursionError("maximum recursion depth exceeded"), 1, "RecursionError: maximum"),
    "a fault": (KeyError("x"), 1, "internal error: KeyError: 'x'"),
    "two lines": (RuntimeError("first\nsecond"), 1, "RuntimeError: first second;"),
    "bytes of a name": (VitrifyError("no file \udcff"), 1, "no file \\udcff"),
    "ctrl-c": (KeyboardInterrupt(), 130, "stopped"),
}


@pytest.mark.parametrize("name", RAISED)
def test_every_exception_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error, status, words = RAISED[name]

    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("vitrify.modelfile.archive.find_model", fail)
    result = runner.invoke(app, ["info", "x"])
    assert result.exit_code == status
    assert result.output.startswith("vitrify: ") and result.output.count("\n") == 1 and words in result.output


def test_a_developer_can_see_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRIFY_TRACEBACK", "1")
    monkeypatch.setattr("vitrify.modelfile.archive.find_model", lambda _: 1 / 0)
    assert isinstance(runner.invoke(app, ["info", "x"]).exception, ZeroDivisionError)


@pytest.mark.parametrize(
    "words",
    [
        ["exprt"], ["--foo"], ["evaluate"], ["evaluate", "x"], ["evaluate", "--foo"], ["generate", "Si", "--count"],
        ["generate", "Si", "--count", "x"], ["generate", "Si", "--count", "1.5"], ["generate", "Si", "--churn", "1,5"],
        ["data", "tra"], ["info", "a", "b"], ["train"], ["artn", "a"], ["explain", "x"], ["doctor", "--all"],
        ["data", "glass", "Si", "--atoms", "1e9", "--rate", "1e12"], ["export", "run"],
        ["generate", "Si", "--seed", ""],
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_one_line(words: list[str]) -> None:
    result = runner.invoke(app, words)
    assert result.exit_code == 2
    assert result.output.startswith("vitrify: ") and result.output.count("\n") == 1


def test_without_arguments_there_is_help() -> None:
    assert "Commands:" in runner.invoke(app, []).output and "trajectories" in runner.invoke(app, ["data"]).output


def test_values_in_messages_are_short_and_printable(tmp_path: Path) -> None:
    assert shown("a" * 200) == "'" + "a" * 76 + "..." and shown(16**5000) == "a number of 20001 bits"
    assert shown([1, "x\n"]) == "[1, 'x\\n']" and shown("\x1b") == "'\\x1b'"
    assert one_line("a\r\n  b\x00\u202e") == "a b\\x00\\u202e"
