"""What a saddle costs: our searches beside ASE's dimer from the same starts, and how much of the glass must move.

    python -m benchmarks.artn.cost --structure sample2.npz --potential Cu-Zr_2.eam.fs

One core, a Cu64Zr36 glass of 8,000 atoms. The dimer (ase.mep, its defaults) begins at the same atoms with the same
random directions, displaced by 0.3 A at most; its saddles are checked and connected as ours are, at the same cost. The
errors of a smaller region are those of saddles converged anew with more atoms, up to the whole glass, that move. Writes
cost.json and cost.md to benchmarks/results/artn.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.mep import DimerControl, MinModeAtoms, MinModeTranslate

from benchmarks.common import paths
from benchmarks.common.output import publish
from vitrify.datagen.barriers.artn import ARTnSettings, SearchResult, climb, connect, mode_at, search, second_mode
from vitrify.datagen.barriers.campaign import read_glass
from vitrify.datagen.barriers.region import Boxes, Glass, Region
from vitrify.lammps_library.commands import split_commands

RESULTS = paths.RESULTS / "artn"
Searching = Callable[[Region, np.ndarray, ARTnSettings, np.random.Generator], SearchResult]
PUSHED = ARTnSettings(push=0.35, push_radius=3.6, push_relaxations=3, climb=0.2)
MOST_CALLS = 1000  # of a dimer


class RegionCalculator(Calculator):
    """A region as an ASE calculator of its free atoms."""

    implemented_properties = ("energy", "forces")

    def __init__(self, region: Region) -> None:
        super().__init__()
        self.region = region

    def calculate(self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        if self.region.calls > MOST_CALLS:
            raise TimeoutError
        energy, forces = self.region(atoms.positions - self.region.offsets)
        self.results = {"energy": energy, "forces": forces}


def dimer(region: Region, push: np.ndarray, settings: ARTnSettings, rng: np.random.Generator) -> SearchResult:
    """ASE's dimer in place of activation and climb."""
    atoms = Atoms("H" * len(push), positions=region.offsets, calculator=RegionCalculator(region))
    np.random.seed(int(rng.integers(2**31)))  # noqa: NPY002 (ASE draws from it)
    with DimerControl(initial_eigenmode_method="displacement", displacement_method="vector", logfile=None) as control:
        pair = MinModeAtoms(atoms, control)
        pair.displace(displacement_vector=0.3 * push, mask=[True] * len(push))
        try:
            with MinModeTranslate(pair, logfile=None) as walk:
                walk.run(fmax=settings.force_tolerance)
            vector = np.array(pair.get_eigenmode())
        except TimeoutError:
            return SearchResult("no saddle")
    saddle = atoms.positions - region.offsets
    energy, forces = region(saddle)
    mode = mode_at(region, saddle, forces, vector, settings, least=3)
    if mode.curvature >= 0.0 or second_mode(region, saddle, forces, mode.vector, settings, rng).curvature < 0.0:
        return SearchResult("no saddle")
    return connect(region, saddle, energy, mode, settings)


def measure(
    boxes: Boxes, searching: Searching, settings: ARTnSettings, atoms: list[int], searches: int
) -> dict[str, Any]:
    """Counts, calls and times of searches around atoms."""
    outcomes: Counter[str] = Counter()
    calls, accepted, barriers, saddles = 0, [], [], []
    began = time.process_time()
    for atom in atoms:
        region = Region(boxes, atom)
        distances = np.linalg.norm(region.offsets, axis=1)
        for number in range(searches):
            region.restart()
            rng = np.random.default_rng([1, atom, number])
            push = rng.normal(size=(len(distances), 3)) * (distances < settings.push_radius)[:, None]
            found = searching(region, push / np.linalg.norm(push, axis=1).max(), settings, rng)
            outcomes[found.outcome] += 1
            calls += region.calls
            if found.outcome == "accepted":
                accepted.append(region.calls)
                barriers.append(found.barrier)
                saddles.append((atom, found))
    seconds = time.process_time() - began
    every = sum(outcomes.values())
    return {
        "searches": every, "outcomes": dict(outcomes), "median_calls": float(np.median(accepted)),
        "shared_calls": calls / len(accepted), "barrier": float(np.mean(barriers)),
        "searches_per_hour": 3600.0 * every / seconds, "accepted_per_hour": 3600.0 * len(accepted) / seconds,
        "saddles": saddles,
    }  # fmt: skip


Saddle = tuple[float, np.ndarray, np.ndarray]  # barrier, displacements (N, 3) of all atoms, mode (N, 3)


def reconverged(boxes: Boxes, atom: int, saddle: np.ndarray, mode: np.ndarray) -> Saddle | None:
    """The saddle near displacements (N, 3), to 0.01 eV/A, when the atoms of these regions may move."""
    region = Region(boxes, atom)
    tight = replace(ARTnSettings(), force_tolerance=0.01, lanczos_tolerance=0.1, climb_vectors=16, turn=0.1, climb=0.05)
    at = saddle[region.free]
    energy, forces = region(at)
    lowest = mode_at(region, at, forces, mode[region.free], tight, least=5)
    found = climb(region, at, energy, forces, lowest, tight, 300)
    if found is None:
        return None
    every = np.zeros((2, *saddle.shape))
    every[0, region.free], every[1, region.free] = found[0], found[3].vector
    return found[1], every[0], every[1]


def radius_errors(
    glass: Glass, saddles: list[tuple[int, SearchResult]], radii: list[float]
) -> tuple[list[Any], list[float]]:
    """For each radius the barriers of the same saddles against those of the whole glass, and what a call costs.

    Also how far the barriers at 12 A were from those of a smaller force tolerance (eV).
    """
    boxes, starts, loose = Boxes(glass, 12.0, 0.01), {}, []
    for atom, found in dict(saddles).items():
        saddle = np.zeros((len(glass), 3))
        saddle[Region(boxes, atom).free] = found.saddle
        tight = reconverged(boxes, atom, saddle, saddle)
        if tight is not None:
            starts[atom] = tight
            loose.append(found.barrier - tight[0])
    boxes.close()
    barriers, rows = {}, []
    for radius in [np.inf, *radii]:
        boxes = Boxes(glass, radius, 0.01)
        ends = [reconverged(boxes, atom, *start[1:]) for atom, start in starts.items()]
        barriers[radius] = np.array([end[0] if end else np.nan for end in ends])
        region = Region(boxes, next(iter(starts)))
        began = time.process_time()
        for _ in range(20):
            region(np.zeros((len(region.free), 3)))
        cost = (time.process_time() - began) / 20
        errors = np.abs(barriers[radius] - barriers[np.inf])
        same = errors < 0.2  # else it has slid to another saddle
        rows.append({
            "radius": str(radius), "free": len(region.free), "held": len(region.start), "saddles": int(same.sum()),
            "of": len(errors), "median_error": float(np.median(errors[same])) if same.any() else 0.0,
            "largest_error": float(errors[same].max(initial=0.0)), "ms_a_call": 1e3 * cost,
        })  # fmt: skip
        print(rows[-1], flush=True)
        boxes.close()
    return rows, loose


def sizes(glass: Glass, radius: float) -> list[dict[str, Any]]:
    """The cost of a call for this glass and for eight and twenty-seven of it side by side."""
    rows = []
    for times in (1, 2, 3):
        shifts = np.stack(np.meshgrid(*[np.arange(times)] * 3, indexing="ij"), -1).reshape(-1, 1, 3) @ glass.cell
        large = replace(
            glass, positions=(glass.positions + shifts).reshape(-1, 3), cell=times * glass.cell,
            types=np.tile(glass.types, times**3),
        )  # fmt: skip
        boxes = Boxes(large, radius, 0.01)
        region = Region(boxes, 17)
        began = time.process_time()
        for k in range(40):
            region(np.full((len(region.free), 3), 1e-3 * k))
        rows.append({"atoms": len(large), "held": len(region.start), "ms_a_call": 25.0 * (time.process_time() - began)})
        boxes.close()
    return rows


def page(result: dict[str, Any]) -> str:
    lines = [
        "# What a saddle costs", "", "Made by `python -m benchmarks.artn.cost`; its docstring says how.", "",
        "| search | searches | accepted | force calls for an accepted one (median) | all calls over accepted |"
        " accepted per core-hour | searches per core-hour | mean barrier |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for name, one in result["searches"].items():
        accepted = one["outcomes"]["accepted"]
        lines.append(
            f"| {name} | {one['searches']} | {100 * accepted / one['searches']:.0f}% | {one['median_calls']:.0f} |"
            f" {one['shared_calls']:.0f} | {one['accepted_per_hour']:,.0f} | {one['searches_per_hour']:,.0f} |"
            f" {one['barrier']:.2f} eV |"
        )
    lines += [
        "",
        "The same saddles with atoms within a radius free to move, against all 8,000 free. Frozen atoms cannot "
        "give way, so that barriers come out too high, by about the inverse cube of the radius. Left out: saddles that "
        "are gone, or more than 0.2 eV away.",
        "",
        "| radius | free atoms | atoms in LAMMPS | saddles compared | error of the barrier: median, largest |"
        " core-ms a force call |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["radii"]:
        errors = f"{1e3 * row['median_error']:.0f}, {1e3 * row['largest_error']:.0f} meV" if row["saddles"] else ""
        radius = "all" if row["radius"] == "inf" else f"{row['radius']} A"
        lines.append(
            f"| {radius} | {row['free']:,} | {row['held']:,} | {row['saddles']} of {row['of']} | {errors} |"
            f" {row['ms_a_call']:.1f} |"
        )
    loose = np.abs(result["loose"])
    lines += [
        "", f"With a force tolerance of 0.01 in place of 0.05 eV/A, barriers move by {1e3 * np.median(loose):.1f} meV "
        f"(median of {len(loose)}), {100 * np.mean(loose > 0.05):.0f}% of them by more than 50 meV: these were not yet "
        "at their saddle.",
    ]  # fmt: skip
    lines += ["", "| atoms of the glass | atoms in LAMMPS | core-ms a force call |", "| --- | --- | --- |"]
    for row in result["sizes"]:
        lines.append(f"| {row['atoms']:,} | {row['held']:,} | {row['ms_a_call']:.1f} |")
    return "\n".join([*lines, ""])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--structure", type=Path)
    parser.add_argument("--potential", type=Path)
    parser.add_argument("--report", action="store_true", help="only write cost.md, from cost.json")
    parser.add_argument("--number", type=int, default=15, help="atoms")
    parser.add_argument("--searches", type=int, default=4, help="of each, by each method")
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    if chosen.report:
        result = json.loads((chosen.results / "cost.json").read_text())
    elif chosen.structure and chosen.potential:
        result = study(chosen)
    else:
        parser.error("give --structure and --potential, or --report")
    publish(chosen.results, "cost", result, page(result))
    return 0


def study(chosen: argparse.Namespace) -> dict[str, Any]:
    """Everything that the page shows."""
    commands = split_commands(f"pair_style eam/fs; pair_coeff * * {chosen.potential} Cu Zr")
    glass = read_glass(chosen.structure, ("Cu", "Zr"), "metal", commands)
    atoms = sorted(np.random.default_rng(2).choice(len(glass), chosen.number, replace=False).tolist())
    boxes, settings = Boxes(glass, 12.0, 0.01), ARTnSettings()
    result: dict[str, Any] = {"searches": {}}
    ways: dict[str, tuple[Searching, ARTnSettings]] = {
        "`vitrify artn`": (search, settings),
        "the same, with longer pushes and steps": (search, PUSHED),
        "ASE's dimer": (dimer, settings),
    }
    for name, (searching, used) in ways.items():
        result["searches"][name] = measure(boxes, searching, used, atoms, chosen.searches)
        print(name, {k: v for k, v in result["searches"][name].items() if k != "saddles"}, flush=True)
    saddles = result["searches"]["`vitrify artn`"]["saddles"]
    boxes.close()
    result["radii"], result["loose"] = radius_errors(glass, saddles, [7.0, 9.0, 12.0, 15.0])
    result["sizes"] = sizes(glass, 12.0)
    for one in result["searches"].values():
        del one["saddles"]
    return result


if __name__ == "__main__":
    sys.exit(main())
