"""How commands end: with one line on stderr and an exit status, whatever has stopped them."""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import typer

from vitrify.core.errors import VitrifyError, escaped
from vitrify.core.files import cannot_write, is_of_writing
from vitrify.core.signals import Stopped, orderly

TRACEBACK = "VITRIFY_TRACEBACK"  # environment variable: print the traceback of an error, too
_LONGEST = 600  # characters of the text of an error that is none of vitrify's own
_CLOSED_PIPE = 128 + signal.SIGPIPE


@contextmanager
def one_line() -> Iterator[None]:
    """The last net of the command line: every exception becomes one line on stderr and an exit status.

    That is 1; 130 for Ctrl-C and 128 + its number for another signal; and 141, without a line, where what reads the
    output has gone. Those of the command line's own library pass.
    """
    problem = None
    try:
        with orderly():
            yield
            if problem := _flush():
                raise problem
    except (KeyboardInterrupt, Stopped) as error:
        _leave(*_stop(error))
    except Exception as error:
        if hasattr(error, "exit_code") or isinstance(error, typer.Abort):
            raise
        if _is_set(TRACEBACK):
            traceback.print_exc()
        problem = problem or _flush()
        if isinstance(error, BrokenPipeError) and (isinstance(problem, BrokenPipeError) or _nobody_reads()):
            _leave("", _CLOSED_PIPE)
        _leave(f"vitrify: {_text(problem or error)}", 1)


@contextmanager
def resumable(work: str) -> Iterator[None]:
    """Says of a command that a signal ends that the same command goes on. work: a noun, such as "run"."""
    try:
        with orderly():
            yield
    except (KeyboardInterrupt, Stopped) as error:
        line, status = _stop(error)
        _leave(f"{line}; the same command continues the {work}", status)


def stopped_by(number: int, work: str) -> NoReturn:
    """Ends a command that has finished its step after the signal `number`, and will go on."""
    line, status = _stop(KeyboardInterrupt() if number == signal.SIGINT else Stopped(number))
    _leave(f"{line}; the same command continues the {work}", status)


def prepare_streams() -> None:
    """Makes standard streams that the caller has closed harmless, and lets the others show any name of a file."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            # Files that are opened later must not get its number.
            with suppress(OSError):
                while (descriptor := os.open(os.devnull, os.O_RDWR)) < number:
                    pass
                setattr(sys, name, open(descriptor, "w" if number else "r"))  # noqa: SIM115
        elif number and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _stop(error: BaseException) -> tuple[str, int]:
    """What to say of a signal, and the exit status."""
    if isinstance(error, Stopped):
        return f"stopped by {signal.Signals(error.number).name}", 128 + error.number
    return "stopped", 128 + signal.SIGINT


def _text(error: Exception) -> str:
    if isinstance(error, VitrifyError):
        return escaped(str(error))
    text = escaped(" ".join(str(error).split()))[:_LONGEST]
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return f"not enough memory{f': {text}' if text else ''}"
    if isinstance(error, OSError) and is_of_writing(error):
        # All that vitrify writes itself is named.
        return escaped(str(cannot_write(error.filename or "the output", error)))
    if isinstance(error, OSError) and isinstance(error.filename, str) and error.strerror:
        return escaped(f"{error.filename}: {error.strerror}")
    kind = type(error).__name__
    return f"internal error: {kind}{f': {text}' if text else ''} ({TRACEBACK}=1 in the environment shows where)"


def _leave(line: str, status: int) -> NoReturn:
    if line:
        with suppress(OSError, ValueError):
            typer.echo(line, err=True)
    raise typer.Exit(status) from None


def _flush() -> OSError | None:
    """Writes what standard output still holds; where that fails, drops it, so that Python does not try it again."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error
    except ValueError:  # closed
        pass
    return None


def _nobody_reads() -> bool:
    """Whether standard output is a pipe whose reader has gone."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (OSError, ValueError, AttributeError):
        return False


def _is_set(name: str) -> bool:
    return os.environ.get(name, "0") not in ("", "0")
