"""Builds the network of a model file again, from vitrify's own source, the metadata and the plain weights.

What a model file holds as a program is text from somebody; torch must not see it unless the file is trusted. The
network that is built here runs in its place, and tells whether the program in the file is the same.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from vitrify.core.errors import VitrifyError, shown
from vitrify.engines.program import difference
from vitrify.engines.torchscript import DTYPES, quiet_torchscript
from vitrify.modelfile.archive import WEIGHTS_NAME
from vitrify.modelfile.metadata import Metadata
from vitrify.models import System, build_model

MAX_NUMBER = 256
"""Of a whole number in the section of the network that is no length and no count of the weights."""
_WEIGHT_TYPES = {torch.float32, torch.float64, torch.int64, torch.bool}


def rebuilt_program(path: Path, archive: Any, metadata: Metadata) -> torch.jit.ScriptModule:
    """The network of a model file as a program that vitrify's own source makes, after comparing it with the file's.

    archive: of the file, as `vitrify.modelfile.archive.open_archive` returns it. Raises VitrifyError if the network
    cannot be built from the file, and if the program in the file is another one.
    """
    network = rebuilt_network(path, archive, metadata)
    buffer = io.BytesIO()
    with quiet_torchscript():
        program: torch.jit.ScriptModule = torch.jit.script(network)
        torch.jit.save(program, buffer)
    found = difference({name: archive.read(name) for name in archive.names}, _entries(buffer))
    if found:
        raise VitrifyError(
            f"the program in {path} is not the one that this version of vitrify makes of its weights ({found}): not "
            "loaded; engine native, where the file has weights for it, does without; give trust=True (in LAMMPS: trust "
            "yes) only if you know who made the file"
        )
    return program


def rebuilt_network(path: Path, archive: Any, metadata: Metadata) -> torch.nn.Module:
    """The network of a model file with its weights, in evaluation mode; VitrifyError if they do not fit together."""
    weights = _weights(path, archive.extra(WEIGHTS_NAME))
    settings = metadata.network or metadata.provenance.config.get("model")
    if not isinstance(settings, dict) or not weights:
        raise VitrifyError(
            f"the program in {path} is unknown here, and the file lacks the weights or the settings to build it again, "
            "as older files do: not loaded; export the model again, or give trust=True (in LAMMPS: trust yes) if you "
            "know who made the file"
        )
    _check_numbers(path, settings, max([MAX_NUMBER, len(weights), *(n for t in weights.values() for n in t.shape)]))
    try:
        # Shapes first, which take no memory: those of the weights, which the file pays for, bound the real network.
        with torch.random.fork_rng(devices=[]):
            with torch.device("meta"):
                shapes = _build(metadata, settings, weights).state_dict()
            _check_shapes(path, shapes, weights)
            network = _build(metadata, settings, weights)
        network.load_state_dict(weights)
    except (RuntimeError, ValueError, TypeError, ArithmeticError, AttributeError, LookupError, MemoryError) as error:
        if isinstance(error, VitrifyError) and str(path) in str(error):
            raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise VitrifyError(f"{path}: its network cannot be built again ({reason}): export the model again") from None
    return network.eval().requires_grad_(False)


def _build(metadata: Metadata, settings: dict[str, Any], weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    """An untrained network with the shapes of the file's form."""
    known: Any = metadata
    system = System(
        species=metadata.species,
        masses=tuple(getattr(known, "masses", None) or ()),
        units=metadata.units,
        timestep=float(getattr(known, "timestep", 0.0)),
        properties=tuple(target.name for target in getattr(known, "properties", ())),
    )
    network = build_model(metadata.kind, {**settings, "variant": metadata.variant}, system).to(DTYPES[metadata.dtype])
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    if hasattr(network, "take_file_form") and any(t.shape != shapes.get(name) for name, t in weights.items()):
        network.take_file_form()
    found: torch.nn.Module = network
    return found


def _weights(path: Path, content: bytes) -> dict[str, torch.Tensor]:
    """The tensors of the file; empty if there are none."""
    if not content:
        return {}
    try:
        weights = safetensors.torch.load(content)
    # its own error, and those of sizes and types that torch does not take
    except Exception as error:
        raise VitrifyError(f"{path}: {WEIGHTS_NAME} is damaged ({error}): export the model again") from None
    strange = next((name for name, tensor in weights.items() if tensor.dtype not in _WEIGHT_TYPES), None)
    if strange is not None:
        raise VitrifyError(f"{path}: {WEIGHTS_NAME} holds {strange} as {weights[strange].dtype}: export it again")
    return weights


def _check_numbers(path: Path, value: Any, most: int) -> None:
    """Refuses settings that would make Python build without end before any shapes are compared."""
    if isinstance(value, dict | list):
        if len(value) > most:
            raise VitrifyError(f"{path}: the settings of its network have {len(value)} values: export the model again")
        for item in value.values() if isinstance(value, dict) else value:
            _check_numbers(path, item, most)
    elif isinstance(value, int) and abs(value) > most:
        raise VitrifyError(f"{path}: the settings of its network have {shown(value)}, its weights have at most {most}")


def _check_shapes(path: Path, built: dict[str, torch.Tensor], weights: dict[str, torch.Tensor]) -> None:
    for name in sorted({*built, *weights}):
        ours = tuple(built[name].shape) if name in built else None
        theirs = tuple(weights[name].shape) if name in weights else None
        if ours != theirs or built[name].dtype != weights[name].dtype:
            raise VitrifyError(
                f"{path}: {WEIGHTS_NAME} has {name} of shape {theirs}, the settings of its network make {ours}: "
                "export the model again"
            )


def _entries(buffer: io.BytesIO) -> dict[str, bytes]:
    with zipfile.ZipFile(buffer) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith(".debug_pkl")}
