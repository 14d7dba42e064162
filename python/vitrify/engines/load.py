"""Opens model files in torch: the program of a trusted file, or the network built again from vitrify's own source.

TorchScript is deprecated upstream. A replacement would concern this module, its neighbours `torchscript`, `program` and
`rebuild`, and `vitrify.export` alone; the metadata would stay.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from vitrify.core.errors import VitrifyError
from vitrify.engines.rebuild import rebuilt_program
from vitrify.engines.torchscript import TorchModel, first_line, quiet_torchscript
from vitrify.kinds import KINDS
from vitrify.modelfile.archive import find_model, open_archive
from vitrify.modelfile.metadata import Metadata, parse_metadata
from vitrify.modelfile.trust import is_trusted


def load_model(name: str | Path, device: str | torch.device = "cpu", trust: bool = False) -> TorchModel:
    """Loads a model file, found as `find_model` does, onto `device`.

    The program in a file may do anything, so that torch gets it only if the file comes with vitrify, was exported or
    approved by this user (`vitrify trust`), or is trusted by `trust`. Of any other file the network is built again from
    vitrify's own source, the metadata and the weights; the program in the file must be the same, but is not run.

    Raises VitrifyError for an unknown device, for a file that is not whole or is of another schema or kind, and for
    an unknown one whose network cannot be built again, or whose program is another.
    """
    path = find_model(name)
    place = _check_device(device)
    archive = open_archive(path)
    metadata = parse_metadata(archive.metadata_text, path)
    if trust or is_trusted(archive):
        module = _load_program(path, archive, place)
    else:
        module = rebuilt_program(path, archive, metadata).to(place)
    _check_program(path, metadata, module)
    opened: TorchModel = KINDS[metadata.kind].load("torch")(path, metadata, module.eval(), place)
    return opened


def _load_program(path: Path, archive: Any, place: torch.device) -> torch.jit.ScriptModule:
    """The program of a trusted file, from the bytes that were checked."""
    try:
        with quiet_torchscript():
            program: torch.jit.ScriptModule = torch.jit.load(io.BytesIO(archive.bytes), map_location=place)  # type: ignore[no-untyped-call]
            return program
    # libtorch raises RuntimeError, IndexError, UnicodeDecodeError and more on damaged archives
    except Exception as error:
        raise VitrifyError(f"{path} cannot be loaded as TorchScript ({first_line(error)}): export it again") from None


def _check_device(device: str | torch.device) -> torch.device:
    try:
        place = torch.device(device)
    except RuntimeError:
        raise VitrifyError(f"device {device!r} is unknown: use cpu, cuda or cuda:N") from None
    if place.type not in ("cpu", "cuda"):
        raise VitrifyError(f"device {device!r} is not supported: use cpu, cuda or cuda:N")
    if place.type == "cuda" and not (torch.cuda.is_available() and (place.index or 0) < torch.cuda.device_count()):
        raise VitrifyError(f"device {device!r}: this torch {torch.__version__} sees no such GPU: use cpu")
    return place


def _check_program(path: Path, metadata: Metadata, module: torch.jit.ScriptModule) -> None:
    """Refuses a module without the methods and the inputs of its kind."""
    methods = set(module._c._method_names())
    missing = [name for name in KINDS[metadata.kind].methods if name not in methods]
    if missing:
        raise VitrifyError(f"{path} has no method {missing[0]} (found {', '.join(sorted(methods))}): export it again")
    inputs = [argument.name for argument in module._c._get_method("forward").schema.arguments[1:]]
    if inputs != list(KINDS[metadata.kind].inputs):
        raise VitrifyError(
            f"{path} takes {', '.join(inputs)}, a model of kind {metadata.kind} takes "
            f"{', '.join(KINDS[metadata.kind].inputs)}: export it again"
        )
