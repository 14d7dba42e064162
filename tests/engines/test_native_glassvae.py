"""The native engine for latent models against eager PyTorch, and its own laws: derivatives, parts, threads, SIMD."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import toy_glassvae
from native_models.elsewhere import predict_elsewhere, skip_without
from native_models.glassvae import SHAPES, Array, glass, make_model, write
from vitrify import GlassCalc, _core
from vitrify.cli.describe import describe
from vitrify.cli.diagnose import diagnose
from vitrify.core.errors import VitrifyError
from vitrify.engines.open import engines_of, open_model
from vitrify.engines.predictions import EnergyPrediction
from vitrify.engines.replay import check_reference
from vitrify.glassvae.differentiate import energy_prediction
from vitrify.glassvae.native import NativeGlassVAE
from vitrify.glassvae.torchscript import TorchGlassVAE
from vitrify.graphs.neighbours import build_structure_graph, neighbour_list

TOLERANCE = {"float32": 1e-4, "float64": 1e-10}


def eager(model: Any, dtype: str, positions: Array, cell: Array, types: Array) -> EnergyPrediction:
    graph = build_structure_graph(positions, cell, types, model.cutoff, getattr(torch, dtype))
    return energy_prediction(model.to(getattr(torch, dtype)), cell, graph)


def deviation(got: EnergyPrediction, expected: EnergyPrediction) -> float:
    """Largest deviation of energies, forces, stress and z, relative to the rms of each."""
    names = ("energies", "forces", "stress", "latent")
    pairs = [(getattr(got, name), getattr(expected, name)) for name in names]
    assert all(a.shape == b.shape for a, b in pairs)
    return max(float(np.abs(a - b).max() / np.sqrt(np.mean(np.square(b)))) for a, b in pairs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("native_glassvae")


@pytest.fixture(scope="module")
def network(folder: Path) -> Path:
    """A small model in double precision."""
    return write(folder / "network.pt")


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", SHAPES)
def test_it_computes_what_the_eager_model_does(shape: str, dtype: str, tmp_path: Path) -> None:
    model, n_species = make_model(shape), SHAPES[shape][0]
    native = NativeGlassVAE(write(tmp_path / "m.pt", shape, dtype))
    assert check_reference(native) <= native.metadata.reference.tolerance
    # The last two cells are smaller than the cutoff: atoms meet several images of one another and of themselves.
    for n, tilt in [(3, 0.0), (2, 0.25), (1, 0.3), (1, 0.0)]:
        case = glass(n, tilt, n_species)
        expected = eager(model, dtype, *case)
        assert np.abs(expected.forces).max() > 0.1  # there is something to be computed
        assert deviation(native.predict(*case), expected) <= TOLERANCE[dtype], (n, tilt)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_species_that_is_not_there(dtype: str, tmp_path: Path) -> None:
    model, native = make_model("odd sizes"), NativeGlassVAE(write(tmp_path / "m.pt", "odd sizes", dtype))
    positions, cell, _ = glass(2)
    for types in (np.full(32, 1), np.arange(32) % 2 * 2):
        assert (
            deviation(native.predict(positions, cell, types), eager(model, dtype, positions, cell, types))
            <= (TOLERANCE[dtype])
        )
    assert np.isinf(native.closest()[1])


def test_single_precision_is_as_good_as_that_of_torch(tmp_path: Path) -> None:
    case, model = glass(3), make_model("default sizes")
    double = eager(model, "float64", *case)
    native = NativeGlassVAE(write(tmp_path / "m.pt", "default sizes", "float32")).predict(*case)
    assert deviation(native, double) < 3 * deviation(eager(model, "float32", *case), double)


def test_forces_and_stress_are_derivatives_of_the_energy(network: Path) -> None:
    native, (positions, cell, types) = NativeGlassVAE(network), glass(2)
    found = native.predict(positions, cell, types)
    scale, step = np.sqrt(np.mean(found.forces**2)), 1e-3

    def derivative(energy: Any, h: float) -> float:
        return (8 * (energy(h) - energy(-h)) - energy(2 * h) + energy(-2 * h)) / (12 * h)

    for atom, axis in ((0, 0), (5, 1), (9, 2), (31, 0)):

        def moved(x: float, atom: int = atom, axis: int = axis) -> float:
            other = positions.copy()
            other[atom, axis] += x
            return native.predict(other, cell, types).energy

        assert -derivative(moved, step) == pytest.approx(found.forces[atom, axis], abs=1e-7 * scale)
    for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (2, 1)):

        def strained(x: float, a: int = a, b: int = b) -> float:
            strain = np.eye(3)
            strain[a, b] += 0.5 * x
            strain[b, a] += 0.5 * x
            return native.predict(positions @ strain, cell @ strain, types).energy

        pull = derivative(strained, 3e-4) / np.linalg.det(cell)
        assert pull == pytest.approx(found.stress[a, b], abs=1e-7 * np.abs(found.stress).max())
    np.testing.assert_allclose(found.forces.sum(0), 0.0, atol=1e-10)


def nodes_of(mine: Array, positions: Array, cell: Array, cutoff: float) -> tuple[Array, Array]:
    """Places of the atoms `mine`, then of whatever else is within the cutoff of one, and the atom that each node is."""
    shifts = np.array(np.meshgrid(*[range(-3, 4)] * 3, indexing="ij")).reshape(3, -1).T
    everything = (positions[None] + (shifts @ cell)[:, None]).reshape(-1, 3)
    atoms = np.tile(np.arange(len(positions)), len(shifts))
    own = np.isin(atoms, mine) & np.repeat((shifts == 0).all(1), len(positions))
    near = np.linalg.norm(everything[:, None] - positions[mine], axis=2).min(1, initial=np.inf) < cutoff
    ghosts = np.flatnonzero(near & ~own)
    return np.concatenate([positions[mine], everything[ghosts]]), np.concatenate([mine, atoms[ghosts]])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_parts_of_the_atoms_add_up(dtype: str, tmp_path: Path) -> None:
    """As the ranks of a host do it, one of them without atoms: totals and pulls are added up, and forces on ghosts."""
    path = write(tmp_path / "m.pt", "small", dtype)
    positions, cell, types = glass(2, 0.1)
    positions -= np.floor(positions @ np.linalg.inv(cell)) @ cell
    whole = NativeGlassVAE(path).predict(positions, cell, types)
    order = np.random.default_rng(5).permutation(len(types))
    parts = [order[:5], order[5:5], order[5:14], order[14:]]
    models = [_core.NativeGlassVAE(str(path)) for _ in parts]
    nodes = [nodes_of(part, positions, cell, 4.5) for part in parts]
    totals = [
        model.begin(places, types[atoms], len(part))
        for model, part, (places, atoms) in zip(models, parts, nodes, strict=True)
    ]
    assert sum(total[-1] for total in totals) == len(types)
    pulls = sum(model.set_pooled(sum(totals)) for model in models)
    energies, forces, virial = np.zeros(len(types)), np.zeros((len(types), 3)), np.zeros(6)
    for model, part, (_, atoms) in zip(models, parts, nodes, strict=True):
        own, on_nodes, own_virial, virials = model.finish(pulls)
        energies[part] = own
        np.add.at(forces, atoms, on_nodes)
        virial += own_virial
        np.testing.assert_allclose(virials.sum(0), own_virial, atol=1e-9)
        np.testing.assert_allclose(model.latent(), whole.latent, rtol=10 * TOLERANCE[dtype])
    xx, yy, zz, xy, xz, yz = -virial / np.linalg.det(cell)
    stress = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    assert deviation(EnergyPrediction(energies, forces, stress, models[1].latent()), whole) < TOLERANCE[dtype]


def test_steps_in_the_wrong_order(network: Path) -> None:
    model = _core.NativeGlassVAE(str(network))
    with pytest.raises(VitrifyError, match="call begin first"):
        model.set_pooled(np.zeros(3))
    totals = model.begin(np.eye(3), np.zeros(3, int), 3)
    with pytest.raises(VitrifyError, match="call set_pooled first"):
        model.finish(totals)
    with pytest.raises(VitrifyError, match=f"give {len(totals)} pooled_features"):
        model.set_pooled(totals[1:])
    with pytest.raises(VitrifyError, match="n_owned"):
        model.begin(np.eye(3), np.zeros(3, int), 4)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_positions_that_are_no_numbers_make_no_numbers(dtype: str, tmp_path: Path) -> None:
    """... and crash nothing, wherever they stand."""
    model = _core.NativeGlassVAE(str(write(tmp_path / "m.pt", "small", dtype)))
    positions, _, types = glass(2)
    for node, bad in ((0, np.nan), (7, np.inf), (31, -np.inf)):
        wrong = positions.copy()
        wrong[node, 1] = bad
        totals = model.begin(wrong, types, 32)
        assert np.isnan(totals[:-1]).any()
        energies, _, _, _ = model.finish(model.set_pooled(totals))
        assert np.isnan(energies).all()
    model.begin(wrong, types, 20)  # of a ghost


def test_atoms_without_neighbours_and_no_atoms(network: Path) -> None:
    native = NativeGlassVAE(network)
    case = np.array([[0.0, 0, 0], [20.0, 20, 20]]), 40 * np.eye(3), np.array([0, 1])
    found = native.predict(*case)
    expected = eager(make_model("small"), "float64", *case)
    np.testing.assert_allclose(found.energies, expected.energies, rtol=1e-12)
    assert not found.forces.any() and not found.stress.any() and np.isinf(native.closest()).all()
    assert native.predict(np.zeros((0, 3)), np.eye(3), np.zeros(0, int)).forces.shape == (0, 3)


def test_dense_and_sparse_matter(network: Path) -> None:
    """Atoms with more neighbours than the kernels work on at a time, and the core that keeps them apart."""
    rng, model, native = np.random.default_rng(2), make_model("small"), NativeGlassVAE(network)
    for edges in [(60.0, 3.0, 5.0), (40.0, 40.0, 40.0), (6.0, 5.0, 5.0)]:
        case = rng.random((60, 3)) * edges, np.diag(edges), rng.integers(0, 2, 60)
        assert deviation(native.predict(*case), eager(model, "float64", *case)) < 1e-9, edges
    (centres, _), _ = neighbour_list(case[0], case[1], 4.5)
    assert np.bincount(centres).min() > 64


def test_closest_is_the_smallest_distance_of_each_pair_of_species(network: Path) -> None:
    native, (positions, cell, types) = NativeGlassVAE(network), glass(3)
    native.predict(positions, cell, types)
    (i, j), vectors = neighbour_list(positions, cell, native.metadata.cutoff)
    distances, a, b = np.linalg.norm(vectors, axis=1), types[i], types[j]
    expected = [distances[(a == 0) & (b == 0)], distances[a != b], distances[(a == 1) & (b == 1)]]
    assert np.allclose(native.closest(), [d.min() for d in expected], rtol=1e-12)


def test_predictions_repeat_bit_for_bit_when_systems_alternate(network: Path) -> None:
    """Nothing of a larger system is left in the arrays of a smaller one."""
    native, cases = NativeGlassVAE(network), [glass(4), glass(1), glass(2, 0.0)]
    first = [native.predict(*case) for case in cases]
    for case, expected in zip(cases, first, strict=True):
        again = native.predict(*case)
        assert np.array_equal(again.forces, expected.forces) and np.array_equal(again.stress, expected.stress)
        assert np.array_equal(again.energies, expected.energies) and np.array_equal(again.latent, expected.latent)
    images, engine = native.seconds
    assert images > 0 and engine > 0


def test_a_supercell_is_its_cells_and_memory_is_linear(network: Path) -> None:
    native = NativeGlassVAE(network)
    positions, cell, types = glass(2)
    one, small = native.predict(positions, cell, types), native.bytes
    shifts = np.array(np.meshgrid(*[range(5)] * 3, indexing="ij")).reshape(3, -1).T @ cell
    many = native.predict((positions + shifts[:, None]).reshape(-1, 3), 5 * cell, np.tile(types, 125))
    expected = EnergyPrediction(np.tile(one.energies, 125), np.tile(one.forces, (125, 1)), one.stress, one.latent)
    assert deviation(many, expected) < 1e-10
    assert native.bytes < 125 * small
    crowded = native.bytes
    native.predict(0.8 * (positions + shifts[:, None]).reshape(-1, 3), 4 * cell, np.tile(types, 125))
    assert native.bytes < 1.4 * crowded  # twice the neighbours; more images


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("threads", [2, 5])
def test_the_number_of_threads_changes_no_bit(threads: int, dtype: str, tmp_path: Path) -> None:
    path = write(tmp_path / "m.pt", "odd sizes", dtype)
    for case in (glass(4, n_species=3), glass(1, n_species=3)):
        got, said = predict_elsewhere(NativeGlassVAE, path, case, tmp_path, OMP_NUM_THREADS=str(threads))
        expected = NativeGlassVAE(path).predict(*case)
        for name in ("energies", "forces", "stress", "latent"):
            assert np.array_equal(getattr(got, name), getattr(expected, name)), name
    assert said.endswith("False"), "torch was imported"


@pytest.mark.parametrize("name", ["default", "avx2", "avx512"])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_instruction_sets_agree(name: str, dtype: str, tmp_path: Path) -> None:
    skip_without(name)
    model, case = make_model("odd sizes"), glass(2, n_species=3)
    path = write(tmp_path / "m.pt", "odd sizes", dtype)
    got, said = predict_elsewhere(NativeGlassVAE, path, case, tmp_path, VITRIFY_SIMD=name)
    assert said.startswith(name)
    assert deviation(got, eager(model, dtype, *case)) <= TOLERANCE[dtype]


@pytest.mark.slow
def test_the_native_engine_is_the_default(network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert engines_of(network) == ("native", "torch")
    assert isinstance(open_model(network, kind="glassvae"), NativeGlassVAE)
    torch_model = open_model(network, "torch", kind="glassvae")
    assert isinstance(torch_model, TorchGlassVAE)
    assert ("engines", "native, torch") in describe(torch_model.metadata, network)
    monkeypatch.setattr("vitrify.cli.diagnose.shipped_models", dict)
    found = {finding.name: finding.detail for finding in diagnose([str(network)])}
    assert "by the native engine" in found["network.pt in Python, native"]
    case = glass(2)
    assert deviation(open_model(network, kind="glassvae").predict(*case), torch_model.predict(*case)) < 1e-10
    atoms = toy_glassvae.glass(2)
    path = toy_glassvae.write(tmp_path / "toy.pt").path
    native, other = GlassCalc(path, check=True), GlassCalc(path, engine="torch")
    assert isinstance(native.model, NativeGlassVAE) and isinstance(other.model, TorchGlassVAE)
    for name in ("energy", "forces", "stress", "latent", "energies"):
        np.testing.assert_allclose(native.get_property(name, atoms), other.get_property(name, atoms), atol=1e-9)
    with pytest.raises(VitrifyError, match="runs on the cpu, not on cuda"):
        open_model(network, "native", "cuda", kind="glassvae")
