"""A model file described for people."""

from __future__ import annotations

from pathlib import Path

from vitrify.core.errors import one_line
from vitrify.engines.open import engines_of
from vitrify.modelfile.metadata import Metadata, span


def describe(metadata: Metadata, path: Path) -> list[tuple[str, str]]:
    """What a user needs to know of a model: rows of a table, name and value."""
    m, p = metadata, metadata.provenance
    rows = [
        ("file", f"{path} ({path.stat().st_size / 1024:.0f} KiB)"),
        ("model", f"{m.kind}, variant {m.variant}, {m.dtype}"),
        ("species", m.species_text()),
        ("units", m.units),
        m.task(),
        *m.also_gives(),
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
        ("in LAMMPS", m.lammps_line(path.name)),
    ]
    if m.citation:
        rows.append(("cite", m.citation))
    return rows


def _range(m: Metadata) -> list[tuple[str, str]]:
    """The range of the training data."""
    temperature, validity = m.validity.temperature, m.validity
    return [
        *([("temperature", span(temperature))] if temperature else []),
        *m.own_range(),
        ("density", f"{span(validity.number_density)} atoms per volume"),
        ("composition", ", ".join(f"{name} {span(share)}" for name, share in validity.composition.items())),
    ]


def table(rows: list[tuple[str, str]]) -> str:
    """Rows as aligned text, control characters escaped; a name that repeats is written once."""
    lines, last = [], ""
    for name, value in rows:
        lines.append(f"{'' if name == last else one_line(name):<12} {one_line(value)}")
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


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
