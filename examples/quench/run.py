"""Cools a melt to a glass at zero pressure, by MD and with a graph network, and compares what the CPU time has bought.

    python examples/quench/run.py [--atoms 2000] [--formula Cu64.5Zr35.5] [--rate 1.5e14] [--slower 10]
    python examples/quench/run.py --formula Al80Cu20 --potential "pair_style ...; pair_coeff ..." --model my.ogn.pt

Everything is simulated here and now: two MD quenches with different velocities, which tell the spread, the same quench
with the network, and a slower one. Runs that the folder already holds are not repeated.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitrify import VitrifyError, load_structures
from vitrify.analysis.structure import RDF, partial_rdf, rdf_difference
from vitrify.core.compositions import box_length, count_atoms, masses, parse_formula, potential_commands, start_density
from vitrify.core.files import atomic_path, sha256
from vitrify.core.lmp_process import LOG, follow_lmp, plain_error
from vitrify.lammps_library.session import expand
from vitrify.modelfile.archive import find_model, read_metadata
from vitrify.report import plots

HERE = Path(__file__).resolve().parent
STEP = 0.008  # ps, of MD: the largest that agrees with MD of 2 fs as well as cuzr.ogn.pt does
REACH = 8.0  # A, of g(r)


@dataclass(frozen=True)
class Record:
    """What a run took and printed: CPU seconds; T (K) and density (g/cm^3) by line; numbers after "rest:"."""

    cpu: float
    lines: list[list[float]]
    rest: list[float]


@dataclass(frozen=True)
class Glass:
    """A quench: CPU seconds, T (K) and density (g/cm^3) on the way; energy (eV/atom), density and g(r) at rest."""

    cpu: float
    lines: np.ndarray  # (lines, 2)
    energy: float
    density: float
    rdf: RDF


def main() -> None:
    """Reads the command line; an error that the user can mend is one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--formula", default="Cu64.5Zr35.5", help="composition; its elements are the types in order")
    parser.add_argument("--atoms", type=int, default=2000, help="atoms, about")
    parser.add_argument("--structure", type=Path, help="LAMMPS data to melt, instead of a lattice of the formula")
    parser.add_argument("--potential", help="LAMMPS commands separated by ';', or a file of them")
    parser.add_argument("--model", default="cuzr.ogn.pt", help="model file, or name of a shipped model")
    parser.add_argument("--rate", type=float, default=1.5e14, help="K/s, of MD and of the first run of the network")
    parser.add_argument("--slower", type=float, default=10.0, help="how many times slower the last run is")
    parser.add_argument("--hot", type=float, default=1500.0, help="K, of the melt")
    parser.add_argument("--cold", type=float, default=300.0, help="K, of the glass")
    parser.add_argument("--timestep", type=float, default=STEP, help="ps, of MD")
    parser.add_argument("--seed", type=int, default=1, help="of the velocities")
    parser.add_argument("--out", type=Path, default=Path("out/quench"), help="folder to write")
    try:
        demo(parser.parse_args())
    except VitrifyError as error:
        sys.exit(f"run.py: {error}")


def demo(args: argparse.Namespace) -> Path:
    """Runs all, prints the table and returns the path of the figure."""
    species = tuple(parse_formula(args.formula))
    model = find_model(args.model).resolve()
    out = args.out.resolve()
    start = write_inputs(args, species, out)
    run("melt, by MD", "in.melt", out / "melt", start, [args.structure] if args.structure else [])

    time = (args.hot - args.cold) / args.rate * 1e12
    network = {"model": f'"{model}"', "elements": " ".join(species), "stride": read_metadata(model).timestep}
    glasses = {}
    for name, script, length, seed, more in (
        ("MD, seed 1", "in.md", time, args.seed, {"timestep": args.timestep}),
        ("MD, seed 2", "in.md", time, args.seed + 1, {"timestep": args.timestep}),
        ("OGN, same rate", "in.ogn", time, args.seed, network),
        (f"OGN, {args.slower:g}x slower", "in.ogn", args.slower * time, args.seed, network),
    ):
        variables = {"time": length, "hot": args.hot, "cold": args.cold, "seed": seed, **more}
        folder = out / name.replace(", ", "_").replace(" ", "_")
        glasses[name] = quench(name, script, folder, variables, species)
    print_table(args, glasses)
    figure = draw(glasses, species, out / "quench.png")
    print(f"\n{figure}")
    return figure


def write_inputs(args: argparse.Namespace, species: tuple[str, ...], out: Path) -> dict[str, object]:
    """Writes the potential and the types for all scripts; returns the variables of in.melt."""
    size = round((args.atoms / 2) ** (1 / 3))
    counts = count_atoms(parse_formula(args.formula), 2 * size**3)
    edge = box_length(species, counts, start_density(species, counts)) / size
    types = [f"create_box {len(species)} box", "create_atoms 1 box"]
    for kind, count in enumerate(counts[1:], 2):  # of the atoms that the types before have left
        types += ["group rest type 1", f"set group rest type/subset {kind} {count} {args.seed}", "group rest delete"]
    types += [f"mass {kind} {mass:.10g}" for kind, mass in enumerate(masses(species), 1)]
    commands = [expand(line) for line in potential_commands(args.potential, species)]
    out.mkdir(parents=True, exist_ok=True)
    for name, lines in (("potential.in", commands), ("types.in", types)):
        with atomic_path(out / name) as work:
            work.write_text("\n".join(lines) + "\n")
    start = args.structure.resolve() if args.structure else "none"
    return {"start": start, "size": size, "edge": f"{edge:.5f}", "melt": args.hot, "seed": args.seed}


def quench(name: str, script: str, folder: Path, variables: Mapping[str, object], species: tuple[str, ...]) -> Glass:
    """Cools the melt and lets the glass come to rest in the potential, which is not part of the time."""
    cooled = run(name, script, folder, variables, [folder.parent / "melt" / "melt.data"])
    at_rest = run(f"{name}: rest", "in.rest", folder, {}, [folder / "glass.data"])
    frame = load_structures(folder / "rest.lammpstrj", list(species))[0]
    rdf = partial_rdf(frame.positions[None], frame.cell, frame.types, len(species), REACH, 160)
    return Glass(cooled.cpu, np.array(cooled.lines), at_rest.rest[0], at_rest.rest[1], rdf)


def run(name: str, script: str, folder: Path, variables: Mapping[str, object], inputs: Sequence[Path]) -> Record:
    """Runs a script of this folder in `folder` and shows temperature and density under way.

    A run that `folder` already holds, of the same script, variables and inputs, is not repeated.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values = {key: str(value) for key, value in variables.items()}
    wanted = [values, *(sha256(path) for path in (HERE / script, folder.parent / "potential.in", *inputs))]
    done = folder / f"{script}.json"
    if done.exists() and (found := json.loads(done.read_text()))["wanted"] == wanted:
        print(f"{name:20s} already in {folder}")
        return Record(**found["record"])
    lines: list[list[float]] = []
    rest: list[float] = []

    def hear(line: str) -> None:
        words = line.split()
        if words[:1] == ["rest:"]:
            rest.extend(map(float, words[1:]))
        elif words[:1] == ["now:"]:
            lines.append([float(word) for word in words[1:]])
            print(f"{name:20s} {lines[-1][0]:6.0f} K  {lines[-1][1]:7.4f} g/cm^3", flush=True)

    before = cpu_of_children()
    if problem := follow_lmp(HERE / script, folder, hear, variables):
        raise VitrifyError(f"{name}: {plain_error(problem)} (all of it: {folder / LOG})")
    record = {"cpu": cpu_of_children() - before, "lines": lines, "rest": rest}
    with atomic_path(done) as work:
        work.write_text(json.dumps({"wanted": wanted, "record": record}))
    return Record(**record)


def cpu_of_children() -> float:
    """CPU seconds of all programs that this one has run so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def print_table(args: argparse.Namespace, glasses: Mapping[str, Glass]) -> None:
    """CPU time, energy and density at rest, and how far g(r) is from that of the first run."""
    first = next(iter(glasses.values()))
    mean = np.mean([glass.energy for name, glass in glasses.items() if name.startswith("MD")])
    print(
        f"\n{args.formula}, {args.hot:g} K to {args.cold:g} K at zero pressure, the same melt for all; MD and the first"
        f" OGN at {args.rate:g} K/s.\nEnergy and density at rest in the potential; dE: from the mean of MD. g(r):"
        " relative L2 distance from MD, seed 1.\n"
    )
    print(f"{'':20s}{'CPU s':>9s}{'eV/atom':>12s}{'dE (meV)':>10s}{'g/cm^3':>9s}{'g(r)':>8s}")
    for name, glass in glasses.items():
        off = max(rdf_difference(glass.rdf, first.rdf).values())
        print(
            f"{name:20s}{glass.cpu:9.1f}{glass.energy:12.4f}{1e3 * (glass.energy - mean):10.2f}{glass.density:9.4f}"
            f"{100 * off:7.1f}%"
        )


def draw(glasses: Mapping[str, Glass], species: tuple[str, ...], path: Path) -> Path:
    """Density against temperature, energy at rest against CPU time, and g(r) of the glass."""
    reference = next(iter(glasses))
    with plots.style():
        figure = plots.new_figure(10.0, 3.4)
        cooling, bought, structure = figure.subplots(1, 3)
        curves = {name: (glass.lines[:, 0], glass.lines[:, 1]) for name, glass in glasses.items()}
        plots.draw_curves(cooling, curves, reference=reference, xlabel="T (K)", ylabel="density (g/cm³)")
        for name, glass in glasses.items():
            colour = plots.REFERENCE if name.startswith("MD") else plots.PALETTE[0]
            bought.plot(glass.cpu, glass.energy, "o", color=colour)
            bought.annotate(name, (glass.cpu, glass.energy), xytext=(4, 4), textcoords="offset points", fontsize=7)
        bought.set_xlabel("CPU time of the quench (s)")
        bought.set_ylabel("energy at rest (eV/atom)")
        bought.margins(0.25)
        pair = (0, len(species) - 1)
        curves = {name: (glass.rdf.r, glass.rdf.g[pair]) for name, glass in glasses.items()}
        label = f"g(r) {species[pair[0]]}-{species[pair[1]]}"
        plots.draw_curves(structure, curves, reference=reference, xlabel="r (Å)", ylabel=label)
        plots.legend_below(figure)
    return plots.save(figure, path)


if __name__ == "__main__":
    main()
