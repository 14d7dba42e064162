"""The repulsion of pairs closer than any in the training data, in the engines and by itself, against autograd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import toy_glassvae
from vitrify import GlassCalc, _core, open_model
from vitrify.core.errors import VitrifyError
from vitrify.engines.predictions import EnergyPrediction, stress_of
from vitrify.engines.replay import require_reference
from vitrify.glassvae.differentiate import energy_prediction
from vitrify.graphs.neighbours import build_structure_graph


class NoModel(torch.nn.Module):
    """No energies, so that the core is left alone."""

    def forward(self, types: Any, edge_index: Any, edge_vectors: Any) -> tuple[torch.Tensor, torch.Tensor]:
        return 0.0 * edge_vectors.new_zeros(len(types)).index_add(0, edge_index[0], edge_vectors.norm(dim=1)), types[:1]


def random_structure(n: int, edge: float, species: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (n, 3) in a skewed cell (3, 3) of about the edge, and types (n,)."""
    random = np.random.default_rng(seed)
    cell = edge * (np.eye(3) + 0.2 * np.tril(random.normal(size=(3, 3)), -1))
    return random.random((n, 3)) @ cell, cell, random.integers(0, species, n)


def with_core(model: Any, distances: tuple[float, ...], case: Any, cutoff: float) -> EnergyPrediction:
    """The eager model with the core of autograd."""
    graph = build_structure_graph(*case, cutoff, torch.float64)
    return energy_prediction(toy_glassvae.WithCore(model, distances), case[1], graph)


@pytest.mark.parametrize(
    ("n", "edge", "distances", "seed"),
    [
        (40, 7.0, (1.9,), 0),
        (40, 7.0, (1.9, 2.0, 2.1), 1),
        (30, 6.0, (1.9, 2.3, 2.1, 1.2, 2.8, 0.0), 2),
        (6, 1.7, (1.9, 2.6, 3.1), 3),  # several images of each other, and of itself
        (50, 40.0, (1.9, 2.0, 2.1), 4),
    ],
)
def test_the_core_is_what_autograd_says(n: int, edge: float, distances: tuple[float, ...], seed: int) -> None:
    species = round((2 * len(distances) + 0.25) ** 0.5 - 0.5)
    _, cell, _ = case = random_structure(n, edge, species, seed)
    energies, forces, virial, virials = _core.repulsive_core(distances, *case)
    assert np.allclose(virials.sum(0), virial, rtol=1e-12, atol=1e-12 * np.abs(virials).max())
    want = with_core(NoModel(), distances, case, max(distances))
    assert want.energy > 0.0 or edge > 30.0
    np.testing.assert_allclose(energies, want.energies, rtol=1e-10)
    np.testing.assert_allclose(forces, want.forces, atol=1e-10 * np.abs(want.forces).max())
    np.testing.assert_allclose(stress_of(virial, cell), want.stress, atol=1e-10 * np.abs(want.stress).max())


@pytest.mark.parametrize("outer", [1.84, 0.7])
def test_the_core_sets_in_smoothly(outer: float) -> None:
    """Zero from the smallest distance on; below, value, slope and curvature grow from zero, and nothing is endless."""

    def energy(distance: float) -> float:
        pair = np.array([[0.0, 0.0, 0.0], [distance, 0.0, 0.0]])
        return float(_core.repulsive_core((outer,), pair, 20.0 * np.eye(3), [0, 0])[0].sum())

    assert energy(outer) == energy(1.2 * outer) == 0.0
    assert 0.0 < energy(0.99 * outer) < 0.01
    h = 1e-3 * outer
    inside = [energy(outer - k * h) for k in range(4)]
    assert inside[1] / h**2 < 0.01 / outer**2 * 1e3  # grows as a cube
    assert inside[2] == pytest.approx(8 * inside[1], rel=1e-9)
    assert np.all(np.diff([energy(x) for x in np.linspace(0.0, outer, 50)]) < 0.0)
    assert np.isfinite(energy(0.0)) and energy(0.9 * outer) > 1.0


@pytest.mark.parametrize("engine", ["native", "torch"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_engines_add_it(tmp_path: Path, engine: str, dtype: str) -> None:
    """A random structure with many close pairs: eager model and autograd."""
    toy_glassvae.write(tmp_path / "toy.pt", dtype)
    case = random_structure(24, 6.8, 2, 5)
    got = open_model(tmp_path / "toy.pt", engine=engine).predict(*case)
    model = toy_glassvae.make(getattr(torch, dtype)).double()
    assert toy_glassvae.VALIDITY.min_distance is not None
    want = with_core(model, toy_glassvae.VALIDITY.min_distance, case, model.cutoff)
    assert np.abs(want.forces).max() > 500.0
    limit = 1e-10 if dtype == "float64" else 2e-6
    for name in ("energies", "forces", "stress", "latent"):
        expected = getattr(want, name)
        np.testing.assert_allclose(getattr(got, name), expected, atol=limit * np.abs(expected).max())


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_structures_of_the_training_range_are_as_before(tmp_path: Path, engine: str) -> None:
    """The same numbers, bit for bit, whether the file has smallest distances or none."""
    narrow = toy_glassvae.VALIDITY.model_copy(update={"min_distance": (0.5, 0.5, 0.5)})
    bare = toy_glassvae.VALIDITY.model_copy(update={"min_distance": None})
    atoms = toy_glassvae.glass(2, scale=1.05)
    case = atoms.positions, atoms.cell[:], toy_glassvae.types_of(atoms)
    found = []
    for number, validity in enumerate((narrow, bare)):
        toy_glassvae.write(tmp_path / f"{number}.pt", "float32", validity=validity)
        found.append(open_model(tmp_path / f"{number}.pt", engine=engine).predict(*case))
    for name in ("energies", "forces", "stress", "latent"):
        assert (getattr(found[0], name) == getattr(found[1], name)).all(), name


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_the_calculator_computes_in_double_precision(tmp_path: Path, engine: str) -> None:
    """As the same weights in a model of double precision; the plain prediction is a model of single precision."""
    toy_glassvae.write(tmp_path / "toy.pt", "float32")
    atoms = toy_glassvae.glass(2, scale=1.05)
    case = atoms.positions, atoms.cell[:], toy_glassvae.types_of(atoms)
    double = toy_glassvae.predict(toy_glassvae.make(torch.float32).double(), atoms)
    opened = open_model(tmp_path / "toy.pt", engine=engine)
    for _ in range(2):  # to and fro
        single = opened.predict(*case)
        fine = opened.predict(*case, in_double=True)
        assert np.abs(fine.forces - double.forces).max() < 1e-11
        assert 1e-8 < np.abs(single.forces - double.forces).max() < 1e-4
    atoms.calc = GlassCalc(tmp_path / "toy.pt", engine=engine)
    assert atoms.get_potential_energy() == pytest.approx(double.energy, abs=1e-10)


@pytest.mark.parametrize(
    ("distances", "types", "message"),
    [((1.0, 2.0), [0, 0], "one min_distance for each pair"), ((1.0,), [0, 1], "type 1"), ((1.0,), [0], "positions")],
)
def test_wrong_arguments(distances: tuple[float, ...], types: list[int], message: str) -> None:
    with pytest.raises((VitrifyError, RuntimeError), match=message):
        _core.repulsive_core(distances, np.zeros((2, 3)), np.eye(3), types)


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_a_reference_case_with_pairs_closer_than_in_the_data_holds_their_repulsion(engine: str, tmp_path: Path) -> None:
    """The atoms of a reference case stand where a jittered lattice has them, the data may have known wider pairs."""
    wide = toy_glassvae.VALIDITY.model_copy(update={"min_distance": (2.5, 2.5, 2.6)})
    path = toy_glassvae.write(tmp_path / "wide.glassvae.pt", validity=wide).path
    model: Any = open_model(path, engine, trust=True)  # type: ignore[arg-type]
    case = model.metadata.reference
    types = [model.metadata.species.index(name) for name in case.species]
    energies, *_ = _core.repulsive_core(wide.min_distance, case.positions, case.cell, types)
    assert energies.sum() > 1.0
    assert model.predict(case.positions, case.cell, types).energy == pytest.approx(case.energy, rel=1e-9)
    require_reference(model)
