"""Chooses what runs a model file: the native engine where it can, TorchScript otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeAlias

from vitrify.core.errors import VitrifyError
from vitrify.engines.native import has_native_weights
from vitrify.kinds import KINDS
from vitrify.modelfile.archive import find_model, read_metadata, wrong_kind

ENGINES = ("native", "torch")
EngineName: TypeAlias = Literal["native", "torch"]


def engines_of(name: str | Path) -> tuple[str, ...]:
    """The engines that can run a model file; the first is the one that is taken by default on a CPU."""
    return ENGINES if _runs_natively(name) else ("torch",)


def _runs_natively(name: str | Path) -> bool:
    return KINDS[read_metadata(name).kind].native is not None and has_native_weights(name)


def open_model(name: str | Path, engine: EngineName | None = None, device: str = "cpu", kind: str | None = None) -> Any:
    """A model file in `engine`; by default the native one if the file has weights for it and `device` is cpu.

    kind: the kind that it must be of, such as "ogn"; by default any. Torch is imported for `engine` torch alone.

    Returns an instance of the class that the model's kind names for the engine, `native` or `torch` in its `Kind`.
    Raises VitrifyError for an unknown engine, a device that the native engine cannot use, a file of another kind, and
    for what is no model file.
    """
    if kind is not None and (found := read_metadata(name).kind) != kind:
        raise wrong_kind(find_model(name), found, kind)
    if engine not in (None, *ENGINES):
        raise VitrifyError(f"engine {engine!r} is unknown: use {' or '.join(ENGINES)}")
    path = find_model(name)
    if engine == "native" and device != "cpu":
        raise VitrifyError(f"engine native runs on the cpu, not on {device}: use engine torch, or device cpu")
    if engine == "native" or (engine is None and device == "cpu" and _runs_natively(path)):
        return KINDS[read_metadata(path).kind].load("native")(path)
    from vitrify.engines.load import load_model

    return load_model(path, device)
