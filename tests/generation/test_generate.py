"""`vitrify generate` and `vitrify.generation.generate`: what comes out, where it is written, and what is refused."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read

from lammps_runner import run_ok
from toy_generators import PROPERTY, silica, silicon
from vitrify.core.errors import VitrifyError
from vitrify.data.structure_writer import StructureWriter, lammps_data
from vitrify.data.structures import load_structures
from vitrify.generation.generate import generate, generate_many


@pytest.fixture(scope="module")
def si(tmp_path_factory):
    return silicon(tmp_path_factory.mktemp("si") / "si.amshortcut.pt")


@pytest.fixture(scope="module")
def sio2(tmp_path_factory):
    return silica(tmp_path_factory.mktemp("sio2") / "sio2.amshortcut.pt")


def vitrify(*arguments, check=True):
    command = [sys.executable, "-m", "vitrify.cli", "generate", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_number_and_density(si):
    atoms = generate(si, n_atoms=64, density=2.3)
    assert len(atoms) == 64
    assert atoms.pbc.all()
    density = atoms.get_masses().sum() / atoms.get_volume() * 1.66053907
    assert density == pytest.approx(2.3, rel=1e-9)
    assert set(atoms.get_chemical_symbols()) == {"Si"}


def test_number_comes_from_cell_and_density(si):
    atoms = generate(si, cell=[[12, 0, 0], [3, 11, 0], [-2, 1, 13]], density=2.3)
    mass = 28.085
    assert len(atoms) == round(2.3 / 1.66053907 / mass * 12 * 11 * 13)
    assert np.all(atoms.get_scaled_positions(wrap=False) >= 0)
    assert np.all(atoms.get_scaled_positions(wrap=False) < 1)


def test_density_is_the_models_if_it_is_not_given(si):
    atoms = generate(si, n_atoms=100)
    assert len(atoms) / atoms.get_volume() == pytest.approx(0.05, rel=1e-9)


def test_density_follows_the_target(sio2):
    # In the toy's statistics the density rises by 0.01 for 10 units of the property.
    low, high = (generate(sio2, n_atoms=60, target={PROPERTY: value}).get_volume() for value in (25.0, 35.0))
    assert 60 / high - 60 / low == pytest.approx(0.01, rel=1e-6)


def test_stoichiometry_is_exact(sio2):
    atoms = generate(sio2, n_atoms=60)
    assert atoms.get_chemical_symbols().count("O") == 40
    with pytest.raises(VitrifyError, match=r"57|60"):
        generate(sio2, n_atoms=58)


def test_no_pair_is_closer_than_the_data(si):
    atoms = generate(si, n_atoms=200)
    distances = atoms.get_all_distances(mic=True)[np.triu_indices(200, 1)]
    assert distances.min() >= 0.98 * 1.5


def test_seed_gives_one_structure_whatever_is_made_beside_it(si):
    alone = generate(si, n_atoms=40, seed=5)
    batch = list(generate_many(si, 4, n_atoms=40, seed=3))
    threads = list(generate_many(si, 4, n_atoms=40, seed=3, workers=3))
    assert [atoms.info["seed"] for atoms in batch] == [3, 4, 5, 6]
    np.testing.assert_array_equal(alone.positions, batch[2].positions)
    for one, other in zip(batch, threads, strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)
    assert np.abs(batch[0].positions - batch[1].positions).max() > 0.1


@pytest.mark.parametrize("churn", [0.0, 0.5])
def test_engines_agree(sio2, churn):
    options = {"n_atoms": 60, "steps": 3, "churn": churn, "target": {PROPERTY: 31.0}}
    native, torch = (generate(sio2, engine=engine, **options) for engine in ("native", "torch"))
    np.testing.assert_array_equal(native.numbers, torch.numbers)
    difference = native.get_scaled_positions() - torch.get_scaled_positions()
    difference -= np.round(difference)
    assert np.abs(difference @ native.cell.array).max() < 1e-4


def test_corrector_lowers_the_energy(si, tmp_path):
    from vitrify.generation.generate import Relaxation

    commands = "pair_style sw; pair_coeff * * {potentials/Si.sw} Si"
    few, many = (generate(si, n_atoms=64, corrector=Relaxation(commands, n)) for n in (0, 50))
    assert many.info["energy"] < few.info["energy"] - 1.0
    again = generate(si, n_atoms=64, corrector=Relaxation(commands, 50))
    np.testing.assert_array_equal(again.positions, many.positions)


def test_target_out_of_range_warns_once(sio2):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(generate_many(sio2, 3, n_atoms=30, target={PROPERTY: 55.0}))
    found = [str(w.message) for w in caught if PROPERTY in str(w.message)]
    assert len(found) == 1
    assert "20" in found[0] and "40" in found[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_atoms": 0}, "0 atoms"),
        ({}, "n_atoms or cell"),
        ({"n_atoms": 10, "cell": 9.0, "density": 2.0}, "leave one out"),
        ({"n_atoms": 60, "density": -1.0}, "above zero"),
        ({"n_atoms": 60, "density": 9.0}, "density of 9"),
        ({"n_atoms": 60, "target": {"shear_modulos": 3.0}}, "did you mean 'shear_modulus'"),
        ({"n_atoms": 60, "target": {PROPERTY: float("nan")}}, "number"),
        ({"n_atoms": 60, "composition": {"Ge": 1.0}}, "no Ge"),
        ({"n_atoms": 60, "steps": 0}, "steps is 0"),
        ({"n_atoms": 60, "churn": -1.0}, "churn"),
        ({"n_atoms": 60, "seed": -1}, "seed -1 is not allowed"),
        ({"n_atoms": 60, "engine": "jax"}, "engine 'jax'"),
        ({"n_atoms": 60.5}, r"n_atoms is 60\.5: give a whole number"),
        ({"n_atoms": "60"}, "n_atoms is '60': give a whole number"),
        ({"n_atoms": float("nan")}, "n_atoms is nan"),
        ({"n_atoms": 60, "steps": True}, "steps is True"),
        ({"n_atoms": 60, "target": {PROPERTY: "stiff"}}, f"the target {PROPERTY} is 'stiff': give a number"),
        ({"n_atoms": 60, "target": 30}, "target is 30: give properties by name"),
        ({"n_atoms": 60, "energy": -4.85}, r"energy is -4\.85: give the lowest and the highest"),
        ({"n_atoms": 60, "energy": (1, 2, 3)}, "energy is"),
        ({"cell": 0.0}, "cell"),
        ({"n_atoms": 1_999_999_998}, "memory"),
    ],
)
def test_what_makes_no_sense_is_refused(sio2, options, words):
    with pytest.raises(VitrifyError, match=words):
        generate(sio2, **options)


def test_numbers_of_any_type_are_taken(sio2):
    plain = generate(sio2, n_atoms=30, steps=2, seed=3, target={PROPERTY: 30})
    same = generate(sio2, n_atoms=30.0, steps=np.float64(2), seed=np.int64(3), target={PROPERTY: "30"})
    assert np.array_equal(plain.positions, same.positions)


def test_other_kinds_are_refused():
    with pytest.raises(VitrifyError, match="kind ogn, not amshortcut"):
        generate("cuzr.ogn.pt", n_atoms=10)


def test_command_writes_extended_xyz(si, tmp_path):
    out = tmp_path / "new" / "glass.extxyz"
    vitrify(si, "--atoms", 32, "--count", 3, "--seed", 7, "--out", out)
    frames = read(out, ":")
    assert [frame.info["seed"] for frame in frames] == [7, 8, 9]
    np.testing.assert_allclose(frames[1].positions, generate(si, n_atoms=32, seed=8).positions, atol=1e-7)


def test_command_writes_lammps_data(sio2, tmp_path):
    out = tmp_path / "glass.data"
    vitrify(sio2, "--atoms", 30, "--count", 2, "--out", out, "--target", f"{PROPERTY}=30", "--steps", 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["glass-1.data", "glass-2.data"]
    atoms = read(tmp_path / "glass-1.data", format="lammps-data")
    assert atoms.get_chemical_symbols().count("Si") == 10


def test_data_file_ignores_a_stale_array_of_types(tmp_path):
    # ASE's own writer would take types from this array, and swap the species.
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    atoms.arrays["type"] = np.where(atoms.numbers == 11, 1, 2)
    lines = lammps_data(atoms).splitlines()
    labels = lines[lines.index("Atom Type Labels") + 2 :][:2]
    assert labels == ["1 Cl", "2 Na"]
    rows = [line.split() for line in lines[lines.index("Atoms # atomic") + 2 :]]
    assert [row[1] for row in rows] == ["2" if number == 11 else "1" for number in atoms.numbers]


@pytest.mark.parametrize(
    ("names", "masses"),
    [
        ({1: "A", 2: "B"}, {"A": 1.0, "B": 1.0}),
        ({1: "big", 2: "small"}, {"big": 2.5, "small": 0.75}),
        ({29: "Cu", 40: "Zr"}, {"Cu": 63.546, "Zr": 91.224}),
    ],
)
def test_data_file_has_the_species_and_masses_of_the_model(names, masses, tmp_path):
    """Reduced units, where atomic numbers stand for names; LAMMPS reads the file, and so does vitrify."""
    first, second = names
    atoms = Atoms([second, first, first], positions=[[1, 2, 3], [4, 5, 6], [7, 8, 8.5]], cell=[9, 9, 9], pbc=True)
    with StructureWriter(tmp_path / "g.data", 1, (), names, masses) as writer:
        writer.write(atoms)
    (got,) = load_structures(tmp_path / "g.data", list(names.values()))
    assert got.types.tolist() == [1, 0, 0]
    # The types are sorted by name, and LAMMPS knows them by it.
    groups = "".join(f"group g{n} type {name}\n" for n, name in names.items())
    told = " ".join(f"$(mass(g{n}):%.8g)" for n in names)
    done = run_ok(f'units lj\nread_data g.data\n{groups}print "masses {told}"', tmp_path)
    assert f"masses {2 * masses[names[first]]:g} {masses[names[second]]:g}" in done.output


def test_data_file_names_species_that_a_structure_lacks(tmp_path):
    """So that types of several files are the same, and pair_coeff fits all of them."""
    atoms = Atoms("Zr2", positions=[[1, 2, 3], [4, 5, 6]], cell=[9, 9, 9], pbc=True)
    lines = lammps_data(atoms, {29: "Cu", 40: "Zr"}, {"Cu": 63.5, "Zr": 91.2}).splitlines()
    assert "2 atom types" in lines and lines[lines.index("Atoms # atomic") + 2].startswith("1 2 ")


def test_data_file_turns_an_oblique_cell(tmp_path):
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    atoms = bulk("Cu", "fcc", a=3.6)
    atoms.set_cell(atoms.cell.array @ turn * np.sign(np.linalg.det(turn)), scale_atoms=True)
    atoms = atoms.repeat(2)
    path = tmp_path / "cu.data"
    with StructureWriter(path, 1) as writer:
        writer.write(atoms)
    back = read(path, format="lammps-data")
    np.testing.assert_allclose(
        np.sort(back.get_all_distances(mic=True).ravel()), np.sort(atoms.get_all_distances(mic=True).ravel()), atol=1e-6
    )


def test_nothing_is_left_of_a_file_whose_writing_fails(sio2, tmp_path):
    out = tmp_path / "glass.extxyz"
    done = vitrify(sio2, "--atoms", 58, "--out", out, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("vitrify: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--atoms", "60", "--target", "30"], "NAME=VALUE"),
        (["--cell", "1,2"], "1, 3 or 9 numbers"),
        (["--atoms", "60", "--elements", "Si:x"], "shares"),
        (["--atoms", "60", "--out", "x.cif"], "extxyz or .data"),
        (["--atoms", "60", "--md", "10"], "--potential"),
        (["--atoms", "60", "--minimize", "10"], "--minimize needs a pair style: give --potential"),
        (["--atoms", "60", "--count", "0"], "count is 0"),
    ],
)
def test_command_explains_what_is_wrong(sio2, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    done = vitrify(sio2, *arguments, check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
