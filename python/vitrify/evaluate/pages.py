"""The figures and the report of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vitrify import plots
from vitrify.evaluate.long_run import REFERENCE, SECOND, Observed, pair_label, pairs_of
from vitrify.evaluate.report import Report, number, percent
from vitrify.evaluate.run import LOST, MARK, Evaluation
from vitrify.units import Units, get_units

_MODEL = "OGN"


def labels(evaluation: Evaluation) -> dict[str, str]:
    """What the methods are called in figures and tables."""
    model, units = evaluation.loaded.metadata, get_units(evaluation.meta.units)
    h = model.timestep
    return {
        "model": f"{_MODEL} ({model.variant}), one prediction",
        "ballistic": "free flight",
        "verlet_stride": f"Verlet, 1 step of {h:g} {units.time}",
        "verlet_half_stride": f"Verlet, 2 steps of {h / 2:g}",
        "verlet_base_step": f"Verlet, {model.stride} steps of {model.base_timestep:g}",
        "md_kicked": "exact MD, kicked by the OGN's error",
    }


def write_pages(evaluation: Evaluation, folder: Path, data: str | Path) -> Path:
    """Writes all figures and report.html into `folder`; returns the path of the report."""
    model, meta = evaluation.loaded.metadata, evaluation.meta
    units = get_units(meta.units)
    report = Report(
        f"Evaluation of {evaluation.loaded.path.name}",
        f"{meta.recipe.get('title', meta.system)}; one prediction advances {model.timestep:g} {units.time} "
        f"({model.stride} MD steps of {model.base_timestep:g}); vitrify "
        f"{evaluation.metrics['versions']['vitrify']}",
    )
    _one_step(report, evaluation, folder, units)
    _rollout(report, evaluation, folder, units)
    if evaluation.long_runs:
        _long_run(report, evaluation, folder, units)
    _provenance(report, evaluation, data)
    path = folder / "report.html"
    report.write(path)
    return path


def _one_step(report: Report, evaluation: Evaluation, folder: Path, units: Units) -> None:
    one, names, species = evaluation.one_step, labels(evaluation), evaluation.meta.species
    report.section("One step")
    for name in ("verlet_stride", "verlet_half_stride"):
        report.text(_sentence(evaluation.metrics["one_step"]["verdict"][name], names[name], one.metrics["model"]))
    header = [
        "method", f"position RMSE ({units.length})", "velocity RMSE / v_std", *(f"{s}: v / v_std" for s in species),
        "kinetic energy", "momentum",
    ]  # fmt: skip
    rows = [[names[name], *_one_step_cells(numbers, species)] for name, numbers in one.metrics.items()]
    report.table(
        header, rows, model=_MODEL,
        note=f"{one.pairs} starts from {evaluation.metrics['data']['trajectories']} trajectories that "
        "the model was not "
        "trained on. Root mean squares of each component, ± the standard error over trajectories. "
        "Verlet has the exact "
        f"forces. v_std = {one.v_std:.4g} is the spread of a velocity component; an error beyond {LOST} "
        "of it means that the "
        "velocities are lost. Kinetic energy: mean change against the truth. Momentum: largest change "
        "over the "
        "thermal momentum of the cell.",
    )  # fmt: skip
    scatter = one.scatter["model"]
    if scatter:
        pairs = {"Δr": (scatter["dr_true"], scatter["dr"]), "Δv": (scatter["dv_true"], scatter["dv"])}
        figure = plots.scatter_figure(pairs, {"Δr": units.length, "Δv": f"{units.length}/{units.time}"})
        path = plots.save(figure, folder / "one_step_scatter.png")
        report.figure(path, "Predicted against true displacement and velocity change of one prediction, by component.")


def _sentence(verdict: Mapping[str, Any], verlet: str, model: Mapping[str, float]) -> str:
    x = f"{number(verdict['x_ratio'], 2)} of the position error"
    if verdict["verlet_lost"]:
        v = f"Verlet has lost the velocities, the model is off by {number(model['v_rmse_over_v_std'], 2)} v_std"
        return f"Against {verlet}, with exact forces: the model has {x}; {v}."
    v = f"{number(verdict['v_ratio'], 2)} of the velocity error"
    return f"Against {verlet}, with exact forces: the model has {x} and {v}."


def _one_step_cells(numbers: Mapping[str, Any], species: tuple[str, ...]) -> list[str]:
    v, lost = numbers["v_rmse_over_v_std"], numbers["lost"]
    mark = " (lost)" if lost or not v <= LOST else ""
    each = [numbers["species"].get(name, {}).get("v_rmse_over_v_std") for name in species]
    return [
        f"{number(numbers['x_rmse'])} ± {number(numbers['x_rmse_stderr'], 1)}",
        f"{number(v)} ± {number(numbers['v_rmse_over_v_std_stderr'], 1)}{mark}",
        *map(number, each),
        percent(numbers["kinetic_energy_change"]),
        number(numbers["momentum_change"], 1),
    ]


def _rollout(report: Report, evaluation: Evaluation, folder: Path, units: Units) -> None:
    rolled, names = evaluation.rollout, labels(evaluation)
    mark = MARK * evaluation.meta.base_timestep
    report.section("Roll-out")
    rows = [
        [names[name], number(at["x_rmse"]), number(at["v_rmse"]), number(at["v_rmse_over_v_std"])]
        for name, at in rolled.at(mark).items()
    ]
    reached = next(iter(rolled.at(mark).values()))["time"]
    report.table(
        ["method", f"position RMSE ({units.length})", "velocity RMSE", "velocity RMSE / v_std"], rows, model=_MODEL,
        note=f"After {reached:g} {units.time} ({reached / evaluation.meta.base_timestep:.0f} MD steps), "
        f"from {rolled.starts} "
        "independent starts; a dash: the method blew up before. The last row is the exact dynamics "
        "from a start as far off "
        "as the model is after one prediction: what chaos alone makes of such an error.",
    )  # fmt: skip
    t = rolled.times
    # Velocities that have nothing to do with the true ones are off by 1.41 v_std; beyond 2 a method blows up.
    last = {name: _until(v > 2 * rolled.v_std) for name, v in rolled.v.items()}
    path = plots.save(
        plots.rmse_figure(
            {names[name]: (t[: last[name]], x[: last[name]]) for name, x in rolled.x.items()},
            {names[name]: (t[: last[name]], v[: last[name]]) for name, v in rolled.v.items()},
            length=units.length, velocity=f"{units.length}/{units.time}", time=units.time, mark=mark,
        ),
        folder / "rollout_rmse.png",
    )  # fmt: skip
    report.figure(
        path,
        f"Error by time along roll-outs; the grey line marks {MARK} MD steps. A line ends where it is lost.",
    )


def _until(beyond: np.ndarray) -> int:
    """The number of entries before the first True."""
    return int(np.argmax(beyond)) if beyond.any() else len(beyond)


def _long_run(report: Report, evaluation: Evaluation, folder: Path, units: Units) -> None:
    meta, settings, averages = evaluation.meta, evaluation.settings, evaluation.metrics["long_run"]
    runs = evaluation.long_runs[0]
    seeds = f"{len(settings.seeds)} seed" + ("s, mean ± standard deviation" if len(settings.seeds) > 1 else "")
    atoms = f"{settings.steps} MD steps = {settings.steps // evaluation.loaded.metadata.stride} predictions, {seeds}"
    report.section(f"Long run: {atoms}")
    for run in runs.values():
        if run.failure:
            report.text(f"A run ended early: {run.failure}")
    pairs = [pair_label(pair, meta.species) for pair in pairs_of(meta.species)]
    columns = {f"g(r) {pair}": (f"g(r) {pair}", percent) for pair in pairs}
    for s in meta.species:
        columns[f"D {s}"] = (f"diffusion {s}, relative", percent)
        columns[f"T {s}"] = (f"temperature {s}, relative", percent)
    report.table(
        ["run", *columns],
        [[name, *(_cell(row, *what) for what in columns.values())] for name, row in averages.items()],
        model=_MODEL,
        note=f"Against the run {REFERENCE!r}, from the same start as the model's. g(r): relative L2 "
        f"distance. {SECOND!r} shows "
        "what two exact runs differ by. D and T: relative difference, by species.",
    )  # fmt: skip
    tail = {
        f"T ({units.temperature})": ("temperature", number),
        f"T at the end ({units.temperature})": ("final_temperature", number),
        "momentum": ("momentum", number),
        f"energy rate ({units.energy}/atom/{units.time})": ("energy_rate", number),
        "of kinetic energy, each prediction": ("energy_rate_per_stride", percent),
        "completed": ("completed", percent),
    }
    tail |= {f"D {s} ({units.length}²/{units.time})": (f"diffusion {s}", number) for s in meta.species}
    report.table(
        ["run", *tail], [[name, *(_cell(row, *what) for what in tail.values())] for name, row in averages.items()],
        model=_MODEL,
        note="Momentum: the largest of the run, over the thermal momentum of the cell. Energy rate: "
        "heating (+) or cooling (-) "
        "of the total energy at the start of the run. A thermostat exchanges energy by design.",
    )  # fmt: skip
    for path, caption in long_run_figures(runs, meta.species, units, folder):
        report.figure(path, caption)


def _cell(row: Mapping[str, Mapping[str, float]], key: str, form: Any) -> str:
    if key not in row:
        return "–"
    mean, std = row[key]["mean"], row[key]["std"]
    return form(mean) if np.isnan(std) else f"{form(mean)} ± {form(std, 1)}"


def long_run_figures(
    runs: Mapping[str, Observed], species: tuple[str, ...], units: Units, folder: Path
) -> list[tuple[Path, str]]:
    """Figures of g(r), MSD, and of temperature, energy and momentum by time: paths and captions."""
    rdf = {
        pair_label(pair, species): {name: (run.rdf.r, run.rdf.g[pair]) for name, run in runs.items()}
        for pair in pairs_of(species)
    }
    moved = {
        name: {run: (seen.lags[1:], seen.msd[index, 1:]) for run, seen in runs.items()}
        for index, name in enumerate(species)
    }
    # A run that blows up must not hide the others.
    sane = {name: np.abs(run.energy - run.energy[0]) < 5 * run.kinetic_energy for name, run in runs.items()}
    series = [
        (
            label,
            {name: (run.times, np.where(sane[name], getattr(run, key), np.nan)) for name, run in runs.items()},
        )
        for label, key in (
            (f"temperature ({units.temperature})", "temperature"),
            (f"energy/atom ({units.energy})", "energy"),
            ("momentum", "momentum"),
        )
    ]
    time = units.time
    return [
        (
            plots.save(plots.rdf_figure(rdf, reference=REFERENCE, length=units.length), folder / "rdf.png"),
            "Partial radial distribution functions.",
        ),
        (
            plots.save(
                plots.msd_figure(moved, reference=REFERENCE, length=units.length, time=time),
                folder / "msd.png",
            ),
            "Mean squared displacement by species.",
        ),
        (
            plots.save(
                plots.series_figure(series, reference=REFERENCE, time=time, log=("momentum",)),
                folder / "series.png",
            ),
            "Temperature, total energy per atom, and total momentum over the thermal momentum of the cell.",
        ),
    ]


def _provenance(report: Report, evaluation: Evaluation, data: str | Path) -> None:
    model, found, settings = evaluation.loaded.metadata, evaluation.metrics, evaluation.settings
    report.section("Provenance")
    rows = [
        ["model file", found["model"]["name"]],
        ["model SHA-256", found["model"]["sha256"]],
        ["kind, variant, precision", f"{model.kind}, {model.variant}, {model.dtype}"],
        ["cutoff, layers, width", f"{model.cutoff:g}, {model.layers}, {model.node_width}"],
        ["trained for", f"{model.provenance.steps} optimiser steps, seed {model.provenance.seed}"],
        [
            "trained on",
            ", ".join(str(entry.get("name")) for entry in model.provenance.data) or "not recorded",
        ],
        ["test data", f"{found['data']['name']} (seed {evaluation.meta.seed})"],
        ["test data SHA-256", found["data"]["sha256"]],
        [
            "labels integrated with",
            f"{evaluation.meta.md_timestep:g} (base step {evaluation.meta.base_timestep:g})",
        ],
        ["versions", ", ".join(f"{name} {version}" for name, version in found["versions"].items())],
    ]
    report.table(["what", "value"], rows)
    report.text("To reproduce:")
    report.code(
        f"vitrify evaluate {found['model']['name']} --data {Path(data).name} --steps {settings.steps} "
        f"--atoms {settings.atoms} --seeds {','.join(map(str, settings.seeds))} --engine {settings.engine} "
        f"--controls {','.join(settings.controls)} --pairs {settings.pairs} --starts {settings.starts} "
        f"--horizon {settings.horizon}"
    )
    report.text("LAMMPS commands of the reference potential:")
    report.code("\n".join(evaluation.meta.recipe["commands"]))
    if model.citation:
        report.text(model.citation)
