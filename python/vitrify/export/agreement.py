"""What rounding does to a model, and that every engine of its file computes the same within that."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from vitrify.core.errors import VitrifyError
from vitrify.engines.interface import Engine
from vitrify.engines.native import forced_instruction_set, usable_instruction_sets
from vitrify.engines.open import engines_of, open_model
from vitrify.engines.replay import deviations, require_reference
from vitrify.engines.torchscript import DTYPES, quiet_torchscript
from vitrify.kinds import KINDS
from vitrify.modelfile.metadata import Metadata

# Engines order their sums differently and deviate by up to twice the rounding error; other machines get a margin.
MARGIN = 10.0
# No output may deviate by more, relative to its rms, whatever the margin: that would be a fault, and no rounding.
LARGEST = {"float32": 1e-3, "float64": 1e-7}
# What engines need at least, in rounding errors.
LEAST_MARGIN = 2.0


def with_tolerance(metadata: Metadata, eager: Any, path: str | Path) -> Metadata:
    """The metadata with the deviations from the reference case that rounding allows for each output of this very model.

    Raises VitrifyError for a model that computes too little but rounding errors in its precision.
    """
    errors, largest = rounding_errors(metadata, eager, Path(path)), LARGEST[metadata.dtype]
    worst = max(errors)
    if not LEAST_MARGIN * worst <= largest:
        if worst == float("inf"):
            raise VitrifyError(f"{path}: the output of this model is not finite: train it again, with a lower rate")
        remedy = "export it with --dtype float64" if metadata.dtype == "float32" else "train it longer"
        raise VitrifyError(
            f"{path}: rounding in {metadata.dtype} changes an output of this model by {worst:.1e} of its rms, of which "
            f"{largest / LEAST_MARGIN:.0e} is allowed: {remedy}"
        )
    least = metadata.reference.tolerance
    allowed = tuple(max(least, min(largest, float(f"{MARGIN * error:.1e}"))) for error in errors)
    reference = metadata.reference.model_copy(update={"tolerance": max(allowed), "tolerances": allowed})
    return metadata.model_copy(update={"reference": reference})


def rounding_errors(metadata: Metadata, eager: Any, path: Path) -> list[float]:
    """What rounding does to each output of the reference case, relative to its rms, in the precision of the metadata.

    That is the deviation from the same weights in double precision; for a model in double precision, the deviation of
    its copy in single precision, scaled.
    """
    other = "float64" if metadata.dtype == "float32" else "float32"
    with quiet_torchscript():
        program = torch.jit.script(copy.deepcopy(eager).to(DTYPES[other]).eval())
    described = metadata.model_copy(update={"dtype": other})
    model = KINDS[metadata.kind].load("torch")(path, described, program, torch.device("cpu"))
    scale = 1.0 if metadata.dtype == "float32" else torch.finfo(torch.float64).eps / torch.finfo(torch.float32).eps
    return [error * scale for error in deviations(model)]


def require_agreement(path: str | Path) -> None:
    """Replays the reference case of a model file in each engine that it has, the native one on each instruction set.

    Raises VitrifyError for the first that deviates by more than the file allows.
    """
    for model in _engines(path):
        require_reference(model)


def _engines(path: str | Path) -> Iterator[Engine]:
    for engine in engines_of(path):
        for name in usable_instruction_sets() if engine == "native" else ("",):
            with forced_instruction_set(name):
                yield open_model(path, engine, trust=True)  # type: ignore[arg-type]
