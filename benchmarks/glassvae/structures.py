"""Structures of a latent model for windows of energy: how many hit them, by the energy of the potential of the data.

    python -m benchmarks.glassvae.structures Cu50Zr50.glassvae.pt --data ladder_train.extxyz.gz
    python -m benchmarks.glassvae.structures --report                         # from what is there

Windows are quintiles of the inherent energies of the data. Structures of all kinds are minimised fully with the EAM
potential of the data in their cell; a hit lies in the window that it was made for. Annealed ones have gone through
`vitrify.generation.anneal` with the model's own potential, which knows nothing of EAM; what it costs stands beside
it. Finished structures are kept in --work, so that the same command goes on. Writes
results/glassvae/structures.{json,md,png}.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms

from benchmarks.common import paths
from benchmarks.common.output import append, publish, read_journal
from vitrify.analysis.novelty import novelty
from vitrify.core.errors import VitrifyError
from vitrify.data.frames import AT_REST, load_frames
from vitrify.datagen.structures.elastic import relaxed
from vitrify.datagen.structures.recipes import Simulation
from vitrify.engines.interface import EnergyPredictor
from vitrify.engines.open import open_model
from vitrify.generation.anneal import Anneal, anneal
from vitrify.generation.generate import generate
from vitrify.glassvae.evaluate.metrics import Rdf
from vitrify.tasks.run import run_tasks

OUT = paths.RESULTS / "glassvae"
SPECIES = ("Cu", "Zr")
COMMANDS = ("pair_style eam/fs", "pair_coeff * * {potentials/CuZr_mm.eam.fs} Cu Zr")
KINDS = {
    "conditional": "asked for the window",
    "conditional-annealed": "asked for the window, annealed into it",
    "random": "drawn at random",
    "random-annealed": "drawn at random, annealed to the energy drawn with it",
    "packing": "random packing",
    "packing-annealed": "random packing, annealed into the window",
}
STEPS, WINDOWS = 10, 5
JOURNAL = "structures.jsonl"


@cache
def energy_prediction(model: str) -> EnergyPredictor:
    return open_model(model, kind="glassvae")


def packed(like: Atoms, seed: int) -> Atoms:
    """Random positions, pushed apart, in a cube of the volume and with the composition of `like`."""
    counts = [int((like.symbols == name).sum()) for name in SPECIES]
    density = len(like) / like.get_volume()
    with Simulation(SPECIES, counts, density, COMMANDS, 0.001, 300.0, np.random.default_rng([seed, 3])) as run:
        return run.atoms()


def start(kind: str, model: str, size: int, window: tuple[float, float], seed: int) -> Atoms:
    """The structure before any anneal."""
    asked = window if kind.startswith("conditional") else None
    atoms = generate(model, n_atoms=size, steps=STEPS, energy=asked, seed=seed)
    return packed(atoms, seed) if kind.startswith("packing") else atoms


def one(kind: str, model: str, size: int, window: tuple[float, float], seed: int, longest: float) -> dict[str, Any]:
    """A structure, as it is left, and its energy at rest in EAM."""
    begin = time.process_time()
    atoms = start(kind, model, size, window, seed)
    row: dict[str, Any] = {"kind": kind, "seed": seed}
    if kind.endswith("annealed"):
        drawn = atoms.info.get("latent_energy", 0.0)
        aim = (drawn - Anneal.drawn, drawn + Anneal.drawn) if kind.startswith("random") else window
        atoms = anneal(atoms, energy_prediction(model), aim, Anneal(time=longest), seed)
        row |= {"own": atoms.info["inherent_energy"], "ps": atoms.info["annealed"]}
    row["cpu"] = time.process_time() - begin
    still, energy = relaxed(atoms, COMMANDS, SPECIES, relax_cell=False, force=1e-3)
    return row | {
        "energy": energy, "positions": np.round(still.positions, 4).tolist(), "cell": still.cell.array.tolist(),
        "symbols": str(still.symbols),
    }  # fmt: skip


class Setup(NamedTuple):
    """Model file, atoms of a structure, edges (eV/atom) of the windows, and the longest anneal (ps)."""

    model: str
    size: int
    edges: np.ndarray
    longest: float


def performer(setup: Setup) -> Callable[[tuple[str, int]], dict[str, Any]]:
    """Makes structures in one process, by their kind and seed."""

    def perform(job: tuple[str, int]) -> dict[str, Any]:
        kind, seed = job
        low, high = setup.edges[seed % WINDOWS : seed % WINDOWS + 2].tolist()
        return one(kind, setup.model, setup.size, (low, high), seed, setup.longest)

    return perform


def make(options: argparse.Namespace, edges: np.ndarray, size: int) -> None:
    """All structures that are not there yet."""
    options.work.mkdir(parents=True, exist_ok=True)
    journal = options.work / JOURNAL
    done = {(row["kind"], row["seed"]) for row in read_journal(journal)}
    seeds = range(1, options.count + 1)
    first, last = ("conditional", "random", "packing", "conditional-annealed"), ("random-annealed", "packing-annealed")
    order = [*((kind, seed) for kind in first for seed in seeds), *((kind, seed) for seed in seeds for kind in last)]
    reasons: dict[tuple[str, int], str] = {}

    def record(job: tuple[str, int], row: dict[str, Any] | None) -> None:
        if row is not None:
            append(journal, row)

    run_tasks(
        performer, Setup(str(options.model), size, edges, options.longest), [job for job in order if job not in done],
        record=record, lost=reasons.__setitem__, workers=options.workers, progress="structures",
    )  # fmt: skip
    if reasons:
        raise VitrifyError(f"a worker process died ({', '.join(sorted(set(reasons.values())))}): run this again")


def summary(rows: list[dict[str, Any]], frames: list[Any], edges: np.ndarray) -> dict[str, Any]:
    """Hits, energies, g(r) at rest and distance to the nearest training structure, of each kind."""
    known = np.array([frame.inherent_energy for frame in frames if frame.thermal])
    still = [as_atoms(frame) for frame in frames if frame.segment == AT_REST]  # of the quench
    rdf = Rdf()
    g = np.array([of(rdf, atoms) for atoms in still])
    half = len(g) // 2
    found: dict[str, Any] = {
        "windows": edges.tolist(),
        "data": {"mean": known.mean(), "std": known.std(), "rdf": float(rdf.error(g[:half].mean(0), g[half:].mean(0)))},
        "kinds": {},
    }
    of_kind = defaultdict(list)
    for row in rows:
        of_kind[row["kind"]].append(row)
    for kind, mine in of_kind.items():
        energies = np.array([row["energy"] for row in mine])
        wanted = np.array([row["seed"] % WINDOWS for row in mine])
        made = [Atoms(row["symbols"], row["positions"], cell=row["cell"], pbc=True) for row in mine]
        got = np.searchsorted(edges[1:-1], energies)
        hits = (got == wanted) & (energies >= edges[0]) & (energies <= edges[-1])
        chance = np.mean([(got == w) & (energies >= edges[0]) & (energies <= edges[-1]) for w in range(WINDOWS)])
        found["kinds"][kind] = {
            "count": len(mine), "hits": hits.mean(), "chance": chance, "mean": energies.mean(), "std": energies.std(),
            "by_window": [hits[wanted == w].mean() if (wanted == w).any() else None for w in range(WINDOWS)],
            "ps": np.mean([row.get("ps", 0.0) for row in mine]), "cpu": np.mean([row["cpu"] for row in mine]),
            "own_error": np.sqrt(np.mean([(row["own"] - row["energy"]) ** 2 for row in mine if "own" in row]))
            if "own" in mine[0] else None,
            "rdf": float(rdf.error(np.mean([of(rdf, atoms) for atoms in made], axis=0), g.mean(0))),
            "nearest": novelty(made, still, SPECIES)[0].mean(),
        }  # fmt: skip
    groups = [frame.group for frame in frames if frame.segment == AT_REST]
    first = [atoms for atoms, group in zip(still, groups, strict=True) if group == groups[0]]
    others = [atoms for atoms, group in zip(still, groups, strict=True) if group != groups[0]]
    found["data"]["nearest"] = float(novelty(first, others, SPECIES)[0].mean())
    return found


def as_atoms(frame: Any) -> Atoms:
    return Atoms([SPECIES[t] for t in frame.types], frame.positions, cell=frame.cell, pbc=True)


def of(rdf: Rdf, atoms: Atoms) -> np.ndarray:
    types = np.array([SPECIES.index(symbol) for symbol in atoms.symbols])
    return rdf.of(atoms.positions, atoms.cell.array, types, len(SPECIES))


def table(found: dict[str, Any]) -> str:
    """The summary as Markdown."""
    edges = ", ".join(f"{edge:.4f}" for edge in found["windows"])
    data = found["data"]
    lines = [
        f"Windows (eV/atom, quintiles of the inherent energies of the data): {edges}. At rest in EAM, in their cells; "
        f"the data lie at {data['mean']:.4f} ± {data['std']:.4f} eV/atom. Partial g(r): root mean square difference "
        f"from minima of the data, of which one half lies {data['rdf']:.3f} from the other. Nearest: distance to the "
        f"most similar minimum of the data (A), for minima of another trajectory {data['nearest']:.3f}. Error: of the "
        "energy at rest of the model itself against that of EAM.",
        "",
        "| structures | count | hits | by window, lowest first | energy (eV/atom) | error (meV/atom) | annealed (ps) "
        "| CPU (s) | g(r) | nearest (A) |",
        "| --- " * 10 + "|",
    ]
    for kind, name in KINDS.items():
        row = found["kinds"].get(kind)
        if row is None:
            continue
        windows = " ".join("–" if share is None else f"{100 * share:.0f}" for share in row["by_window"])
        error = "–" if row["own_error"] is None else f"{1e3 * row['own_error']:.1f}"
        lines.append(
            f"| {name} | {row['count']} | {100 * row['hits']:.0f}% | {windows} | {row['mean']:.4f} ± {row['std']:.4f} "
            f"| {error} | {row['ps']:.1f} | {row['cpu']:.1f} | {row['rdf']:.3f} | {row['nearest']:.3f} |"
        )
    return "\n".join(lines) + "\n"


def figure(rows: list[dict[str, Any]], frames: list[Any], edges: np.ndarray, path: Path) -> None:
    """The distributions of the energies at rest."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    pictures, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    known = [frame.inherent_energy for frame in frames if frame.thermal]
    bins = np.linspace(min(known) - 0.005, max(*known, *(row["energy"] for row in rows)) + 0.005, 60)
    axes.hist(known, bins, density=True, color="0.8", label="simulation")
    for kind, name in KINDS.items():
        mine = [row["energy"] for row in rows if row["kind"] == kind]
        if mine:
            axes.hist(mine, bins, density=True, histtype="step", linewidth=1.5, label=name)
    for edge in edges:
        axes.axvline(edge, color="0.5", linewidth=0.5)
    axes.set(xlabel="energy at rest (eV/atom, EAM)", ylabel="density")
    axes.legend(fontsize=8)
    pictures.savefig(path, dpi=150)
    pyplot.close(pictures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="model file, or name of a shipped one")
    parser.add_argument("--data", type=Path, required=True, help="frames whose inherent energies give the windows")
    parser.add_argument("--count", type=int, default=100, help="structures of each kind")
    parser.add_argument("--longest", type=float, default=250.0, help="ps of an anneal at most")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, default=paths.RUNS / "glassvae_structures")
    parser.add_argument("--report", action="store_true", help="only write down what is there")
    options = parser.parse_args()
    frames = load_frames([options.data], SPECIES, forces=False)
    known = np.array([frame.inherent_energy for frame in frames if frame.thermal])
    edges = np.quantile(known, np.linspace(0.0, 1.0, WINDOWS + 1))
    if not options.report:
        if options.model is None:
            parser.error("give a model, or --report")
        make(options, edges, len(frames[0]))
    rows = read_journal(options.work / JOURNAL)
    found = summary(rows, frames, edges)
    figure(rows, frames, edges, OUT / "structures.png")
    publish(OUT, "structures", found, table(found))


if __name__ == "__main__":
    main()
