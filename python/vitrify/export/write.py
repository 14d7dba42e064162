"""Writing and loading model files: with `vitrify.engines.torchscript`, the only Python module that knows TorchScript.

TorchScript is deprecated upstream; what replaces it goes behind the functions of these modules, with the same
metadata.
"""

from __future__ import annotations

import copy
import io
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from vitrify.core.errors import VitrifyError
from vitrify.core.files import atomic_path
from vitrify.engines.torchscript import DTYPES, TorchAMShortcut, TorchGlassVAE, TorchModel, TorchOGN, TorchSymGNN
from vitrify.modelfile.archive import (
    METADATA_NAME,
    WEIGHTS_NAME,
    AMShortcutMetadata,
    AnyMetadata,
    GlassVAEMetadata,
    Metadata,
    Provenance,
    SymGNNMetadata,
    Target,
    Validity,
    find_model,
    make_metadata,
    open_archive,
    parse_metadata,
    read_entry,
    read_metadata,
    shipped_models,
)
from vitrify.modelfile.reference_case import (
    check_reference,
    make_amshortcut_reference,
    make_glassvae_reference,
    make_ogn_reference,
    make_symgnn_reference,
    require_reference,
)

__all__ = [
    "Metadata",
    "Provenance",
    "TorchAMShortcut",
    "TorchGlassVAE",
    "TorchModel",
    "TorchOGN",
    "TorchSymGNN",
    "Validity",
    "check_reference",
    "export_model",
    "find_model",
    "load_model",
    "read_metadata",
    "require_reference",
    "save_model",
    "shipped_models",
]

_METHODS = {
    "ogn": ("start", "layer", "finish", "forward"),
    "symgnn": ("start", "layer", "finish", "forward"),
    "amshortcut": ("forward",),
    "glassvae": ("atoms", "head", "energies", "forward"),
}
_INPUTS = {
    "ogn": ("types", "velocities", "edge_index", "edge_vectors"),
    "symgnn": ("types", "edge_index", "edge_vectors"),
    "amshortcut": ("elements", "sample", "edge_index", "edge_vectors", "time", "step", "properties", "known"),
    "glassvae": ("types", "edge_index", "edge_vectors"),
}


@contextmanager
def _torchscript() -> Iterator[None]:
    """Keeps TorchScript's deprecation warnings from users, who can do nothing about them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=FutureWarning)
        yield


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
    with _torchscript():
        scripted = module if isinstance(module, torch.jit.ScriptModule) else torch.jit.script(module.eval())
        torch.jit.save(scripted, buffer, _extra_files=extra)
    with atomic_path(path) as work, zipfile.ZipFile(buffer) as raw, zipfile.ZipFile(work, "w") as archive:
        for name in raw.namelist():
            if not name.endswith(".debug_pkl"):
                archive.writestr(zipfile.ZipInfo(name), raw.read(name))


def load_model(name: str | Path, device: str | torch.device = "cpu") -> TorchModel:
    """Loads a model file, found as `find_model` does, onto `device`.

    Raises VitrifyError for a file that is not whole, is of another schema or kind, or could do more than
    compute: code that runs while it loads (`__setstate__`, custom classes) or operators outside vitrify's
        allow-list.
    """
    path = find_model(name)
    place = _check_device(device)
    with open_archive(path) as archive:
        text = _check_entries(path, archive)
    metadata = parse_metadata(text, path)
    try:
        with _torchscript():
            module = torch.jit.load(str(path), map_location=place)  # type: ignore[no-untyped-call]
    # libtorch raises RuntimeError, IndexError, UnicodeDecodeError and more on damaged archives
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise VitrifyError(f"{path} cannot be loaded as TorchScript ({reason}): export it again") from None
    _check_program(path, metadata, module)
    if isinstance(metadata, AMShortcutMetadata):
        return TorchAMShortcut(path, metadata, module.eval(), place)
    if isinstance(metadata, GlassVAEMetadata):
        return TorchGlassVAE(path, metadata, module.eval(), place)
    if isinstance(metadata, SymGNNMetadata):
        return TorchSymGNN(path, metadata, module.eval(), place)
    return TorchOGN(path, metadata, module.eval(), place)


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
    """vitrify.json, after reading every entry (its checksum must hold); refuses code that runs on load."""
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


def _check_program(path: Path, metadata: AnyMetadata, module: torch.jit.ScriptModule) -> None:
    """Refuses a module without the methods of its kind or with operators outside the allow-list."""
    methods = set(module._c._method_names())
    missing = [name for name in _METHODS[metadata.kind] if name not in methods]
    if missing:
        raise VitrifyError(f"{path} has no method {missing[0]} (found {', '.join(sorted(methods))}): export it again")
    foreign = sorted(_operators(module) - _allowed_operators())
    if foreign:
        raise VitrifyError(
            f"{path} uses the operators {', '.join(foreign)}, which vitrify does not run: "
            "only models exported by vitrify are run"
        )
    inputs = [argument.name for argument in module._c._get_method("forward").schema.arguments[1:]]
    if inputs != list(_INPUTS[metadata.kind]):
        raise VitrifyError(
            f"{path} takes {', '.join(inputs)}, a model of kind {metadata.kind} takes "
            f"{', '.join(_INPUTS[metadata.kind])}: export it again"
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
    """The allow-list, of which there is one, in C++."""
    try:
        from vitrify import _core
    except ImportError as error:
        raise VitrifyError(f"vitrify's compiled part is missing ({error}): build it with pip install .") from None
    return set(_core.allowed_operators())


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
    masses: tuple[float, ...] | None = None,
    base_timestep: float | None = None,
    stride: int | None = None,
    property: Mapping[str, str] | None = None,
    properties: Sequence[Mapping[str, Any]] | None = None,
    statistics: Mapping[str, Any] | None = None,
    charges: Sequence[float] | None = None,
    latent_energy: str | None = None,
    provenance: Provenance | None = None,
    metrics: dict[str, Any] | None = None,
    citation: str = "",
) -> TorchModel:
    """Writes an eager `model` as a model file, loads it back, and replays its reference case.

    Kind ogn needs `masses`, `base_timestep` and `stride`; kind symgnn needs `property`, such as
    {"name": "barrier", "unit": "eV"}; kind amshortcut needs `masses`, `properties` and `statistics`, as
    `vitrify.modelfile.archive.AMShortcutMetadata` has them; kind glassvae needs `masses`, and to make structures
    `latent_energy`. The model itself stays as it is.

    Raises VitrifyError if something is missing, or if the file does not reproduce the eager model.
    """
    if dtype not in DTYPES:
        raise VitrifyError(f"dtype {dtype!r} is unknown: use {' or '.join(DTYPES)}")
    eager: Any = copy.deepcopy(model).to("cpu", DTYPES[dtype]).eval().requires_grad_(False)
    if kind == "ogn":
        own = _ogn_part(eager, species, units, validity, dtype, masses, base_timestep, stride)
    elif kind == "symgnn":
        own = _symgnn_part(eager, species, validity, dtype, property)
    elif kind == "amshortcut":
        own = _amshortcut_part(eager, species, validity, dtype, masses, properties, statistics, charges)
    elif kind == "glassvae":
        own = _glassvae_part(eager, species, validity, dtype, masses, latent_energy)
    else:
        raise VitrifyError(f"kind {kind!r} is unknown: use {' or '.join(_INPUTS)}")
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
            **own,
        },
        path,
    )
    with atomic_path(path) as work:
        save_model(eager, metadata, work)
        require_reference(load_model(work))
    return load_model(path)


def _ogn_part(
    eager: Any, species: tuple[str, ...], units: str, validity: Validity, dtype: str,
    masses: tuple[float, ...] | None, base_timestep: float | None, stride: int | None,
) -> dict[str, Any]:  # fmt: skip
    """The metadata that only an OGN has."""
    if masses is None or base_timestep is None or stride is None:
        raise VitrifyError("a model of kind ogn moves atoms: give export_model masses, base_timestep and stride")
    return {
        "masses": masses,
        "stride": stride,
        "base_timestep": base_timestep,
        "timestep": stride * base_timestep,
        "reference": make_ogn_reference(eager, species, masses, units, eager.cutoff, validity, dtype),
    }


def _symgnn_part(
    eager: Any, species: tuple[str, ...], validity: Validity, dtype: str, property: Mapping[str, str] | None
) -> dict[str, Any]:
    """The metadata that only a SymGNN has."""
    if property is None:
        raise VitrifyError(
            'a model of kind symgnn predicts a property: give export_model property={"name": "barrier", "unit": "eV"}'
        )
    return {
        "property": dict(property),
        "reference": make_symgnn_reference(eager, species, eager.cutoff, validity, dtype),
    }


def _amshortcut_part(
    eager: Any, species: tuple[str, ...], validity: Validity, dtype: str, masses: tuple[float, ...] | None,
    properties: Sequence[Mapping[str, Any]] | None, statistics: Mapping[str, Any] | None,
    charges: Sequence[float] | None,
) -> dict[str, Any]:  # fmt: skip
    """The metadata that only a generator has."""
    if masses is None or properties is None or statistics is None:
        raise VitrifyError("kind amshortcut makes structures: give export_model masses, properties and statistics")
    targets = [Target.model_validate(dict(found)) for found in properties]
    return {
        "process": eager.process,
        "masses": masses,
        "charges": charges,
        "ghost_density": eager.ghost_density,
        "properties": targets,
        "statistics": dict(statistics),
        "reference": make_amshortcut_reference(eager, species, eager.cutoff, validity, targets, dtype),
    }


def _glassvae_part(
    eager: Any, species: tuple[str, ...], validity: Validity, dtype: str, masses: tuple[float, ...] | None,
    latent_energy: str | None,
) -> dict[str, Any]:  # fmt: skip
    """The metadata that only a latent model has."""
    if masses is None:
        raise VitrifyError("kind glassvae has energies of given elements: give export_model masses")
    space = eager.latent_space(species, latent_energy) if latent_energy else {}
    return {
        "masses": masses,
        "latent": eager.latent,
        **space,
        "reference": make_glassvae_reference(eager, species, eager.cutoff, validity, dtype, decodes=bool(space)),
    }
