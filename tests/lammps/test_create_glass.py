"""create_glass in the real `lmp` against the sampler called from Python, on any number of ranks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from glass_files import REDUCED, SILICON, cube, oblique, write_glass
from lammps_inputs.create_glass import DUMP, ORIGIN, apart, atoms_of, script
from lammps_runner import FOUR_RANKS, run_ok
from vitrify import _core
from vitrify.lammps_library.session import potential_file

pytestmark = pytest.mark.lmp

SW = f"pair_style sw\npair_coeff * * {potential_file('Si.sw')} Si"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("glasses")
    write_glass(folder / "silica.pt")
    write_glass(folder / "si.pt", SILICON, "float32")
    write_glass(folder / "lj.pt", REDUCED)
    return folder


@pytest.mark.parametrize("make", [pytest.param(cube, marks=pytest.mark.slow), oblique])
def test_the_same_atoms_on_all_ranks(folder, make):
    cell = make(300, 0.066)
    command = "silica.pt number 300 elements O Si seed 11 steps 3 churn 0.2 target shear_modulus 33"
    expected, types = _core.Generator(str(folder / "silica.pt")).generate(
        cell, [100, 200], 3, 11, [33.0, 0.0], [1.0, 0.0], 0.2
    )
    results = [atoms_of(run_ok(script(command, cell), folder, ranks)) for ranks in (1, 2, 4)]
    for ids, found, positions in results:
        np.testing.assert_array_equal(ids, np.arange(1, 301))
        np.testing.assert_array_equal(found, 1 - types)  # types of the input: O, Si
        np.testing.assert_array_equal(positions, results[0][2])
        assert apart(positions, expected, cell) < 1e-9


@pytest.mark.parametrize(("make", "ranks"), [(cube, 1), (oblique, 2), pytest.param(oblique, 4, marks=pytest.mark.slow)])
def test_minimize_and_run_follow(folder, make, ranks):
    after = f"""\
{SW}
thermo_style custom step atoms pe etotal press
thermo       5
minimize     0 1e-4 15 60
velocity     all create 300 7
fix          1 all nve
run          10
{DUMP}
"""
    result = run_ok(script("si.pt number 216", make(216, 0.05), 1, after), folder, ranks)
    thermo = result.thermo()
    assert (thermo["Atoms"] == 216).all()
    assert np.isfinite(thermo["PotEng"]).all()
    assert thermo["PotEng"][-1] / 216 < -3.0  # bound: the crystal has -4.34
    assert abs(thermo["TotEng"][-1] - thermo["TotEng"][-3]) < 0.02 * 216
    assert len(atoms_of(result)[0]) == 216


def test_what_is_printed(folder):
    output = run_ok(
        script("silica.pt number 99 elements Si O target ring_size 5.5 check yes", cube(99, 0.066)), folder, 2
    ).output
    core = _core.Generator(str(folder / "silica.pt"))
    core.generate(cube(99, 0.066), [33, 66], 5, 1, [0.0, 5.5], [0.0, 1.0])
    assert output.count("create_glass: model silica.pt, variant flow, float64; targets: ring_size 5.5\n") == 1
    density = 99 / 3 * (28.085 + 2 * 15.999) / (99 / 0.066) * 1.660539
    assert f"99 atoms (33 Si, 66 O), density {density:.4g} g/cm^3, 0.066 atoms per A^3" in output
    assert re.search(r"seed 1, 5 steps, [\d.e-]+ seconds\n", output)
    assert f"Si-O {core.closest[1]:.4g} (training data: 1.4)" in output
    assert f"{core.pushed} pairs were pushed apart" in output
    assert re.search(r"reference case reproduced, relative error \S+e-1\d\n", output)
    assert "WARNING: create_glass" not in output


def test_density(folder):
    core = _core.Generator(str(folder / "silica.pt"))
    cell = cube(300, 0.066)
    volume = np.linalg.det(cell)

    def made(words: str) -> list[int]:
        found = atoms_of(run_ok(script(f"silica.pt elements Si O steps 1 {words}", cell), folder))[1]
        return np.bincount(found).tolist()

    assert made("") == [100, 200]
    assert made("target shear_modulus 36") == core.counts(None, volume, [36, 0], [1, 0]) != [100, 200]
    # 2.1 g/cm^3 of SiO2, 20.03 u an atom on average
    assert sum(made("density 2.1")) == pytest.approx(2.1 / 1.660539 / 20.0277 * volume, abs=1.5)
    reduced = script("lj.pt density 1.15 elements A B", cube(500, 1.15), units="lj")
    assert np.bincount(atoms_of(run_ok(reduced, folder))[1]).tolist() == [400, 100]


def test_elements_and_composition(folder):
    script_of = script("lj.pt number 100 elements NULL B A composition 0 3 7", cube(100, 1.2), 3, units="lj")
    result = run_ok(script_of, folder)
    assert np.bincount(atoms_of(result)[1], minlength=3).tolist() == [0, 30, 70]
    assert result.output.count("WARNING: create_glass") == 1
    assert re.search(
        r"WARNING: create_glass: .*unlike the training data.*: the fraction of A is 0\.7, outside", result.output
    )
    alone = script("lj.pt number 100 elements NULL A composition 0 1", cube(100, 1.2), units="lj")
    assert np.bincount(atoms_of(run_ok(alone, folder))[1]).tolist() == [0, 100]


@pytest.mark.parametrize("ranks", [1, 2, FOUR_RANKS])
def test_region(folder, ranks):
    cell = cube(1000, 0.05)
    whole = _core.Generator(str(folder / "si.pt")).generate(cell, [1000], 2, 3)[0] + ORIGIN
    before = "region slab block INF INF INF INF 22.0 30.0"
    result = run_ok(script("si.pt steps 2 seed 3 region slab", cell, 1, before=before), folder, ranks)
    ids, _, positions = atoms_of(result)
    expected = whole[(whole[:, 2] >= 22.0) & (whole[:, 2] <= 30.0)]
    assert 0 < len(expected) < 500
    np.testing.assert_array_equal(ids, np.arange(1, len(expected) + 1))
    assert np.abs(positions + ORIGIN - expected).max() < 1e-9
    assert f"{len(expected)} of 1000 atoms are in region slab" in result.output


@pytest.mark.parametrize("ranks", [1, 2])
def test_occupied(folder, ranks):
    """Atoms that are there keep their IDs, after a run with ghosts, too."""
    cell = cube(216, 0.05)
    before = f"{SW}\ncreate_atoms 1 single 0 5 25\ncreate_atoms 1 single 1 9 27\nrun 0 post no"
    words = "si.pt number 216 steps 1 occupied yes"
    result = run_ok(script(words, cell, 1, before=before, after=DUMP + "minimize 0 1e-3 5 20"), folder, ranks)
    ids, _, positions = atoms_of(result)
    assert ids.tolist() == list(range(1, 219))
    np.testing.assert_allclose(positions[:2] + ORIGIN, [[0, 5, 25], [1, 9, 27]])
    expected = _core.Generator(str(folder / "si.pt")).generate(cell, [216], 1, 1)[0]
    assert apart(positions[2:], expected, cell) < 1e-9
    assert result.output.count("the box holds 2 atoms, which the model does not see") == 1


@pytest.mark.parametrize("style", ["charge", "full", "sphere"])
def test_atom_styles(folder, style):
    source = script("si.pt number 64 steps 1", cube(64, 0.05), 1, style=style)
    source = source.replace("mass         * 28.085\n", "") if style == "sphere" else source
    positions = atoms_of(run_ok(source, folder, 2))[2]
    expected = _core.Generator(str(folder / "si.pt")).generate(cube(64, 0.05), [64], 1, 1)[0]
    assert apart(positions, expected, cube(64, 0.05)) < 1e-9


def test_a_target_out_of_range_is_said_once(folder):
    words = "silica.pt number 99 elements Si O target shear_modulus 60 steps 1"
    output = run_ok(script(words, cube(99, 0.066)), folder, 2).output
    assert output.count("WARNING: create_glass") == 1
    assert "target shear_modulus 60 GPa is outside the training data's range of 20 to 40 GPa" in output


def test_threads_make_no_difference(folder):
    cell = oblique(216, 0.05)
    one, three = (
        atoms_of(run_ok(script("si.pt number 216", cell, 1), folder, threads=threads))[2] for threads in (1, 3)
    )
    np.testing.assert_array_equal(one, three)
