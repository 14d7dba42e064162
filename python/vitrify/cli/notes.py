"""What the library warns of, as one line on stderr."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from vitrify.core.errors import VitrifyWarning, one_line


@contextmanager
def notes_as_lines() -> Iterator[None]:
    """Shows each `VitrifyWarning` once as a line without the place in the source; other warnings stay as they are."""
    before, said = warnings.showwarning, set[str]()

    def show(message: Any, category: type[Warning], *place: Any, **details: Any) -> None:
        text = one_line(str(message))
        if not issubclass(category, VitrifyWarning):
            before(message, category, *place, **details)
        elif text not in said:
            said.add(text)
            typer.echo(f"note: {text}", err=True)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before
