"""What commands say when Ctrl-C stops work that the same command continues."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def resumable(work: str) -> Iterator[None]:
    """Turns Ctrl-C into one line and exit status 130. work: a noun for the message, such as "run"."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"stopped; the same command continues the {work}", err=True)
        raise typer.Exit(130) from None
