"""The compiled part of vitrify, `_core`, and its errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vitrify.core.errors import VitrifyError

try:
    from vitrify import _core as _core
except ImportError as missing:
    raise VitrifyError(f"vitrify's compiled part is missing ({missing}): build it with pip install .") from None


@contextmanager
def core_errors() -> Iterator[None]:
    """Turns errors of the compiled part into VitrifyError."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        if isinstance(error, VitrifyError):
            raise
        raise VitrifyError(str(error)) from None
