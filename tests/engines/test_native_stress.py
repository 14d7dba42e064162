"""The stress of a stride in the native engine against eager PyTorch, and its own laws: threads, images, hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from native_models.ogn import SHAPES, Array, liquid, make_model, write
from vitrify.core.errors import VitrifyError
from vitrify.engines.replay import check_reference
from vitrify.graphs.neighbours import build_graph
from vitrify.ogn.native import NativeOGN

TOLERANCE = {"float32": 1e-5, "float64": 1e-9}  # of the virial, which is summed in whole numbers


def eager(model: Any, dtype: str, positions: Array, velocities: Array, cell: Array, types: Array) -> list[Array]:
    """dr, dv and the virial of all atoms."""
    real = getattr(torch, dtype)
    graph = build_graph(positions, velocities, cell, types, model.cutoff, real)
    with torch.no_grad():
        dr, dv, virial = model.to(real).forward_with_virial(*graph)
    return [dr.double().numpy(), dv.double().numpy(), virial.sum(0).numpy()]


def error(got: Array, wanted: Array) -> float:
    return float(np.abs(got - wanted).max() / np.sqrt(np.mean(np.square(wanted))))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_computes_what_the_eager_model_does(shape: str, dtype: str, tmp_path: Path) -> None:
    """In cells with and without images, the last smaller than the cutoff in all directions."""
    n_species = 1 + list(SHAPES).index(shape) % 3
    model = make_model(shape, n_species, stress=1)
    native = NativeOGN(write(tmp_path / "m.pt", model, dtype))
    assert check_reference(native) <= TOLERANCE[dtype]
    for n_side, tilt in [(8, 0.15), (5, 0.2), (3, 0.3), (2, -0.2)]:
        case = liquid(n_side, tilt, n_species)
        dr, dv, virial = native.predict_with_virial(*case)
        expected = eager(model, "float64", *case)
        assert error(virial, expected[2]) <= TOLERANCE[dtype], (n_side, tilt)
        # The motion does not depend on whether anybody asks.
        plain = native.predict(*case)
        assert np.array_equal(dr, plain[0]) and np.array_equal(dv, plain[1])


@pytest.mark.parametrize("shape", ["two cutoffs", "angles, two cutoffs"])
@pytest.mark.parametrize("threads", ["2", "5"])
def test_the_number_of_threads_changes_no_bit(
    shape: str, threads: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bits of models that sum in whole numbers; others move atoms by what rounding does to forces."""
    path = write(tmp_path / "m.pt", make_model(shape, stress=1))
    found = []
    for count in ("1", threads):
        monkeypatch.setenv("OMP_NUM_THREADS", count)
        found.append(NativeOGN(path).predict_with_virial(*liquid(6))[2])
    if shape == "two cutoffs":
        assert np.array_equal(*found)
    assert error(found[1], found[0]) < 1e-6


def test_an_isolated_pair_and_no_pair(tmp_path: Path) -> None:
    """The stress of a pair lies along it; atoms far from each other have none."""
    native = NativeOGN(write(tmp_path / "m.pt", make_model("default", stress=1), "float64"))
    still = np.zeros((2, 3))
    virial = native.predict_with_virial(np.array([[1.0, 1, 1], [1, 2, 1]]), still, 20 * np.eye(3), [0, 1])[2]
    assert virial[1] != 0 and np.abs(np.delete(virial, 1)).max() <= 1e-12 * abs(virial[1])
    assert not native.predict_with_virial(np.array([[1.0, 1, 1], [9, 9, 9]]), still, 20 * np.eye(3), [0, 1])[2].any()
    assert not native.predict_with_virial(np.zeros((0, 3)), np.zeros((0, 3)), np.eye(3), np.zeros(0, int))[2].any()


def test_velocities_that_are_no_numbers_give_no_number(tmp_path: Path) -> None:
    native = NativeOGN(write(tmp_path / "m.pt", make_model("default", stress=1)))
    positions, velocities, cell, types = liquid(4)
    velocities[3, 1] = np.nan
    assert np.isnan(native.predict_with_virial(positions, velocities, cell, types)[2]).all()


def test_a_model_without_stress_says_so(tmp_path: Path) -> None:
    native = NativeOGN(write(tmp_path / "m.pt", make_model("default")))
    with pytest.raises(VitrifyError, match="does not give the stress of a stride"):
        native.predict_with_virial(*liquid(3))
