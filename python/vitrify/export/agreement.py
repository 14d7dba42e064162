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
from vitrify.engines.replay import check_reference, require_reference
from vitrify.engines.torchscript import DTYPES, quiet_torchscript
from vitrify.kinds import KINDS
from vitrify.modelfile.metadata import Metadata

# Engines order their sums differently and deviate by up to twice the rounding error; other machines get a margin.
MARGIN = 10.0
# A model whose own rounding error, relative to the rms of an output, is larger is of no use in this precision.
USABLE = 1e-2


def with_tolerance(metadata: Metadata, eager: Any, path: str | Path) -> Metadata:
    """The metadata with the deviation from the reference case that rounding allows for this very model.

    Raises VitrifyError for a model that computes nothing but rounding errors in its precision.
    """
    error = rounding_error(metadata, eager, Path(path))
    if not error <= USABLE:
        if error == float("inf"):
            raise VitrifyError(f"{path}: the output of this model is not finite: train it again, with a lower rate")
        remedy = "export it with --dtype float64" if metadata.dtype == "float32" else "train it longer"
        raise VitrifyError(
            f"{path}: rounding in {metadata.dtype} changes the output of this model by {error:.1e} of its rms: {remedy}"
        )
    allowed = max(metadata.reference.tolerance, float(f"{MARGIN * error:.1e}"))
    return metadata.model_copy(update={"reference": metadata.reference.model_copy(update={"tolerance": allowed})})


def rounding_error(metadata: Metadata, eager: Any, path: Path) -> float:
    """What rounding does to the outputs of the reference case, relative to their rms, in the precision of the metadata.

    That is the deviation from the same weights in double precision; for a model in double precision, the deviation of
    its copy in single precision, scaled.
    """
    other = "float64" if metadata.dtype == "float32" else "float32"
    with quiet_torchscript():
        program = torch.jit.script(copy.deepcopy(eager).to(DTYPES[other]).eval())
    described = metadata.model_copy(update={"dtype": other})
    model = KINDS[metadata.kind].load("torch")(path, described, program, torch.device("cpu"))
    scale = 1.0 if metadata.dtype == "float32" else torch.finfo(torch.float64).eps / torch.finfo(torch.float32).eps
    return check_reference(model) * scale


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
