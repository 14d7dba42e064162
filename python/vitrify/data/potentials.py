"""Pair functions of the potential that labels belong to, for the descriptors of `vitrify.symgnn.models.stiffness`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matscipy.calculators.eam.io import read_eam
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from vitrify.core.errors import VitrifyError
from vitrify.graphs.graph import StructureGraph

Array = NDArray[np.float64]
Function = Callable[[Array, int], Array]  # (distances, order of the derivative) -> values
_FORMATS = {".fs": "eam/fs", ".alloy": "eam/alloy"}


def effective_pair_functions(
    path: str | Path, species: Sequence[str], graphs: Sequence[StructureGraph], distances: Array
) -> Array:
    """psi, psi'/r and psi'' (P, K, 3) at `distances` (K,), with the pair of species a >= b in row a (a + 1) / 2 + b.

    path: a LAMMPS file of pair style eam/alloy (.alloy), eam/fs (.fs) or table (any other suffix; a section for each
    pair, named A-B). For a table, psi is the potential itself. For an embedded-atom potential

        psi_ab(r) = phi_ab(r) + F'_a rho_b(r) + F'_b rho_a(r)

    with the slopes F' of the embedding functions at the mean density of the atoms of a species in `graphs`. To first
    order, the energy changes as with this pair potential. Units are those of the file: in metal units eV and A.

    Raises:
        VitrifyError: no such file, another format, a species or pair that is not in it, numbers that are not finite,
            a table that begins above the first of `distances`, or a range above the last of them.
    """
    path = Path(path)
    if not os.path.isfile(path):
        raise VitrifyError(f"{path}: no such file; give the potential that the labels belong to")
    embedded = path.suffix in _FORMATS
    functions, end = _embedded(path, species, graphs) if embedded else _tabulated(path, species, distances[0])
    if end > distances[-1] * (1 + 1e-9):
        raise VitrifyError(
            f"{path}: the potential reaches {end:g}, the model's cutoff is {distances[-1]:g}: raise model.cutoff"
        )
    inside = distances < end
    found = np.zeros((len(functions), len(distances), 3))
    for row, function in zip(found, functions, strict=True):
        r = distances[inside]
        row[inside] = np.stack([function(r, 0), function(r, 1) / r, function(r, 2)], 1)
    return found


def _embedded(path: Path, species: Sequence[str], graphs: Sequence[StructureGraph]) -> tuple[list[Function], float]:
    """psi of each pair of species, and the range, from a file of an embedded-atom potential."""
    kind = _FORMATS[path.suffix]
    try:
        _, parameters, energies, densities, products = read_eam(str(path), kind=kind)
    except (ValueError, IndexError, OSError) as error:
        raise VitrifyError(f"{path}: cannot be read as a file of pair style {kind}: {error}") from None
    if not all(np.isfinite(values).all() for values in (energies, densities, products)):
        raise VitrifyError(f"{path}: holds values that are not finite")
    names = [str(name) for name in parameters.symbols]
    missing = [name for name in species if name not in names]
    if missing:
        raise VitrifyError(f"{path}: has {', '.join(names)}, the model also has {', '.join(missing)}")
    place = [names.index(name) for name in species]
    end = float(parameters.cutoff)
    r = float(parameters.distance_grid_spacing) * np.arange(parameters.number_of_distance_grid_points)

    def density(a: int, b: int) -> CubicSpline:
        """The density of an atom of species b at an atom of species a."""
        a, b = place[a], place[b]
        return CubicSpline(r, densities[b, a] if kind == "eam/fs" else densities[b])

    def repulsion(a: int, b: int) -> CubicSpline:
        product = np.asarray(products[place[a], place[b]])
        return CubicSpline(r[1:], product[1:] / r[1:])

    rho = {(a, b): density(a, b) for a in range(len(species)) for b in range(len(species))}
    slopes = []
    for a, mean in enumerate(_mean_densities(rho, len(species), graphs, end)):
        embedding = CubicSpline(
            parameters.density_grid_spacing * np.arange(parameters.number_of_density_grid_points), energies[place[a]]
        )
        slopes.append(float(embedding(mean, 1)))

    def psi(a: int, b: int) -> Function:
        phi = repulsion(a, b)
        return lambda x, n: phi(x, n) + slopes[a] * rho[a, b](x, n) + slopes[b] * rho[b, a](x, n)

    return [psi(a, b) for a in range(len(species)) for b in range(a + 1)], end


def _mean_densities(
    rho: dict[tuple[int, int], CubicSpline], n_species: int, graphs: Sequence[StructureGraph], end: float
) -> Array:
    """The mean density (n_species,) at the atoms of each species."""
    sums, counts = np.zeros(n_species), np.zeros(n_species)
    for graph in graphs:
        types = graph.types.numpy()
        here, there = types[graph.edge_index.numpy()]
        lengths = np.linalg.norm(graph.edge_vectors.double().numpy(), axis=1)
        counts += np.bincount(types, minlength=n_species)
        for (a, b), function in rho.items():
            sums[a] += function(lengths[(here == a) & (there == b) & (lengths < end)]).sum()
    return sums / np.maximum(counts, 1)


def _tabulated(path: Path, species: Sequence[str], start: float) -> tuple[list[Function], float]:
    """psi of each pair of species from `start` on, and the range, from a file of pair style table."""
    sections = _sections(path)
    functions, end = [], 0.0
    for a in range(len(species)):
        for b in range(a + 1):
            names = (f"{species[a]}-{species[b]}", f"{species[b]}-{species[a]}")
            name = next((each for each in names if each in sections), None)
            if name is None:
                raise VitrifyError(f"{path}: has no section {names[1]}; sections: {', '.join(sections) or 'none'}")
            rows = sections[name]
            if not np.isfinite(rows).all():
                raise VitrifyError(f"{path}: section {name} holds values that are not finite")
            if not (np.diff(rows[:, 1]) > 0).all():
                raise VitrifyError(f"{path}: the distances of section {name} do not grow")
            if rows[0, 1] > start * (1 + 1e-9):
                raise VitrifyError(
                    f"{path}: section {name} begins at {rows[0, 1]:g}, the model needs it from {start:g}: write the "
                    "table from there, or raise model.core"
                )
            end = max(end, float(rows[-1, 1]))
            functions.append(_spline_until(rows[:, 1], rows[:, 2]))
    return functions, end


def _spline_until(r: Array, energy: Array) -> Function:
    """A spline through the energies less the last one, as for a cutoff; zero beyond the last point."""
    spline = CubicSpline(r, energy - energy[-1])
    return lambda x, n: np.where(x <= r[-1], spline(x, n), 0.0)


def _sections(path: Path) -> dict[str, Array]:
    """The sections of a file of pair style table: name -> rows of number, distance, energy, force."""
    found: dict[str, list[list[float]]] = {}
    name = ""
    try:
        for line in path.read_text().splitlines():
            columns = line.split("#")[0].split()
            if len(columns) == 4 and columns[0].isdigit() and name:
                found[name].append([float(column) for column in columns])
            elif len(columns) == 1:
                name = columns[0]
                found[name] = []
        return {key: np.array(rows) for key, rows in found.items() if len(rows) > 3}
    except (ValueError, UnicodeDecodeError) as error:
        raise VitrifyError(f"{path}: cannot be read as a file of pair style table: {error}") from None
