"""The compiled part of vitrify, which holds the rules that Python and LAMMPS share."""

from __future__ import annotations

import importlib
from typing import Any

from vitrify.core.errors import VitrifyError


def compiled() -> Any:
    """The module `vitrify._core`; VitrifyError if it is missing."""
    try:
        return importlib.import_module("vitrify._core")
    except ImportError as missing:
        raise VitrifyError(f"vitrify's compiled part is missing ({missing}): build it with pip install .") from None
