"""What pair_style glassvae and compute glassvae/latent refuse: one clear error that names the remedy, on every rank."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import model_files
import toy_glassvae
from lammps_inputs.pair_glassvae import REDUCED, configuration, script
from lammps_runner import FOUR_RANKS, run_lammps
from toy_symgnn import write_toy
from vitrify import _core
from vitrify.cli.describe import describe
from vitrify.cli.diagnose import diagnose
from vitrify.export.write import export_model
from vitrify.modelfile.archive import read_metadata
from vitrify.models import build_model

pytestmark = pytest.mark.lmp


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data file, and models, good and bad."""
    folder = tmp_path_factory.mktemp("errors")
    configuration(toy_glassvae.glass(2, 0.1)).write_data(folder / "data.test")
    whole = toy_glassvae.write(folder / "toy.pt").path.read_bytes()
    (folder / "truncated.pt").write_bytes(whole[: len(whole) // 2])
    flipped = bytearray(whole)
    flipped[whole.index(b"PK\x01\x02") // 2] ^= 0x55
    (folder / "corrupt.pt").write_bytes(bytes(flipped))
    toy_glassvae.write(folder / "lj.pt", system=REDUCED)
    model_files.export(folder / "ogn.pt", units="metal")
    write_toy(folder / "barriers.pt")
    paper = build_model("glassvae", {"variant": "paper", "width": 8, "latent": 4, "atoms": 32}, toy_glassvae.SYSTEM)
    export_model(
        paper, folder / "paper.pt", kind="glassvae", variant="paper", species=toy_glassvae.SYSTEM.species,
        units="metal", validity=toy_glassvae.VALIDITY, masses=toy_glassvae.SYSTEM.masses,
    )  # fmt: skip
    # NaN in the energy alone, so that it comes up after the exchange of totals
    broken = toy_glassvae.make()
    text = _core.read_metadata(str(folder / "toy.pt"))
    with torch.no_grad():
        broken.energy.out.bias.fill_(float("nan"))
    _save(broken, text, folder / "nan.pt")
    huge = toy_glassvae.make()
    with torch.no_grad():
        huge.energy.out.weight.fill_(1e308)
    _save(huge, text, folder / "huge.pt")
    wrong = toy_glassvae.make()
    with torch.no_grad():
        wrong.energy_scale.mul_(1.01)
    _save(wrong, text, folder / "reference.pt")
    return folder


def _save(model: torch.nn.Module, text: str, path: Path) -> None:
    from vitrify.export.write import save_model
    from vitrify.modelfile.metadata import parse_metadata

    save_model(model, parse_metadata(text.encode(), path), path)


PAIR = "pair_style glassvae\npair_coeff * * "


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("nowhere.pt Cu Au", "nowhere.pt does not exist.*LAMMPS_POTENTIALS"),
        ("truncated.pt Cu Au", "truncated"),
        ("corrupt.pt Cu Au", "corrupt"),
        ("ogn.pt Cu Au", "is of kind ogn, an integrator: use fix ogn for it, or give a model of kind glassvae"),
        ("barriers.pt Cu Au", "kind symgnn: it predicts .* use compute symgnn/atom for it, or give .* kind glassvae"),
        ("paper.pt Cu Au engine native", r"has no weights for the native engine \(variant paper\)"),
        ("paper.pt Cu Au", "variant paper.*all atoms in one place.*GlassCalc"),
        ("lj.pt A B", "the model is in lj units, but the input uses units metal: use units lj"),
        ("reference.pt Cu Au check yes", "does not reproduce its reference case"),
        ("toy.pt Cu", "too few elements: got 1 for 2 atom types"),
        ("toy.pt Cu Au Au", "too many elements: got Cu Au Au for 2 atom types"),
        ("toy.pt Cu Xe", "element Xe of type 2 is not in the model, which has Cu Au"),
        ("toy.pt Cu Au speed fast", "unknown keyword speed: use engine device trust force check"),
        (
            "toy.pt Au Cu",
            "type 1 has mass 63.546, .*with Cu and Au exchanged all masses fit.*: use pair_coeff",
        ),
        ("toy.pt Cu Au engine native device cuda", "engine native has no device cuda: use device cpu, or engine torch"),
        ("toy.pt Cu Au device tpu", "device tpu is unknown: use cpu, cuda or cuda:n"),
        ("nan.pt Cu Au", "weights.safetensors has a value of energy.out.bias that is not finite"),
        ("huge.pt Cu Au", r"prediction of step 0 failed: the model's (energy|force) of atom \d+ is not a number"),
        (
            "nan.pt Cu Au engine torch trust yes",
            r"prediction of step 0 failed: the model's energy of atom \d+ is not a number",
        ),
        ("", "(?i)missing.*pair_style glassvae|pair_style glassvae.*missing"),
    ],
)
def test_pair_coeff(folder: Path, words: str, expected: str) -> None:
    message = run_lammps(script(Path("toy.pt"), pair=PAIR + words), folder).error()
    assert "pair_style glassvae" in message
    assert re.search(expected, message), message


@pytest.mark.parametrize(
    ("before", "pair", "expected"),
    [
        ("newton off", "", "use newton on"),
        ("newton off on", "", "use newton on"),
        ("", "pair_style glassvae 4.0", "unexpected word 4.0"),
        ("", "pair_style glassvae\npair_coeff 1 2 toy.pt Cu Au", r"must start with \* \* for pair style glassvae"),
        ("", PAIR + "toy.pt Cu NULL", "(?i)not all pair coeffs are set|all pair coeffs"),
        ("", PAIR + "toy.pt Cu Au\nneigh_modify exclude type 1 2", "use neigh_modify exclude none"),
    ],
)
def test_surroundings(folder: Path, before: str, pair: str, expected: str) -> None:
    message = run_lammps(script(Path("toy.pt"), pair=pair, before=before), folder).error()
    assert re.search(expected, message), message


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("some glassvae/latent toy.pt Cu Au", "group some is not supported, because z belongs to the whole"),
        ("all glassvae/latent", "(?i)missing"),
        ("all glassvae/latent ogn.pt Cu Au", "is of kind ogn"),
        ("all glassvae/latent lj.pt A B", "use units lj"),
    ],
)
def test_compute(folder: Path, words: str, expected: str) -> None:
    source = script(Path("toy.pt"), after=f"group some type 1\ncompute z {words}\nrun 0")
    message = run_lammps(source, folder).error()
    assert "compute glassvae/latent" in message
    assert re.search(expected, message), message


def test_other_styles_name_the_right_one(folder: Path) -> None:
    message = run_lammps(script(Path("toy.pt"), after="compute b all symgnn/atom toy.pt Cu Au"), folder).error()
    assert "use pair_style glassvae, compute glassvae/latent or create_glass for it, or give a model of kind" in message


@pytest.mark.parametrize("ranks", [1, 2, FOUR_RANKS])
def test_positions_that_are_no_numbers(folder: Path, ranks: int) -> None:
    after = """\
run 0
group five id 5
velocity five set NULL NULL 1e308
fix 1 all nve
timestep 1.0
neigh_modify every 10 delay 10 check no
run 3
"""
    message = run_lammps(script(Path("toy.pt"), after=after), folder, ranks).error()
    assert "pair_style glassvae: the prediction of step" in message and "of atom 5 is not a number" in message


@pytest.mark.parametrize(("thermo", "ranks"), [(8, 1), (100, 2), pytest.param(100, 4, marks=pytest.mark.slow)])
def test_forces_that_are_no_numbers_within_a_run(folder: Path, thermo: int, ranks: int) -> None:
    """One atom moves onto another in step 8, which is reported by all ranks at once, with or without output of it."""
    after = f"""\
undump out
thermo {thermo}
set atom 1 x 0.0 y 0.0 z 0.0
set atom 2 x 1.0 y 0.0 z 0.0
group two id 2
fix 1 two move linear -0.125 0 0
timestep 1.0
neigh_modify every 100 delay 100 check no
run 20
"""
    result = run_lammps(script(Path("toy.pt"), "engine torch", after=after), folder, ranks)
    assert re.search("the prediction of step 8 failed: the model's force of atom [12] is not a number", result.error())
    assert result.output.count("ERROR") == 1, result.output
    assert list(result.thermo()["Step"]) == [0]


@pytest.mark.parametrize("words", ["truncated.pt Cu Au", "huge.pt Cu Au"])
def test_errors_of_all_ranks_are_one(folder: Path, words: str) -> None:
    output = run_lammps(script(Path("toy.pt"), pair=PAIR + words), folder, 4).output
    assert output.count("ERROR") == 1, output


@pytest.mark.slow
def test_what_is_said_of_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """info names the commands, and doctor replays the reference case in LAMMPS, where that can run the model."""
    told = {name: dict(describe(read_metadata(folder / name), folder / name)) for name in ("toy.pt", "paper.pt")}
    assert told["toy.pt"]["in LAMMPS"] == "pair_style glassvae; pair_coeff * * toy.pt Cu Au"
    assert told["paper.pt"]["in LAMMPS"].startswith("no: GlassCalc")
    monkeypatch.setattr("vitrify.cli.diagnose.shipped_models", dict)
    findings = {found.name: found for found in diagnose([str(folder / "toy.pt"), str(folder / "paper.pt")])}
    assert findings["lmp loads the plugin"].ok and "pair_style glassvae" in findings["lmp loads the plugin"].detail
    for name in ("toy.pt in lmp, native", "toy.pt in lmp, torch", "paper.pt in Python, torch"):
        assert findings[name].ok, findings[name]
    assert not any(name.startswith("paper.pt in lmp") for name in findings)


def test_atoms_far_from_each_other_are_no_error(folder: Path, tmp_path: Path) -> None:
    """Nothing within the cutoff: energies of free atoms, no forces."""
    atoms = toy_glassvae.glass(1)
    atoms.set_cell(np.eye(3) * 40)
    atoms.positions = 12.0 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    configuration(atoms).write_data(tmp_path / "data.test")
    done = run_lammps(script(folder / "toy.pt", "engine torch"), tmp_path, 2)
    assert done.status == 0, done.output
    rows = np.array([[float(x) for x in line.split()] for line in (tmp_path / "out.dump").read_text().splitlines()[9:]])
    assert np.abs(rows[:, 5:8]).max() < 1e-12
