"""Writes model files."""

from __future__ import annotations

import copy
import io
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from pydantic import ValidationError
from torch import nn

from vitrify.core.errors import VitrifyError, shown
from vitrify.core.files import atomic_path
from vitrify.engines.load import load_model
from vitrify.engines.torchscript import DTYPES, TorchModel, quiet_torchscript
from vitrify.export.agreement import require_agreement, with_tolerance
from vitrify.kinds import KINDS
from vitrify.modelfile.archive import WEIGHTS_NAME, open_archive
from vitrify.modelfile.metadata import METADATA_NAME, Metadata, Provenance, Validity, make_metadata
from vitrify.modelfile.trust import remember


@dataclass(frozen=True)
class Exported:
    """The settings of an export that all kinds share.

    species: in the order of the model's types. units: LAMMPS's unit system, "lj" or "metal". validity: the range of
    the training data. dtype: the precision, "float32" or "float64".
    """

    species: tuple[str, ...]
    units: str
    validity: Validity
    dtype: str


def save_model(module: nn.Module, metadata: Metadata, path: str | Path) -> None:
    """Writes `module` (eager or scripted, already in the metadata's dtype) as the model file `path`.

    The archive is not compressed and has no timestamps, so that a model always gives the same bytes. It lacks
    TorchScript's debug records, which hold paths of the machine that exported it. It holds the weights a second time,
    as plain tensors, from which the native engine runs the model, or torch without the program in the file.
    """
    with atomic_path(path) as work:
        _write_archive(module, metadata, work)


def _write_archive(module: nn.Module, metadata: Metadata, path: Path) -> None:
    buffer = io.BytesIO()
    extra: dict[str, str | bytes] = {METADATA_NAME: metadata.to_json()}
    tensors = {name: tensor.detach().clone().contiguous() for name, tensor in sorted(module.state_dict().items())}
    if tensors:
        extra[WEIGHTS_NAME] = safetensors.torch.save(tensors)
    with quiet_torchscript():
        scripted = module if isinstance(module, torch.jit.ScriptModule) else torch.jit.script(module.eval())
        torch.jit.save(scripted, buffer, _extra_files=extra)
    with zipfile.ZipFile(buffer) as raw, zipfile.ZipFile(path, "w") as archive:
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
    """Writes an eager `model` as a model file, replays its reference case in every engine that the file has, and puts
    the file on the user's list of trusted files.

    kind, variant: names of the model's class. species: in the order of the types. units: "lj" or "metal". validity: the
    range of the training data. dtype: precision of the file. own: arguments of the kind's own function `own_metadata`,
    such as the masses and the timestep of an OGN. `model` itself is not changed.

    Raises VitrifyError for an unknown kind or dtype, if an argument is missing, and if an engine does not reproduce the
    eager model within what rounding explains.
    """
    if dtype not in DTYPES:
        raise VitrifyError(f"dtype {dtype!r} is unknown: use {' or '.join(DTYPES)}")
    if kind not in KINDS:
        raise VitrifyError(f"kind {kind!r} is unknown: use {' or '.join(KINDS)}")
    eager: Any = copy.deepcopy(model).to("cpu", DTYPES[dtype]).eval().requires_grad_(False)
    common = Exported(species, units, validity, dtype)
    described = {
        "schema": 1,
        "kind": kind,
        "variant": variant,
        **_common_metadata(eager, common),
        "provenance": provenance or Provenance(),
        "metrics": metrics or {},
        "citation": citation,
        **_own_metadata(kind, eager, common, path, own),
    }
    metadata = with_tolerance(make_metadata(described, path), eager, path)
    with atomic_path(path) as work:
        _write_archive(eager, metadata, work)
        require_agreement(work)
    with suppress(VitrifyError):  # then the user says trust yes, or vitrify trust, where torch shall run the program
        remember(open_archive(Path(path)))
    return load_model(path, trust=True)


def _own_metadata(kind: str, eager: Any, common: Exported, path: str | Path, own: dict[str, Any]) -> dict[str, Any]:
    """The metadata that only this kind has; VitrifyError if the model's answers are no numbers."""
    try:
        return dict(KINDS[kind].load("own_metadata")(eager, common, **own))
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "finite_number":
            raise VitrifyError(
                f"{path}: the output of this model is not finite: train it again, with a lower rate"
            ) from None
        place = ".".join(map(str, first["loc"]))
        raise VitrifyError(f"{path}: {place}: {first['msg']}, got {shown(first['input'])}") from None


def _common_metadata(eager: Any, common: Exported) -> dict[str, Any]:
    """The metadata that follow from an eager model and the settings of its export."""
    return {
        "species": common.species,
        "units": common.units,
        "dtype": common.dtype,
        "cutoff": eager.cutoff,
        "layers": eager.layers,
        "network": _settings(eager),
        "hyperparameters": eager.hyperparameters(),
        "node_width": eager.node_width,
        "reverse_edges": eager.reverse_edges,
        "validity": common.validity.model_dump(exclude_none=True),
    }


def _settings(eager: Any) -> dict[str, Any]:
    """The section `model:` from which `vitrify.models.build_model` made the network; empty if something else did."""
    config = getattr(eager, "built_from", None)
    return dict(config.model_dump(mode="json")) if config is not None else {}
