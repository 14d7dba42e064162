"""What create_glass refuses: one clear error with the remedy, on any number of ranks, and never a hang."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import model_files
import toy_ogn
from glass_files import REDUCED, SILICON, cube, make_network, oblique, write_glass
from lammps_inputs.create_glass import script
from lammps_runner import FOUR_RANKS, run_lammps
from toy_symgnn import write_toy
from vitrify import _core
from vitrify.core.errors import VitrifyError
from vitrify.export.write import save_model
from vitrify.modelfile.metadata import Validity, make_metadata

pytestmark = pytest.mark.lmp


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, good and bad."""
    folder = tmp_path_factory.mktemp("glass_errors")
    whole = write_glass(folder / "silica.pt").read_bytes()
    good = json.loads(_core.read_metadata(str(folder / "silica.pt")))
    (folder / "truncated.pt").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.pt").write_bytes(b"")
    write_glass(folder / "lj.pt", REDUCED)
    model_files.export(folder / "ogn.pt", units="metal")
    write_toy(folder / "symgnn.pt")
    crowded = Validity(number_density=(0.02, 0.09), composition={"Si": (1, 1)}, min_distance=(3.6,))
    write_glass(folder / "crowded.pt", SILICON, validity=crowded)

    def save(name: str, **changes: Any) -> None:
        save_model(make_network(), make_metadata({**good, **changes}, name), folder / name)

    save("ode.pt", process="ode")
    save("plain.pt", hyperparameters={})
    wrong = [[1.01 * x for x in row] for row in good["reference"]["vectors"]]
    save("reference.pt", reference={**good["reference"], "vectors": wrong})
    save("spread.pt", hyperparameters={**good["hyperparameters"], "spread": "wide"})
    save("sizes.pt", hyperparameters={**good["hyperparameters"], "width": 16}, node_width=16)
    nan = make_network()
    nan.gate.bias.data.fill_(1e30)
    save_model(nan.float(), make_metadata({**good, "dtype": "float32"}, "far"), folder / "far.pt")
    return folder


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("nowhere.pt number 99 elements Si O", "nowhere.pt does not exist.*LAMMPS_POTENTIALS"),
        ("truncated.pt number 99 elements Si O", "truncated"),
        ("empty.pt number 99 elements Si O", "is empty"),
        ("ogn.pt number 99 elements Cu Zr", "ogn.pt is of kind ogn, an integrator: use fix ogn.*of kind amshortcut"),
        ("symgnn.pt number 99 elements Cu Zr", "symgnn.pt is of kind symgnn.*use compute symgnn/atom"),
        ("ode.pt number 99 elements Si O", "process ode, which runs in Python alone: use `vitrify generate`"),
        ("plain.pt number 99 elements Si O", "runs in Python alone: use `vitrify generate`"),
        ("lj.pt number 99 elements A B", "model is in lj units, but the input uses units metal: use units lj"),
        ("spread.pt number 99 elements Si O", "hyperparameters are damaged"),
        ("sizes.pt number 99 elements Si O", "spread|shape|sizes|export"),
        ("reference.pt number 99 elements Si O check yes", "does not reproduce its reference case"),
        ("silica.pt number 99 elements Si Ox", r"element Ox of type 2 is not in the model \(did you mean O\?\), which"),
        ("silica.pt number 99 elements Si Xe", "element Xe of type 2 is not in the model, which has Si O"),
        ("silica.pt number 99 elements Si", "elements got 1 values for 2 atom types: give one for each type"),
        ("silica.pt number 99 elements Si O O", "O after elements of all 2 atom types is no keyword"),
        ("silica.pt number 99 elements Si Si", "types 1 and 2 are both Si: use NULL for one of them"),
        ("silica.pt number 99 elements NULL NULL", "zero atoms would be created: the model has Si O"),
        ("silica.pt number 99 elements Si NULL", "66 atoms of O, but no atom type is O: add it to elements"),
        ("silica.pt number 99", "not said which element each of the 2 atom types is: use elements, the model has Si O"),
        ("silica.pt number 0 elements Si O", "number 0 makes no glass: give at least one atom"),
        ("silica.pt number -5 elements Si O", "number -5 makes no glass"),
        ("silica.pt number 100 elements Si O", "100 atoms of Si O cannot be neutral: use 99 or 102"),
        ("silica.pt number many elements Si O", "many"),
        ("silica.pt number 90 density 2.2 elements Si O", "number and density.*use one of them"),
        ("silica.pt density 0 elements Si O", "density 0 is impossible: give one above zero"),
        ("silica.pt density 1.1 elements Si O", "density of 0.03.* atoms per volume is impossible.*0.062 to 0.07"),
        ("silica.pt number 999 elements Si O", "density of 0.666 atoms per volume is impossible"),
        ("silica.pt elements Si O composition 1 1", r"not neutral, it has a charge of 0.6\d* an atom: give one whose"),
        ("silica.pt elements Si O composition 1", "composition got 1 values for 2 atom types"),
        ("silica.pt elements Si O composition -1 2", "a fraction of the composition is -1"),
        ("silica.pt elements Si NULL composition 1 2", "composition gives type 2 a share of 2, but its element"),
        ("silica.pt composition 1 2", "composition needs elements"),
        ("silica.pt elements Si O target shear_modulos 3", r"shear_modulos is not .*did you mean shear_modulus\?"),
        ("silica.pt elements Si O target colour 3", "target colour is not a property of the model, which has"),
        ("silica.pt elements Si O target ring_size 5 target ring_size 6", "target ring_size is given twice"),
        ("silica.pt elements Si O target ring_size", "(?i)missing"),
        ("silica.pt elements Si O target ring_size big", "big"),
        ("silica.pt elements Si O steps 0", "steps 0 is too few: give at least one"),
        ("silica.pt elements Si O steps", "(?i)missing"),
        ("silica.pt elements Si O seed 0", "seed 0 is not allowed"),
        ("silica.pt elements Si O churn -1", "churn is -1"),
        ("silica.pt elements Si O check perhaps", "perhaps"),
        ("silica.pt elements Si O sed 4", r"sed after elements .* is no keyword \(did you mean seed\?\): use number"),
        ("silica.pt sed 4 elements Si O", r"unknown keyword sed \(did you mean seed\?\): use number density"),
        ("silica.pt zzzzzzzz 4 elements Si O", "unknown keyword zzzzzzzz: use number density"),
        ("silica.pt elements Si O region nowhere", "region nowhere does not exist: define it first"),
        ("silica.pt elements Si O number 99 region box", "with region, the number of atoms follows from the density"),
        ("far.pt elements Si O", r"the network moves atom \d+ to .* in step 1"),
        ("", "(?i)missing"),
    ],
)
def test_command(folder, words, expected):
    message = run_lammps(script(words, cube(99, 0.066)), folder).error()
    assert re.search(expected, message), message


@pytest.mark.parametrize("ranks", [2, FOUR_RANKS])
@pytest.mark.parametrize(
    "words", ["truncated.pt elements Si O", "silica.pt number 100 elements Si O", "silica.pt elements Si Xe"]
)
def test_errors_of_all_ranks_are_one(folder, words, ranks):
    output = run_lammps(script(words, oblique(99, 0.066)), folder, ranks).output
    assert output.count("ERROR") == 1, output


@pytest.mark.parametrize("ranks", [1, 2])
def test_structures_that_fail_the_gates(folder, ranks):
    message = run_lammps(script("crowded.pt number 64", cube(64, 0.09), 1), folder, ranks).error()
    assert re.search("pairs of atoms are closer than in the training data.*use more steps, a density from", message)


def test_no_box(folder):
    message = run_lammps("units metal\ncreate_glass silica.pt number 99\n", folder).error()
    assert "used before simulation box is defined: use create_box or read_data first" in message


@pytest.mark.parametrize("ranks", [1, 2])
def test_occupied_box(folder, ranks):
    before = "create_atoms 1 single 0 5 22"
    source = script("silica.pt elements Si O", cube(99, 0.066), before=before)
    assert "the box holds 1 atoms, which the model does not see" in run_lammps(source, folder, ranks).error()


def test_walls(folder):
    source = script("silica.pt elements Si O", cube(99, 0.066), boundary="p p f")
    assert "use boundary p p p" in run_lammps(source, folder).error()


def test_a_region_without_atoms(folder):
    before = "region speck block 0.0 0.001 5.0 5.001 25.0 25.001"
    source = script("silica.pt elements Si O region speck", cube(99, 0.066), before=before)
    assert "none of the 99 atoms of the box lies in region speck" in run_lammps(source, folder, 2).error()


def test_no_ids(folder):
    source = script("silica.pt elements Si O", cube(99, 0.066)).replace("boundary ", "atom_modify id no\nboundary ")
    assert "use atom_modify id yes" in run_lammps(source, folder).error()


def test_too_many_atoms_for_memory(folder):
    source = script("silica.pt number 1800000000 elements Si O", cube(1_800_000_000, 0.066))
    assert re.search(r"need about \d+ GB of memory, but .* are free", run_lammps(source, folder).error())


def test_other_hosts_refuse_a_generator(folder):
    for line in ("fix 1 all ogn silica.pt Si O", "compute 1 all symgnn/atom silica.pt Si O"):
        message = run_lammps(script("silica.pt elements Si O", cube(99, 0.066), after=line), folder).error()
        assert re.search("silica.pt is of kind amshortcut: it makes structures; use create_glass", message), message


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"statistics": None}, "damaged or incomplete"),
        ({"statistics": {"names": ["number_density"], "mean": [], "covariance": []}}, "statistics differ in length"),
        ({"statistics": {"names": ["a", "b"], "mean": [1, 2], "covariance": [[1], [1]]}}, "not square"),
        ({"process": 3}, "damaged or incomplete"),
        ({"masses": [1.0]}, "one mass for each species"),
        ({"charges": [1.0]}, "one charge for each species"),
        ({"properties": [{"name": "x", "unit": "", "range": [2.0, 1.0]}]}, 'range of property "x" is empty'),
        ({"properties": []}, "statistics are not those of number density, fractions and properties"),
        ({"validity": {"number_density": [0.06, 0.07], "composition": {}, "min_distance": [1.0]}}, "min_distance"),
    ],
)
def test_metadata_that_make_no_sense(folder, tmp_path, change, match):
    """The checks of C++, which must not rely on those of Python."""
    good = json.loads(_core.read_metadata(str(folder / "silica.pt")))
    path = toy_ogn.save(make_network(), {**good, **change}, tmp_path / "bad.pt")
    with pytest.raises(VitrifyError, match=match):
        _core.Generator(str(path))
