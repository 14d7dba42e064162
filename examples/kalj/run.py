"""Moves a Kob-Andersen liquid with a graph network inside LAMMPS, beside plain MD of the same start.

    python examples/kalj/run.py [--predictions 500] [--atoms 1000] [--model kalj.ogn.pt] [--out out/kalj]

Everything is simulated here and now: the liquid has its own seed, and the model has never seen it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vitrify import VitrifyError
from vitrify.core.lmp_process import LOG
from vitrify.core.units import get_units
from vitrify.modelfile.archive import find_model, read_metadata
from vitrify.ogn.evaluate.lammps_run import read_run, read_thermo, run_lmp_once
from vitrify.ogn.evaluate.long_run import compare
from vitrify.ogn.evaluate.observe import observe
from vitrify.ogn.evaluate.results import Observed, pair_label, pairs_of
from vitrify.ogn.metadata import OGNMetadata
from vitrify.report import plots

HERE = Path(__file__).resolve().parent
FINE = 0.001  # the time step of the most exact MD


def main() -> None:
    """Reads the command line; an error that the user can mend is one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="kalj.ogn.pt", help="model file, or name of a shipped model")
    parser.add_argument("--atoms", type=int, default=1000, help="atoms, at least")
    parser.add_argument("--predictions", type=int, default=500, help="predictions of the model")
    parser.add_argument("--equilibrate", type=int, default=5000, help="MD steps that make the liquid")
    parser.add_argument("--energy", choices=("none", "rescale"), default="rescale", help="energy control")
    parser.add_argument("--seed", type=int, default=20260, help="seed of the liquid")
    parser.add_argument("--ranks", type=int, default=1, help="MPI processes of the run with the model")
    parser.add_argument("--out", type=Path, default=Path("out/kalj"), help="folder to write")
    try:
        demo(parser.parse_args())
    except VitrifyError as error:
        sys.exit(f"run.py: {error}")


def demo(args: argparse.Namespace) -> Path:
    """Makes the liquid, runs the model and MD, prints a table and returns the path of the figure."""
    path = find_model(args.model).resolve()
    model = read_metadata(path)
    out = args.out.resolve()
    size = int(np.ceil(round(args.atoms ** (1 / 3), 9)))
    every = max(1, args.predictions // 120)  # predictions between two looks at a run
    lmp("the liquid, by MD", "in.liquid", out / "liquid", args.equilibrate, 1, 1,
        {"size": size, "seed": args.seed, "temperature": 3.0})  # fmt: skip

    runs, seconds, work = {}, {}, {}
    for name, script, timestep, extra in (
        (f"MD, dt {FINE:g}", "in.md", FINE, {}),
        (f"MD, dt {model.base_timestep:g}", "in.md", model.base_timestep, {}),
        (f"OGN, dt {model.timestep:g}", "in.ogn", model.timestep, {"model": f'"{path}"', "energy": args.energy}),
    ):
        substeps = round(model.timestep / timestep)
        folder = out / f"{Path(script).suffix[1:]}_{timestep:g}"
        seconds[name] = lmp(
            name, script, folder, args.predictions * substeps, every * substeps,
            args.ranks if script == "in.ogn" else 1,
            {"data": "../liquid/liquid.data", "timestep": repr(timestep), **extra},
        )  # fmt: skip
        runs[name] = observe(read_run(folder, timestep), model)
        control = read_thermo(folder / LOG, "f_1")
        if control:
            work[name] = -control[max(control)]  # LAMMPS counts what a fix takes out
    reference = next(iter(runs))
    print_table(runs, seconds, work, model, args.predictions, reference, size**3)
    figure = draw(runs, model, reference, out / "kalj.png")
    print(f"\n{figure}")
    return figure


def lmp(
    name: str, script: str, folder: Path, steps: int, every: int, ranks: int, variables: Mapping[str, object]
) -> float:
    """Runs a script of this folder in `folder` with a progress bar; returns the seconds it took.

    A run that `folder` already holds, of the same script, settings and inputs, is not repeated.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"steps": steps, **({"every": every} if script != "in.liquid" else {}), **variables}
    inputs = [folder / str(settings[key]).strip('"') for key in ("data", "model") if key in settings]
    with tqdm(total=steps, desc=f"{name:18s}", unit="step", mininterval=0.5) as bar:
        seconds, ran = run_lmp_once(HERE / script, folder, inputs, settings, ranks, bar.update)
    if not ran:
        print(f"{name}: already in {folder}")
    return seconds


def print_table(
    runs: Mapping[str, Observed],
    seconds: Mapping[str, float],
    work: Mapping[str, float],
    model: OGNMetadata,
    predictions: int,
    reference: str,
    atoms: int,
) -> None:
    """Prints what the figure shows, in numbers."""
    rows = compare(runs, model, model.stride, predictions * model.stride, reference)
    pairs = [f"g(r) {pair_label(pair, model.species)}" for pair in pairs_of(model.species)]
    columns = [
        "T",
        *(f"T {s}" for s in model.species),
        *(f"D {s}" for s in model.species),
        *pairs,
        "dE/K",
        "control/K",
        "seconds",
    ]
    print(
        f"\n{atoms} atoms, {predictions} predictions of {model.timestep:g} tau each, the same start for all.\n"
        f"g(r): relative L2 distance from {reference}. dE/K: energy gained, over the kinetic energy.\n"
        "control/K: energy that the control has put in, over the kinetic energy.\n"
    )
    print(f"{'':18s}" + "".join(f"{column:>11s}" for column in columns))
    for name, row in rows.items():
        run = runs[name]
        values = [f"{row['temperature']:.3f}"]
        values += [f"{row[f'{what} {s}']:.4g}" for what in ("temperature", "diffusion") for s in model.species]
        values += ["" if pair not in row else f"{100 * row[pair]:.2f}%" for pair in pairs]
        values += [f"{(run.energy[-1] - run.energy[0]) / run.kinetic_energy:.1e}"]
        values += [f"{work[name] / atoms / run.kinetic_energy:.1e}" if name in work else "", f"{seconds[name]:.1f}"]
        print(f"{name:18s}" + "".join(f"{value:>11s}" for value in values))


def draw(runs: Mapping[str, Observed], model: OGNMetadata, reference: str, path: Path) -> Path:
    """One figure: g(r) of every pair; mean squared displacement, temperature, energy."""
    units = get_units(model.units)
    with plots.style():
        figure = plots.new_figure(10.0, 5.6)
        top, bottom = figure.subplots(2, 3)
        for axes, pair in zip(top, pairs_of(model.species), strict=True):
            curves = {name: (run.rdf.r, run.rdf.g[pair]) for name, run in runs.items()}
            title = pair_label(pair, model.species)
            plots.draw_curves(
                axes, curves, reference=reference, xlabel=f"r ({units.length})", ylabel="g(r)", title=title
            )
        moved = {name: (run.lags, run.msd[0]) for name, run in runs.items()}
        label = f"MSD of {model.species[0]} ({units.length}²)"
        plots.draw_curves(bottom[0], moved, reference=reference, xlabel=f"lag ({units.time})", ylabel=label)
        first = runs[reference]
        for axes, key, label, least in (
            (bottom[1], "temperature", f"temperature ({units.temperature})", 0.3 * first.temperature.mean()),
            (bottom[2], "energy", f"total energy/atom ({units.energy})", 0.2 * first.kinetic_energy),
        ):
            curves = {name: (run.times, getattr(run, key)) for name, run in runs.items()}
            plots.draw_curves(axes, curves, reference=reference, xlabel=f"time ({units.time})", ylabel=label)
            plots.widen(axes, least)
        plots.legend_below(figure)
    return plots.save(figure, path)


if __name__ == "__main__":
    main()
