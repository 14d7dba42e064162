"""Makes the small structure of the reference case, which a model file holds with the outputs expected of engines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vitrify.core.errors import VitrifyError
from vitrify.core.units import get_units
from vitrify.modelfile.metadata import Validity

_FCC = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]])
# Tilted and unequal edges, in units of the cube root of the volume (the diagonal's product is 1).
_CELL = np.array([[1.04, 0.0, 0.0], [0.12, 0.97, 0.0], [-0.09, 0.14, 1.0 / (1.04 * 0.97)]])


def reference_configuration(
    species: tuple[str, ...], masses: tuple[float, ...], units: str, validity: Validity, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """`reference_structure` with velocities from Maxwell's distribution at the middle temperature, without momentum.

    masses: one for each species, in the units `units`.

    Returns:
        cell (3, 3) rows, positions (32, 3), velocities (32, 3), types (32,) from 0; every species occurs.

    Raises:
        VitrifyError: the validity range has no temperature.
    """
    if validity.temperature is None:
        raise VitrifyError("the validity range has no temperature: a model that moves atoms needs one")
    rng = np.random.default_rng(seed)
    cell, positions, types = reference_structure(species, validity, rng)
    mass = np.asarray(masses)[types]
    sigma = get_units(units).thermal_velocity(mass, float(np.mean(validity.temperature)))
    velocities = sigma[:, None] * rng.standard_normal(positions.shape)
    velocities -= mass @ velocities / mass.sum()
    return cell, positions, velocities, types


def reference_structure(
    species: tuple[str, ...], validity: Validity, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """A jittered fcc lattice of 32 atoms in a triclinic cell, in the middle of the model's validity range.

    The cell is smaller than twice the cutoff of the model of any dense system, so that atoms have several images of
    each other as neighbours.

    Returns:
        cell (3, 3) rows, positions (32, 3), types (32,) from 0; every species occurs.
    """
    grid = np.array(np.meshgrid(*[range(2)] * 3, indexing="ij")).reshape(3, -1).T
    sites = 0.5 * (grid[:, None] + _FCC[None]).reshape(-1, 3)
    n = len(sites)
    cell = _CELL * (n / np.mean(validity.number_density)) ** (1 / 3)
    spacing = np.cbrt(np.linalg.det(cell) / n)
    positions = sites @ cell + 0.05 * spacing * rng.standard_normal((n, 3))
    return cell, positions, rng.permutation(_type_counts(species, validity.composition, n))


def _type_counts(species: tuple[str, ...], composition: Mapping[str, tuple[float, float]], n: int) -> NDArray[np.int64]:
    """n type indices in the middle of the composition ranges, at least one of each species."""
    share = np.array([np.mean(composition.get(name, (0.0, 1.0))) for name in species])
    counts = np.maximum(1, np.floor(n * share / max(share.sum(), 1e-12))).astype(int)
    counts[np.argmax(counts)] += n - counts.sum()
    return np.repeat(np.arange(len(species)), counts)
