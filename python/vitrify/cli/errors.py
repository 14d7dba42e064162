"""Every error of the command line in one line on stderr, and its exit status."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from vitrify.core.errors import VitrifyError, one_line

TRACEBACK = "VITRIFY_TRACEBACK"  # environment variable: show where an error came from
_MEMORY = ("can't allocate memory", "out of memory", "unable to allocate")


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turns whatever is raised into one line and an exit status: 2 for a wrong command line, 130 for Ctrl-C, else 1.

    What typer itself handles (leaving early, help, a closed pipe) passes through.
    """
    try:
        yield
    except (typer.Exit, BrokenPipeError):
        raise
    except (KeyboardInterrupt, typer.Abort):
        raise _exit("stopped", 130) from None
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError" or os.environ.get(TRACEBACK):
            raise
        # Errors of the command line, whose classes typer does not show.
        if hasattr(error, "format_message"):
            raise _exit(_usage(error), getattr(error, "exit_code", 2)) from None
        raise _exit(explain(error), 1) from None


def explain(error: Exception) -> str:
    """What went wrong, in words that a user can act on."""
    text = one_line(str(error))
    if isinstance(error, VitrifyError):
        return text
    if isinstance(error, MemoryError) or any(words in text.lower() for words in _MEMORY):
        details = f" ({text})" if text else ""
        return f"not enough memory{details}: give fewer atoms, samples or threads, or a smaller model"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, ModuleNotFoundError):
        return f"the package {error.name} is not installed: pip install it, or run vitrify doctor"
    return (
        f"{type(error).__name__}: {text or 'no details'}; this is a fault of vitrify: {TRACEBACK}=1 in the environment "
        "shows where it is, please report it"
    )


def _usage(error: Any) -> str:
    context = getattr(error, "ctx", None)
    words = one_line(error.format_message()).rstrip(".")
    return f"{words}; see {context.command_path} --help" if context is not None else words


def _exit(message: str, status: int) -> typer.Exit:
    typer.echo(f"vitrify: {one_line(message)}", err=True)
    return typer.Exit(status)
