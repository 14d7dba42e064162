"""What fix ogn refuses: always one clear error that names the remedy, never a crash."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import model_files
from lammps_inputs.fix_ogn import LJ_PAIR, lj_liquid, lj_model, script
from lammps_runner import FOUR_RANKS, run_lammps
from toy_ogn import ToyOGN, metadata_of, save

pytestmark = pytest.mark.lmp


class Forbidden(ToyOGN):
    """A model that would write a file."""

    def start(
        self, types: Tensor, velocities: Tensor, edge_index: Tensor, edge_vectors: Tensor
    ) -> tuple[Tensor, Tensor]:
        torch.save(velocities, "stolen.pt")  # becomes aten::save in TorchScript
        return velocities, edge_vectors


class Broken(ToyOGN):
    """A model that fails when it runs."""

    def layer(
        self,
        index: int,
        nodes: Tensor,
        edges: Tensor,
        types: Tensor,
        velocities: Tensor,
        edge_index: Tensor,
        edge_vectors: Tensor,
        n_owned: int,
    ) -> tuple[Tensor, Tensor]:
        return nodes @ velocities, edges


class WithState(nn.Module):
    """A module whose code would run while it is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.state = 0

    def forward(self, x: Tensor) -> Tensor:
        return x

    @torch.jit.export
    def __getstate__(self) -> tuple[int, bool]:
        return 1, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[int, bool]) -> None:
        self.state, self.training = state


def toy(kind: type[ToyOGN] = ToyOGN) -> ToyOGN:
    return kind(2.5, 0.025, (1.0, 2.0), False).double()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data files and models, good and bad."""
    folder = tmp_path_factory.mktemp("errors")
    c = lj_liquid((3, 3, 3))
    c.write_data(folder / "data.test")

    good = metadata_of(lj_model(), c, "lj", ["A", "B"])
    whole = save(lj_model(), good, folder / "toy.pt").read_bytes()
    (folder / "truncated.pt").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.pt").write_bytes(b"")
    flipped = bytearray(whole)
    flipped[whole.index(b"PK\x01\x02") // 2] ^= 0x55
    (folder / "corrupt.pt").write_bytes(bytes(flipped))
    (folder / "text.pt").write_text("this is no model\n")
    (folder / "pickle.pt").write_bytes(pickle.dumps({"weights": [1.0]}))
    torch.save(lj_model().state_dict(), folder / "checkpoint.pt")
    save(lj_model(), None, folder / "foreign.pt")
    model_files.export(folder / "native.pt")
    save(lj_model(), {**good, "schema": 99}, folder / "schema.pt")
    save(lj_model(), {**good, "kind": "oracle"}, folder / "kind.pt")
    save(lj_model(), {k: v for k, v in good.items() if k != "cutoff"}, folder / "incomplete.pt")
    save(lj_model(), {**good, "units": "metal"}, folder / "metal.pt")
    save(lj_model(), {**good, "masses": [1.0, 3.0]}, folder / "masses.pt")
    save(WithState(), good, folder / "setstate.pt", trusted=False)
    save(toy(Forbidden), good, folder / "forbidden.pt", trusted=False)
    save(toy(Broken), good, folder / "broken.pt")
    save(nn.Linear(3, 3), good, folder / "other.pt")
    wrong = {**good["reference"], "dv": (2.0 * np.array(good["reference"]["dv"])).tolist()}
    save(lj_model(), {**good, "reference": wrong}, folder / "reference.pt")

    bad = toy()
    with torch.no_grad():
        bad.embedding.fill_(float("nan"))
    save(bad, good, folder / "nan.pt")
    wild = toy()
    with torch.no_grad():
        wild.head.mul_(1e6)
    save(wild, good, folder / "wild.pt")
    return folder


@pytest.mark.parametrize(
    ("fix", "expected"),
    [
        ("nowhere.pt A B", "nowhere.pt does not exist.*LAMMPS_POTENTIALS"),
        (". A B", "not a regular file"),
        ("truncated.pt A B", "truncated"),
        ("empty.pt A B", "is empty"),
        ("corrupt.pt A B", "corrupt"),
        ("text.pt A B", "not a model file"),
        ("pickle.pt A B", "pickle"),
        ("checkpoint.pt A B", "has no vitrify.json.*vitrify export"),
        ("foreign.pt A B", "without vitrify.json.*vitrify export"),
        ("schema.pt A B", "schema is 99.*reads schema 1"),
        ("kind.pt A B", 'kind is "oracle".*knows "ogn"'),
        ("incomplete.pt A B", "vitrify.json is damaged or incomplete.*cutoff"),
        ("setstate.pt A B", "is unknown here, so it is not loaded: check it with `vitrify trust"),
        ("forbidden.pt A B", "is unknown here, so it is not loaded: check it with `vitrify trust"),
        ("other.pt A B", 'no method "start"'),
        ("reference.pt A B check yes", "does not reproduce its reference case"),
        ("metal.pt A B", "model is in metal units, but the input uses units lj"),
        ("toy.pt A", "too few elements: got 1 for 2 atom types"),
        ("toy.pt", "too few elements: got 0"),
        ("toy.pt A device cpu", "too few elements: got 1"),
        ("toy.pt A B B", "too many elements: got A B B for 2 atom types"),
        ("toy.pt A Xe", "element Xe of type 2 is not in the model, which has A B"),
        ("toy.pt A B speed fast", "unknown keyword speed: use engine device trust energy langevin guard pair validate"),
        ("toy.pt A B check yes speed fast", "unknown keyword speed"),
        ("toy.pt A B energy keep", "energy keep is unknown: use none or rescale"),
        ("toy.pt A B energy", "(?i)missing"),
        ("toy.pt A B check perhaps", "(?i)perhaps"),
        ("toy.pt A B langevin 1.0 0.1", "(?i)missing"),
        ("toy.pt A B langevin 1.0 0.0 7", "langevin wants"),
        ("toy.pt A B langevin hot 0.1 7", "(?i)hot"),
        ("toy.pt A B energy rescale langevin 1.0 0.1 7", "use one of them"),
        ("toy.pt A B energy rescale", "needs the potential energy: use the real pair style"),
        ("toy.pt A B engine fast", "engine fast is unknown: use native or torch"),
        ("toy.pt A B engine", "(?i)missing"),
        ("toy.pt A B engine native", "toy.pt has no weights for the native engine"),
        ("native.pt A B engine native device cuda", "engine native has no device cuda: use device cpu, or engine"),
        ("native.pt A B energy rescale", "needs the potential energy: use the real pair style"),
        ("toy.pt A B device tpu", "device tpu is unknown: use cpu, cuda or cuda:n"),
        ("masses.pt A B", "type 2 has mass 2, but the model was trained with 3: use mass 2 3"),
        ("broken.pt A B", "prediction of step 1 failed: .*"),
        ("nan.pt A B", "atom [0-9]+ is not a number after the prediction at step 1"),
    ],
)
def test_fix_command(folder: Path, fix: str, expected: str) -> None:
    message = run_lammps(script(fix), folder).error()
    assert re.search(expected, message), message
    assert not (folder / "stolen.pt").exists()


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("timestep 0.005", "timestep is 0.005, but the model predicts a stride of 0.025: use timestep 0.025"),
        ("fix 2 all nve", "fix 2 nve moves the atoms, too"),
        ("fix 2 all nvt temp 1 1 1", "fix 2 nvt moves the atoms, too"),
        ("fix 2 all rigid/nve single", "moves the atoms, too"),
        ("fix 2 all ogn toy.pt A B", "fix 1 ogn moves the atoms, too"),
        ("fix 2 all langevin 1 1 1 7", "acts through forces.*langevin T damp seed"),
        ("fix 2 all addforce 1 0 0", "fix 2 addforce acts through forces"),
        ("fix 2 all efield 1 0 0", "(?i)efield"),
        ("fix 2 all spring/self 1.0", "acts through forces"),
        ("fix 2 all setforce 0 0 0", "acts through forces"),
        ("fix 2 all recenter 0 0 0", "acts within the integration"),
        ("fix 2 all deform 1 x scale 1.1 remap v", "changes velocities where atoms cross"),
        ("run_style respa 2 2 pair 2", "respa is not supported"),
        ("neigh_modify every 2 delay 0 check yes", "use neigh_modify every 1 delay 0 check yes"),
        ("neigh_modify delay 5", "use neigh_modify every 1 delay 0 check yes"),
        ("neigh_modify check no", "use neigh_modify every 1 delay 0 check yes"),
        ("neigh_modify exclude type 1 1", "use neigh_modify exclude none"),
        ("group some type 1\natom_modify first some\nneigh_modify include some", "use neigh_modify include all"),
        ("pair_style none", "without a pair style.*engine torch needs: use the real one, or pair_style zero 1.0"),
        ("change_box all boundary p p f", "use boundary p p p"),
        ("comm_modify mode multi cutoff/multi * 3.0", "(?i)multi"),
        ("mass 1 1.01", "type 1 has mass 1.01, but the model was trained with 1"),
    ],
)
def test_surroundings(folder: Path, before: str, expected: str) -> None:
    message = run_lammps(script(before=before), folder).error()
    assert re.search(expected, message), message


def test_groups_other_than_all(folder: Path) -> None:
    source = script(before="group some type 1").replace("fix          1 all", "fix 1 some")
    assert "group some is not supported" in run_lammps(source, folder).error()


def test_no_box(folder: Path) -> None:
    message = run_lammps("units lj\nfix 1 all ogn toy.pt A B\n", folder).error()
    assert "before simulation box is defined" in message


def test_energy_rescale_and_a_thermostat(folder: Path) -> None:
    source = script("toy.pt A B energy rescale", pair=LJ_PAIR, before="fix 2 all temp/csvr 1 1 1 7")
    assert "use one of them" in run_lammps(source, folder).error()


def test_energy_that_cannot_be_held(folder: Path) -> None:
    pair = "pair_style lj/cut 2.5\npair_coeff * * 1.0 1.5"
    source = script("toy.pt A B energy rescale guard no", pair=pair, before="velocity all scale 0.01", after="run 50")
    message = run_lammps(source.replace("thermo_style", "#"), folder).error()
    assert "cannot hold the total energy" in message


def test_timestep_changed_within_a_run(folder: Path) -> None:
    after = 'run 4 every 2 "timestep 0.01"'
    assert "use timestep 0.025" in run_lammps(script(after=after), folder).error()


@pytest.mark.parametrize("ranks", [1, 2])
def test_not_a_number_in_the_input(folder: Path, ranks: int) -> None:
    source = script(before="variable bad atom (id==5)*1e200*1e200\nvelocity all set NULL v_bad NULL")
    message = run_lammps(source, folder, ranks).error()
    assert "of atom 5 is not a number before the prediction at step 1" in message


@pytest.mark.parametrize("ranks", [1, 2, FOUR_RANKS])
def test_lost_atoms(folder: Path, ranks: int) -> None:
    result = run_lammps(script("wild.pt A B", after="thermo 100\nrun 5"), folder, ranks)
    assert result.status != 0
    errors = [line for line in result.output.splitlines() if line.startswith("ERROR")]
    assert errors, result.output
    assert "atom" in errors[0]


@pytest.mark.parametrize("fix", ["truncated.pt A B", "broken.pt A B"])
def test_errors_of_all_ranks_are_one(folder: Path, fix: str) -> None:
    output = run_lammps(script(fix), folder, 4).output
    assert len([line for line in output.splitlines() if "ERROR" in line]) == 1, output
