"""Writing model files."""

from __future__ import annotations

import copy
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from vitrify.core.errors import VitrifyError
from vitrify.core.files import atomic_path
from vitrify.engines.load import load_model
from vitrify.engines.replay import require_reference
from vitrify.engines.torchscript import DTYPES, TorchModel, quiet_torchscript
from vitrify.kinds import KINDS
from vitrify.modelfile.archive import WEIGHTS_NAME
from vitrify.modelfile.metadata import METADATA_NAME, Metadata, Provenance, Validity, make_metadata


@dataclass(frozen=True)
class Exported:
    """What a model file says of a model of any kind: species in the order of its types, units, validity, precision."""

    species: tuple[str, ...]
    units: str
    validity: Validity
    dtype: str


def save_model(module: nn.Module, metadata: Metadata, path: str | Path) -> None:
    """Writes `module` (eager or scripted, already in the metadata's dtype) as the model file `path`.

    The archive is stored, not compressed, has no timestamps (the same model gives the same bytes), and leaves
    out TorchScript's debug records, which hold the paths of the machine that exported it. A module that the native
    engine can run brings its weights a second time, as plain tensors.
    """
    buffer = io.BytesIO()
    extra: dict[str, str | bytes] = {METADATA_NAME: metadata.to_json()}
    if metadata.hyperparameters:
        tensors = {name: tensor.contiguous() for name, tensor in sorted(module.state_dict().items())}
        extra[WEIGHTS_NAME] = safetensors.torch.save(tensors)
    with quiet_torchscript():
        scripted = module if isinstance(module, torch.jit.ScriptModule) else torch.jit.script(module.eval())
        torch.jit.save(scripted, buffer, _extra_files=extra)
    with atomic_path(path) as work, zipfile.ZipFile(buffer) as raw, zipfile.ZipFile(work, "w") as archive:
        for name in raw.namelist():
            if not name.endswith(".debug_pkl"):
                archive.writestr(zipfile.ZipInfo(name), raw.read(name))


def export_model(
    model: nn.Module,
    path: str | Path,
    *,
    kind: str,
    variant: str,
    species: tuple[str, ...],
    units: str,
    validity: Validity,
    dtype: str = "float32",
    provenance: Provenance | None = None,
    metrics: dict[str, Any] | None = None,
    citation: str = "",
    **own: Any,
) -> TorchModel:
    """Writes an eager `model` as a model file, loads it back, and replays its reference case.

    own: what only this kind needs, such as the masses and the timestep of an OGN: the arguments of the function
    `own_metadata` in the module `export` of the kind. The model itself stays as it is.

    Raises VitrifyError if something is missing, or if the file does not reproduce the eager model.
    """
    if dtype not in DTYPES:
        raise VitrifyError(f"dtype {dtype!r} is unknown: use {' or '.join(DTYPES)}")
    if kind not in KINDS:
        raise VitrifyError(f"kind {kind!r} is unknown: use {' or '.join(KINDS)}")
    eager: Any = copy.deepcopy(model).to("cpu", DTYPES[dtype]).eval().requires_grad_(False)
    common = Exported(species, units, validity, dtype)
    metadata = make_metadata(
        {
            "schema": 1,
            "kind": kind,
            "variant": variant,
            "species": species,
            "units": units,
            "dtype": dtype,
            "cutoff": eager.cutoff,
            "layers": eager.layers,
            "hyperparameters": eager.hyperparameters(),
            "node_width": eager.node_width,
            "reverse_edges": eager.reverse_edges,
            "validity": validity.model_dump(exclude_none=True),
            "provenance": provenance or Provenance(),
            "metrics": metrics or {},
            "citation": citation,
            **KINDS[kind].load("own_metadata")(eager, common, **own),
        },
        path,
    )
    with atomic_path(path) as work:
        save_model(eager, metadata, work)
        require_reference(load_model(work))
    return load_model(path)
