"""Chooses what runs a model file: the native engine where it can, TorchScript otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from vitrify.core.errors import VitrifyError
from vitrify.engines.native import NativeAMShortcut, NativeGlassVAE, NativeOGN, NativeSymGNN, has_native_weights
from vitrify.modelfile.archive import find_model, read_metadata, wrong_kind

if TYPE_CHECKING:
    from vitrify.export.write import TorchGlassVAE, TorchModel, TorchOGN, TorchSymGNN

ENGINES = ("native", "torch")
Native: TypeAlias = NativeOGN | NativeSymGNN | NativeAMShortcut | NativeGlassVAE
_NATIVE: dict[str, type[Native]] = {
    "ogn": NativeOGN,
    "symgnn": NativeSymGNN,
    "amshortcut": NativeAMShortcut,
    "glassvae": NativeGlassVAE,
}
Engine: TypeAlias = Literal["native", "torch"]


def engines_of(name: str | Path) -> tuple[str, ...]:
    """The engines that can run a model file; the first is the one that is taken by default on a CPU."""
    return ENGINES if has_native_weights(name) else ("torch",)


def open_model(name: str | Path, engine: Engine | None = None, device: str = "cpu") -> Native | TorchModel:
    """A model file in `engine`; by default the native one if the file has weights for it and `device` is cpu.

    Torch is imported for `engine` torch alone. Raises VitrifyError for an unknown engine, a device that the native
    engine cannot use, and for what is no model file.
    """
    if engine not in (None, *ENGINES):
        raise VitrifyError(f"engine {engine!r} is unknown: use {' or '.join(ENGINES)}")
    path = find_model(name)
    if engine == "native" and device != "cpu":
        raise VitrifyError(f"engine native runs on the cpu, not on {device}: use engine torch, or device cpu")
    if engine == "native" or (engine is None and device == "cpu" and has_native_weights(path)):
        return _NATIVE[read_metadata(path).kind](path)
    from vitrify.export.write import load_model

    return load_model(path, device)


def open_ogn(name: str | Path, engine: Engine | None = None, device: str = "cpu") -> NativeOGN | TorchOGN:
    """`open_model` for a model that moves atoms; VitrifyError if the file holds another kind."""
    _require_kind(name, "ogn")
    return cast("NativeOGN | TorchOGN", open_model(name, engine, device))


def open_symgnn(name: str | Path, engine: Engine | None = None, device: str = "cpu") -> NativeSymGNN | TorchSymGNN:
    """`open_model` for a model of a per-atom property; VitrifyError if the file holds another kind."""
    _require_kind(name, "symgnn")
    return cast("NativeSymGNN | TorchSymGNN", open_model(name, engine, device))


def open_glassvae(
    name: str | Path, engine: Engine | None = None, device: str = "cpu"
) -> NativeGlassVAE | TorchGlassVAE:
    """`open_model` for a latent model with energies; VitrifyError if the file holds another kind."""
    _require_kind(name, "glassvae")
    return cast("NativeGlassVAE | TorchGlassVAE", open_model(name, engine, device))


def _require_kind(name: str | Path, wanted: str) -> None:
    kind = read_metadata(name).kind
    if kind != wanted:
        raise wrong_kind(find_model(name), kind, wanted)
