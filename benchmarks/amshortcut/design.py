"""Inverse design: what glasses have that were asked for a property, beside others that were asked for nothing.

    python -m benchmarks.amshortcut.design SiO2.amshortcut.pt --system sio2 \\
        --data examples/sio2-glass/data/silica_train.extxyz.gz --property shear_modulus

Targets go over 5 to 95% of the data. Each glass is generated, corrected (push-off, minimisation, MD that cools it to
300 K) and measured with LAMMPS; none is rejected. Beside them stand glasses of the same model that were asked for
nothing, and plain MD: random positions in the cell and of the composition that go with the target, and the same
minimisation and cooling for the same CPU time. Every finished glass is in FILE.part: started again, an interrupted run
goes on. Writes design_MODEL_PROPERTY.json, .md and .png to benchmarks/results/amshortcut.

With --response it makes only glasses that are asked for something, of other seeds, and prints what `vitrify export
--response` wants.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from benchmarks.common import paths
from benchmarks.common.output import append, publish, read_journal
from vitrify.amshortcut.evaluate.baselines import md_from_random, steps_for
from vitrify.amshortcut.evaluate.design import calculator, errors, response
from vitrify.amshortcut.generate import make_sampler
from vitrify.core.errors import VitrifyError
from vitrify.core.validation import parse_values
from vitrify.data.samples import load_samples
from vitrify.datagen.structures.recipes import RECIPES
from vitrify.generation.relaxation import correct
from vitrify.modelfile.archive import find_model, read_metadata
from vitrify.report.plots import PALETTE, new_figure, save, style
from vitrify.tasks.run import run_tasks

OUT = paths.RESULTS / "amshortcut"
ITERATIONS = 100  # of the minimisation, in every row
MELT = {"sio2": 5000.0, "meg": 3000.0}  # K, from where MD goes down, in every row
FINAL = 300.0  # K, to where
ASKED, NOTHING, PLAIN = "asked", "asked for nothing", "plain MD"
PROBE = 200  # MD steps whose time is taken
RESPONSE = 10_000  # first seed of glasses that say how a model responds: the table has others


@dataclass(frozen=True)
class Task:
    """One glass. steps: of the sampler, or of plain MD; target: what it is compared with."""

    method: str
    property: str
    target: float
    steps: int
    seed: int


@dataclass(frozen=True)
class Setup:
    """What all glasses share."""

    model: str
    system: str
    atoms: int
    md_steps: int  # of the relaxation
    also: tuple[tuple[str, float], ...]  # what is asked for beside the property


class Measurer:
    """Makes and measures glasses in one process."""

    def __init__(self, setup: Setup) -> None:
        recipe = RECIPES[setup.system]
        path = find_model(setup.model)
        self.setup, self.species = setup, recipe.species
        self.sampler = make_sampler(path, read_metadata(path), "auto", "cpu")
        charges = [f"set type {number + 1} charge {charge}" for number, charge in enumerate(recipe.charges or ())]
        self.commands = (*charges, *recipe.commands)

    def __call__(self, task: Task) -> dict[str, Any]:
        """The value (NaN: it failed) and the CPU seconds that the glass took, its measurement excluded."""
        try:
            start = time.process_time()
            atoms = self.made(task)
            cpu = time.process_time() - start
            value = calculator(task.property, self.commands, self.species)(atoms)
        except VitrifyError as error:
            return {"value": None, "cpu_seconds": None, "failure": str(error)}
        return {"value": value, "cpu_seconds": cpu, "failure": None}

    def made(self, task: Task) -> Atoms:
        """The glass, before its measurement."""
        asked = {} if task.method == NOTHING else {**dict(self.setup.also), task.property: task.target}
        plan = self.sampler.plan(self.setup.atoms, None, None, None, asked, max(1, task.steps), 0.0)
        if task.method == PLAIN:
            counts = {name: n for name, n in zip(self.species, plan.counts, strict=True) if n}
            made = md_from_random(
                [plan.cell], [counts], self.species, self.commands, MELT[self.setup.system], task.steps, None,
                task.seed, final_temperature=FINAL, iterations=ITERATIONS,
            )  # fmt: skip
            return made.samples[0]
        positions, types = self.sampler.make(plan, task.seed)
        atoms = Atoms([self.species[t] for t in types], positions=positions, cell=plan.cell, pbc=True)
        return correct(
            atoms, self.commands, species=self.species, iterations=ITERATIONS, steps=self.setup.md_steps,
            temperature=MELT[self.setup.system], final_temperature=FINAL, seed=task.seed,
        )  # fmt: skip


def md_steps_of_equal_time(setup: Setup, name: str, target: float, steps: int) -> int:
    """Steps of plain MD that take as long as a glass of `steps` sampling steps and its relaxation."""
    measurer, seconds = Measurer(setup), {}
    for _ in range(2):  # the first loads what stays loaded
        for key, method, n in (("asked", ASKED, steps), ("rest", PLAIN, 0), ("probe", PLAIN, PROBE)):
            start = time.process_time()
            measurer.made(Task(method, name, target, n, 1))
            seconds[key] = time.process_time() - start
    return steps_for(seconds["asked"], seconds["rest"], seconds["probe"], PROBE)


def respond(setup: Setup, name: str, targets: np.ndarray, steps: int, workers: int | None) -> str:
    """The response of a model to the targets of a property, as an option for the export."""
    tasks = [Task(ASKED, name, float(target), steps, RESPONSE + seed) for seed, target in enumerate(targets)]
    rows: dict[float, float] = {}
    run_tasks(
        Measurer, setup, tasks, workers=workers, progress=name, lost=lambda task, reason: {"value": None},
        record=lambda task, result: rows.update({task.target: result["value"] or np.nan}),
    )  # fmt: skip
    found = response(np.array([rows[task.target] for task in tasks]), targets)
    return f"--response {name}={found[0]:.4g},{found[1]:.4g}" if found else f"{name}: too few values"


def tasks_of(setup: Setup, name: str, targets: np.ndarray, sampling: list[int]) -> list[Task]:
    """All glasses of a property; plain MD gets every second target."""
    plain = md_steps_of_equal_time(setup, name, float(targets[len(targets) // 2]), sampling[-1])
    rows = [*((ASKED, steps) for steps in sampling), (NOTHING, sampling[-1]), (PLAIN, plain)]
    return [
        Task(method, name, float(target), steps, seed + 1)
        for method, steps in rows
        for seed, target in enumerate(targets)
        if method != PLAIN or seed % 2 == 0
    ]


def finished_in(journal: Path) -> dict[tuple[str, str, int, float], dict[str, Any]]:
    """Glasses of an interrupted run; MD steps of equal time are those that it had."""
    return {(row["method"], row["property"], row["steps"], row["target"]): row for row in read_journal(journal)}


def measure_all(setup: Setup, tasks: list[Task], journal: Path, workers: int) -> list[dict[str, Any]]:
    """Rows of all tasks; those in the journal are not made again."""
    found = finished_in(journal)

    def key(task: Task) -> tuple[str, str, int, float]:
        same = [k for k in found if k[:2] == (task.method, task.property) and k[3] == task.target]
        return same[0] if task.method == PLAIN and same else (task.method, task.property, task.steps, task.target)

    def record(task: Task, result: dict[str, Any]) -> None:
        found[key(task)] = {**asdict(task), **result}
        append(journal, found[key(task)])

    waiting = [task for task in tasks if key(task) not in found]
    run_tasks(
        Measurer, setup, waiting, record=record, workers=workers, progress="glasses",
        lost=lambda task, reason: {"value": None, "cpu_seconds": None, "failure": reason},
    )  # fmt: skip
    return [found[key(task)] for task in tasks]


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Errors of each method."""
    found = []
    for method, steps in dict.fromkeys((row["method"], row["steps"]) for row in rows):
        mine = [row for row in rows if (row["method"], row["steps"]) == (method, steps)]
        values = np.array([np.nan if row["value"] is None else row["value"] for row in mine])
        targets = np.array([row["target"] for row in mine])
        line = response(values, targets)
        found.append(
            {
                "method": method, "steps": steps, "count": len(mine), **errors(values, targets),
                "slope": line[1] if line else None,
                "cpu_seconds": float(np.mean([row["cpu_seconds"] for row in mine if row["value"] is not None] or [0])),
            }
        )  # fmt: skip
    return found


def report(found: dict[str, Any]) -> str:
    """The table as Markdown."""
    setup, data = found["setup"], found["data"]
    low, high = data["targets"]
    lines = [
        f"# {setup['model']} asked for {found['property']} from {low:.3g} to {high:.3g}"
        + "".join(f", and for {name} {value:g}" for name, value in setup["also"])
        + f": {setup['atoms']} atoms, one glass for each target, none rejected",
        "",
        f"`python -m benchmarks.amshortcut.design`. Relaxation: push-off, {ITERATIONS} iterations of minimisation and "
        f"{setup['md_steps']} MD steps from {MELT[setup['system']]:g} to {FINAL:g} K. Measured with LAMMPS after "
        f"relaxation. Slope: of what came out over what was asked for. CPU-s: of one thread, a glass. The data have "
        f"{data['mean']:.3g} ± {data['std']:.2g}; a line in the density leaves {data['given_density']:.2g}.",
        "",
        "| method | steps | glasses | failed | MAE | RMSE | MAPE | slope | CPU-s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in found["summary"]:
        slope = "-" if row["slope"] is None else f"{row['slope']:.2f}"
        lines.append(
            f"| {row['method']} | {row['steps']} | {row['count']} | {row['failed']} | {row['mae']:.3g} "
            f"| {row['rmse']:.3g} | {row['mape']:.1f}% | {slope} | {row['cpu_seconds']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def draw(found: dict[str, Any], path: Path) -> None:
    """What came out over what was asked for."""
    with style():
        figure = new_figure(3.4, 3.0)
        axes = figure.subplots()
        rows = [row for row in found["rows"] if row["value"] is not None]
        groups = dict.fromkeys((row["method"], row["steps"]) for row in rows)
        for (method, steps), colour in zip(groups, PALETTE, strict=False):
            mine = [row for row in rows if (row["method"], row["steps"]) == (method, steps)]
            x, y = [row["target"] for row in mine], [row["value"] for row in mine]
            axes.plot(x, y, "o", color=colour, markersize=3, label=f"{method}, {steps} steps")
        axes.plot(found["data"]["targets"], found["data"]["targets"], color="0.5", linewidth=0.8)
        axes.set_xlabel(f"{found['property']}, asked")
        axes.set_ylabel("measured")
        axes.legend(frameon=False, fontsize=6)
    save(figure, path)


def spread(files: list[Path], species: tuple[str, ...], name: str) -> dict[str, Any]:
    """Targets (5% and 95% of the data), mean and spread of a property, with what a line in the density leaves."""
    samples = load_samples(files, species, [name])
    density = np.array([sample.number_density for sample in samples])
    values = np.array([sample.properties[0] for sample in samples])
    left = values - np.polyval(np.polyfit(density, values, 1), density)
    low, high = np.percentile(values, (5, 95))
    return {
        "targets": [float(low), float(high)], "mean": float(values.mean()), "std": float(values.std()),
        "given_density": float(left.std()),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--system", choices=sorted(MELT), required=True)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="whose range gives the targets")
    parser.add_argument("--property", required=True, help="as in shear_modulus")
    parser.add_argument("--atoms", type=int, default=198)
    parser.add_argument("--count", type=int, default=25, help="targets")
    parser.add_argument("--steps", default="1,10", help="of the sampler")
    parser.add_argument("--md-steps", type=int, default=1000, help="of the relaxation")
    parser.add_argument("--also", action="append", default=[], help="to ask for as well, as in li_fraction=0.1")
    parser.add_argument("--response", action="store_true", help="measure how the model responds, write nothing")
    parser.add_argument("--workers", type=int)
    a = parser.parse_args()
    setup = Setup(a.model, a.system, a.atoms, a.md_steps, tuple(parse_values("also", a.also).items()))
    data = spread(a.data, RECIPES[a.system].species, a.property)
    targets = np.linspace(*data["targets"], a.count)
    sampling = [int(word) for word in a.steps.split(",")]
    if a.response:
        print(respond(setup, a.property, targets, sampling[-1], a.workers))
        return
    OUT.mkdir(parents=True, exist_ok=True)
    stem = f"design_{Path(a.model).name.split('.')[0]}_{a.property}"
    journal = OUT / f"{stem}.part"
    rows = measure_all(setup, tasks_of(setup, a.property, targets, sampling), journal, a.workers)
    shown = {**asdict(setup), "model": Path(a.model).name}
    found = {"setup": shown, "property": a.property, "data": data, "summary": summary(rows), "rows": rows}
    draw(found, OUT / f"{stem}.png")
    publish(OUT, stem, found, report(found))
    journal.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
