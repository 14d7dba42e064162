"""H5MD files of other programs: units of lengths, steps of time-dependent elements, forces."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from vitrify.core.errors import VitrifyError
from vitrify.data.frames import load_frames
from vitrify.data.structures import load_structures

POSITIONS = np.array([[[1.0, 2, 3], [4, 5, 6]], [[1, 2, 3.5], [4, 5, 6]]])
EDGES = np.array([[9.0, 9, 9], [8, 8, 8]])


def write(path: Path, change: Callable[[h5py.File, h5py.Group], None] = lambda file, group: None) -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group("particles/all")
        group.create_group("box").attrs["boundary"] = ["periodic"] * 3
        group["position/value"], group["position/step"] = POSITIONS, [0, 10]
        group["box/edges/value"], group["box/edges/step"] = EDGES, [0, 10]
        group["species"] = [1, 2]
        change(file, group)
    return path


def _unit(unit: str) -> Callable[[h5py.File, h5py.Group], None]:
    def change(file: h5py.File, group: h5py.Group) -> None:
        for name in ("position", "box/edges"):
            group[f"{name}/value"].attrs["unit"] = unit

    return change


def _edges(steps: list[int]) -> Callable[[h5py.File, h5py.Group], None]:
    def change(file: h5py.File, group: h5py.Group) -> None:
        del group["box/edges"]
        values = [np.full(3, 9.0 if step == 0 else 8.0 if step == 10 else 7.0) for step in steps]
        group["box/edges/value"], group["box/edges/step"] = values, steps

    return change


@pytest.mark.parametrize(("unit", "factor"), [("nm", 10.0), ("pm", 0.01), ("Angstrom", 1.0)])
def test_lengths_are_in_angstrom(unit: str, factor: float, tmp_path: Path) -> None:
    first, second = load_structures(write(tmp_path / "a.h5", _unit(unit)), ("Si", "O"))
    np.testing.assert_allclose(second.positions, POSITIONS[1] * factor)
    np.testing.assert_allclose(first.cell, np.diag(EDGES[0]) * factor)


def test_other_units_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VitrifyError, match="has the unit 'furlong': write lengths in A, nm or pm"):
        load_structures(write(tmp_path / "a.h5", _unit("furlong")), ("Si", "O"))
    with pytest.raises(VitrifyError, match="in the units metal, but the model has lj"):
        load_structures(write(tmp_path / "a.h5", _unit("nm")), ("Si", "O"), units="lj")


@pytest.mark.parametrize("steps", [[0, 5, 10], [10, 0], [0, 10, 20]])
def test_the_box_of_the_same_step(steps: list[int], tmp_path: Path) -> None:
    found = load_structures(write(tmp_path / "a.h5", _edges(steps)), ("Si", "O"))
    assert [s.cell[0, 0] for s in found] == [9.0, 8.0]


@pytest.mark.parametrize("steps", [[0], [0, 5, 15], [0, 0, 10]])
def test_a_box_of_other_steps_is_refused(steps: list[int], tmp_path: Path) -> None:
    with pytest.raises(VitrifyError, match="write both at the same steps"):
        load_structures(write(tmp_path / "a.h5", _edges(steps)), ("Si", "O"))


def test_forces_and_energies_are_read_and_the_rest_is_named(tmp_path: Path) -> None:
    def change(file: h5py.File, group: h5py.Group) -> None:
        group["force/value"], group["force/step"] = POSITIONS / 7, [0, 10]
        group["charge"] = [1.0, -1.0]
        file["observables/all/potential_energy/value"] = [-1.0, -2.0]
        file["observables/all/potential_energy/step"] = [0, 10]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = load_frames(write(tmp_path / "a.h5", change), ("Si", "O"))
    np.testing.assert_allclose([frame.forces for frame in found], POSITIONS / 7)
    assert [frame.energy for frame in found] == [-1.0, -2.0]
    assert any("the element charge" in str(each.message) for each in caught)
