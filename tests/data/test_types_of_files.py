"""Which species a type is: by labels, comments and masses of a LAMMPS data file; nothing is guessed in silence."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.data.structures import LabelledStructure, load_structures

ROWS = "1 1 1 2 3\n2 2 4 5 6\n"


def read(
    path: Path, masses: str, species: tuple[str, ...], rows: str = ROWS, **options: str
) -> tuple[list[str], list[str]]:
    """Names of the atoms, and what was said."""
    head = "t\n\n2 atoms\n2 atom types\n0 9 xlo xhi\n0 9 ylo yhi\n0 9 zlo zhi\n\n"
    path.write_text(f"{head}{masses}\n\nAtoms\n\n{rows}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", VitrifyWarning)
        (found,) = load_structures(path, species, **options)
    assert isinstance(found, LabelledStructure)
    said = [str(each.message) for each in caught if "names no atom style" not in str(each.message)]
    return [species[t] for t in found.types], said


@pytest.mark.parametrize(
    ("masses", "species", "names", "said"),
    [
        ("Masses\n\n1 28.0855\n2 15.999", ("Si", "O"), ["Si", "O"], ""),
        ("Masses\n\n1 28\n2 16", ("Si", "O"), ["Si", "O"], ""),
        ("Masses\n\n1 15.999\n2 28.0855", ("Si", "O"), ["O", "Si"], "in another order: 1 is O, 2 is Si"),
        ("Masses\n\n1 15.999 # O\n2 28.0855 # Si", ("Si", "O"), ["O", "Si"], "comments of the section Masses: 1 is O"),
        ("Masses\n\n1 1.0 # O\n2 1.0 # Si", ("Si", "O"), ["O", "Si"], "comments of the section Masses"),
        ("Masses\n\n1 1.0\n2 1.0", ("A", "B"), ["A", "B"], ""),
        ("Masses\n\n1 1.0\n2 1.0", ("Cu", "Zr"), ["Cu", "Zr"], ""),
        ("Masses\n\n1 63.5 # copper atoms\n2 91.2 # other", ("Cu", "Zr"), ["Cu", "Zr"], ""),
        ("Atom Type Labels\n\n2 Si\n1 O\n\nMasses\n\n1 28.0855\n2 15.999", ("Si", "O"), ["O", "Si"], ""),
        ("", ("Si", "O"), ["Si", "O"], ""),
    ],
)  # fmt: skip
def test_types(masses: str, species: tuple[str, ...], names: list[str], said: str, tmp_path: Path) -> None:
    got, told = read(tmp_path / "a.data", masses, species)
    assert got == names
    assert said in told[0] if said else not told, told


@pytest.mark.parametrize(
    ("masses", "species", "message"),
    [
        ("Masses\n\n1 55.845\n2 91.224", ("Cu", "Zr"), "type 1 has the mass 55.845, and is no Cu"),
        ("Masses\n\n1 26.98 # Al\n2 15.999 # O", ("Si", "O"), "type 1 has the mass 26.98, and is no Si"),
        ("Masses\n\n1 1.0 # Al\n2 1.0 # O", ("Si", "O"), "type 1 has the .*1.*, and is no Si"),
    ],
)
def test_masses_of_other_elements(masses: str, species: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(VitrifyError, match=message):
        read(tmp_path / "a.data", masses, species)


def test_the_style_can_be_named(tmp_path: Path) -> None:
    rows = "1 1 2 1 2 3\n2 2 1 4 5 6\n"  # charge with charges 2 and 1, or molecular
    masses = "Masses\n\n1 28.0855\n2 15.999"
    assert read(tmp_path / "a.data", masses, ("Si", "O"), rows, atom_style="charge")[0] == ["Si", "O"]
    assert read(tmp_path / "a.data", masses, ("Si", "O"), rows, atom_style="molecular")[0] == ["O", "Si"]
    with pytest.raises(VitrifyError, match="did you mean 'charge'"):
        read(tmp_path / "a.data", masses, ("Si", "O"), rows, atom_style="chrage")


@pytest.mark.parametrize(("said", "model"), [("lj", "metal"), ("metal", "lj"), ("real", "lj")])
def test_units_of_the_file_and_of_the_model(said: str, model: str, tmp_path: Path) -> None:
    title = f"LAMMPS data file via write_data, version 22 Jul 2025, timestep = 0, units = {said}"
    box = "0 9 xlo xhi\n0 9 ylo yhi\n0 9 zlo zhi\n"
    (tmp_path / "a.data").write_text(f"{title}\n\n2 atoms\n2 atom types\n{box}\nAtoms # atomic\n\n{ROWS}")
    with pytest.raises(VitrifyError, match=f"in the units {said}, but the model has {model}"):
        load_structures(tmp_path / "a.data", ("A", "B"), units=model)
    assert len(load_structures(tmp_path / "a.data", ("A", "B"), units="lj" if said == "lj" else "metal")) == 1


@pytest.mark.parametrize(("style", "asked"), [("charge", "molecular"), ("full", "charge"), ("atomic", "charge")])
def test_a_style_that_the_file_contradicts(style: str, asked: str, tmp_path: Path) -> None:
    path = tmp_path / "a.data"
    path.write_text(
        f"t\n\n1 atoms\n1 atom types\n0 9 xlo xhi\n0 9 ylo yhi\n0 9 zlo zhi\n\nAtoms # {style}\n\n1 1 1 2 3\n"
    )
    with pytest.raises(VitrifyError, match=f"its style is {style}, but atom_style is {asked}"):
        load_structures(path, ("Si",), atom_style=asked)


def test_a_style_that_nobody_knows(tmp_path: Path) -> None:
    path = tmp_path / "a.data"
    path.write_text("t\n\n1 atoms\n1 atom types\n0 9 xlo xhi\n0 9 ylo yhi\n0 9 zlo zhi\n\nAtoms # mine\n\n1 1 1 2 3\n")
    with pytest.raises(VitrifyError, match="the atom style 'mine', which is unknown"):
        load_structures(path, ("Si",))
    assert len(load_structures(path, ("Si",), atom_style="atomic")) == 1


@pytest.mark.parametrize("before", ["", "Velocities\n\n1 0 0 0\n\n"])
def test_sections_of_other_commands_are_named(before: str, tmp_path: Path) -> None:
    path = tmp_path / "a.data"
    head = "t\n\n1 atoms\n1 atom types\n0 9 xlo xhi\n0 9 ylo yhi\n0 9 zlo zhi\n\nAtoms # atomic\n\n1 1 1 2 3\n\n"
    path.write_text(f"{head}{before}My Flags\n\n1 4\n")
    with pytest.warns(VitrifyWarning, match="the section My Flags"):
        load_structures(path, ("Si",))
