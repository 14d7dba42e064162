"""Frames with energy, forces and stress: ASE's conventions, what may be missing, and errors; soft g(r)."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.io import read, write

import toy_glassvae
from vitrify.analysis.structure import partial_rdf, soft_bins, soft_rdf
from vitrify.core.errors import VitrifyError
from vitrify.data.frames import load_frames
from vitrify.graphs.neighbours import neighbour_list

SPECIES = ("Cu", "Au")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return toy_glassvae.write_frames(tmp_path_factory.mktemp("frames") / "f.extxyz", groups=2, frames=2)


def test_frames_hold_what_the_calculator_said(file, tmp_path):
    frames = load_frames([file], SPECIES)
    assert [frame.group for frame in frames] == [("f.extxyz", 0)] * 2 + [("f.extxyz", 1)] * 2
    atoms = toy_glassvae.glass(2, 0.0, seed=101, scale=1.01)
    atoms.calc = EMT()
    frame = frames[3]
    assert frame.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
    assert frame.energy_per_atom == pytest.approx(frame.energy / 32)
    np.testing.assert_allclose(frame.forces, atoms.get_forces(), atol=1e-6)
    np.testing.assert_allclose(frame.stress, atoms.get_stress(voigt=False), atol=1e-8)
    np.testing.assert_allclose(frame.stress, frame.stress.T)
    assert (frame.temperature, frame.segment, frame.thermal) == (600.0, "300K", True)
    assert frame.inherent_energy == pytest.approx(frame.energy_per_atom - 0.1)
    packed = tmp_path / "f.extxyz.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    np.testing.assert_array_equal(load_frames([packed], SPECIES)[3].forces, frame.forces)


def test_a_users_file_needs_energy_and_forces_alone(tmp_path):
    """What ASE writes of atoms with a calculator, nothing added."""
    atoms = toy_glassvae.glass(1)
    atoms.calc = EMT()
    atoms.get_forces()
    write(tmp_path / "mine.extxyz", [atoms, atoms])
    one, two = load_frames([tmp_path / "mine.extxyz"], SPECIES)
    np.testing.assert_allclose(one.forces, atoms.get_forces(), atol=1e-6)
    assert np.isnan(one.inherent_energy) and np.isnan(one.temperature) and one.segment == "" and one.thermal
    assert one.group != two.group
    write(tmp_path / "bare.extxyz", Atoms("Cu", cell=np.eye(3) * 5, pbc=True))
    with pytest.raises(VitrifyError, match=r"bare.extxyz, frame 1 has no energy: write it as energy=\.\.\."):
        load_frames([tmp_path / "bare.extxyz"], SPECIES)
    without = toy_glassvae.write_frames(tmp_path / "without.extxyz", 1, 1, forces=False)
    with pytest.raises(VitrifyError, match="frame 1 has no forces: write it as columns"):
        load_frames([without], SPECIES)
    assert np.isnan(load_frames([without], SPECIES, forces=False)[0].forces).all()
    text = (tmp_path / "mine.extxyz").read_text().replace("energy=", "energy=word ignored=")
    (tmp_path / "word.extxyz").write_text(text)
    with pytest.raises(VitrifyError, match=r"word\.extxyz"):
        load_frames([tmp_path / "word.extxyz"], SPECIES)
    with pytest.raises(VitrifyError, match="has atoms of Au, which is none of the species Cu"):
        load_frames([tmp_path / "mine.extxyz"], ["Cu"])
    with pytest.raises(VitrifyError, match="there is no file"):
        load_frames([tmp_path / "no.extxyz"], SPECIES)


def test_soft_rdf_is_the_smoothed_g_of_r():
    """In bins of splines, it is the histogram of exact distances, smoothed by the spline."""
    atoms = toy_glassvae.glass(2, tilt=0.2)
    types, r_max, bins = np.array([SPECIES.index(s) for s in atoms.symbols]), 4.5, 30
    pairs, vectors = neighbour_list(atoms.positions, atoms.cell[:], r_max)
    distances = np.linalg.norm(vectors, axis=1)
    got = soft_rdf(types, pairs, distances, atoms.get_volume(), 2, 1.5, r_max, bins)
    fine = partial_rdf(atoms.positions[None], atoms.cell[:], types, 2, r_max, 4500)
    width, r = 3.0 / bins, soft_bins(1.5, r_max, bins)

    def spline(x):
        x = np.abs(x)
        return np.where(x < 1, 2 / 3 - x**2 + x**3 / 2, np.where(x < 2, (2 - x) ** 3 / 6, 0.0))

    for (a, b), g in fine.g.items():
        row = max(a, b) * (max(a, b) + 1) // 2 + min(a, b)
        weight = spline((fine.r[:, None] - r) / width) * fine.r[:, None] ** 2
        want = (g[:, None] * weight).sum(0) / weight.sum(0).clip(1e-12)
        np.testing.assert_allclose(got[row][4:-2], want[4:-2], atol=0.05 * want.max())
        assert want.max() > 1.0


def test_the_written_file_is_what_ase_reads(file):
    frames = read(file, ":")
    assert all({"energy", "forces", "stress"} <= frame.calc.results.keys() for frame in frames)
