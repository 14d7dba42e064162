"""The native engine against eager PyTorch and TorchScript, and its own laws: symmetry, threads, instruction sets."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import model_files
from native_models.elsewhere import deviation, predict_elsewhere, skip_without
from native_models.ogn import MASSES, SHAPES, Array, liquid, make_model, write
from vitrify import _core
from vitrify.core.errors import VitrifyError
from vitrify.engines.load import load_model
from vitrify.engines.native import has_native_weights
from vitrify.engines.open import engines_of, open_model
from vitrify.engines.replay import check_reference
from vitrify.graphs.neighbours import build_graph, neighbour_list
from vitrify.ogn.native import NativeOGN

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


def eager(model: Any, dtype: str, positions: Array, velocities: Array, cell: Array, types: Array) -> list[Array]:
    real = getattr(torch, dtype)
    graph = build_graph(positions, velocities, cell, types, model.cutoff, real)
    with torch.no_grad():
        return [x.double().numpy() for x in model.to(real)(*graph)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("native")


@pytest.fixture(scope="module")
def angles(folder: Path) -> Path:
    """A double-precision model with everything that a model can have."""
    return write(folder / "angles.pt", make_model("angles, two cutoffs"), "float64")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_computes_what_the_eager_model_does(shape: str, dtype: str, tmp_path: Path) -> None:
    n_species = 1 + list(SHAPES).index(shape) % 3
    model = make_model(shape, n_species)
    native = NativeOGN(write(tmp_path / "m.pt", model, dtype))
    assert check_reference(native) <= TOLERANCE[dtype]
    # Large and small cells: the last is smaller than the cutoff in all directions.
    for n_side, tilt in [(5, 0.0), (5, 0.2), (3, 0.3), (2, -0.2)]:
        case = liquid(n_side, tilt, n_species)
        assert deviation(native.predict(*case), eager(model, dtype, *case)) <= TOLERANCE[dtype], (n_side, tilt)


@pytest.mark.parametrize("shape", ["two cutoffs", "wide", "angles, two cutoffs"])
@pytest.mark.parametrize(("n_side", "tilt"), [(7, 0.0), (8, 0.0), (8, 0.15), (9, -0.2)])
def test_boxes_so_wide_that_they_need_no_images(shape: str, n_side: int, tilt: float, tmp_path: Path) -> None:
    model, case = make_model(shape), liquid(n_side, tilt)
    native = NativeOGN(write(tmp_path / "m.pt", model))
    got = native.predict(*case)
    assert deviation(got, eager(model, "float64", *case)) <= TOLERANCE["float32"]
    # The smallest distances are those of all pairs.
    vectors = neighbour_list(case[0], case[2], model.cutoff)[1]
    assert np.isclose(np.nanmin(native.closest()), np.linalg.norm(vectors, axis=1).min(), rtol=1e-6)


def test_it_computes_what_torchscript_does(angles: Path) -> None:
    case = liquid(4)
    assert deviation(open_model(angles).predict(*case), load_model(angles).predict(*case)) < 1e-10


def test_an_atom_among_its_own_images_feels_no_force(angles: Path) -> None:
    cell, velocity = 0.9 * np.eye(3), np.array([[0.3, -0.2, 0.1]])
    dr, dv = NativeOGN(angles).predict(np.zeros((1, 3)), velocity, cell, [1])
    assert np.allclose(dr, 0.025 * velocity, atol=1e-12) and np.abs(dv).max() < 1e-12


def test_zero_atoms_and_atoms_without_neighbours(angles: Path) -> None:
    native = NativeOGN(angles)
    dr, dv = native.predict(np.zeros((0, 3)), np.zeros((0, 3)), np.eye(3), np.zeros(0, int))
    assert dr.shape == dv.shape == (0, 3)
    positions, velocities = np.array([[0.0, 0, 0], [20.0, 20, 20]]), np.ones((2, 3))
    dr, dv = native.predict(positions, velocities, 40 * np.eye(3), [0, 1])
    assert np.array_equal(dv, np.zeros((2, 3))) and np.allclose(dr, 0.025)
    assert np.isinf(native.closest()).all()


def test_permutations_translations_boosts_rotations_and_reflections(angles: Path) -> None:
    native = NativeOGN(angles)
    positions, velocities, cell, types = liquid(4)
    dr, dv = native.predict(positions, velocities, cell, types)
    rng = np.random.default_rng(1)

    order = rng.permutation(len(types))
    permuted = native.predict(positions[order], velocities[order], cell, types[order])
    assert deviation(permuted, (dr[order], dv[order])) < 1e-12

    moved = native.predict(positions + rng.normal(size=3), velocities, cell, types)
    assert deviation(moved, (dr, dv)) < 1e-12

    speed = rng.normal(size=3)
    boosted = native.predict(positions, velocities + speed, cell, types)
    assert deviation(boosted, (dr + 0.025 * speed, dv)) < 1e-12

    for sign in (1, -1):
        q = np.linalg.qr(rng.normal(size=(3, 3)))[0] * sign
        turned = native.predict(positions @ q, velocities @ q, cell @ q, types)
        assert deviation(turned, (dr @ q, dv @ q)) < 1e-11


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_momentum_is_conserved_to_the_rounding_of_double(dtype: str, tmp_path: Path) -> None:
    native = NativeOGN(write(tmp_path / "m.pt", make_model("angles, two cutoffs"), dtype))
    positions, velocities, cell, types = liquid(6)
    masses = np.array(MASSES)[types]
    dr, dv = native.predict(positions, velocities, cell, types)
    assert np.abs(masses @ dv).max() < 1e-12 * np.abs(masses[:, None] * dv).sum()
    assert np.abs(masses @ (dr - 0.025 * velocities)).max() < 1e-12 * np.abs(masses[:, None] * dr).sum()


@pytest.mark.parametrize("shape", ["default", "narrow", "wide", "two cutoffs"])
def test_momentum_is_conserved_to_the_last_bit_where_forces_are_whole_numbers(shape: str, tmp_path: Path) -> None:
    native = NativeOGN(write(tmp_path / "m.pt", make_model(shape), "float32"))
    positions, velocities, cell, types = liquid(6)
    masses = np.array(MASSES)[types]
    dr, dv = native.predict(positions, velocities, cell, types)
    for change in (dv, dr - 0.025 * velocities):
        assert np.abs(masses @ change).max() < 3e-16 * np.abs(masses[:, None] * change).sum()


@pytest.mark.parametrize("shape", ["default", "two cutoffs"])
def test_heaps_of_atoms_exceed_no_sum_of_whole_numbers(shape: str, tmp_path: Path) -> None:
    """Sums that are far beyond those of a melt, next to a melt."""
    model, rng = make_model(shape), np.random.default_rng(3)
    native = NativeOGN(write(tmp_path / "m.pt", model, "float32"))
    positions, velocities, cell, types = liquid(5)
    for count in (2, 40, 100):
        case = positions.copy(), velocities, cell, types
        case[0][:count] = positions[0] + 0.3 * rng.standard_normal((count, 3))
        assert deviation(native.predict(*case), eager(model, "float64", *case)) <= 1e-5, count


@pytest.mark.parametrize("edges", [(1e4, 3.0, 3.0), (3.0, 1e4, 40.0), (1e5, 4.0, 3.0), (9.0, 9.0, 0.8)])
@pytest.mark.parametrize("tilt", [0.0, 0.4])
def test_long_flat_and_skewed_cells_in_single_precision(
    edges: tuple[float, float, float], tilt: float, tmp_path: Path
) -> None:
    model, rng = make_model("two cutoffs"), np.random.default_rng(5)
    native = NativeOGN(write(tmp_path / "m.pt", model, "float32"))
    cell = np.diag(edges) @ np.array([[1.0, 0, 0], [tilt, 1.0, 0], [tilt, -tilt, 1.0]])
    places = rng.random((40, 3))
    places *= np.minimum(1.0, 4.0 / np.array(edges))  # near one corner, across which there are images
    places += rng.integers(-2, 3, (40, 3)) - 2.0 / np.array(edges).clip(4.0)
    case = places @ cell, rng.standard_normal((40, 3)), cell, rng.integers(0, 2, 40)
    # Positions themselves are that precise.
    precision = 1e-5 + 1e-15 * 100 * max(edges)
    assert deviation(native.predict(*case), eager(model, "float64", *case)) <= precision


def test_a_supercell_is_its_cells(angles: Path) -> None:
    native = NativeOGN(angles)
    positions, velocities, cell, types = liquid(3)
    one = native.predict(positions, velocities, cell, types)
    shifts = np.array(np.meshgrid(*[range(2)] * 3, indexing="ij")).reshape(3, -1).T @ cell
    many = native.predict(
        (positions + shifts[:, None]).reshape(-1, 3), np.tile(velocities, (8, 1)), 2 * cell, np.tile(types, 8)
    )
    assert deviation(many, [np.tile(x, (8, 1)) for x in one]) < 1e-11


@pytest.mark.parametrize(
    ("density", "edges"), [(1.2, (1, 1, 12)), (1.2, (12, 1, 1)), (0.02, (6, 6, 6)), (0.3, (1, 5, 5)), (4.0, (5, 5, 5))]
)
def test_wires_slabs_gases_and_dense_matter(density: float, edges: tuple[int, int, int], angles: Path) -> None:
    native, rng = NativeOGN(angles), np.random.default_rng(2)
    cell = np.diag(edges).astype(float) * density ** (-1 / 3)
    positions = rng.random((np.prod(edges), 3)) @ cell
    # Half of the atoms at one end: cells of very different population.
    positions[::2] *= 0.7
    case = positions, rng.standard_normal(positions.shape), cell, rng.integers(0, 2, len(positions))
    assert deviation(native.predict(*case), eager(make_model("angles, two cutoffs"), "float64", *case)) < 1e-10


def test_a_few_atoms_in_a_cell_that_is_very_long(angles: Path) -> None:
    """The grid has about as many cells as there are atoms, however far apart they are."""
    native, rng = NativeOGN(angles), np.random.default_rng(4)
    cell = np.diag([1e12, 3.0, 3.0])
    positions = rng.random((12, 3)) * 3.0
    positions[6:, 0] += 5e11
    case = positions, rng.standard_normal((12, 3)), cell, rng.integers(0, 2, 12)
    near = [*case[:2], np.diag([100.0, 3.0, 3.0]), case[3]]
    near[0] = positions - np.outer(np.arange(12) > 5, [5e11 - 50, 0, 0])
    native.predict(*case)
    assert native.bytes < 1e6
    # So far out, positions have a precision of 1e-4.
    assert deviation(native.predict(*case), native.predict(*near)) < 1e-2


def test_closest_is_the_smallest_distance_of_each_pair_of_species(angles: Path) -> None:
    native = NativeOGN(angles)
    positions, velocities, cell, types = liquid(5)
    native.predict(positions, velocities, cell, types)
    (i, j), vectors = neighbour_list(positions, cell, native.metadata.cutoff)
    distances, a, b = np.linalg.norm(vectors, axis=1), types[i], types[j]
    expected = [distances[(a == 0) & (b == 0)], distances[a != b], distances[(a == 1) & (b == 1)]]
    assert np.allclose(native.closest(), [d.min() for d in expected], rtol=1e-12)


def test_predictions_repeat_bit_for_bit_when_systems_alternate(angles: Path) -> None:
    """Nothing of a larger system is left in the arrays of a smaller one."""
    native, cases = NativeOGN(angles), [liquid(6), liquid(2), liquid(4, 0.0)]
    first = [native.predict(*case) for case in cases]
    for _ in range(2):
        for case, expected in zip(cases, first, strict=True):
            for got, wanted in zip(native.predict(*case), expected, strict=True):
                assert np.array_equal(got, wanted)
    assert native.bytes / len(cases[0][0]) < 20_000


def test_threads_of_python_take_turns(angles: Path) -> None:
    native, cases = NativeOGN(angles), [liquid(3, seed=s) for s in range(4)]
    expected = [native.predict(*case) for case in cases]
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(20):
            if not np.array_equal(native.predict(*cases[number])[1], expected[number][1]):
                wrong.append(number)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


DYNAMICS = """
import sys
import numpy as np
from ase import Atoms
from vitrify import OGNDynamics
atoms = Atoms("Ar8", positions=0.94 * np.indices((2, 2, 2)).reshape(3, -1).T, cell=1.88 * np.eye(3), pbc=True)
OGNDynamics(atoms, sys.argv[1], species={"Ar": "A"}, check=True).run(2)
print("torch" in sys.modules, np.isfinite(atoms.positions).all())
"""


def test_dynamics_in_ase_import_no_torch(angles: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DYNAMICS, str(angles)], text=True, capture_output=True)
    assert done.stdout.split() == ["False", "True"], done.stderr


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_the_number_of_threads_changes_rounding_only(threads: int, angles: Path, tmp_path: Path) -> None:
    case = liquid(5)
    got, said = predict_elsewhere(NativeOGN, angles, case, tmp_path, OMP_NUM_THREADS=str(threads))
    assert deviation(got, NativeOGN(angles).predict(*case)) < 1e-12
    masses = np.array(MASSES)[case[3]]
    assert np.abs(masses @ got[1]).max() < 1e-12 * np.abs(masses[:, None] * got[1]).sum()
    assert said.endswith("False"), "torch was imported"


def test_more_threads_than_atoms(angles: Path, tmp_path: Path) -> None:
    case = liquid(1)
    got, _ = predict_elsewhere(NativeOGN, angles, case, tmp_path, OMP_NUM_THREADS="4")
    assert deviation(got[:1], NativeOGN(angles).predict(*case)[:1]) < 1e-12


@pytest.mark.parametrize("name", ["default", "avx2", "avx512"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_instruction_sets_agree(name: str, dtype: str, tmp_path: Path) -> None:
    skip_without(name)
    model, case = make_model("angles"), liquid(5)
    path = write(tmp_path / "m.pt", model, dtype)
    got, said = predict_elsewhere(NativeOGN, path, case, tmp_path, VITRIFY_SIMD=name)
    assert said.startswith(name)
    assert deviation(got, eager(model, dtype, *case)) <= TOLERANCE[dtype]


def test_an_instruction_set_that_is_not_there(angles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRIFY_SIMD", "sse9")
    with pytest.raises(VitrifyError, match="VITRIFY_SIMD is sse9: this machine can use default"):
        NativeOGN(angles)


def test_what_cannot_be_predicted_is_refused(angles: Path) -> None:
    native = NativeOGN(angles)
    positions, velocities, cell, types = liquid(2)
    for case, message in [
        ((positions[:, :2], velocities, cell, types), r"positions \(N, 3\)"),
        ((positions, velocities[1:], cell, types), r"velocities \(N, 3\)"),
        ((positions, velocities, cell[:2], types), r"cell \(3, 3\)"),
        ((positions, velocities, cell, types + 5), "has the type [56]: the model has 2 species"),
        ((positions, velocities, cell, types - 9), "has the type -[89]"),
        ((positions * np.nan, velocities, cell, types), "NaN"),
        ((positions, velocities, 0 * cell, types), "no volume"),
        ((positions, velocities, 1e-4 * cell, types), "images within the cutoff"),
    ]:
        with pytest.raises(VitrifyError, match=message):
            native.predict(*case)


def test_the_engine_is_chosen_by_file_device_and_wish(angles: Path, folder: Path) -> None:
    paper = model_files.export(folder / "paper.pt", "paper").path
    assert engines_of(angles) == ("native", "torch") and engines_of(paper) == ("torch",)
    assert type(open_model(angles)).__name__ == "NativeOGN"
    assert type(open_model(angles, "torch")).__name__ == "TorchOGN"
    assert type(open_model(paper)).__name__ == "TorchOGN"
    with pytest.raises(
        VitrifyError, match=r"paper\.pt \(variant paper\) has no weights for the native engine: use engine torch"
    ):
        open_model(paper, "native")
    with pytest.raises(VitrifyError, match="engine native runs on the cpu, not on cuda"):
        open_model(angles, "native", "cuda")
    with pytest.raises(VitrifyError, match="engine 'fast' is unknown: use native or torch"):
        open_model(angles, "fast")  # type: ignore[arg-type]


def test_weights_are_kept_beside_the_program_and_repeat_to_the_byte(angles: Path, tmp_path: Path) -> None:
    assert has_native_weights(angles)
    again = write(tmp_path / "again.pt", make_model("angles, two cutoffs"), "float64")
    assert again.read_bytes() == angles.read_bytes()
    assert _core.NativeOGN(str(angles)).bytes > 0
