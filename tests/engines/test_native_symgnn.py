"""The native engine for SymGNN, variant exact, against eager PyTorch, and its own laws: symmetry, threads, SIMD."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms

from lammps_runner import FOUR_RANKS, Configuration, run_ok
from native_models.elsewhere import deviation, predict_elsewhere, skip_without
from native_models.symgnn import NAMES, SHAPES, Array, glass, make_model, write
from vitrify.engines.load import load_model
from vitrify.engines.open import engines_of, open_model
from vitrify.engines.replay import check_reference
from vitrify.graphs.neighbours import build_structure_graph, neighbour_list
from vitrify.hosts.ase_calculator import GlassCalc
from vitrify.symgnn.native import NativeSymGNN

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


def eager(model: Any, dtype: str, positions: Array, cell: Array, types: Array) -> list[Array]:
    real = getattr(torch, dtype)
    with torch.no_grad():
        graph = build_structure_graph(positions, cell, types, model.cutoff, real)
        return [x.double().numpy() for x in model.to(real)(*graph)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("native_symgnn")


@pytest.fixture(scope="module")
def network(folder: Path) -> Path:
    """A double-precision model with everything that a model can have."""
    return write(folder / "network.pt", make_model("network"), "float64")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_computes_what_the_eager_model_does(shape: str, dtype: str, tmp_path: Path) -> None:
    n_species = 1 + (1 + list(SHAPES).index(shape)) % 3
    model = make_model(shape, n_species)
    native = NativeSymGNN(write(tmp_path / "m.pt", model, dtype))
    assert check_reference(native) <= TOLERANCE[dtype]
    # Large and small cells: the last two are smaller than the cutoff in all directions.
    for n_side, tilt in [(6, 0.0), (5, 0.2), (2, -0.2), (1, 0.0)]:
        case = glass(n_side, tilt, n_species)
        values, deviations = native.predict(*case)
        assert values.shape == deviations.shape == (n_side**3,)
        expected = eager(model, dtype, *case)
        assert n_side == 1 or expected[0].std() > 1e-3  # something is there to be computed
        assert deviation((values, deviations), expected) <= TOLERANCE[dtype], (n_side, tilt)


def test_single_precision_is_small_beside_the_spread_of_the_values(tmp_path: Path) -> None:
    """The mean of a barrier says nothing: errors must be small beside what tells atoms from one another."""
    model, case = make_model("network"), glass(6)
    got = NativeSymGNN(write(tmp_path / "m.pt", model)).predict(*case)
    for one, single, double in zip(got, eager(model, "float32", *case), eager(model, "float64", *case), strict=True):
        error = np.abs(one - double).max()
        assert error < 3e-5 * double.std() and error < 3 * np.abs(single - double).max()


def test_it_computes_what_torchscript_does(network: Path) -> None:
    case = glass(4)
    assert engines_of(network) == ("native", "torch")
    assert isinstance(open_model(network), NativeSymGNN)
    assert deviation(open_model(network).predict(*case), load_model(network).predict(*case)) < 1e-10


def test_translations_rotations_reflections_and_permutations(network: Path) -> None:
    native, rng = NativeSymGNN(network), np.random.default_rng(1)
    positions, cell, types = glass(4)
    expected = native.predict(positions, cell, types)
    assert deviation(native.predict(positions + rng.normal(size=3), cell, types), expected) < 1e-11
    for sign in (1, -1):
        q = np.linalg.qr(rng.normal(size=(3, 3)))[0] * sign
        assert deviation(native.predict(positions @ q, cell @ q, types), expected) < 1e-11
    order = rng.permutation(len(types))
    assert deviation(native.predict(positions[order], cell, types[order]), [x[order] for x in expected]) < 1e-11
    # ... and what must not leave the values as they are does not.
    assert deviation(native.predict(positions, cell, 1 - types), expected) > 1e-3
    assert deviation(native.predict(1.01 * positions, 1.01 * cell, types), expected) > 1e-3


def test_a_supercell_is_its_cells(network: Path) -> None:
    native = NativeSymGNN(network)
    positions, cell, types = glass(3)
    one = native.predict(positions, cell, types)
    shifts = np.array(np.meshgrid(*[range(2)] * 3, indexing="ij")).reshape(3, -1).T @ cell
    many = native.predict((positions + shifts[:, None]).reshape(-1, 3), 2 * cell, np.tile(types, 8))
    assert deviation(many, [np.tile(x, 8) for x in one]) < 1e-11


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_wires_gases_and_dense_matter(dtype: str, tmp_path: Path) -> None:
    """Atoms with no neighbours, and with more than the kernels work on at a time."""
    model, rng = make_model("network"), np.random.default_rng(2)
    native = NativeSymGNN(write(tmp_path / "m.pt", model, dtype))
    for edges in [(60.0, 3.0, 5.0), (90.0, 90.0, 90.0), (7.0, 6.0, 5.0)]:
        case = rng.random((100, 3)) * edges, np.diag(edges), rng.integers(0, 2, 100)
        found = eager(model, dtype, *case)
        # Atoms that overlap are all cancellation.
        assert deviation(native.predict(*case), found) < 10 * TOLERANCE[dtype], edges
    (centres, _), _ = neighbour_list(case[0], case[1], float(model.cutoff))
    assert np.bincount(centres).min() > 600


def test_zero_atoms_and_lonely_atoms(network: Path) -> None:
    native = NativeSymGNN(network)
    values, deviations = native.predict(np.zeros((0, 3)), np.eye(3), np.zeros(0, int))
    assert values.shape == deviations.shape == (0,)
    case = np.array([[0.0, 0, 0], [20.0, 20, 20]]), 40 * np.eye(3), np.array([0, 1])
    assert deviation(native.predict(*case), eager(make_model("network"), "float64", *case)) < 1e-10
    assert np.isinf(native.closest()).all()


def test_closest_is_the_smallest_distance_of_each_pair_of_species(network: Path) -> None:
    native = NativeSymGNN(network)
    positions, cell, types = glass(5)
    native.predict(positions, cell, types)
    (i, j), vectors = neighbour_list(positions, cell, native.metadata.cutoff)
    distances, a, b = np.linalg.norm(vectors, axis=1), types[i], types[j]
    expected = [distances[(a == 0) & (b == 0)], distances[a != b], distances[(a == 1) & (b == 1)]]
    assert np.allclose(native.closest(), [d.min() for d in expected], rtol=1e-12)


def test_predictions_repeat_bit_for_bit_when_systems_alternate(network: Path) -> None:
    """Nothing of a larger system is left in the arrays of a smaller one."""
    native, cases = NativeSymGNN(network), [glass(6), glass(2), glass(4, 0.0)]
    first = [native.predict(*case) for case in cases]
    for _ in range(2):
        for case, expected in zip(cases, first, strict=True):
            for got, wanted in zip(native.predict(*case), expected, strict=True):
                assert np.array_equal(got, wanted)
    images, engine = native.seconds
    assert images > 0 and engine > 0


def test_memory_does_not_grow_with_the_neighbours(network: Path) -> None:
    native = NativeSymGNN(network)
    native.predict(*glass(20))
    assert native.bytes / 8000 < 1600  # 8,000 atoms and 14,000 images, in double precision
    dense = glass(20)
    native.predict(0.8 * dense[0], 0.8 * dense[1], dense[2])
    assert native.bytes / 8000 < 1900  # twice the neighbours; more images


@pytest.mark.parametrize("threads", [2, 5])
def test_the_number_of_threads_changes_nothing(threads: int, network: Path, tmp_path: Path) -> None:
    for case in (glass(5), glass(1)):
        got, said = predict_elsewhere(NativeSymGNN, network, case, tmp_path, OMP_NUM_THREADS=str(threads))
        for one, expected in zip(got, NativeSymGNN(network).predict(*case), strict=True):
            assert np.array_equal(one, expected)
    assert said.endswith("False"), "torch was imported"


@pytest.mark.parametrize("name", ["default", "avx2", "avx512"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", ["network", "odd sizes"])
def test_instruction_sets_agree(shape: str, name: str, dtype: str, tmp_path: Path) -> None:
    skip_without(name)
    model, case = make_model(shape), glass(5)
    path = write(tmp_path / "m.pt", model, dtype)
    got, said = predict_elsewhere(NativeSymGNN, path, case, tmp_path, VITRIFY_SIMD=name)
    assert said.startswith(name)
    assert deviation(got, eager(model, dtype, *case)) <= TOLERANCE[dtype]


DUMP = """\
units        metal
atom_style   atomic
read_data    data.test
pair_style   zero 1.0
pair_coeff   * *
compute      b all symgnn/atom m.pt Cu Zr check yes force yes
dump         out all custom 1 out.dump id c_b[1] c_b[2]
dump_modify  out sort id format float %24.16e
run 0
"""


@pytest.mark.parametrize("ranks", [1, 2, FOUR_RANKS])
@pytest.mark.parametrize(("dtype", "n_side", "tilt", "threads"), [("float32", 6, 0.0, 1), ("float64", 4, 0.2, 2)])
def test_lammps_is_ase_is_eager(dtype: str, n_side: int, tilt: float, threads: int, ranks: int, tmp_path: Path) -> None:
    model = make_model("network")
    path = write(tmp_path / "m.pt", model, dtype)
    positions, cell, types = glass(n_side, tilt)
    positions -= np.floor(positions @ np.linalg.inv(cell)) @ cell
    c = Configuration(cell, positions, np.zeros_like(positions), types, (63.546, 91.224))
    c.write_data(tmp_path / "data.test")
    result = run_ok(DUMP, tmp_path, ranks, threads)
    assert "engine native, variant exact, " + dtype in result.output
    table = result.rows()
    lammps = table[:, 1], table[:, 2]

    atoms = Atoms([NAMES[t] for t in types], positions=positions, cell=cell, pbc=True)
    calculator = GlassCalc(barriers=path, force=True)
    assert isinstance(calculator.barriers, NativeSymGNN)
    ase = [calculator.get_property(name, atoms) for name in ("barriers", "barriers_std")]
    expected = eager(model, dtype, positions, cell, types)
    assert deviation(lammps, expected) <= TOLERANCE[dtype]
    assert deviation(ase, expected) <= TOLERANCE[dtype]
    assert deviation(lammps, ase) <= TOLERANCE[dtype]
