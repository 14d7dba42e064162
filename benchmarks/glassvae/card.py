"""The card of a latent model, for model_cards.py: its file, its evaluation and the tables of the other benchmarks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import cards
from vitrify.core.units import get_units
from vitrify.glassvae.metadata import GlassVAEMetadata
from vitrify.modelfile.archive import read_metadata

TABLES = {
    "structures.md": "Structures of a given energy",
    "cost.md": "Cost in LAMMPS",
    "nve.md": "Conservation of energy",
    "table.md": "Ablations",
}


def glassvae_card(
    path: Path, title: str, use: str, not_for: str, remarks: str, config: str, commands: Sequence[str], results: Path
) -> str:
    """The text of the card. commands: of the configuration in examples/`config`; results: folder of the benchmarks."""
    model = read_metadata(path)
    assert isinstance(model, GlassVAEMetadata)
    units, validity, training = get_units(model.units), model.validity, model.provenance.config["training"]
    closest = ", ".join(f"{value:.3g}" for value in validity.min_distance or ())
    shares = ", ".join(f"{what} {span[0]:.4g} to {span[1]:.4g}" for what, span in validity.composition.items())
    low, high = model.latent_energy_range or (float("nan"), float("nan"))
    rows = [
        ("composition", shares),
        ("density", f"{validity.number_density[0]:.4g} to {validity.number_density[1]:.4g} atoms per {units.length}³"),
        ("structures of", f"{low:.4f} to {high:.4f} {units.energy}/atom at rest (1% to 99% of the data)"),
        ("use with", use),
        ("not for", not_for),
        ("network", f"`variant: {model.variant}`, cutoff {model.cutoff:g} {units.length}, "
         f"{model.hyperparameters['latent']} latent numbers, {path.stat().st_size // 1000} kB, {model.dtype}"),
        ("closest pairs", f"{closest} {units.length}: nearer ones are pushed apart"),
        ("licence", "BSD-3-Clause"),
    ]  # fmt: skip
    text = [f"# {path.name}\n\nA latent model (`pair_style glassvae`, `compute glassvae/latent`, `GlassCalc`, "
            f"`create_glass`, `vitrify generate`) of {title}.\n"]  # fmt: skip
    text.append(cards.facts(rows))
    how = f"{model.provenance.steps} steps in {training['max_time'] / 60:g} minutes of a core"
    text.append(cards.training(config, how, f"{path.stem}.log.csv", commands))
    file = results / "metrics.json"
    if file.is_file():
        text += _measured(json.loads(file.read_text()))
    for name, heading in TABLES.items():
        found = results / name
        if found.is_file():
            lines = found.read_text().splitlines()
            body = "\n".join(lines[1:] if lines[0].startswith("#") else lines).strip()
            text.append(f"**{heading}**\n\n{body}\n")
    text.append(f"**Remarks.** {remarks}\n")
    return "\n".join(text)


def _measured(metrics: dict[str, Any]) -> list[str]:
    """Errors of the potential and what the latent vector tells, of an evaluation."""
    text = []
    for name, found in metrics["potential"].items():
        text.append(
            f"**Energies, forces and stress** of {name}, which it has not seen "
            "([report](../benchmarks/results/glassvae/report.html)). Energies for each atom; R² within the frames of "
            "the row.\n"
        )
        lines = [
            "| | frames | energy RMSE (meV) | % of the range | R² | spread (meV) | force RMSE (meV/A) | over rms |",
            "| --- " * 8 + "|",
        ]
        for part, row in [("all at a temperature", found.get("thermal")), *found["segments"].items()]:
            if row:
                # at rest there is no force to compare with
                ratio = f"{row['force_ratio']:.3f}" if row["force_ratio"] < 10 else "–"
                lines.append(
                    f"| {part} | {row['frames']} | {1e3 * row['energy_rmse']:.2f} | {row['energy_of_range']:.2f} "
                    f"| {row['energy_r2']:.4f} | {1e3 * row['energy_spread']:.1f} | {1e3 * row['force_rmse']:.0f} "
                    f"| {ratio} |"
                )
        text.append("\n".join(lines) + "\n")
        base = metrics["baselines"].get(name)
        if base:
            said = "; ".join(
                f"{what} {1e3 * base[key]['energy_rmse']:.2f} meV, R² {base[key]['energy_r2']:.4f}, within "
                f"{min(base[key]['within'].values()):.3f} at worst"
                for key, what in (("linear", "a linear model on g(r) and density"), ("mean", "means of temperatures"))
            )
            text.append(f"Baselines, fitted to the training frames: {said}.\n")
    return text + ([_latent(metrics)] if "latent" in metrics else [])


def _latent(metrics: dict[str, Any]) -> str:
    latent = metrics["latent"]
    rdf, near, energy = latent["rdf"], latent["wasserstein"], latent["energies"]["inherent_energy"]
    lines = [
        f"**What {latent['numbers']} latent numbers tell**, with no input edge in the decoders; errors of each "
        "structure.\n",
        "| | partial g(r), rms | Wasserstein distance of neighbour distances (A) |",
        "| --- | --- | --- |",
        *(f"| {name} | {rdf[name]:.4f} | {near[name]:.4f} |" for name in rdf),
    ]
    species = latent["species"]
    lines.append(
        f"\nSpecies from positions and z: {100 * species['z']['accuracy']:.1f}% (with the z of another temperature "
        f"{100 * species['shuffled z']['accuracy']:.1f}%, always the most frequent "
        f"{100 * species['most frequent']['accuracy']:.1f}%). Inherent energy from z alone: R² {energy['r2']:.3f}, "
        f"{1e3 * energy['rmse']:.2f} meV/atom (with z of another temperature R² {energy['shuffled_r2']:.2f})."
    )
    decoded = metrics.get("decoded")
    if decoded:
        lines.append(
            f"\nPositions decoded from z, {decoded['structures']} structures, {decoded['steps']} steps: g(r) "
            f"{decoded['rdf']['decoded']:.4f} from the structure's own (mean of the temperature "
            f"{decoded['rdf']['mean of the temperature']:.4f}), all together {decoded['rdf_of_all']:.4f}; Wasserstein "
            f"distance {decoded['wasserstein']['decoded']:.4f} A."
        )
    return "\n".join(lines) + "\n"
