"""The native engine for SymGNN, variant exact, against eager PyTorch, and its own laws: symmetry, threads, SIMD."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from test_export import rewrite

from lammps_runner import Configuration, run_ok
from pair_functions import quartic_table
from vitrify import _core
from vitrify.core.errors import VitrifyError
from vitrify.engines.load import load_model
from vitrify.engines.open import engines_of, open_model
from vitrify.engines.replay import check_reference
from vitrify.export.write import export_model
from vitrify.graphs.neighbours import build_structure_graph, neighbour_list
from vitrify.hosts.ase_calculator import GlassCalc
from vitrify.modelfile.metadata import Validity
from vitrify.models import System, build_model
from vitrify.symgnn.native import NativeSymGNN

Array = np.ndarray
Case = tuple[Array, Array, Array]
NAMES, DENSITY = ("Cu", "Zr", "Al"), 0.06
SHAPES: dict[str, dict[str, Any]] = {
    "default": {},
    "network": {"basis": 12, "degree": 5, "shells": 5, "members": 4, "fields": 4, "hidden": 32, "stiffness": True},
    "no angles": {"degree": 0, "basis": 3, "hidden": 1},
    "high degree": {"degree": 9, "basis": 17, "hidden": 5},
    "smallest": {"members": 1, "fields": 1, "shells": 1, "basis": 2, "degree": 1},
    "odd sizes": {"members": 5, "fields": 3, "shells": 14, "basis": 9, "degree": 3, "hidden": 19},
    "stiff and small": {"members": 1, "fields": 1, "cutoff": 5.0, "inner": 5.0, "stiffness": True},
    "short": {"cutoff": 4.5, "inner": 4.5, "core": 0.0, "degree": 4},
}
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


def make_model(shape: str = "default", n_species: int = 2, seed: int = 0) -> Any:
    """A model whose every weight and buffer is random, as a file holds it."""
    torch.manual_seed(seed)
    model = build_model("symgnn", {"variant": "exact", **SHAPES[shape]}, System(NAMES[:n_species], (), "metal", 0.0))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_((0.02 if name == "field_weight" else 0.3) * torch.randn_like(parameter))
        model.centre.uniform_(0.0, 1.0)
        model.whiten.copy_(torch.diag(torch.rand(len(model.centre)) + 0.3))
        if model.stiffness:
            model.use_potential(quartic_table(n_species, model.core, model.cutoff))
        model.shell_scale.uniform_(0.1, 0.3)
        model.label_mean.uniform_(1.0, 1.5)
        model.label_scale.fill_(0.3)
        model.residual.fill_(0.4)
        model.spread_gain.fill_(3.0)
    return model.eval().exportable()


def write(path: Path, model: Any, dtype: str = "float32") -> Path:
    names = NAMES[: model.n_species]
    return export_model(
        model, path, kind="symgnn", variant="exact", species=names, units="metal", dtype=dtype,
        validity=Validity(number_density=(0.055, 0.065), composition=dict.fromkeys(names, (0.0, 1.0))),
        property={"name": "barrier", "unit": "eV"},
    ).path  # fmt: skip


def glass(n_side: int = 5, tilt: float = 0.2, n_species: int = 2, seed: int = 0) -> Case:
    """positions, cell, types of a jittered lattice, with atoms outside of the cell."""
    rng = np.random.default_rng(seed)
    edge = n_side * DENSITY ** (-1 / 3)
    cell = edge * np.array([[1.0, 0, 0], [tilt, 1.0, 0], [-0.5 * tilt, 0.7 * tilt, 1.0]])
    grid = np.stack(np.meshgrid(*[np.arange(n_side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = (grid + 0.1 * rng.standard_normal(grid.shape)) / n_side @ cell
    positions += rng.integers(-2, 3, positions.shape) @ cell
    return positions, cell, rng.integers(0, n_species, len(positions))


def eager(model: Any, dtype: str, positions: Array, cell: Array, types: Array) -> list[Array]:
    real = getattr(torch, dtype)
    with torch.no_grad():
        graph = build_structure_graph(positions, cell, types, model.cutoff, real)
        return [x.double().numpy() for x in model.to(real)(*graph)]


def deviation(got: Any, expected: Any) -> float:
    """Largest deviation of values or deviations, relative to the rms of each."""
    return max(float(np.abs(a - b).max() / np.sqrt(np.mean(np.square(b)))) for a, b in zip(got, expected, strict=True))


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
    assert np.isinf(native._model.closest()).all()


def test_closest_is_the_smallest_distance_of_each_pair_of_species(network: Path) -> None:
    native = NativeSymGNN(network)
    positions, cell, types = glass(5)
    native.predict(positions, cell, types)
    (i, j), vectors = neighbour_list(positions, cell, native.metadata.cutoff)
    distances, a, b = np.linalg.norm(vectors, axis=1), types[i], types[j]
    expected = [distances[(a == 0) & (b == 0)], distances[a != b], distances[(a == 1) & (b == 1)]]
    assert np.allclose(native._model.closest(), [d.min() for d in expected], rtol=1e-12)


def test_predictions_repeat_bit_for_bit_when_systems_alternate(network: Path) -> None:
    """Nothing of a larger system is left in the arrays of a smaller one."""
    native, cases = NativeSymGNN(network), [glass(6), glass(2), glass(4, 0.0)]
    first = [native.predict(*case) for case in cases]
    for _ in range(2):
        for case, expected in zip(cases, first, strict=True):
            for got, wanted in zip(native.predict(*case), expected, strict=True):
                assert np.array_equal(got, wanted)
    images, engine = native._model.seconds
    assert images > 0 and engine > 0


def test_memory_does_not_grow_with_the_neighbours(network: Path) -> None:
    native = NativeSymGNN(network)
    native.predict(*glass(20))
    assert native._model.bytes / 8000 < 1600  # 8,000 atoms and 14,000 images, in double precision
    dense = glass(20)
    native.predict(0.8 * dense[0], 0.8 * dense[1], dense[2])
    assert native._model.bytes / 8000 < 1900  # twice the neighbours; more images


PREDICT = """
import sys
import numpy as np
from vitrify.engines.native import NativeSymGNN, instruction_set
case = np.load(sys.argv[2])
native = NativeSymGNN(sys.argv[1])
for _ in range(2):
    values, deviations = native.predict(case["positions"], case["cell"], case["types"])
np.savez(sys.argv[3], values=values, deviations=deviations)
print(instruction_set(), "torch" in sys.modules)
"""


def predict_elsewhere(model: Path, case: Case, folder: Path, **environment: str) -> tuple[list[Array], str]:
    """The prediction of a new process, and its instruction set and whether it imported torch."""
    np.savez(folder / "case.npz", **dict(zip(("positions", "cell", "types"), case, strict=True)))
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, str(model), str(folder / "case.npz"), str(folder / "out.npz")],
        env={**os.environ, **environment}, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    out = np.load(folder / "out.npz")
    return [out["values"], out["deviations"]], done.stdout.strip()


@pytest.mark.parametrize("threads", [2, 5])
def test_the_number_of_threads_changes_nothing(threads: int, network: Path, tmp_path: Path) -> None:
    for case in (glass(5), glass(1)):
        got, said = predict_elsewhere(network, case, tmp_path, OMP_NUM_THREADS=str(threads))
        for one, expected in zip(got, NativeSymGNN(network).predict(*case), strict=True):
            assert np.array_equal(one, expected)
    assert said.endswith("False"), "torch was imported"


@pytest.mark.parametrize("name", ["default", "avx2", "avx512"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", ["network", "odd sizes"])
def test_instruction_sets_agree(shape: str, name: str, dtype: str, tmp_path: Path) -> None:
    flags = set(Path("/proc/cpuinfo").read_text().split())
    if not {"default": set(), "avx2": {"avx2", "fma"}, "avx512": {"avx512f", "avx512vl", "avx512bw"}}[name] <= flags:
        pytest.skip(f"this processor has no {name}")
    model, case = make_model(shape), glass(5)
    path = write(tmp_path / "m.pt", model, dtype)
    got, said = predict_elsewhere(path, case, tmp_path, VITRIFY_SIMD=name)
    assert said.startswith(name)
    assert deviation(got, eager(model, dtype, *case)) <= TOLERANCE[dtype]


DUMP = """\
units        metal
atom_style   atomic
read_data    data.test
pair_style   zero 1.0
pair_coeff   * *
compute      b all symgnn/atom m.pt Cu Zr check yes
dump         out all custom 1 out.dump id c_b[1] c_b[2]
dump_modify  out sort id format float %24.16e
run 0
"""


@pytest.mark.parametrize("ranks", [1, 2, 4])
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
    lines = (tmp_path / "out.dump").read_text().splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("ITEM: ATOMS"))
    table = np.array([[float(x) for x in line.split()] for line in lines[start + 1 :]])
    lammps = table[:, 1], table[:, 2]

    atoms = Atoms([NAMES[t] for t in types], positions=positions, cell=cell, pbc=True)
    calculator = GlassCalc(barriers=path)
    assert isinstance(calculator.barriers, NativeSymGNN)
    ase = [calculator.get_property(name, atoms) for name in ("barriers", "barriers_std")]
    expected = eager(model, dtype, positions, cell, types)
    assert deviation(lammps, expected) <= TOLERANCE[dtype]
    assert deviation(ase, expected) <= TOLERANCE[dtype]
    assert deviation(lammps, ase) <= TOLERANCE[dtype]


Header = dict[str, dict[str, Any]]


def with_weights(source: Path, target: Path, change: Callable[[Header, bytearray], None]) -> Path:
    """A copy of a model file with another header or other values of its weights."""

    def rewritten(name: str, content: bytes) -> bytes:
        if not name.endswith(".safetensors"):
            return content
        (length,) = struct.unpack("<Q", content[:8])
        header, values = json.loads(content[8 : 8 + length]), bytearray(content[8 + length :])
        change(header, values)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + bytes(values)

    return rewrite(source, target, rewritten)


def put_nan(header: Header, values: bytearray) -> None:
    (first, _) = header["readout"]["data_offsets"]
    values[first : first + 8] = struct.pack("<d", float("nan"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h, v: h.pop("centre"), "has no centre"),
        (lambda h, v: h.pop("label_scale"), "has no label_scale"),
        (lambda h, v: h["field_bias"].update(shape=[2, 5, 4]), r"shape \(2, 5, 4\) of field_bias, not \(2, 4, 5\)"),
        (lambda h, v: h["first_weight"].update(dtype="F32"), "another size of first_weight"),
        (lambda h, v: h["whiten"].update(shape=[1, 0]), r"shape \(1, 0\) of whiten"),
        (put_nan, "a value of readout that is not finite"),
        (lambda h, v: v.clear(), "wrong offsets"),
    ],
)
def test_damaged_weights(
    change: Callable[[Header, bytearray], None], message: str, network: Path, tmp_path: Path
) -> None:
    path = with_weights(network, tmp_path / "bad.pt", change)
    with pytest.raises(VitrifyError, match=rf"bad\.pt.*({message}).*export the model again"):
        NativeSymGNN(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"basis": 11}, r"of centre, not \("),
        ({"degree": 1.5}, "degree is 1.5"),
        ({"degree": 4000}, "degree is 4000"),
        ({"degree": 32, "basis": 4096}, "centre"),
        ({"fields": 0}, "fields is 0"),
        ({"fields": 3}, "make it 12"),
        ({"inner": 9.0}, "contradict"),
        ({"core": "near"}, "hyperparameters are damaged"),
    ],
)
def test_hyperparameters_that_make_no_sense(
    changes: dict[str, Any], message: str, network: Path, tmp_path: Path
) -> None:
    def change(name: str, content: bytes) -> bytes:
        if not name.endswith("vitrify.json"):
            return content
        document = json.loads(content)
        document["hyperparameters"].update(changes)
        return json.dumps(document).encode()

    with pytest.raises(VitrifyError, match=message):
        NativeSymGNN(rewrite(network, tmp_path / "bad.pt", change))


def test_what_cannot_be_predicted_is_refused(network: Path, tmp_path: Path) -> None:
    native = NativeSymGNN(network)
    positions, cell, types = glass(2)
    for case, message in [
        ((positions[:, :2], cell, types), r"positions \(N, 3\)"),
        ((positions, cell[:2], types), r"cell \(3, 3\)"),
        ((positions, cell, types + 5), "has the type [56]: the model has 2 species"),
        ((positions * np.nan, cell, types), "NaN"),
        ((positions, 0 * cell, types), "no volume"),
    ]:
        with pytest.raises(VitrifyError, match=message):
            native.predict(*case)
    with pytest.raises(VitrifyError, match="is of kind symgnn, not ogn"):
        _core.NativeOGN(str(network))
