"""The report of an evaluation of a latent model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from vitrify.glassvae.evaluate.metrics import projection
from vitrify.glassvae.evaluate.results import GlassVAEResults
from vitrify.report import plots
from vitrify.report.html import Report, number, percent
from vitrify.report.provenance import add_provenance


def make_report(results: GlassVAEResults, folder: Path) -> Report:
    """The report; its figures go to `folder`, too."""
    metrics, opened = results.metrics, results.predictions.opened
    model = opened.metadata
    report = Report(
        f"Evaluation of {opened.path.name}",
        f"{len(results.predictions.test.frames)} structures of "
        f"{', '.join(source['name'] for source in metrics['data'])}; kind {model.kind}, variant {model.variant}; "
        f"vitrify {metrics['versions']['vitrify']}",
    )
    _potential(report, results, folder)
    if "latent" in metrics:
        _latent(report, results, folder)
    if "reconstruction" in metrics:
        _reconstruction(report, metrics["reconstruction"])
    _space(report, results, folder)
    if "decoded" in metrics:
        _decoded(report, metrics["decoded"])
    if results.generated is not None:
        _generated(report, results, folder)
    add_provenance(report, model, metrics)
    if model.citation:
        report.text(model.citation)
    return report


def _milli(value: float | None) -> str:
    return number(None if value is None else 1e3 * value)


def _potential(report: Report, results: GlassVAEResults, folder: Path) -> None:
    metrics = results.metrics
    report.section("Energy, forces and stress")
    header = [
        "", "structures", "energy RMSE (meV/atom)", "bias", "spread of the energy", "R²", "% of the range",
        "force RMSE (eV/A)", "over rms", "stress RMSE (GPa)",
    ]  # fmt: skip
    for name, found in metrics["potential"].items():
        rows = [_row("all temperatures", found["thermal"])] if "thermal" in found else []
        rows += [_row(part, scores) for part, scores in found["segments"].items()]
        report.table(
            header, rows, model="all temperatures",
            note=f"{name}. All temperatures: without structures at rest and scaled ones. Range: of the energies of the "
            "row, the paper's unit of the error (its energies run from 0 to 100). Spread: standard deviation.",
        )  # fmt: skip
    for name, found in metrics["baselines"].items():
        mine = metrics["potential"][name]
        parts = list(found["linear"]["within"])
        rows = [
            [title, _milli(scores["energy_rmse"]), number(scores["energy_r2"], 4),
             *(number(scores["within"].get(part), 3) for part in parts)]
            for title, scores in (
                ("model", {**mine["thermal"], "within": {p: mine["segments"][p]["energy_r2"] for p in parts}}),
                ("linear model on g(r) and density", found["linear"]),
                ("mean of the temperature", found["mean"]),
            )
        ]  # fmt: skip
        report.table(
            ["", "energy RMSE (meV/atom)", "R²", *(f"R² at {part}" for part in parts)], rows, model="model",
            note=f"{name}. Baselines are fitted to {', '.join(metrics['training'])}.",
        )  # fmt: skip
    path = plots.save(parity_figure(results), folder / "parity.png")
    report.figure(path, "Predicted against true energy of the structures that have a temperature, by temperature.")
    report.text(
        f"One look at a structure, with forces and stress, takes {number(metrics['microseconds_per_atom'])} "
        f"microseconds an atom on {results.predictions.opened.runs_on}."
    )


def _row(name: str, scores: Mapping[str, Any]) -> list[str]:
    stress = scores["stress_rmse"]
    return [
        name, f"{scores['frames']}", _milli(scores["energy_rmse"]), _milli(scores["energy_bias"]),
        _milli(scores["energy_spread"]), number(scores["energy_r2"], 4), number(scores["energy_of_range"]),
        number(scores["force_rmse"]), percent(scores["force_ratio"]), number(160.21766 * stress),
    ]  # fmt: skip


def _latent(report: Report, results: GlassVAEResults, folder: Path) -> None:
    found = results.metrics["latent"]
    report.section("What the latent vector alone tells")
    rows = [
        [name, number(found["rdf"][name]), _milli(found["wasserstein"][name])]
        for name in ("z", "shuffled z", "mean of the temperature")
    ]
    rows.append([f"linear code of {found['numbers']} numbers", number(found["linear_code"]), "–"])
    report.table(
        ["g(r) from", "error of partial g(r)", "Wasserstein distance (mA)"], rows, model="z",
        note=f"z has {found['numbers']} numbers; no edge of the structure reaches what is decoded from it. Error: root "
        "mean square over pairs and bins, mean over structures. Wasserstein distance: between the neighbour distances "
        "of each pair of species up to the first shell. Shuffled: z of a structure of another temperature. Linear "
        "code: the best one for g(r) of the training data, which encodes nothing else.",
    )  # fmt: skip
    species = found["species"]
    rows = [
        [name, percent(species[name]["accuracy"], 4), number(species[name]["cross_entropy"])]
        for name in ("z", "shuffled z", "most frequent")
    ]
    report.table(
        ["species from positions and", "right", "cross entropy"], rows, model="z",
        note="The species of no atom are told, neither of the centre nor of its neighbours.",
    )  # fmt: skip
    rows = []
    for name, scores in found["energies"].items():
        within = ", ".join(f"{part} {number(value, 2)}" for part, value in scores["within"].items())
        title = name.replace("_", " ")
        rows.append([title, _milli(scores["rmse"]), number(scores["r2"]), number(scores["shuffled_r2"]), within])
    report.table(["from z", "RMSE (meV/atom)", "R²", "R², shuffled z", "R² within"], rows)
    if results.predicted_rdf is not None:
        path = plots.save(rdf_figure(results, results.predicted_rdf), folder / "rdf.png")
        report.figure(path, "Partial g(r) of one structure of each temperature, true and from its z.")


def _reconstruction(report: Report, found: Mapping[str, float]) -> None:
    report.section("Reconstruction")
    report.table(
        ["", "RMSE (A)", "R²", "cross entropy"],
        [
            ["distances of edges", number(found["distance_rmse"]), number(found["distance_r2"], 4), "–"],
            ["species", "–", percent(found["species_accuracy"]), number(found["species_cross_entropy"])],
        ],
        note="As in the paper: the decoder starts from the input's positions, and species belong to fixed numbers of "
        "atoms, so that these numbers say how well the input is copied, not what the latent vector holds.",
    )


def _space(report: Report, results: GlassVAEResults, folder: Path) -> None:
    report.section("Latent space")
    plane, how = projection(results.predictions.latents)
    path = plots.save(latent_figure(results, plane, how), folder / "latent.png")
    report.figure(path, f"Latent vectors of all structures ({how}) by energy and by temperature.")


def _decoded(report: Report, found: Mapping[str, Any]) -> None:
    report.section("Structures decoded from z")
    rows = [
        [name, number(found["rdf"][name]), _milli(found["wasserstein"][name])]
        for name in ("decoded", "mean of the temperature")
    ]
    report.table(
        ["", "error of partial g(r)", "Wasserstein distance (mA)"], rows, model="decoded",
        note=f"{found['structures']} structures, {found['steps']} steps of the flow from a lattice, in the cells of "
        "the encoded ones; distances are those of the decoded positions. A structure of so few atoms fluctuates, "
        f"decoded or not: the mean over structures is off by {number(found['rdf_of_all'])} only.",
    )  # fmt: skip
    if "inherent_energy" in found:
        rest = found["inherent_energy"]
        report.text(
            f"At rest in the reference potential: bias {_milli(rest['bias'])}, RMSE {_milli(rest['rmse'])} meV/atom "
            f"against the encoded structure at rest, R² {number(rest['r2'])}."
        )


def _generated(report: Report, results: GlassVAEResults, folder: Path) -> None:
    generated = results.generated
    assert generated is not None
    found = generated.metrics
    report.section("New structures")
    energy = found["energy"]
    rows = [
        [name, percent(found["hits"].get(name)), number(energy[name]["mean"], 5), _milli(energy[name]["std"]),
         f"{energy[name]['failed']}"]
        for name in ("conditional", "random", "random packing", "data")
    ]  # fmt: skip
    edges = ", ".join(f"{value:.4f}" for value in found["windows"])
    report.table(
        ["", "hits", "energy at rest (eV/atom)", "spread (meV/atom)", "failed"], rows, model="conditional",
        note=f"{found['count']} structures of each kind, minimised in the reference potential at fixed cell. Windows: "
        f"quintiles of the data at rest ({edges}); structure k asks for window k modulo 5, and a hit lies in it: 20% "
        "is chance for the distribution of the data.",
    )  # fmt: skip
    report.text(
        f"Mean g(r) of the random structures, before minimisation, against the data: {number(found['rdf'])}. Mean "
        f"distance to the nearest of the data: {number(found['novelty'])} A."
    )
    path = plots.save(energies_figure(generated.energies, generated.known), folder / "generated.png")
    report.figure(path, "Energies at rest of generated structures and of the data.")


def parity_figure(results: GlassVAEResults) -> Figure:
    """Predicted against true energies for each atom, a panel for all temperatures and one for the worst of them."""
    test, predicted = results.predictions.test, results.predictions.energies
    thermal, true = test.thermal, test.energies
    parts = test.parts(thermal) or ["all"]
    errors = [np.abs((predicted - true)[thermal & (test.segments == part)]).mean() for part in parts]
    worst = parts[int(np.argmax(errors))]
    with plots.style():
        figure = plots.new_figure(7.4, 3.5)
        panels = figure.subplots(1, 2)
        for axes, shown in zip(panels, (parts, [worst]), strict=True):
            for index, part in enumerate(parts):
                mine = thermal & (test.segments == part)
                if part in shown:
                    color = plots.PALETTE[index % len(plots.PALETTE)]
                    axes.scatter(true[mine], predicted[mine], s=6, color=color, label=part)
            low, high = axes.get_xlim()
            axes.plot([low, high], [low, high], color=plots.REFERENCE, linewidth=0.8, linestyle="--")
            axes.set(xlabel="true energy (eV/atom)", ylabel="predicted energy (eV/atom)")
            axes.set_title("all temperatures" if len(shown) > 1 else f"{worst}, the worst", loc="left")
        panels[0].legend(markerscale=2)
    return figure


def rdf_figure(results: GlassVAEResults, predicted: np.ndarray) -> Figure:
    """Partial g(r), true and from z, of the first structure of the coldest and the hottest part."""
    species, r = results.predictions.opened.metadata.species, results.predictions.rdf.r
    test = results.predictions.test
    temperatures = np.array([frame.temperature if frame.thermal else np.nan for frame in test.frames])
    if np.isfinite(temperatures).any():
        chosen = [int(np.nanargmin(temperatures)), int(np.nanargmax(temperatures))]
    else:
        chosen = [0, len(test.frames) - 1]
    curves: dict[str, dict[str, plots.Curve]] = {}
    for a in range(len(species)):
        for b in range(a + 1):
            pair = a * (a + 1) // 2 + b
            curves[f"{species[b]}-{species[a]}"] = {
                f"{test.segments[i]}, {what}": (r, g[i, pair])
                for i in dict.fromkeys(chosen)
                for what, g in (("true", test.rdf), ("from z", predicted))
            }
    first = f"{test.segments[chosen[0]]}, true"
    return plots.rdf_figure(curves, reference=first, length="A")


def latent_figure(results: GlassVAEResults, plane: np.ndarray, how: str) -> Figure:
    """Two panels of the same points: by energy for each atom, and by temperature."""
    energies = results.predictions.test.energies
    temperatures = np.array([frame.temperature for frame in results.predictions.test.frames])
    with plots.style():
        figure = plots.new_figure(7.8, 3.4)
        for axes, (values, label) in zip(
            figure.subplots(1, 2), ((energies, "energy (eV/atom)"), (temperatures, "temperature (K)")), strict=True
        ):
            points = axes.scatter(plane[:, 0], plane[:, 1], c=values, s=7, cmap="viridis")
            figure.colorbar(points, ax=axes, label=label)
            axes.set(xlabel=f"{how}, 1", ylabel=f"{how}, 2")
    return figure


def energies_figure(energies: Mapping[str, np.ndarray], known: np.ndarray) -> Figure:
    """Distributions of energies at rest."""
    with plots.style():
        figure = plots.new_figure(4.8, 3.2)
        axes = figure.subplots()
        everything = np.concatenate([known, *(values[np.isfinite(values)] for values in energies.values())])
        bins = np.linspace(everything.min(), everything.max() + 1e-9, 40).tolist()
        axes.hist(known, bins=bins, density=True, color=plots.SECOND, label="data")
        for (name, values), color in zip(energies.items(), plots.PALETTE, strict=False):
            finite = values[np.isfinite(values)]
            if len(finite):
                axes.hist(finite, bins=bins, density=True, histtype="step", color=color, linewidth=1.6, label=name)
        axes.set(xlabel="energy at rest (eV/atom)", ylabel="density")
        axes.legend()
    return figure
