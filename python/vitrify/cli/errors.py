"""Every end of a command but success in one line on stderr, and its exit status."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import typer

from vitrify.core.errors import VitrifyError, one_line
from vitrify.core.files import cannot_write, is_of_writing
from vitrify.core.signals import Stopped, name_of, orderly

TRACEBACK = "VITRIFY_TRACEBACK"  # environment variable: show where an error came from
_MEMORY = ("can't allocate memory", "out of memory", "unable to allocate")


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turns whatever is raised into one line and an exit status: 2 for a wrong command line, 130 for Ctrl-C and
    128 + its number for another signal, else 1. A closed pipe ends quietly, with 141, as it ends other programs.

    What typer itself handles (leaving early, help) passes through.
    """
    try:
        with orderly():
            yield
    except typer.Exit:
        raise
    except (KeyboardInterrupt, Stopped, typer.Abort) as error:
        raise leave(*stopped(error)) from None
    except Exception as error:
        lost = output_lost()
        if type(error).__name__ == "NoArgsIsHelpError" or os.environ.get(TRACEBACK):
            raise
        # Errors of the command line, whose classes typer does not show.
        if hasattr(error, "format_message"):
            raise leave(_usage(error), getattr(error, "exit_code", 2)) from None
        if isinstance(error, BrokenPipeError) and (lost or _nobody_reads()):
            raise typer.Exit(128 + signal.SIGPIPE) from None
        raise leave(explain(error), 1) from None


@contextmanager
def resumable(work: str) -> Iterator[None]:
    """Says of a command that a signal ends that the same command goes on. work: a noun, such as "run"."""
    try:
        with orderly():
            yield
    except (KeyboardInterrupt, Stopped) as error:
        line, status = stopped(error)
        raise leave(f"{line}; the same command continues the {work}", status) from None


def stopped(error: BaseException) -> tuple[str, int]:
    """What to say of a signal that has ended a command, and the exit status."""
    if isinstance(error, Stopped):
        return name_of(error.number), 128 + error.number
    return name_of(signal.SIGINT), 128 + signal.SIGINT


def leave(message: str, status: int) -> typer.Exit:
    """The exception that ends the command, after one line on stderr."""
    with suppress(OSError, ValueError):  # nobody reads that
        _end_bars()
        typer.echo(f"vitrify: {one_line(message)}", err=True)
    return typer.Exit(status)


def _end_bars() -> None:
    """Ends the lines of progress bars that are still open."""
    bars = sys.modules.get("tqdm")
    for bar in list(getattr(getattr(bars, "tqdm", None), "_instances", ())):
        bar.close()


def explain(error: Exception) -> str:
    """What went wrong, in words that a user can act on."""
    text = one_line(str(error))
    if isinstance(error, VitrifyError):
        return text
    if isinstance(error, MemoryError) or any(words in text.lower() for words in _MEMORY):
        details = f" ({text})" if text else ""
        return f"not enough memory{details}: give fewer atoms, samples or threads, or a smaller model"
    if isinstance(error, OSError) and is_of_writing(error):
        # All files that vitrify writes have their names in errors of their own.
        return str(cannot_write(error.filename or "the output", error))
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, OSError) and text:
        return text
    if isinstance(error, ModuleNotFoundError):
        return f"the package {error.name} is not installed: pip install it, or run vitrify doctor"
    return (
        f"internal error: {type(error).__name__}: {text or 'no details'}; {TRACEBACK}=1 in the environment shows where"
        " it is, please report it"
    )


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


def output_lost() -> OSError | None:
    """Writes what standard output still holds. Where that fails, says why, and drops it: Python would try again."""
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


def _usage(error: Any) -> str:
    context = getattr(error, "ctx", None)
    words = one_line(error.format_message()).rstrip(".")
    return f"{words}; see {context.command_path} --help" if context is not None else words
