"""A model file described for people."""

from __future__ import annotations

from pathlib import Path

from vitrify.engines.open import engines_of
from vitrify.modelfile.archive import (
    AMShortcutMetadata,
    AnyMetadata,
    GlassVAEMetadata,
    Metadata,
    OGNMetadata,
    Range,
    Target,
)


def describe(metadata: AnyMetadata, path: Path) -> list[tuple[str, str]]:
    """What a user needs to know of a model: rows of a table, name and value."""
    m, p = metadata, metadata.provenance
    rows = [
        ("file", f"{path} ({path.stat().st_size / 1024:.0f} KiB)"),
        ("model", f"{m.kind}, variant {m.variant}, {m.dtype}"),
        ("species", _species(m)),
        ("units", m.units),
        _task(m),
        ("graph", f"cutoff {m.cutoff:g}, {m.layers} layers, {m.node_width} features for each atom"),
        ("engines", ", ".join(engines_of(path))),
        *_range(m),
        ("trained", _training(m)),
    ]
    rows += [("data", f"{d.get('name', '?')} (sha256 {str(d.get('sha256', '?'))[:12]})") for d in p.data]
    rows += [("metric", f"{name} = {_number(value)}") for name, value in sorted(m.metrics.items())]
    reference = m.reference
    rows += [
        (
            "reference",
            f"{len(reference.species)} atoms, reproduced within {reference.tolerance:g} of the rms",
        ),
        ("in LAMMPS", _lammps(m, path)),
    ]
    if m.citation:
        rows.append(("cite", m.citation))
    return rows


def _species(m: AnyMetadata) -> str:
    if isinstance(m, OGNMetadata):
        return ", ".join(f"{name} (mass {mass:g})" for name, mass in zip(m.species, m.masses, strict=True))
    return ", ".join(m.species)


def _task(m: AnyMetadata) -> tuple[str, str]:
    """What one prediction gives."""
    if isinstance(m, OGNMetadata):
        return "timestep", f"{m.timestep:g} = {m.stride} x {m.base_timestep:g}"
    if isinstance(m, AMShortcutMetadata):
        return "makes", f"structures, by the process {m.process}"
    if isinstance(m, GlassVAEMetadata):
        return "gives", f"energy, forces, stress and a latent vector of {m.latent} numbers"
    unit = f" ({m.property.unit})" if m.property.unit else ""
    return "property", f"{m.property.name}{unit} of each atom, with its standard deviation"


def _range(m: AnyMetadata) -> list[tuple[str, str]]:
    """The range of the training data."""
    temperature, validity = m.validity.temperature, m.validity
    return [
        *([("temperature", _span(temperature))] if temperature else []),
        *([("target", _target(found)) for found in m.properties] if isinstance(m, AMShortcutMetadata) else []),
        *([("latent", _latent(m))] if isinstance(m, GlassVAEMetadata) and m.latent_energy_range else []),
        ("density", f"{_span(validity.number_density)} atoms per volume"),
        ("composition", ", ".join(f"{name} {_span(share)}" for name, share in validity.composition.items())),
    ]


def _latent(m: GlassVAEMetadata) -> str:
    """What the density of the latent vectors spans."""
    name = (m.latent_energy or "").replace("_", " ")
    return f"{name} {_span(m.latent_energy_range or (0.0, 0.0))} for each atom: vitrify generate --energy low:high"


def _lammps(m: AnyMetadata, path: Path) -> str:
    """The commands that use the model."""
    words = f"{path.name} {' '.join(m.species)}"
    if isinstance(m, GlassVAEMetadata):
        return f"pair_style glassvae; pair_coeff * * {words}" if m.in_lammps else "no: GlassCalc runs it in ASE"
    if isinstance(m, OGNMetadata):
        return f"timestep {m.timestep:g}; fix 1 all ogn {words}"
    if isinstance(m, AMShortcutMetadata):
        if m.process != "flow":
            return "no: vitrify generate runs it"
        return f"create_glass {path.name} seed 1 steps 5 elements {' '.join(m.species)}"
    return f"compute 1 all symgnn/atom {words}"


def _target(found: Target) -> str:
    return f"{found.name}: {_span(found.range)}{' ' if found.unit else ''}{found.unit}"


def table(rows: list[tuple[str, str]]) -> str:
    """Rows as aligned text; a name that repeats is written once."""
    lines, last = [], ""
    for name, value in rows:
        lines.append(f"{'' if name == last else name:<12} {value}")
        last = name
    return "\n".join(lines)


def _training(metadata: Metadata) -> str:
    p = metadata.provenance
    versions = ", ".join(f"{name} {version}" for name, version in p.versions.items() if version)
    parts = [
        f"{p.steps} steps" if p.steps is not None else "",
        f"seed {p.seed}" if p.seed is not None else "",
        versions,
    ]
    return ", ".join(part for part in parts if part) or "not recorded"


def _span(limits: Range) -> str:
    low, high = limits
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
