"""CIF and OUTCAR, which ASE reads: what is written there, by ASE or by hand, is what is read."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.cell import Cell
from ase.units import GPa

from vitrify.data.frames import load_frames
from vitrify.data.structures import load_structures

pytestmark = pytest.mark.filterwarnings("ignore::vitrify.core.errors.VitrifyWarning")  # of what is not used

SPECIES = ("Si", "O")
CELL = np.array([[6.0, 0.0, 0.0], [-1.5, 5.5, 0.0], [0.7, 0.9, 7.0]])
FRACTIONS = np.array([[0.1, 0.2, 0.3], [0.35, 0.25, 0.4], [0.8, 0.6, 0.9], [0.55, 0.95, 0.15], [0.5, 0.4, 0.7]])
SYMBOLS = ["Si", "O", "Si", "O", "O"]


def distances(positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Of all pairs, the shortest over the images; no turn of the whole structure changes them."""
    shifts = np.array(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij")).reshape(3, -1).T @ cell
    vectors = positions[:, None, None] - positions[None, :, None] + shifts
    return np.linalg.norm(vectors, axis=-1).min(-1)


def assert_is_it(positions: np.ndarray, cell: np.ndarray, types: np.ndarray, places: float) -> None:
    lengths_and_angles = Cell(np.asarray(cell)).cellpar(), Cell(CELL).cellpar()
    np.testing.assert_allclose(*lengths_and_angles, atol=places)
    assert [SPECIES[t] for t in types] == SYMBOLS
    np.testing.assert_allclose(distances(positions, cell), distances(FRACTIONS @ CELL, CELL), atol=places)


def test_a_cif_of_ase(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "glass.cif", Atoms(SYMBOLS, scaled_positions=FRACTIONS, cell=CELL, pbc=True))
    (got,) = load_structures(tmp_path / "glass.cif", SPECIES)
    assert_is_it(got.positions, got.cell, got.types, 1e-3)  # it rounds to five digits


def test_a_cif_by_hand_with_symmetry_and_uncertainties(tmp_path: Path) -> None:
    """One site and its image by inversion, in the words of the format's dictionary."""
    (tmp_path / "two.cif").write_text(
        """\
data_two
_cell_length_a   6.0000(2)
_cell_length_b   5.0
_cell_length_c   7.0
_cell_angle_alpha 90.0
_cell_angle_beta  90.0
_cell_angle_gamma 120.0
_space_group_name_H-M_alt 'P -1'
loop_
_space_group_symop_operation_xyz
'x, y, z'
'-x, -y, -z'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Si1 Si 0.1000(3) 0.2 0.3 1.0
"""
    )
    (got,) = load_structures(tmp_path / "two.cif", SPECIES)
    assert list(got.types) == [0, 0]
    np.testing.assert_allclose(Cell(got.cell).cellpar(), [6, 5, 7, 90, 90, 120], atol=1e-9)
    fractions = np.linalg.solve(got.cell.T, got.positions.T).T % 1
    np.testing.assert_allclose(fractions[np.argsort(fractions[:, 0])], [[0.1, 0.2, 0.3], [0.9, 0.8, 0.7]], atol=1e-9)


def _outcar(energies: list[float], forces: list[np.ndarray], kilobars: list[float]) -> str:
    """Two ionic steps as VASP writes them, as far as readers look; the stress has VASP's sign and order."""
    head = """\
 vasp.6.3.0 20Jan22 (build Feb 02 2022) complex
 executed on             LinuxIFC date 2022.11.01  10:00:00
 POTCAR:    PAW_PBE Si 05Jan2001
 POTCAR:    PAW_PBE O 08Apr2002
   VRHFIN =Si: s2p2
   VRHFIN =O: s2p4
 POTCAR:    PAW_PBE Si 05Jan2001
 POTCAR:    PAW_PBE O 08Apr2002
   ions per type =               2   3
   ISPIN  =      1    spin polarized calculation?
   NIONS =       5
"""
    order = [0, 2, 1, 3, 4]  # by type
    positions = (FRACTIONS @ CELL)[order]
    text = head
    for number, (energy, force) in enumerate(zip(energies, forces, strict=True), 1):
        rows = "\n".join(" ".join(f"{x:13.5f}" for x in (*r, *f)) for r, f in zip(positions, force[order], strict=True))
        inverse = np.linalg.inv(CELL).T
        lattice = "\n".join(" ".join(f"{x:13.9f}" for x in (*a, *b)) for a, b in zip(CELL, inverse, strict=True))
        text += f"""\
--------------------------------------- Iteration {number:6d}(   1)  ---------------------------------------
  in kB    {"".join(f"{x:12.5f}" for x in kilobars)}
  external pressure =       12.00 kB  Pullay stress =        0.00 kB

 VOLUME and BASIS-vectors are now :
 -----------------------------------------------------------------------------
  energy-cutoff  :      400.00
  volume of cell :      231.00
      direct lattice vectors                 reciprocal lattice vectors
{lattice}

  length of vectors
     6.0  5.7  7.1  0.2  0.2  0.1

 POSITION                                       TOTAL-FORCE (eV/Angst)
 -----------------------------------------------------------------------------------
{rows}
 -----------------------------------------------------------------------------------
    total drift:                                0.000000      0.000000      0.000000

  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)
  ---------------------------------------------------
  free  energy   TOTEN  = {energy:18.8f} eV

  energy  without entropy= {energy:18.8f}  energy(sigma->0) = {energy:18.8f}

"""
    return text


def test_an_outcar_by_hand(tmp_path: Path) -> None:
    """Energies, forces and stress of each ionic step, with ASE's sign of the stress, and the order of the types."""
    random = np.random.default_rng(3)
    forces = [random.normal(size=(5, 3)).round(5) for _ in range(2)]
    energies, kilobars = [-31.25, -31.5], [10.0, 20.0, 30.0, 4.0, 5.0, 6.0]  # xx yy zz xy yz zx
    (tmp_path / "OUTCAR").write_text(_outcar(energies, forces, kilobars))
    frames = load_frames([tmp_path / "OUTCAR"], SPECIES)
    assert [frame.energy for frame in frames] == pytest.approx(energies)
    for frame, force in zip(frames, forces, strict=True):
        order = [0, 2, 1, 3, 4]
        assert [SPECIES[t] for t in frame.types] == [SYMBOLS[k] for k in order]
        np.testing.assert_allclose(frame.cell, CELL, atol=1e-8)
        np.testing.assert_allclose(frame.positions, (FRACTIONS @ CELL)[order], atol=1e-5)
        np.testing.assert_allclose(frame.forces, force[order], atol=1e-9)
        xx, yy, zz, xy, yz, zx = (-0.1 * GPa * x for x in kilobars)
        np.testing.assert_allclose(frame.stress, [[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]], rtol=1e-6)
