"""What `atoms.info` tells of the strides that atoms have behind them, so that a run goes on where it stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vitrify.core.errors import VitrifyError, shown
from vitrify.core.whole_numbers import whole_number
from vitrify.ogn.metadata import OGNMetadata

# What tells a model from others, but not from its export in another precision.
_TRAINED = {"species", "units", "cutoff", "validity", "provenance"}


def sign_of(metadata: OGNMetadata) -> str:
    """A short text that tells the model from others whose strides atoms may have behind them."""
    text = f"{metadata.variant} {metadata.timestep!r} {metadata.model_dump_json(include=_TRAINED)}"
    return f"{metadata.variant} {hashlib.sha256(text.encode()).hexdigest()[:8]}"


def held_by(info: Mapping[str, Any], sign: str, warn: Callable[[str], None]) -> Mapping[str, Any]:
    """What `info` tells of strides of the model with this sign; nothing, and a warning, if they are of another one."""
    other = info.get("ogn_model", sign)  # files of older versions do not say
    if other == sign:
        return info
    warn(
        f"the strides that atoms.info counts are of another model ({shown(other)}, not {shown(sign)}) and are not "
        "taken on: give first_step to say where the run begins"
    )
    return {}


def count_in(held: Mapping[str, Any], name: str) -> int:
    """A number of strides among what atoms hold, 0 without; VitrifyError for what is none."""
    value = whole_number(held.get(name, 0))
    if value is None or not 0 <= value < 2**62:
        raise VitrifyError(f"{name} is {held[name]!r}: give first_step, a number of strides from 0 on")
    return value


def number_in(held: Mapping[str, Any], name: str) -> float | None:
    """A number among what atoms hold, None without; VitrifyError for what is none."""
    value = held.get(name)
    if value is not None and not (isinstance(value, int | float | np.number) and np.isfinite(value)):
        raise VitrifyError(f"atoms.info has {name} {value!r}, which is no number: give first_step to start anew")
    return None if value is None else float(value)
