"""Loads model files as TorchScript, after checks that they do nothing but compute.

TorchScript is deprecated upstream. A replacement would concern this module, `vitrify.engines.torchscript` and
`vitrify.export` alone; the metadata would stay.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch

from vitrify.core.errors import VitrifyError
from vitrify.core.files import sha256
from vitrify.engines.torchscript import TorchModel, quiet_torchscript
from vitrify.kinds import KINDS
from vitrify.modelfile.archive import find_model, open_archive, read_entry
from vitrify.modelfile.metadata import METADATA_NAME, Metadata, parse_metadata


def load_model(name: str | Path, device: str | torch.device = "cpu") -> TorchModel:
    """Loads a model file, found as `find_model` does, onto `device`.

    Raises VitrifyError for an unknown device, for a file that is not whole or is of another schema or kind, and for
    one that could do more than compute: code that runs while it loads (`__setstate__`, custom classes), or operators
    outside vitrify's allow-list.
    """
    path = find_model(name)
    place = _check_device(device)
    with open_archive(path) as archive:
        text = _check_entries(path, archive)
    metadata = parse_metadata(text, path)
    try:
        with quiet_torchscript():
            module = torch.jit.load(str(path), map_location=place)  # type: ignore[no-untyped-call]
    # libtorch raises RuntimeError, IndexError, UnicodeDecodeError and more on damaged archives
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise VitrifyError(f"{path} cannot be loaded as TorchScript ({reason}): export it again") from None
    _check_program(path, metadata, module)
    opened: TorchModel = KINDS[metadata.kind].load("torch")(
        path, metadata, module.eval(), place, sha256(path), str(path.absolute())
    )
    return opened


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


def _check_entries(path: Path, archive: zipfile.ZipFile) -> bytes:
    """The text of vitrify.json. Reads every entry, whose checksum must hold, and refuses code that runs on load."""
    names = archive.namelist()
    if len(set(names)) != len(names):
        raise VitrifyError(f"{path} holds an entry twice, so readers could disagree on its content: export it again")
    text = b""
    for name in names:
        content = read_entry(path, archive, name)
        if name.endswith("/extra/" + METADATA_NAME):
            text = content
        if "/code/" in name or name.endswith(".pkl"):
            for forbidden in (b"__setstate__", b"torch.classes"):
                if forbidden in content:
                    raise VitrifyError(
                        f"{path} has {forbidden.decode()} in {name}, a program that runs while it loads: "
                        "only models exported by vitrify are run"
                    )
    return text


def _check_program(path: Path, metadata: Metadata, module: torch.jit.ScriptModule) -> None:
    """Refuses a module without the methods of its kind or with operators outside the allow-list."""
    methods = set(module._c._method_names())
    missing = [name for name in KINDS[metadata.kind].methods if name not in methods]
    if missing:
        raise VitrifyError(f"{path} has no method {missing[0]} (found {', '.join(sorted(methods))}): export it again")
    foreign = sorted(_operators(module) - _allowed_operators())
    if foreign:
        raise VitrifyError(
            f"{path} uses the operators {', '.join(foreign)}, which vitrify does not run: "
            "only models exported by vitrify are run"
        )
    inputs = [argument.name for argument in module._c._get_method("forward").schema.arguments[1:]]
    if inputs != list(KINDS[metadata.kind].inputs):
        raise VitrifyError(
            f"{path} takes {', '.join(inputs)}, a model of kind {metadata.kind} takes "
            f"{', '.join(KINDS[metadata.kind].inputs)}: export it again"
        )


def _operators(module: torch.jit.ScriptModule) -> set[str]:
    """The kinds ("aten::add", "prim::If") of all nodes in all methods, with every call inlined."""
    kinds: set[str] = set()

    def visit(block: Any) -> None:
        for node in block.nodes():
            kinds.add(node.kind())
            for inner in node.blocks():
                visit(inner)

    for submodule in module.modules():
        if not isinstance(submodule, torch.jit.ScriptModule):
            continue
        for name in submodule._c._method_names():
            graph = submodule._c._get_method(name).graph.copy()
            torch._C._jit_pass_inline(graph)
            visit(graph)
    return kinds


def _allowed_operators() -> set[str]:
    """The allow-list of operators, which stands in C++ alone."""
    try:
        from vitrify import _core
    except ImportError as error:
        raise VitrifyError(f"vitrify's compiled part is missing ({error}): build it with pip install .") from None
    return set(_core.allowed_operators())
