"""The figures and the report of an results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vitrify.core.units import Units, get_units
from vitrify.ogn.evaluate.long_run_report import add_long_runs
from vitrify.ogn.evaluate.results import MARK, OGNResults
from vitrify.ogn.evaluate.verdicts import LOST, LOST_BAR, POSITION_BAR, VELOCITY_BAR
from vitrify.report import plots
from vitrify.report.html import Report, number, percent
from vitrify.report.provenance import add_provenance

_MODEL = "OGN"
_PASSED = {True: "pass", False: "miss"}
_COMPARED = ("model", "verlet_stride", "verlet_half_stride")


def labels(results: OGNResults) -> dict[str, str]:
    """Names of the methods in figures and tables."""
    model, units = results.opened.metadata, get_units(results.meta.units)
    h = model.timestep
    return {
        "model": f"{_MODEL} ({model.variant}), one prediction",
        "ballistic": "free flight",
        "verlet_stride": f"Verlet, 1 step of {h:g} {units.time}",
        "verlet_half_stride": f"Verlet, 2 steps of {h / 2:g}",
        "verlet_base_step": f"Verlet, {model.stride} steps of {model.base_timestep:g}",
        "md_kicked": "exact MD, kicked by the OGN's error",
    }


def make_report(results: OGNResults, folder: Path) -> Report:
    """The report; its figures go to `folder`, too."""
    model, meta = results.opened.metadata, results.meta
    units = get_units(meta.units)
    report = Report(
        f"Evaluation of {results.opened.path.name}",
        f"{meta.recipe.get('title', meta.system)}; one prediction advances {model.timestep:g} {units.time} "
        f"({model.stride} MD steps of {model.base_timestep:g}); "
        f"vitrify {results.metrics['versions']['vitrify']}",
    )
    _one_step(report, results, folder, units)
    _rollout(report, results, folder, units)
    if results.metrics["reversal"]:
        _reversal(report, results, folder, units)
    if results.metrics["transfer"]:
        _transfer(report, results, units)
    if results.long_runs:
        add_long_runs(report, results, folder, units)
    _provenance(report, results)
    return report


def _one_step(report: Report, results: OGNResults, folder: Path, units: Units) -> None:
    one, names, species = results.one_step, labels(results), results.meta.species
    report.section("One step")
    for name in ("verlet_stride", "verlet_half_stride"):
        report.text(_sentence(results.metrics["one_step"]["verdict"][name], names[name], one.metrics["model"]))
    report.text(_bars(results.metrics["one_step"]["verdict"]["verlet_stride"], names["verlet_stride"]))
    header = [
        "method", f"position RMSE ({units.length})", "velocity RMSE / v_std", *(f"{s}: v / v_std" for s in species),
        "kinetic energy", "momentum",
    ]  # fmt: skip
    rows = [[names[name], *_one_step_cells(numbers, species)] for name, numbers in one.metrics.items()]
    report.table(
        header, rows, model=_MODEL,
        note=f"{one.pairs} starts from {results.metrics['data']['trajectories']} trajectories that the model was not "
        "trained on. Root mean squares of each component, ± the standard error over trajectories. Verlet has the "
        f"exact forces. v_std = {one.v_std:.4g} is the spread of a velocity component; an error beyond {LOST} of it "
        "means that the velocities are lost. Kinetic energy: mean change against the truth. Momentum: largest change "
        "over the thermal momentum of the cell.",
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


def _bars(verdict: Mapping[str, Any], verlet: str) -> str:
    lost, bar = f"{LOST_BAR:g} v_std (Verlet is lost)", f"{VELOCITY_BAR:g} of its velocity error"
    velocity = lost if verdict["verlet_lost"] else bar
    return (
        f"Bars, against {verlet}: {POSITION_BAR:g} of its position error: {_PASSED[verdict['x_passed']]}; "
        f"{velocity}: {_PASSED[verdict['v_passed']]}."
    )


def _one_step_cells(numbers: Mapping[str, Any], species: tuple[str, ...]) -> list[str]:
    v, lost = numbers["v_rmse_over_v_std"], numbers["lost"]
    gone = lost or not v <= LOST
    each = [numbers["species"].get(name, {}).get("v_rmse_over_v_std") for name in species]
    return [
        f"{number(numbers['x_rmse'])} ± {number(numbers['x_rmse_stderr'], 1)}",
        f"{_spread(v)} ± {number(numbers['v_rmse_over_v_std_stderr'], 1)}" if not gone else f"{_spread(v)} (lost)",
        *map(_spread, each),
        "–" if gone else percent(numbers["kinetic_energy_change"]),
        number(numbers["momentum_change"], 1),
    ]


def _spread(error: float | None) -> str:
    """A velocity error over v_std; "> 10" for errors far beyond the velocities themselves."""
    return "> 10" if error is not None and error > 10 else number(error)


def _rollout(report: Report, results: OGNResults, folder: Path, units: Units) -> None:
    rolled, names = results.rollout, labels(results)
    mark = MARK * results.meta.base_timestep
    report.section("Roll-out")
    rows = [
        [names[name], number(at["x_rmse"]), number(at["v_rmse"]), number(at["v_rmse_over_v_std"])]
        for name, at in rolled.at(mark).items()
    ]
    reached = next(iter(rolled.at(mark).values()))["time"]
    report.table(
        ["method", f"position RMSE ({units.length})", "velocity RMSE", "velocity RMSE / v_std"], rows, model=_MODEL,
        note=f"After {reached:g} {units.time} ({reached / results.meta.base_timestep:.0f} MD steps), from "
        f"{rolled.starts} independent starts; a dash: the method blew up before. The last row is the exact dynamics "
        "from a start as far off as the model is after one prediction: what chaos alone makes of such an error.",
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


def _reversal(report: Report, results: OGNResults, folder: Path, units: Units) -> None:
    found, names = results.metrics["reversal"], labels(results)
    strides = found["strides"]
    rows = []
    for name, at in found["methods"].items():
        pairs = zip(at["x_rmse"], at["v_rmse_over_v_std"], strict=True)
        rows.append([names[name], *(f"{number(x)}, {number(v)}" for x, v in pairs)])
    report.section("Time reversal")
    report.table(
        ["method", *(f"{n}: position, velocity / v_std" for n in strides)], rows, model=_MODEL,
        note=f"Distance from the start ({units.length}) after n predictions forward, n back with the velocities "
        "turned. Verlet's integration is reversible: what it is off by is rounding, which chaos amplifies.",
    )  # fmt: skip
    n = np.array(strides)
    path = plots.save(
        plots.reversal_figure(
            {names[name]: (n, np.array(at["x_rmse"], float)) for name, at in found["methods"].items()},
            {names[name]: (n, np.array(at["v_rmse_over_v_std"], float)) for name, at in found["methods"].items()},
            length=units.length,
        ),
        folder / "reversal.png",
    )  # fmt: skip
    report.figure(path, "Distance from the start after n predictions forward and n back.")


def _transfer(report: Report, results: OGNResults, units: Units) -> None:
    names, one = labels(results), results.one_step
    here = {"test data": {"methods": one.metrics, "verdict": results.metrics["one_step"]["verdict"]}}
    rows = []
    for state, found in {**here, **results.metrics["transfer"]}.items():
        numbers = [found["methods"][name] for name in _COMPARED]
        errors = [f"{number(each['x_rmse'])}, {_spread(each['v_rmse_over_v_std'])}" for each in numbers]
        same = found["verdict"]["verlet_stride"]
        passed = ", ".join(_PASSED[same[key]] for key in ("x_passed", "v_passed"))
        rows.append([state, *errors, percent(numbers[0]["kinetic_energy_change"]), passed])
    report.section("Other states")
    report.table(
        ["state", *(names[name] for name in _COMPARED), "kinetic energy, model", "bars"], rows,
        note=f"One-step errors (position in {units.length}, velocity / v_std of that state) of the same model on new "
        "trajectories of the same system, changed in one thing. Bars: as above, for position and velocity.",
    )  # fmt: skip


def _provenance(report: Report, results: OGNResults) -> None:
    model, found, settings = results.opened.metadata, results.metrics, results.settings
    timesteps = f"{results.meta.md_timestep:g} (base step {results.meta.base_timestep:g})"
    add_provenance(
        report,
        model,
        found,
        model=[
            ["errors computed by", results.opened.runs_on],
            ["cutoff, layers, width", f"{model.cutoff:g}, {model.layers}, {model.node_width}"],
            ["trained for", f"{model.provenance.steps} optimiser steps, seed {model.provenance.seed}"],
        ],
        data=[
            ["test data", f"{found['data']['name']} (seed {results.meta.seed})"],
            ["test data SHA-256", found["data"]["sha256"]],
            ["labels integrated with", timesteps],
        ],
    )
    report.text("To reproduce:")
    report.code(
        f"vitrify evaluate {found['model']['name']} --data {found['data']['name']} --steps {settings.steps} "
        f"--md-steps {settings.md_steps} {'--md-bath ' * settings.md_bath}--atoms {settings.atoms} "
        f"--seeds {_listed(settings.seeds)} --engine {settings.engine} --controls {_listed(settings.controls)} "
        f"--pairs {settings.pairs} --starts {settings.starts} --horizon {settings.horizon} --relax {settings.relax} "
        f"--reversal {_listed(settings.reversal)} --transfer {_listed(settings.transfer)}"
    )
    report.text("LAMMPS commands of the reference potential:")
    report.code("\n".join(results.meta.recipe["commands"]))
    if model.citation:
        report.text(model.citation)


def _listed(values: Sequence[object]) -> str:
    return ",".join(map(str, values)) or "none"
