"""Energies, forces and stress under the names and in the conventions of ASE, QUIP, MACE, GAP, GPUMD and VASP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.data.frames import load_frames
from vitrify.data.readers.energies import EnergyNames
from vitrify.data.readers.frame import RawFrame

CELL = np.array([[9.0, 0.0, 0.0], [1.0, 8.0, 0.0], [-0.5, 0.25, 7.0]])
VOLUME = 9.0 * 8.0 * 7.0
STRESS = np.array([[0.01, 0.004, -0.003], [0.004, -0.02, 0.005], [-0.003, 0.005, 0.03]])  # eV/A^3
FORCES = np.array([[0.1, -0.2, 0.3], [-0.1, 0.2, -0.3]])
VOIGT = STRESS[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
GPA = 160.21766208


def text(values: np.ndarray) -> str:
    return '"' + " ".join(repr(float(x)) for x in np.ravel(values)) + '"'


def frame(comment: str, forces: str = "forces", lattice: str = "Lattice", properties: str = "Properties") -> str:
    rows = "".join(
        f"{s} {i} 1 2 " + " ".join(map(repr, f.tolist())) + "\n"
        for i, (s, f) in enumerate(zip(["Si", "O"], FORCES, strict=True))
    )
    return f"2\n{lattice}={text(CELL)} {properties}=species:S:1:pos:R:3:{forces}:R:3 {comment}\n{rows}"


FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "ASE": (frame(f"energy=-3.5 stress={text(STRESS)} free_energy=-3.6"), {}),
    "ASE, six numbers": (frame(f"energy=-3.5 stress={text(VOIGT)}"), {}),
    "MACE": (frame(f"REF_energy=-3.5 REF_stress={text(STRESS)} config_type=glass", "REF_forces"), {}),
    "MACE, virials": (frame(f"REF_energy=-3.5 REF_virials={text(-VOLUME * STRESS)}", "REF_forces"), {}),
    "GAP": (frame(f"dft_energy=-3.5 dft_virial={text(-VOLUME * STRESS)}", "dft_forces"), {}),
    "QUIP": (frame(f"energy=-3.5 virial={text(-VOLUME * STRESS)}", "force"), {}),
    "GPUMD": (frame(f"energy=-3.5 virial={text(-VOLUME * STRESS)}", "force", "lattice", "properties"), {}),
    "virial, six numbers": (frame(f"energy=-3.5 virial={text(-VOLUME * VOIGT)}"), {}),
    "both": (frame(f"energy=-3.5 stress={text(STRESS)} virial={text(-VOLUME * STRESS)}"), {}),
    "KLIFF": (frame(f"Energy=-3.5 Stress={text(STRESS)} PBC=\"1 1 1\"", "force"), {}),
    "own names": (
        frame(f"energy=7 total_E=-3.5 sigma={text(STRESS)}", "F"),
        {"names": {"energy": "total_E", "forces": "F", "stress": "sigma"}},
    ),
    "own virial": (frame(f"energy=-3.5 W={text(-VOLUME * STRESS)}"), {"names": {"virial": "W"}}),
    "GPa": (frame(f"energy=-3.5 stress={text(STRESS * GPA)}"), {"stress_unit": "GPa"}),
    "kbar": (frame(f"energy=-3.5 stress={text(STRESS * GPA * 10)}"), {"stress_unit": "kbar"}),
    "equal twice": (frame("energy=-3.5 REF_energy=-3.5 stress=" + text(STRESS)), {}),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.filterwarnings("ignore::vitrify.core.errors.VitrifyWarning")
def test_one_answer_in_every_convention(form: str, tmp_path: Path) -> None:
    content, options = FORMS[form]
    (tmp_path / "f.extxyz").write_text(content)
    (got,) = load_frames([tmp_path / "f.extxyz"], ("Si", "O"), **options)
    assert got.energy == -3.5
    np.testing.assert_allclose(got.cell, CELL)
    np.testing.assert_allclose(got.forces, FORCES, rtol=1e-12)
    np.testing.assert_allclose(got.stress, STRESS, rtol=1e-9)


@pytest.mark.parametrize("name", ["f.traj", "f.json"])
def test_results_in_other_formats_of_ase(name: str, tmp_path: Path) -> None:
    atoms = Atoms("SiO", positions=[[0, 1, 2], [1, 1, 2]], cell=CELL, pbc=True)
    atoms.calc = SinglePointCalculator(atoms, energy=-3.5, forces=FORCES, stress=VOIGT)
    write(tmp_path / name, atoms)
    (got,) = load_frames([tmp_path / name], ("Si", "O"))
    assert got.energy == -3.5
    np.testing.assert_allclose(got.forces, FORCES)
    np.testing.assert_allclose(got.stress, STRESS)


GOOD = frame("energy=-3.5")
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "differ": (frame("energy=-3.5 REF_energy=-4.5"), {}, "both energy and REF_energy, which differ: .*names"),
    "signs": (
        frame(f"energy=-3.5 stress={text(STRESS)} virial={text(VOLUME * STRESS)}"), {}, "have opposite signs",
    ),
    "units": (
        frame(f"energy=-3.5 stress={text(STRESS * GPA)} virial={text(-VOLUME * STRESS)}"), {}, "factor is 160.2",
    ),
    "not symmetric": (frame('energy=1 stress="1 2 3 4 5 6 7 8 9"'), {}, "stress is not symmetric"),
    "five numbers": (frame('energy=1 virial="1 2 3 4 5"'), {}, "must be six or nine numbers"),
    "words": (frame("energy=low"), {}, "energy is 'low', but must be a number"),
    "infinite": (frame("energy=inf"), {}, "energy is 'inf', but must be a number"),
    "NaN": (GOOD.replace("0.3", "nan", 1), {}, "the forces are not finite"),
    "scalar forces": (GOOD.replace("forces:R:3", "forces:R:1:a:R:1:b:R:1"), {}, r"the forces have the shape \(2,\)"),
    "wrong name": (GOOD, {"names": {"energi": "E"}}, "did you mean 'energy'"),
    "absent name": (GOOD, {"names": {"energy": "E"}}, "frame 1 has no E: write it as E=..."),
    "unit": (GOOD, {"stress_unit": "Pa"}, "use one of eV/A"),
    "several": (
        GOOD + frame("", "f") * 7, {}, "frames 2, 3, 4, 5, 6 and 2 others have no energy: .* or leave these frames out",
    ),
    "isolated": (GOOD + frame('energy=1 pbc="F F F"'), {}, r"frame 2 is not periodic .*\(pbc F F F\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_names_the_frame(case: str, tmp_path: Path) -> None:
    content, options, message = REFUSED[case]
    (tmp_path / "f.extxyz").write_text(content)
    with pytest.raises(VitrifyError, match=message):
        load_frames([tmp_path / "f.extxyz"], ("Si", "O"), **options)


def test_what_is_not_used_is_said_once(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.extxyz").write_text(frame("energy=-3.5 config_type=glass charge_state=1", "forces") * 4)
    with pytest.warns(VitrifyWarning) as caught:
        load_frames(sorted(tmp_path.iterdir()), ("Si", "O"))
    assert [str(each.message).partition(" and ")[2] for each in caught] == [
        "2 other files: not used: the value config_type, the value charge_state"
    ]


@pytest.mark.parametrize("total", ["energy", "REF_energy", "free_energy"])
def test_an_energy_of_the_structure_wins_over_those_of_atoms(total: str) -> None:
    raw = RawFrame(np.zeros((2, 3)), np.eye(3), np.ones(2, int), columns={"energy": np.ones(2)}, info={total: -7.0})
    assert EnergyNames({}).find("energy", raw, "here") == (total, -7.0)
