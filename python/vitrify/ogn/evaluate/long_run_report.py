"""The part of the report about long runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vitrify.core.units import Units
from vitrify.ogn.evaluate.results import REFERENCE, SECOND, Observed, OGNResults, pair_label, pairs_of
from vitrify.ogn.evaluate.verdicts import MISS, NOISE, limit_note
from vitrify.report import plots
from vitrify.report.html import Report, number, percent

_MODEL = "OGN"
_Columns = Mapping[str, tuple[str, Callable[..., str]]]


def add_long_runs(report: Report, results: OGNResults, folder: Path, units: Units) -> None:
    """Adds verdicts, tables and figures of the long runs to the report."""
    meta, metrics, settings = results.meta, results.metrics, results.settings
    found, model = metrics["long_run_reference"], results.opened.metadata
    seeds = f"{len(settings.seeds)} seed" + ("s, mean ± standard deviation" if len(settings.seeds) > 1 else "")
    report.section(f"Long run: {settings.steps // model.stride} predictions of {found['atoms']} atoms, {seeds}")
    report.text(
        f"MD: velocity Verlet with a step of {found['timestep']:g} {units.time}, for {found['duration']:g} "
        f"{units.time}, from the same start as the model; {SECOND!r} shows what two exact runs differ by."
    )
    for run in results.long_runs[0].values():
        if run.failure:
            report.text(f"A run ended early: {run.failure}")
    _verdicts(report, metrics["long_run_verdicts"])
    averages = metrics["long_run"]
    _table(report, averages, _static_columns(meta.species), "Against MD. g(r): relative L2 distance. T: relative.")
    _table(
        report, averages, _dynamic_columns(meta.species),
        f"Against MD. D: relative. Plateau: MSD at the lag where that of MD grows most slowly, relative. F_s: largest "
        f"difference, at k = {number(averages[REFERENCE]['k_star']['mean'])} 1/{units.length}, the first peak of S(k). "
        "VDOS: area between the normalised spectra of the velocity autocorrelation; frames one prediction apart show "
        f"frequencies up to {found['highest_frequency']:.3g} 1/{units.time}.",
    )  # fmt: skip
    _table(
        report, averages, _plain_columns(meta.species, units),
        "Momentum: the largest of the run, over the thermal momentum of the cell. Energy rate: heating (+) or cooling "
        "(-) of the total energy at the start of the run; a thermostat exchanges energy by design. Slope: of the "
        "MSD by lag, both logarithmic, at the longest lag: 1 for diffusion.",
    )  # fmt: skip
    for path, caption in long_run_figures(results.long_runs[0], meta.species, units, folder):
        report.figure(path, caption)


def _verdicts(report: Report, verdicts: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """One sentence for each run of the model: the targets that it meets, misses, and leaves undecided."""
    for run, judged in verdicts.items():
        if run == SECOND:
            continue
        missed = [f"{key} ({number(found['value'])})" for key, found in judged.items() if found["verdict"] == MISS]
        unclear = [key for key, found in judged.items() if found["verdict"] == NOISE]
        text = f"{run}: {len(judged) - len(missed) - len(unclear)} of {len(judged)} targets met"
        text += f"; missed: {', '.join(missed)}" if missed else ""
        text += f"; not decided, because MD against MD differs by more: {', '.join(unclear)}" if unclear else ""
        report.text(f"{text}.")
    report.text(f"Targets, for g(r), D and the rest averaged over seeds before they are compared: {limit_note()}.")


def _static_columns(species: tuple[str, ...]) -> _Columns:
    pairs = [pair_label(pair, species) for pair in pairs_of(species)]
    return {
        **{f"g(r) {pair}": (f"g(r) {pair}", percent) for pair in pairs},
        **{f"T {s}": (f"temperature {s}, relative", percent) for s in species},
    }


def _dynamic_columns(species: tuple[str, ...]) -> _Columns:
    columns: dict[str, tuple[str, Callable[..., str]]] = {}
    for s in species:
        columns[f"D {s}"] = (f"diffusion {s}, relative", percent)
        columns[f"plateau {s}"] = (f"plateau {s}, relative", percent)
        columns[f"F_s {s}"] = (f"F_s {s}", number)
        columns[f"VDOS {s}"] = (f"spectrum {s}", percent)
    return columns


def _plain_columns(species: tuple[str, ...], units: Units) -> _Columns:
    columns: dict[str, tuple[str, Callable[..., str]]] = {
        f"T ({units.temperature})": ("temperature", number),
        f"T at the end ({units.temperature})": ("final_temperature", number),
        "momentum": ("momentum", number),
        f"energy rate ({units.energy}/atom/{units.time})": ("energy_rate", number),
        "of kinetic energy, each prediction": ("energy_rate_per_stride", percent),
        "completed": ("completed", percent),
        "blown up": ("blown_up", percent),
    }
    for s in species:
        columns[f"D {s} ({units.length}²/{units.time})"] = (f"diffusion {s}", number)
        columns[f"slope {s}"] = (f"slope {s}", number)
    return columns


def _table(report: Report, averages: Mapping[str, Any], columns: _Columns, note: str) -> None:
    rows = [[name, *(_cell(row, *what) for what in columns.values())] for name, row in averages.items()]
    report.table(["run", *columns], rows, model=_MODEL, note=note)


def _cell(row: Mapping[str, Mapping[str, float]], key: str, form: Callable[..., str]) -> str:
    if key not in row:
        return "–"
    mean, std = row[key]["mean"], row[key]["std"]
    return form(mean) if np.isnan(std) else f"{form(mean)} ± {form(std, 1)}"


def long_run_figures(
    runs: Mapping[str, Observed], species: tuple[str, ...], units: Units, folder: Path
) -> list[tuple[Path, str]]:
    """Figures of g(r), MSD, F_s, vibrations, and of temperature, energy and momentum by time: paths and captions."""
    rdf = {
        pair_label(pair, species): {name: (run.rdf.r, run.rdf.g[pair]) for name, run in runs.items()}
        for pair in pairs_of(species)
    }

    def by_species(x: str, y: str, first: int) -> dict[str, dict[str, plots.Curve]]:
        return {
            name: {run: (getattr(seen, x)[first:], getattr(seen, y)[index, first:]) for run, seen in runs.items()}
            for index, name in enumerate(species)
        }

    time, length = units.time, units.length
    drawn = [
        ("rdf", plots.rdf_figure(rdf, reference=REFERENCE, length=length), "Partial radial distribution functions."),
        (
            "msd",
            plots.msd_figure(by_species("lags", "msd", 1), reference=REFERENCE, length=length, time=time),
            "Mean squared displacement by species.",
        ),
        (
            "scattering",
            plots.scattering_figure(by_species("lags", "scattering", 1), reference=REFERENCE, time=time),
            "Self-intermediate scattering function by species, at the first peak of S(k).",
        ),
        (
            "vibrations",
            plots.spectrum_figure(by_species("frequencies", "spectrum", 0), reference=REFERENCE, time=time),
            "Density of vibrational states by species, from the velocity autocorrelation at the end of the run.",
        ),
        (
            "series",
            plots.series_figure(_series(runs, units), reference=REFERENCE, time=time, log=("momentum",)),
            "Temperature, total energy per atom, and total momentum over the thermal momentum of the cell.",
        ),
    ]
    return [(plots.save(figure, folder / f"{name}.png"), caption) for name, figure, caption in drawn]


def _series(runs: Mapping[str, Observed], units: Units) -> list[tuple[str, dict[str, plots.Curve]]]:
    # A run that blows up must not hide the others.
    sane = {name: np.abs(run.energy - run.energy[0]) < 5 * run.kinetic_energy for name, run in runs.items()}
    return [
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
