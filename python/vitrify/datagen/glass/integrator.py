"""Which model moves the atoms of a melt and a quench in place of MD."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Sequence

from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.core.files import sha256
from vitrify.datagen.glass.script import GlassSettings, Integrator
from vitrify.modelfile.archive import find_model, read_metadata, shipped_models
from vitrify.modelfile.metadata import Metadata


def choose_integrator(name: str, settings: GlassSettings) -> Integrator | None:
    """The model of a glass: None for "md", a model file by its name, or what "auto" finds among the shipped ones.

    "auto" takes a model that was trained with the potential of the glass and whose range holds its composition and
    temperatures; where there is none it warns, and MD it is.

    Raises VitrifyError for a file that moves no atoms in metal units, or knows other elements.
    """
    if name == "md":
        return None
    if name != "auto":
        return _integrator(name, settings)
    reasons = []
    for shipped in shipped_models():
        metadata = read_metadata(find_model(shipped))
        if _stride(metadata) and set(settings.species) <= set(metadata.species):
            problem = _unfit(metadata, settings)
            if problem is None:
                return _integrator(shipped, settings)
            reasons.append(f"{shipped} {problem}")
    why = "; ".join(reasons) or f"no shipped model moves {'-'.join(settings.species)}"
    warnings.warn(f"integrator auto: {why}: the quench is MD", VitrifyWarning, stacklevel=2)
    return None


def _integrator(name: str, settings: GlassSettings) -> Integrator:
    path = find_model(name)
    metadata = read_metadata(path)
    stride = _stride(metadata)
    if not stride:
        raise VitrifyError(f"{name} is of kind {metadata.kind}, which moves no atoms: give md, auto or an ogn model")
    if metadata.units != "metal":
        raise VitrifyError(f"{name} is for units {metadata.units}: glasses are made in metal units (A, ps, eV, K, bar)")
    missing = [symbol for symbol in settings.species if symbol not in metadata.species]
    if missing:
        raise VitrifyError(
            f"{name} knows {', '.join(metadata.species)}, but {settings.formula} has {', '.join(missing)}, too: "
            "give md or another model"
        )
    shipped = name in shipped_models() and path == shipped_models()[name]
    return Integrator(name if shipped else shlex.quote(str(path.resolve())), sha256(path), stride)


def _stride(metadata: Metadata) -> float:
    """ps; 0 of a model that moves no atoms."""
    return float(getattr(metadata, "timestep", 0.0))


def _unfit(metadata: Metadata, settings: GlassSettings) -> str | None:
    """Why a model is not for a glass, or None."""
    if any(not _same(source, settings) for source in metadata.provenance.data) or not metadata.provenance.data:
        return "was trained with another potential"
    for symbol, (low, high) in metadata.validity.composition.items():
        count = settings.counts[settings.species.index(symbol)] if symbol in settings.species else 0
        if not low <= count / settings.n_atoms <= high:
            return f"is for {100 * low:.3g} to {100 * high:.3g}% {symbol}"
    low, high = metadata.validity.temperature or (0.0, float("inf"))
    if not low <= settings.final_temperature or not settings.melt_temperature <= high:
        return f"is for {low:.0f} to {high:.0f} K"
    return None


def _same(source: dict[str, object], settings: GlassSettings) -> bool:
    """Whether data were made with the potential of the glass: the same commands, but for the order of the elements."""
    recipe = source.get("recipe")
    commands = recipe.get("commands") if isinstance(recipe, dict) else None
    return commands is not None and _words(commands) == _words(settings.potential)


def _words(commands: Sequence[str]) -> list[list[str]]:
    return [sorted(str(line).split()) for line in commands]
