"""What export writes, every engine reproduces at once; the tolerance follows from rounding, real faults are found."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

import model_files
import toy_glassvae
from changed_files import with_entry
from lammps_runner import run_lammps
from small_runs.train import MODELS, trained
from vitrify.cli import diagnose
from vitrify.core.errors import VitrifyError
from vitrify.engines.native import forced_instruction_set, instruction_set, usable_instruction_sets
from vitrify.engines.open import engines_of, open_model
from vitrify.engines.replay import check_reference, require_reference
from vitrify.export import agreement
from vitrify.export.from_run import export_run
from vitrify.hosts.ase_calculator import GlassCalc
from vitrify.kinds import KINDS
from vitrify.modelfile.archive import read_metadata

pytestmark = [pytest.mark.slow, pytest.mark.train, pytest.mark.filterwarnings("ignore:.*torch.jit")]
FAST = ("pair", "exact", "flow", "equivariant")  # one of each kind, all with a native engine


QUICK = [(variant, 1) for variant in FAST]
MORE = [(variant, seed) for variant in MODELS for seed in (1, 2, 3, 4) if (variant, seed) not in QUICK]


@pytest.fixture(scope="module", params=[*QUICK, *(pytest.param(each, marks=pytest.mark.slow) for each in MORE)])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    variant, seed = request.param
    return trained(variant, tmp_path_factory.mktemp("run"), seed=seed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_engine_reproduces_what_export_writes(run: Path, dtype: str, tmp_path: Path) -> None:
    path = export_run(run, tmp_path / "m.pt", dtype).path
    metadata = read_metadata(path)
    allowed = metadata.reference.tolerance
    assert (
        allowed >= {"float32": 1e-5, "float64": 1e-10}[dtype] and allowed <= {"float32": 1e-3, "float64": 1e-9}[dtype]
    )
    for engine in engines_of(path):
        for name in usable_instruction_sets():
            with forced_instruction_set(name):
                # a machine whose rounding differs from this one's has room, too
                assert check_reference(open_model(path, engine)) < allowed / 2
    argument = KINDS[metadata.kind].argument
    if argument:
        GlassCalc(**{argument: str(path)}, check=True)


@pytest.mark.lmp
@pytest.mark.parametrize("name", FAST)
def test_doctor_finds_it_healthy_in_python_and_lmp(name: str, tmp_path: Path) -> None:
    path = export_run(trained(name, tmp_path, seed=5), tmp_path / "m.pt").path
    for engine in engines_of(path):
        assert "reproduced" in diagnose._model_in_python(str(path), engine)
        if read_metadata(path).in_lammps:
            assert "reproduced" in diagnose._model_in_lammps(str(path), engine)


def test_the_tolerance_follows_the_rounding_of_the_model(tmp_path: Path) -> None:
    """Forces that are small differences of large parts round more; the weights in double precision tell how much."""
    plain = toy_glassvae.write(tmp_path / "plain.pt", "float32")
    model = toy_glassvae.make(torch.float32)
    with torch.no_grad():
        model.reference.add_(4000.0)  # eV an atom, of which the last digits are the energy
    coarse = toy_glassvae.write(tmp_path / "coarse.pt", "float32", model)
    assert plain.metadata.reference.tolerance < 1e-3
    expected, exact = coarse.metadata.reference, toy_glassvae.write(tmp_path / "exact.pt", "float64", model.double())
    forces = np.array(exact.metadata.reference.forces)
    error = np.abs(np.array(expected.forces) - forces).max() / np.sqrt((forces**2).mean())
    assert coarse.metadata.reference.tolerance >= agreement.MARGIN * error * 0.9
    for engine in engines_of(coarse.path):
        assert check_reference(open_model(coarse.path, engine)) < expected.tolerance


@pytest.mark.lmp
def test_a_bad_output_does_not_hide_behind_a_coarse_one(tmp_path: Path) -> None:
    """Each output has a tolerance of its own, in Python and LAMMPS; older files have one for all."""
    made = toy_glassvae.write(tmp_path / "made.pt", "float32")
    own = made.metadata.reference.tolerances
    assert own and made.metadata.reference.tolerance == max(own) and min(own) < max(own) < agreement.LARGEST["float32"]

    def verdicts(name: str, factor: float, tolerances: list[float] | None) -> tuple[str, str]:
        def change(text: bytes) -> bytes:
            document = json.loads(text)
            document["reference"]["energy"] *= factor
            document["reference"].update(tolerance=5e-3, tolerances=tolerances)
            return json.dumps(document).encode()

        path = with_entry(made.path, tmp_path / name, "vitrify.json", change)
        try:
            require_reference(open_model(path, "native"))
            python = ""
        except VitrifyError as error:
            python = str(error)
        box = "units metal\nregion b block 0 9 0 9 0 9\ncreate_box 2 b\nmass * 1.0\npair_style glassvae\n"
        done = run_lammps(f"{box}pair_coeff * * {name} Cu Au check yes\n", tmp_path)
        return python, done.error() if done.status else ""

    coarse = [1e-5, 5e-3, 5e-3, 5e-3, 5e-3]
    assert verdicts("good.pt", 1.0, coarse) == ("", "")
    assert verdicts("older.pt", 1.001, None) == ("", "")
    python, lmp = verdicts("bad.pt", 1.001, coarse)
    assert "off by 1.0e-03 of the output's rms, 1e-05 is allowed" in python
    assert "relative error 0.000999, allowed 1e-05" in lmp
    assert all("tolerances, but more outputs" in said for said in verdicts("few.pt", 1.0, [1e-3]))


def test_no_margin_makes_a_tolerance_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    largest = agreement.LARGEST["float32"]
    monkeypatch.setattr(agreement, "rounding_errors", lambda *_: [1e-9, largest / 3, 1e-6, 1e-7, 1e-7])
    found = toy_glassvae.write(tmp_path / "m.pt", "float32").metadata.reference
    assert found.tolerances == (1e-5, largest, 1e-5, 1e-5, 1e-5) and found.tolerance == largest
    monkeypatch.setattr(agreement, "rounding_errors", lambda *_: [1e-9, largest, 1e-6, 1e-7, 1e-7])
    with pytest.raises(
        VitrifyError, match=r"changes an output of this model by .* of its rms, of which 5e-04 is allow"
    ):
        toy_glassvae.write(tmp_path / "m.pt", "float32")


def test_an_engine_that_computes_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    native = KINDS["ogn"].load("native")
    right = native.predict

    def wrong(self, *arguments):
        dr, dv = right(self, *arguments)
        return dr, dv * (1 + 1e-3)

    monkeypatch.setattr(native, "predict", wrong)
    with pytest.raises(VitrifyError, match=r"off by .* computes wrongly here on the native engine"):
        model_files.export(tmp_path / "m.pt")
    assert not list(tmp_path.iterdir())


def test_one_instruction_set_that_is_wrong_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    native = KINDS["ogn"].load("native")
    right, bad = native.predict, usable_instruction_sets()[0]

    def wrong(self, *arguments):
        dr, dv = right(self, *arguments)
        return dr, dv * (1 + 1e-3 * (bad in self.runs_on))

    monkeypatch.setattr(native, "predict", wrong)
    with pytest.raises(VitrifyError, match=rf"native engine \({bad}\)"):
        model_files.export(tmp_path / "m.pt")


@pytest.mark.parametrize(("value", "words"), [(float("nan"), "not finite"), (1e30, "not finite|rounding")])
def test_a_model_of_nonsense_is_not_exported(value: float, words: str, tmp_path: Path) -> None:
    model = model_files.make_model("paper")
    with torch.no_grad():
        model.outputs.std.fill_(value)
        next(model.parameters()).fill_(value)
    with pytest.raises(VitrifyError, match=words):
        model_files.export_model(
            model, tmp_path / "m.pt", kind="ogn", variant="paper", species=("A", "B"), units="lj", masses=(1.0, 2.0),
            base_timestep=0.005, stride=5, validity=model_files.VALIDITY["lj"],
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_the_choice_of_instruction_set_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VITRIFY_SIMD", raising=False)
    widest = instruction_set()
    assert widest == usable_instruction_sets()[-1]
    with forced_instruction_set("default"):
        assert instruction_set() == "default"
    assert instruction_set() == widest and "VITRIFY_SIMD" not in os.environ
    monkeypatch.setenv("VITRIFY_SIMD", "default")
    with forced_instruction_set(widest):
        assert instruction_set() == widest
    assert os.environ["VITRIFY_SIMD"] == "default" and json.dumps(instruction_set()) == '"default"'
