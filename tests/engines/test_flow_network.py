"""The generator's network in the native engine against eager torch, and files that are damaged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from changed_files import Header, with_weights
from glass_files import SILICA, SILICON, make_network, write_glass
from vitrify import _core
from vitrify.core.errors import VitrifyError
from vitrify.graphs.neighbours import neighbour_list
from vitrify.modelfile.archive import read_metadata

TRICLINIC = np.array([[11.0, 0, 0], [4.0, 10.0, 0], [-3.0, 2.0, 12.0]])
LEFT_HANDED = np.array([[0, 9.0, 0], [9.0, 2.0, 0], [1.0, 3.0, 12.0]])
CASES = {
    "orthogonal": (np.diag([11.0, 13.0, 12.0]), 120),
    "triclinic": (TRICLINIC, 83),
    "left-handed": (LEFT_HANDED, 16),
    "smaller than the cutoff": (np.diag([3.0, 4.0, 3.5]), 4),
    "crowded": (np.diag([5.0, 6.0, 5.5]), 90),
    "sparse": (np.eye(3) * 60.0, 20),
    "one atom": (np.array([[3.0, 0.2, 0], [0, 3.1, 0.4], [0.5, 0, 3.3]]), 1),
}
TOLERANCES = {"float32": 1e-5, "float64": 1e-10}


def structure(cell: np.ndarray, n: int, n_species: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cell, positions of a random structure, some of them outside of the cell, and types."""
    rng = np.random.default_rng(n)
    return cell, (3 * rng.random((n, 3)) - 1) @ cell, rng.integers(0, n_species, n)


def eager(model: nn.Module, case: Any, time: float, step: float, properties: Any, known: Any) -> np.ndarray:
    cell, positions, types = case
    dtype = model.embedding.dtype
    index, vectors = neighbour_list(positions, cell, model.cutoff)
    with torch.no_grad():
        found, _ = model(
            torch.eye(model.n_species, dtype=dtype)[torch.as_tensor(types)],
            torch.zeros(len(types), dtype=torch.long),
            torch.as_tensor(index),
            torch.as_tensor(vectors).to(dtype),
            *(torch.tensor([x], dtype=dtype) for x in (time, step, properties, known)),
        )
    return found.double().numpy()


def assert_close(found: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    assert found.shape == wanted.shape and np.isfinite(found).all()
    assert np.abs(found - wanted).max() <= tolerance * np.sqrt((wanted**2).mean())


@pytest.fixture(scope="module")
def silica(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_glass(tmp_path_factory.mktemp("denoiser") / "silica.pt")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("settings", [{"width": 8, "layers": 2}, {"width": 40, "layers": 3}], ids=["small", "wide"])
def test_velocities_are_those_of_eager_torch(name: str, dtype: str, settings: Any, tmp_path: Path) -> None:
    settings = {**settings, "size": 1.0, "splines": 13}
    model = make_network(SILICA, **settings).to(getattr(torch, dtype))
    native = _core.NativeFlowNetwork(str(write_glass(tmp_path / "model.pt", dtype=dtype, **settings)))
    case = structure(*CASES[name])
    for time, step, properties, known in [
        (0.7, 0.0, [33.0, 5.5], [1, 0]),
        (1.0, 1.0, [29.0, 6.6], [1, 1]),
        (0.01, 0.2, [900.0, -900.0], [1, 1]),  # far beyond the data: at the edge of what is embedded
        (0.4, 0.2, [0.0, 0.0], [0, 0]),
    ]:
        wanted = eager(model, case, time, step, properties, known)
        asked = [p if k else float("nan") for p, k in zip(properties, known, strict=True)]
        found = native.velocity(*case, time, step, asked, known)
        assert_close(found, wanted, TOLERANCES[dtype])
        np.testing.assert_allclose(found.mean(0), 0.0, atol=1e-12 * max(1.0, np.abs(found).max()))


@pytest.mark.parametrize("layers", [1, 4])
def test_other_depths_and_models_without_properties(layers: int, tmp_path: Path) -> None:
    settings = {"layers": layers, "width": 24, "size": 1.0}
    path = write_glass(tmp_path / "silicon.pt", SILICON, **settings)
    case = structure(TRICLINIC, 60, 1)
    wanted = eager(make_network(SILICON, **settings), case, 0.5, 0.5, [], [])
    assert np.sqrt((wanted**2).mean()) > 1e-3
    assert_close(_core.NativeFlowNetwork(str(path)).velocity(*case, 0.5, 0.5, [], []), wanted, 1e-10)


def test_the_reference_case_of_the_file(silica: Path) -> None:
    reference = read_metadata(silica).reference
    types = [SILICA["species"].index(s) for s in reference.species]
    asked = [float("nan") if p is None else p for p in reference.properties]
    known = [p is not None for p in reference.properties]
    found = _core.NativeFlowNetwork(str(silica)).velocity(
        reference.cell, reference.positions, types, reference.time, reference.step, asked, known
    )
    assert_close(found, np.array(reference.vectors), 1e-10)


def test_repeating_the_cell_repeats_the_velocities(silica: Path) -> None:
    """Also the largest structure here, with many cells of the grid; and memory grows in proportion to the atoms."""
    cell, positions, types = structure(TRICLINIC, 83)
    shifts = np.stack(np.meshgrid(*[np.arange(4)] * 3), -1).reshape(-1, 3) @ cell
    many = (cell * 4, (positions + shifts[:, None]).reshape(-1, 3), np.tile(types, 64))
    native = _core.NativeFlowNetwork(str(silica))
    more, asked = ([33.0, 5.5], [1, 1]), (0.5, 0.1)
    one = native.velocity(cell, positions, types, *asked, *more)
    small = native.bytes
    found = native.velocity(*many, *asked, *more)
    np.testing.assert_allclose(found.reshape(64, -1, 3), np.broadcast_to(one, (64, *one.shape)), atol=1e-11)
    assert native.bytes < 64 * small
    # What was seen before leaves no trace.
    np.testing.assert_array_equal(native.velocity(cell, positions, types, *asked, *more), one)


def elsewhere(path: Path, **environment: str) -> str:
    """The bytes of the velocities of a structure, computed in another process."""
    script = (
        "import sys, numpy as np; from vitrify import _core\n"
        "rng = np.random.default_rng(5); cell = np.diag([15.0, 14.0, 16.0])\n"
        "case = cell, rng.random((211, 3)) @ cell, rng.integers(0, 2, 211)\n"
        "found = _core.NativeFlowNetwork(sys.argv[1]).velocity(*case, 0.6, 0.2, [30.0, 6.0], [1, 0])\n"
        "print(found.tobytes().hex(), 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    if "this machine can use" in done.stderr:
        pytest.skip(f"none of {environment} here")
    assert done.returncode == 0, done.stderr
    text, with_torch = done.stdout.split()
    assert with_torch == "False", "torch was imported"
    return text


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_threads_change_no_bit(dtype: str, tmp_path: Path) -> None:
    path = write_glass(tmp_path / "model.pt", dtype=dtype, width=24)
    one = elsewhere(path, OMP_NUM_THREADS="1")
    assert elsewhere(path, OMP_NUM_THREADS="3") == one
    assert elsewhere(path, OMP_NUM_THREADS="20") == one  # more threads than there is work for


@pytest.mark.parametrize("simd", ["default", "avx2", "avx512"])
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_instruction_sets_agree(simd: str, dtype: str, tmp_path: Path) -> None:
    path = write_glass(tmp_path / "model.pt", dtype=dtype, width=24, size=1.0)

    def run(**environment: str) -> np.ndarray:
        return np.frombuffer(bytes.fromhex(elsewhere(path, **environment)))

    assert_close(run(VITRIFY_SIMD=simd), run(), TOLERANCES[dtype])


def test_arguments_that_make_no_sense(silica: Path) -> None:
    native, case = _core.NativeFlowNetwork(str(silica)), structure(TRICLINIC, 12)
    names = ("cell", "positions", "types", "time", "step", "properties", "known")
    good: dict[str, Any] = dict(zip(names, (*case, 0.5, 0.1, [30.0, 6.0], [1, 1]), strict=True))
    native.velocity(**good)
    far = case[1].copy()
    far[3, 1] = np.inf
    for wrong, message in [
        ({"positions": case[1][1:]}, "give a cell"),
        ({"cell": np.eye(2)}, "give a cell"),
        ({"properties": [1.0]}, r"known \(2,\)"),
        ({"types": np.full(12, 2)}, "has the type 2: the model has 2 species"),
        ({"types": np.full(12, -1)}, "has the type -1"),
        ({"positions": far}, "atom 3 is NaN or infinite"),
        ({"cell": np.full((3, 3), np.nan)}, "cell holds NaN"),
        ({"cell": np.ones((3, 3))}, "no volume"),
        ({"cell": np.eye(3) * 1e-3}, "images within the cutoff"),
        ({"properties": [np.nan, 6.0]}, "property 0"),
        ({"known": [1, 2]}, "property 1"),
        ({"time": 1.5}, "time is 1.5"),
        ({"step": np.nan}, "the step"),
    ]:
        with pytest.raises(VitrifyError, match=message):
            native.velocity(**{**good, **wrong})
    assert native.velocity(case[0], np.zeros((0, 3)), [], 0.5, 0.1, [0, 0], [0, 0]).shape == (0, 3)


def test_a_spread_of_properties_that_is_zero_is_refused(silica: Path, tmp_path: Path) -> None:
    """It would divide by zero."""

    def add_zeros(header: Header, values: bytearray) -> None:
        begin, end = header["condition.property_scale"]["data_offsets"]
        values[begin:end] = bytes(end - begin)

    with pytest.raises(VitrifyError, match="spread of a property is not positive"):
        _core.NativeFlowNetwork(str(with_weights(silica, tmp_path / "bad.pt", add_zeros)))
