"""Barriers from our own saddle searches beside the published ones of the same atoms.

    python -m benchmarks.artn.labels --structure sample2.npz --potential Cu-Zr_2.eam.fs

The structure is a Cu64Zr36 glass of the SymGNN paper with its ARTn barriers (mean over 20 searches, noise 0.14 eV), the
potential that of Mendelev et al. (2009), which NIST hands out. Checks energy and pressure first, then searches
(`vitrify artn`) around atoms drawn at random, by ARTn and by local sampling, and writes labels.json, labels.md and
labels.png to benchmarks/results/artn. An interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import paths
from benchmarks.common.output import publish
from vitrify.data.label_files import ACCEPTED, LabelFile
from vitrify.datagen.barriers.campaign import find_barriers, read_glass
from vitrify.datagen.barriers.region import Box
from vitrify.datagen.barriers.summary import summary
from vitrify.lammps_library.commands import split_commands
from vitrify.report.plots import PALETTE, new_figure, save, style

NOISE = 0.14  # eV, of a published label: two labels of each atom of a glass differ by 0.20


def correlation(a: np.ndarray, b: np.ndarray, seed: int = 1, draws: int = 5000) -> tuple[float, float, float]:
    """Pearson's r of (n,) and (n,), and the ends of its 95% interval by drawing atoms with replacement."""
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(len(a), size=len(a)) for _ in range(draws)]
    rs = [np.corrcoef(a[i], b[i])[0, 1] for i in drawn]
    low, high = np.nanpercentile(rs, [2.5, 97.5])
    return float(np.corrcoef(a, b)[0, 1]), float(low), float(high)


def state(structure: Path, commands: tuple[str, ...]) -> dict[str, float]:
    """Energy (eV/atom), pressure (GPa) and largest force (eV/A) of the structure."""
    glass = read_glass(structure, ("Cu", "Zr"), "metal", commands)
    box = Box(glass, None)
    box.place(glass.positions, glass.types)
    box.run("run 0 post no")
    energy, forces = box.evaluate(glass.positions)
    pressure = float(box.lmp.get_thermo("press"))
    box.close()
    return {
        "energy_per_atom": energy / len(glass), "pressure_gpa": pressure * 1e-4,
        "largest_force": float(np.linalg.norm(forces, axis=1).max()),
    }  # fmt: skip


def compare(path: Path, published: np.ndarray) -> dict[str, Any]:
    """Our mean barriers against the published ones, for atoms with at least two accepted searches."""
    with LabelFile(path) as file:
        labels, searches, header = file.labels(), file.searches(), file.header
    known = (labels["accepted"] >= 2) & np.isfinite(published)
    ours, theirs = labels["barrier"][known], published[known]
    r, low, high = correlation(ours, theirs)
    counts = labels["accepted"][known]
    noise = labels["barrier_std"][known] / np.sqrt(counts)
    accepted = [s for s in searches if s.outcome == ACCEPTED]
    return {
        "method": header["method"], "atoms": int(known.sum()), "searches": len(searches), "accepted": len(accepted),
        "searches_per_atom": header["searches"], "pearson": r, "interval": [low, high],
        "mean": float(ours.mean()), "published_mean": float(theirs.mean()), "spread": float(ours.std()),
        "published_spread": float(theirs.std()), "noise": float(np.sqrt(np.mean(noise**2))),
        "published_noise": NOISE, "force_calls": float(np.median([s.force_calls for s in accepted])),
        "force_calls_all": sum(s.force_calls for s in searches) / len(accepted),
        "searches_per_hour": len(searches) / (sum(s.seconds for s in searches) / 3600.0),
        "ours": ours.tolist(), "theirs": theirs.tolist(), "errors": noise.tolist(),
    }  # fmt: skip


def draw(found: list[dict[str, Any]], path: Path) -> None:
    with style():
        figure = new_figure(3.4 * len(found), 3.2)
        for axes, one in zip(np.atleast_1d(figure.subplots(1, len(found))), found, strict=True):
            axes.errorbar(
                one["theirs"], one["ours"], one["errors"], NOISE, fmt="o", color=PALETTE[1], markersize=3,
                linewidth=0.5, ecolor="#b3b3b3",
            )  # fmt: skip
            low, high = one["interval"]
            axes.set_title(f"{one['method']}: r = {one['pearson']:.2f} ({low:.2f} to {high:.2f})", loc="left")
            axes.set(xlabel="published barrier (eV)", ylabel="mean of our searches (eV)")
    save(figure, path)


def page(structure: dict[str, float], found: list[dict[str, Any]]) -> str:
    lines = [
        "# Barriers of randomly chosen atoms beside the published ones", "",
        "Made by `python -m benchmarks.artn.labels`; its docstring says how.", "",
        f"The glass in the potential of its labels: {structure['energy_per_atom']:.4f} eV/atom, pressure "
        f"{structure['pressure_gpa']:.3f} GPa, largest force {structure['largest_force']:.1e} eV/A.", "",
        "| method | atoms | searches of each | accepted | Pearson r (95% interval) | mean, published |"
        " spread, published | noise of a mean, published | force calls for an accepted search: median, all shared out"
        " | searches per core-hour |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for one in found:
        low, high = one["interval"]
        lines.append(
            f"| {one['method']} | {one['atoms']} | {one['searches_per_atom']} |"
            f" {one['accepted']} of {one['searches']} | {one['pearson']:.2f} ({low:.2f} to {high:.2f}) |"
            f" {one['mean']:.2f}, {one['published_mean']:.2f} eV |"
            f" {one['spread']:.2f}, {one['published_spread']:.2f} eV | {one['noise']:.2f},"
            f" {one['published_noise']:.2f} eV | {one['force_calls']:.0f}; {one['force_calls_all']:.0f} |"
            f" {one['searches_per_hour']:,.0f} |"
        )
    return "\n".join([*lines, "", "![published barriers and ours](labels.png)", ""])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--structure", type=Path, required=True)
    parser.add_argument("--potential", type=Path, required=True)
    parser.add_argument("--number", type=int, default=50, help="atoms")
    parser.add_argument("--searches", type=int, default=12, help="of each by ARTn")
    parser.add_argument("--samples", type=int, default=4, help="of each by local sampling, which takes longer")
    parser.add_argument("--methods", nargs="+", default=["artn", "local-sampling"])
    parser.add_argument("--workers", type=int)
    parser.add_argument("--work", type=Path, default=paths.RUNS / "artn")
    parser.add_argument("--results", type=Path, default=paths.RESULTS / "artn")
    chosen = parser.parse_args(arguments)
    potential = f"pair_style eam/fs; pair_coeff * * {chosen.potential} Cu Zr"
    with np.load(chosen.structure) as file:
        published = file["barrier"].astype(float)
    found = []
    for method in chosen.methods:
        path = find_barriers(
            chosen.structure, chosen.work / f"{chosen.structure.stem}-{method}.h5", potential=potential,
            number=chosen.number, searches=chosen.searches if method == "artn" else chosen.samples, method=method,
            workers=chosen.workers,
        )  # fmt: skip
        print(f"{path}\n{summary(path)}")
        found.append(compare(path, published))
    chosen.results.mkdir(parents=True, exist_ok=True)
    glass = state(chosen.structure, split_commands(potential))
    # The labels of the atoms are not ours to hand on.
    public = [{key: value for key, value in one.items() if key not in ("theirs", "ours", "errors")} for one in found]
    draw(found, chosen.results / "labels.png")
    publish(chosen.results, "labels", {"glass": glass, "methods": public}, page(glass, found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
