"""GlassCalc against the eager model and the model file; its cache, warnings and refusals."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.lj import LennardJones
from ase.io import read, write
from ase.optimize import FIRE

import model_files
import toy_symgnn
from changed_files import with_metadata
from lammps_runner import Configuration
from toy_symgnn import VALIDITY, glass, make_toy, write_toy
from vitrify import GlassCalc
from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.engines.load import load_model
from vitrify.modelfile.archive import read_metadata

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
SYMBOLS = {"lj": ("Ar", "Kr"), "metal": ("Cu", "Zr")}
MAP = {"lj": {"Ar": "A", "Kr": "B"}, "metal": None}
# Cells of 64 atoms, of 48 in a tilted one, and of 2 in one with edges shorter than the cutoff.
SHAPES = {"orthogonal": ((4, 4, 4), 0.0), "triclinic": ((4, 3, 4), 0.3), "small": ((1, 2, 1), 0.2)}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("models") / "toy.symgnn.pt")


@pytest.fixture(autouse=True)
def no_warnings() -> Any:
    """A warning is an error, except where a test asks for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def as_atoms(c: Configuration, units: str = "metal") -> Atoms:
    return Atoms([SYMBOLS[units][t] for t in c.types], c.positions, cell=c.cell, pbc=True)


def both(calc: GlassCalc, atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    return calc.get_property("barriers", atoms), calc.get_property("barriers_std", atoms)


def close(got: Any, expected: Any, tolerance: float) -> bool:
    return all(np.abs(g - e).max() <= tolerance * np.sqrt(np.mean(e**2)) for g, e in zip(got, expected, strict=True))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("units", ["lj", "metal"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_barriers_are_the_eager_models_and_the_files(shape: str, units: str, dtype: str, tmp_path: Path) -> None:
    counts, tilt = SHAPES[shape]
    c, path = glass(units, counts, tilt), write_toy(tmp_path / "m.pt", units, dtype)
    calc = GlassCalc(barriers=path, species=MAP[units], check=True)
    got = both(calc, as_atoms(c, units))
    assert [g.shape for g in got] == [(len(c.types),)] * 2 and got[0].dtype == np.float64
    assert close(got, toy_symgnn.predict(make_toy(units, dtype), c), TOLERANCE[dtype])
    assert close(got, load_model(path).predict(c.positions, c.cell, c.types), 1e-14)
    assert calc.barriers.metadata.property.name == {"lj": "propensity", "metal": "barrier"}[units]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
def test_symmetries(dtype: str, tolerance: float, tmp_path: Path) -> None:
    """Rotated, reflected, moved, wrapped, permuted or replicated atoms keep their barriers."""
    calc = GlassCalc(barriers=write_toy(tmp_path / "m.pt", dtype=dtype))
    atoms, rng = as_atoms(glass(counts=(3, 3, 3), tilt=0.2)), np.random.default_rng(0)
    expected = both(calc, atoms)

    turned = atoms.copy()
    turned.rotate(77.0, (1.0, 2.0, -0.5), rotate_cell=True)
    mirrored = turned.copy()
    mirrored.set_cell(-turned.cell.array)
    mirrored.positions *= -1
    moved = atoms.copy()
    moved.positions += (50.0, -3.0, 0.7)
    wrapped = moved.copy()
    wrapped.wrap()
    for same in (turned, mirrored, moved, wrapped):
        assert close(both(calc, same), expected, tolerance)
    order = rng.permutation(len(atoms))
    assert close(both(calc, atoms[order]), [e[order] for e in expected], tolerance)
    assert close(both(calc, atoms.repeat((2, 1, 3))), [np.tile(e, 6) for e in expected], tolerance)


def test_one_calculation_gives_both_and_is_kept_until_atoms_change(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calc, atoms = GlassCalc(barriers=model), as_atoms(glass())
    runs = []
    predict = calc.barriers.predict
    monkeypatch.setattr(type(calc.barriers), "predict", lambda self, *args: runs.append(1) or predict(*args))
    atoms.calc = calc
    first, spread = both(calc, atoms)
    assert set(calc.results) == {"barriers", "barriers_std", "barriers_outside"}
    assert np.array_equal(calc.results["barriers_std"], spread)
    first[:] = 0.0  # what comes back is a copy
    assert calc.get_property("barriers", atoms).any() and len(runs) == 1
    atoms.set_initial_charges(np.ones(len(atoms)))
    atoms.set_velocities(np.ones((len(atoms), 3)))
    assert calc.get_property("barriers", atoms).any() and len(runs) == 1
    for count, change in enumerate(
        (
            lambda: atoms.rattle(0.05, seed=1),
            lambda: atoms.set_cell(atoms.cell * 1.001, scale_atoms=True),
            lambda: atoms.symbols.__setitem__(0, "Zr" if atoms.symbols[0] == "Cu" else "Cu"),
            lambda: atoms.pop(),
        ),
        start=2,
    ):
        before = calc.results["barriers"]
        change()
        after = calc.get_property("barriers", atoms)
        assert len(runs) == count and len(after) == len(atoms)
        assert len(after) != len(before) or not np.array_equal(after, before)
    assert np.array_equal(calc.get_property("barriers"), calc.results["barriers"])


def test_beside_a_calculator_of_energies(model: Path) -> None:
    """The documented pattern: the potential stays attached, minimises, and GlassCalc is asked directly."""
    atoms = as_atoms(glass(counts=(3, 3, 3)))
    atoms.calc = LennardJones(sigma=2.2, epsilon=0.4, rc=4.0)
    calc = GlassCalc(barriers=model)
    before, energy = calc.get_property("barriers", atoms), atoms.get_potential_energy()
    FIRE(atoms, logfile=None).run(steps=5)
    after = calc.get_property("barriers", atoms)
    assert atoms.get_potential_energy() < energy and isinstance(atoms.calc, LennardJones)
    assert np.abs(after - before).max() > 1e-3
    rest = Configuration(atoms.cell.array, atoms.positions, 0 * atoms.positions, glass(counts=(3, 3, 3)).types, (1, 1))
    assert close([after], toy_symgnn.predict(make_toy(), rest)[:1], 1e-10)


def test_ase_writes_atoms_with_this_calculator(model: Path, tmp_path: Path) -> None:
    atoms = as_atoms(glass())
    atoms.calc = GlassCalc(barriers=model)
    atoms.arrays["barrier"] = atoms.calc.get_property("barriers", atoms)
    assert atoms.calc.todict() == {"barriers": str(model)}
    for name in ("g.extxyz", "g.traj"):
        write(tmp_path / name, atoms)
        assert np.allclose(read(tmp_path / name).positions, atoms.positions)
    assert np.allclose(read(tmp_path / "g.extxyz").arrays["barrier"], atoms.arrays["barrier"])


def test_there_are_no_energies_and_no_settings_to_change(model: Path) -> None:
    atoms = as_atoms(glass())
    atoms.calc = GlassCalc(barriers=model)
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_potential_energy()
    with pytest.raises(VitrifyError, match="cannot change device: make a new one"):
        atoms.calc.set(device="cuda:0")


def messages(calc: GlassCalc, atoms: Atoms) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        calc.get_property("barriers", atoms)
    return [str(warning.message) for warning in caught]


def test_density_and_composition_outside_the_training_data_warn_once(model: Path) -> None:
    """The toy is valid from 0.055 to 0.065 atoms per volume, with 0.2 to 0.8 of either element."""
    calc, atoms = GlassCalc(barriers=model), as_atoms(glass())
    assert messages(calc, atoms) == []
    wide = atoms.copy()
    wide.set_cell(1.1 * atoms.cell.array, scale_atoms=True)
    (text,) = messages(calc, wide)
    assert text.startswith("toy.symgnn.pt: the structure is unlike the training data, and the model extrapolates: ")
    assert "the number density is 0.04508, outside 0.055 to 0.065" in text
    assert messages(calc, wide.repeat((2, 1, 1))) == []
    copper = atoms.copy()
    copper.symbols[:] = "Cu"
    (text,) = messages(calc, copper)
    assert "the fraction of Cu is 1, outside 0.2 to 0.8; the fraction of Zr is 0, outside" in text
    copper.positions += 0.1
    assert messages(calc, copper) == []
    assert len(messages(GlassCalc(barriers=model), copper)) == 1


def test_a_small_piece_of_the_trained_glass_does_not_warn(model: Path, tmp_path: Path) -> None:
    """With 64% of Cu in all training data, 27 atoms can have 17 or 18 of 27, but 16 or 19 are too far off."""
    validity = {"number_density": [0.06, 0.06], "composition": {"Cu": [0.64, 0.64], "Zr": [0.36, 0.36]}}
    path, atoms = with_metadata(model, tmp_path / "m.pt", validity=validity), as_atoms(glass(counts=(3, 3, 3)))
    for copper, expected in ((17, 0), (18, 1), (16, 1), (19, 1)):
        atoms.symbols[:] = "Zr"
        atoms.symbols[:copper] = "Cu"
        assert len(messages(GlassCalc(barriers=path, trust=True), atoms)) == expected


def test_a_wrong_reference_case_is_found_on_request(model: Path, tmp_path: Path) -> None:
    reference = read_metadata(model).reference.model_dump(mode="json")
    reference["values"][0] += 0.01
    wrong = with_metadata(model, tmp_path / "wrong.pt", reference=reference)
    GlassCalc(barriers=wrong, trust=True)
    with pytest.raises(VitrifyError, match="reference case is off by"):
        GlassCalc(barriers=wrong, check=True, trust=True)


def test_bad_atoms_are_one_clear_error(model: Path) -> None:
    calc, good = GlassCalc(barriers=model), as_atoms(glass())

    def refused(message: str, atoms: Atoms) -> None:
        for name in calc.implemented_properties:  # the second time as well
            with pytest.raises(VitrifyError, match=message) as caught:
                calc.get_property(name, atoms)
            assert "\n" not in str(caught.value)

    def changed(**values: Any) -> Atoms:
        atoms = good.copy()
        for name, value in values.items():
            setattr(atoms, name, value)
        return atoms

    other, lost = good.copy(), good.copy()
    other.symbols[5] = "Al"
    lost.positions[7, 1] = np.nan
    refused("element Al is not in the model, which has Cu Zr: name it", other)
    refused(r"the positions of atom 7 are .* \(1 such atoms\)", lost)
    refused(r"pbc is \[True, True, False\]: the model needs all three", changed(pbc=(True, True, False)))
    refused("there are no atoms", Atoms(cell=(5, 5, 5), pbc=True))
    refused("has no volume", changed(cell=[[1, 0, 0], [0, 1, 0], [1, 1, 0]]))
    with pytest.raises(VitrifyError, match="there are no atoms: attach the calculator"):
        GlassCalc(barriers=model).get_property("barriers")
    # What was refused leaves no trace.
    assert close(both(calc, good), both(GlassCalc(barriers=model), good), 1e-15)


def test_overlapping_atoms_that_break_the_model_are_told(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calc, atoms = GlassCalc(barriers=model), as_atoms(glass())
    answer = np.ones(len(atoms))
    answer[3] = np.inf
    monkeypatch.setattr(type(calc.barriers), "predict", lambda self, *args: (answer, answer))
    with pytest.raises(VitrifyError, match=r"predicted barrier of atom 3 is inf \(1 such atoms\): do atoms overlap"):
        calc.get_property("barriers", atoms)
    assert calc.results == {}


def test_the_species_map_is_checked(model: Path) -> None:
    atoms = as_atoms(glass(), "lj")
    with pytest.raises(VitrifyError, match="element Ar is not in the model"):
        GlassCalc(barriers=model).get_property("barriers", atoms)
    with pytest.raises(VitrifyError, match="species does not say what Kr is"):
        GlassCalc(barriers=model, species={"Ar": "Cu"}).get_property("barriers", atoms)
    mapped = GlassCalc(barriers=model, species={"Ar": "Cu", "Kr": "Zr"}).get_property("barriers", atoms)
    assert np.array_equal(mapped, GlassCalc(barriers=model).get_property("barriers", as_atoms(glass())))


def test_swapped_elements_are_taken_if_forced(model: Path) -> None:
    atoms, swapped = as_atoms(glass()), {"Cu": "Zr", "Zr": "Cu"}
    with pytest.raises(VitrifyError, match="the elements seem to be swapped"):
        GlassCalc(barriers=model, species=swapped).get_property("barriers", atoms)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VitrifyWarning)
        found = GlassCalc(barriers=model, species=swapped, force=True).get_property("barriers", atoms)
    assert not np.allclose(found, GlassCalc(barriers=model).get_property("barriers", atoms))


def test_models_of_another_kind_are_refused(model: Path, tmp_path: Path) -> None:
    ogn = model_files.export(tmp_path / "cuzr.ogn.pt", units="metal").path

    def refused(message: str, *args: Any, **settings: Any) -> None:
        with pytest.raises(VitrifyError, match=message) as caught:
            GlassCalc(*args, **settings)
        assert "\n" not in str(caught.value)

    refused(r"ogn\.pt holds a model of kind ogn, not symgnn; kind ogn moves atoms: run it with OGNDyn", barriers=ogn)
    refused(r"kind symgnn, not glassvae; kind symgnn predicts .* GlassCalc\(barriers=\.\.\.\)", model)
    refused("kind ogn, not glassvae", ogn, barriers=model)
    refused("no model file nowhere.pt", barriers="nowhere.pt")
    refused("no model file nowhere.pt", "nowhere.pt")
    refused(r"GlassCalc has no model: .* GlassCalc\(barriers=MODEL\)")
    refused(r"\(variant toy\) has no weights for the native engine: use engine torch", barriers=model, engine="native")
    refused("engine 'fast' is unknown", barriers=model, engine="fast")
    refused("device 'tpu:x' is unknown", barriers=model, device="tpu:x")


def test_other_hosts_refuse_a_symgnn(model: Path) -> None:
    from vitrify import OGNDynamics
    from vitrify.ogn.native import NativeOGN

    for host in (lambda: OGNDynamics(as_atoms(glass()), model), lambda: NativeOGN(model)):
        with pytest.raises(VitrifyError, match="kind symgnn, not ogn; kind symgnn predicts a property of each atom"):
            host()


def test_atoms_unlike_the_training_data_are_outside(tmp_path: Path) -> None:
    c = glass()
    plain = write_toy(tmp_path / "plain.pt")
    atoms = as_atoms(c)
    _, spread = both(GlassCalc(barriers=plain), atoms)
    assert not GlassCalc(barriers=plain).get_property("barriers_outside", atoms).any()
    limit = float(np.median(spread))
    strict = write_toy(tmp_path / "strict.pt", validity=VALIDITY["metal"].model_copy(update={"max_deviation": limit}))
    outside = GlassCalc(barriers=strict).get_property("barriers_outside", atoms)
    assert outside.dtype == bool and np.array_equal(outside, spread > limit) and 0 < outside.sum() < len(atoms)
