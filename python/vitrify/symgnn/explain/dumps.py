"""Importance of atoms and bonds as files that OVITO opens: extended XYZ, LAMMPS dump and dump local."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vitrify.core.files import atomic_path
from vitrify.data.structures import LabelledStructure
from vitrify.symgnn.explain.explainer import Explanation
from vitrify.symgnn.explain.topology import Cycles


def atom_columns(explanation: Explanation, n_atoms: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Importance, hops and distance (N,) of all atoms; 0, -1 and -1 for atoms that the model does not see."""
    importance, hops, distance = np.zeros(n_atoms), np.full(n_atoms, -1), np.full(n_atoms, -1.0)
    importance[explanation.atoms] = explanation.importance()
    hops[explanation.atoms] = explanation.hops
    distance[explanation.atoms] = explanation.distances
    return importance, hops, distance


def write_extxyz(
    path: Path, structure: LabelledStructure, species: Sequence[str], explanations: Sequence[Explanation]
) -> None:
    """One frame for each explained atom, whose id (from 1) and prediction are in the comment line."""
    lattice = " ".join(f"{x:.10g}" for x in structure.cell.reshape(-1))
    names = [species[t] for t in structure.types]
    with atomic_path(path) as work, open(work, "w", encoding="utf-8") as file:
        for each in explanations:
            file.write(
                f'{len(structure)}\nLattice="{lattice}" pbc="T T T" centre={each.centre + 1} '
                f"prediction={each.prediction:.8g} "
                "Properties=species:S:1:pos:R:3:id:I:1:importance:R:1:hops:I:1:distance:R:1\n"
            )
            columns = zip(names, structure.positions, *atom_columns(each, len(structure)), strict=True)
            for row, (name, (x, y, z), importance, hops, distance) in enumerate(columns, 1):
                file.write(f"{name} {x:.8g} {y:.8g} {z:.8g} {row} {importance:.6g} {hops} {distance:.6g}\n")


def write_dump(
    path: Path, structure: LabelledStructure, species: Sequence[str], explanations: Sequence[Explanation]
) -> None:
    """A LAMMPS dump; the timestep of a frame is the id of the explained atom."""
    header, positions = _lammps_cell(structure)
    with atomic_path(path) as work, open(work, "w", encoding="utf-8") as file:
        for each in explanations:
            file.write(
                f"ITEM: TIMESTEP\n{each.centre + 1}\nITEM: NUMBER OF ATOMS\n{len(structure)}\n{header}"
                "ITEM: ATOMS id type element x y z importance hops distance\n"
            )
            columns = zip(structure.types, positions, *atom_columns(each, len(structure)), strict=True)
            for row, (t, (x, y, z), importance, hops, distance) in enumerate(columns, 1):
                file.write(
                    f"{row} {t + 1} {species[t]} {x:.8g} {y:.8g} {z:.8g} {importance:.6g} {hops} {distance:.6g}\n"
                )


def write_local(
    path: Path, structure: LabelledStructure, explanations: Sequence[Explanation], cycles: Cycles | None
) -> None:
    """A LAMMPS dump local, one frame for each explained atom: every bond that matters, the most important first.

    batom1, batom2: ids of the atoms. dist: length. cycles: optimal 1-cycles that contain the bond; -1 if not known.
    """
    header, _ = _lammps_cell(structure)
    with atomic_path(path) as work, open(work, "w", encoding="utf-8") as file:
        for each in explanations:
            file.write(
                f"ITEM: TIMESTEP\n{each.centre + 1}\nITEM: NUMBER OF ENTRIES\n{len(each.scores)}\n{header}"
                "ITEM: ENTRIES index batom1 batom2 dist score cycles\n"
            )
            bonds, order = each.global_bonds, each.top(len(each.scores))
            counts = cycles.of(bonds) if cycles else np.full(len(bonds), -1)
            columns = zip(bonds[order] + 1, each.lengths[order], each.scores[order], counts[order], strict=True)
            for row, ((i, j), length, score, count) in enumerate(columns, 1):
                file.write(f"{row} {i} {j} {length:.6g} {score:.6g} {count}\n")


def _lammps_cell(structure: LabelledStructure) -> tuple[str, np.ndarray]:
    """The header lines of the box, and the positions wrapped into it, as LAMMPS turns cells: a along x, b in xy."""
    from ase.calculators.lammps import Prism

    cell = structure.cell
    if np.linalg.det(cell) < 0:  # LAMMPS knows right-handed cells alone; the same lattice is one with a turned
        cell = cell * np.array([[-1.0], [1.0], [1.0]])
    prism = Prism(cell, pbc=True, reduce_cell=False)
    lx, ly, lz, xy, xz, yz = prism.get_lammps_prism()
    box = np.array([[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]])
    fractions = structure.positions @ np.linalg.inv(cell)
    positions = (fractions - np.floor(fractions)) @ box
    if max(abs(xy), abs(xz), abs(yz)) < 1e-10 * lx:
        bounds = f"ITEM: BOX BOUNDS pp pp pp\n0 {lx:.10g}\n0 {ly:.10g}\n0 {lz:.10g}\n"
        return bounds, positions
    low_x, high_x = min(0.0, xy, xz, xy + xz), max(0.0, xy, xz, xy + xz)
    bounds = (
        f"ITEM: BOX BOUNDS xy xz yz pp pp pp\n{low_x:.10g} {lx + high_x:.10g} {xy:.10g}\n"
        f"{min(0.0, yz):.10g} {ly + max(0.0, yz):.10g} {xz:.10g}\n0 {lz:.10g} {yz:.10g}\n"
    )
    return bounds, positions
