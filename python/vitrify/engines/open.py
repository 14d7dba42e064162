"""Opens a model file in an engine: by default the native one where it can run the file, TorchScript otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeAlias

from vitrify.core.errors import VitrifyError
from vitrify.engines.interface import Engine
from vitrify.engines.native import has_native_weights
from vitrify.engines.replay import require_reference
from vitrify.kinds import KINDS, Kind
from vitrify.modelfile.archive import find_model, read_metadata, wrong_kind

ENGINES = ("native", "torch")
EngineName: TypeAlias = Literal["native", "torch"]


def engines_of(name: str | Path) -> tuple[str, ...]:
    """The engines that can run a model file; the first one is the default on a CPU."""
    path = find_model(name)
    return ENGINES if _runs_natively(KINDS[read_metadata(path).kind], path) else ("torch",)


def _runs_natively(kind: Kind, path: Path) -> bool:
    return kind.has("native") and has_native_weights(path)


def open_model(
    name: str | Path,
    engine: EngineName | None = None,
    device: str = "cpu",
    kind: str | None = None,
    trust: bool = False,
) -> Any:
    """A model file in `engine`; by default the native one if the file has weights for it and `device` is cpu.

    kind: the kind that the file must be of, such as "ogn"; by default any. trust: run the program in the file even if
    the file is unknown; see `vitrify.engines.load.load_model`. Torch is imported for the engine torch only.

    Returns an instance of the class that the model's `Kind` names for the engine, as its part `native` or `torch`.
    Raises VitrifyError for an unknown engine, a device that the native engine cannot use, a file of another kind, and
    a file that is no model file.
    """
    path = find_model(name)
    own = KINDS[read_metadata(path).kind]
    if kind not in (None, own.name):
        raise wrong_kind(path, own.name, str(kind))
    if engine not in (None, *ENGINES):
        raise VitrifyError(f"engine {engine!r} is unknown: use {' or '.join(ENGINES)}")
    if engine == "native" and device != "cpu":
        raise VitrifyError(f"engine native runs on the cpu, not on {device}: use engine torch, or device cpu")
    if engine == "native" or (engine is None and device == "cpu" and _runs_natively(own, path)):
        return own.load("native")(path)
    from vitrify.engines.load import load_model

    return load_model(path, device, trust)


def open_checked(
    model: str | Path | Engine, engine: EngineName | None, device: str, kind: str, check: bool = False,
    trust: bool = False,
) -> Any:  # fmt: skip
    """A model in an engine: `model` itself, or opened by `open_model` if it is a path or the name of a shipped model.

    check: replay its reference case first. trust: as in `open_model`. Raises VitrifyError as `open_model` and
    `require_reference`.
    """
    found = open_model(model, engine, device, kind, trust) if isinstance(model, str | Path) else model
    if check:
        require_reference(found)
    return found
