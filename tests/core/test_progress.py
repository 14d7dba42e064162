"""Progress: a bar on a terminal, lines now and then in a log, nothing where nobody asked."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import suppress

import pytest

from vitrify.core.progress import OFTEN, SELDOM, Meter, counted, say


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def lines(total: int, seconds: float, work: Callable[[Meter, Clock], None] | None = None) -> list[str]:
    """The log of so many items that take so many seconds each."""
    file, clock = io.StringIO(), Clock()
    with Meter(total, "work", "item", file=file, clock=clock) as meter:
        for _ in range(total):
            clock.now += seconds
            meter.update()
    return file.getvalue().splitlines()


def test_short_work_leaves_no_line_in_a_log() -> None:
    assert lines(100, SELDOM / 101) == []


def test_a_log_has_a_line_for_each_tenth() -> None:
    found = lines(1000, 10.0)
    assert len(found) == 16  # ten hours would have tenths of 1000 s, but none waits longer than OFTEN
    assert found[0] == "work: 6% (60 of 1000), 0:10:00 done, about 2:36:40 to go"


@pytest.mark.parametrize("seconds", [1.0, 3.0, 40.0, 700.0])
def test_a_log_is_neither_long_nor_silent(seconds: float) -> None:
    found = lines(100, seconds)
    assert len(found) <= max(10, 100 * seconds / OFTEN)
    assert len(found) >= min(100 * seconds / OFTEN, 100) - 1 and all("\r" not in line for line in found)


def test_what_an_earlier_run_did_does_not_count_for_the_estimate() -> None:
    file, clock = io.StringIO(), Clock()
    meter = Meter(100, "work", "step", file=file, clock=clock)
    meter.resume(50)
    clock.now = 60.0
    meter.reach(75)
    assert file.getvalue() == "work: 75% (75 of 100), 0:01:00 done, about 0:01:00 to go\n"
    meter.reach(10)  # never backwards
    assert meter.done == 75


def test_a_terminal_gets_a_bar() -> None:
    file = Terminal()
    assert list(counted("abc", "letters", "letter", show=False)) == ["a", "b", "c"]
    with Meter(3, "letters", "letter", file=file) as meter:
        for _ in "abc":
            meter()
    assert "letters: 100%" in file.getvalue() and "3/3" in file.getvalue()


def test_nothing_is_shown_to_who_wants_nothing() -> None:
    for file in (Terminal(), io.StringIO()):
        clock = Clock()
        with Meter(3, "work", show=False, file=file, clock=clock) as meter:
            clock.now = 1e6
            meter.update(3)
        assert file.getvalue() == ""


@pytest.mark.parametrize("file", [None, open(os.devnull, "w")])  # noqa: SIM115
def test_lost_or_closed_streams_end_no_work(file, monkeypatch: pytest.MonkeyPatch) -> None:
    if file is not None:
        file.close()
    monkeypatch.setattr(sys, "stderr", file)
    assert list(counted(range(3), "work", "item")) == [0, 1, 2]


def test_in_a_real_process_with_and_without_a_terminal() -> None:
    code = "from vitrify.core.progress import counted, say\n"
    code += "for i in counted(range(3), 'work', 'item'): say(f'item {i}')"
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert piped.stderr == "" and piped.stdout == "item 0\nitem 1\nitem 2\n"
    main, other = pty.openpty()
    termios.tcsetwinsize(other, (24, 80))
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=other, text=True, check=True)
    os.close(other)
    shown = b""
    with suppress(OSError):  # the end of what was written
        while part := os.read(main, 10000):
            shown += part
    os.close(main)
    assert done.stdout == "item 0\nitem 1\nitem 2\n" and b"work: 100%" in shown


def test_say_prints(capsys: pytest.CaptureFixture[str]) -> None:
    say("a line")
    assert "a line" in capsys.readouterr().out
