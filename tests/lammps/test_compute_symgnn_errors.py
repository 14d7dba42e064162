"""What compute symgnn/atom refuses: always one clear error that names the remedy, never a crash."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

import model_files
import toy_ogn
from lammps_inputs.compute_symgnn import DUMP, script
from lammps_runner import FOUR_RANKS, run_lammps, run_ok
from toy_symgnn import METAL, ToySymGNN, glass, make_toy, write_toy
from vitrify import _core

pytestmark = pytest.mark.lmp


class Broken(ToySymGNN):
    """A model that fails when it runs."""

    def finish(
        self, nodes: Tensor, memory: Tensor, types: Tensor,
        edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        return nodes @ edge_vectors, memory


class Column(ToySymGNN):
    """A model that returns (n, 1) in place of (n,)."""

    def finish(
        self, nodes: Tensor, memory: Tensor, types: Tensor,
        edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        return nodes[:n_owned, :1], nodes[:n_owned, :1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data file, and models, good and bad."""
    folder = tmp_path_factory.mktemp("errors")
    glass().write_data(folder / "data.test")
    whole = write_toy(folder / "toy.pt").read_bytes()
    good = json.loads(_core.read_metadata(str(folder / "toy.pt")))
    (folder / "truncated.pt").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.pt").write_bytes(b"")
    flipped = bytearray(whole)
    flipped[whole.index(b"PK\x01\x02") // 2] ^= 0x55
    (folder / "corrupt.pt").write_bytes(bytes(flipped))
    (folder / "pickle.pt").write_bytes(pickle.dumps({"weights": [1.0]}))
    torch.save(make_toy().state_dict(), folder / "checkpoint.pt")
    model_files.export(folder / "ogn.pt", units="metal")
    write_toy(folder / "lj.pt", "lj", species=("Cu", "Zr"))

    def save(name: str, module: ToySymGNN | None = None, **changes: object) -> None:
        toy_ogn.save(module or make_toy(), {**good, **changes}, folder / name)

    def make(kind: type[ToySymGNN]) -> ToySymGNN:
        return kind(METAL, 5.0, 3).double()

    save("schema.pt", schema=99)
    save("kind.pt", kind="oracle")
    save("property.pt", property="barrier")
    save("density.pt", validity={**good["validity"], "number_density": None})
    save("lengths.pt", reference={**good["reference"], "values": [1.0]})
    save("species.pt", reference={**good["reference"], "species": ["Xe"] * 32})
    wrong = [1.01 * x for x in good["reference"]["deviations"]]
    save("reference.pt", reference={**good["reference"], "deviations": wrong})
    save("broken.pt", make(Broken))
    save("column.pt", make(Column))
    nan = make_toy()
    with torch.no_grad():
        nan.embedding.fill_(float("nan"))
    save("nan.pt", nan)
    return folder


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("nowhere.pt Cu Zr", "nowhere.pt does not exist.*LAMMPS_POTENTIALS"),
        ("truncated.pt Cu Zr", "truncated"),
        ("empty.pt Cu Zr", "is empty"),
        ("corrupt.pt Cu Zr", "corrupt"),
        ("pickle.pt Cu Zr", "pickle"),
        ("checkpoint.pt Cu Zr", "has no vitrify.json.*vitrify export"),
        ("ogn.pt Cu Zr", "ogn.pt is of kind ogn, an integrator: use fix ogn for it, or give a model of kind symgnn"),
        ("lj.pt Cu Zr", "model is in lj units, but the input uses units metal: use units lj"),
        ("schema.pt Cu Zr", "schema is 99.*reads schema 1"),
        ("kind.pt Cu Zr", 'kind is "oracle".*knows "ogn" or "symgnn"'),
        ("property.pt Cu Zr", "vitrify.json is damaged or incomplete"),
        ("density.pt Cu Zr", "number_density is null, not a range of two numbers"),
        ("lengths.pt Cu Zr", "arrays of the reference case differ in length"),
        ("species.pt Cu Zr", 'reference case has the unknown species "Xe"'),
        ("reference.pt Cu Zr check yes", "does not reproduce its reference case"),
        ("broken.pt Cu Zr", "prediction of step 0 failed: .*"),
        ("column.pt Cu Zr", "prediction of step 0 failed: .*returns results of the wrong shape"),
        ("nan.pt Cu Zr", "the model's barrier of atom 1 is not a number at step 0"),
        ("toy.pt Cu", "too few elements: got 1 for 2 atom types; give one for each type, the model has Cu Zr"),
        ("toy.pt", "too few elements: got 0"),
        ("toy.pt Cu check yes", "too few elements: got 1"),
        ("toy.pt Cu Zr Zr", "too many elements: got Cu Zr Zr for 2 atom types"),
        ("toy.pt Cu Zr NULL", "too many elements: got Cu Zr NULL for 2 atom types"),
        ("toy.pt Cu Xe", "element Xe of type 2 is not in the model, which has Cu Zr"),
        ("toy.pt NULL NULL", "no atom type is mapped to an element: the model has Cu Zr"),
        ("toy.pt Cu Zr speed fast", "unknown keyword speed: use engine device trust force check"),
        ("toy.pt Cu Zr check yes energy none", "unknown keyword energy: use engine device trust force check"),
        ("toy.pt Cu Zr check", "(?i)missing"),
        ("toy.pt Cu Zr check perhaps", "(?i)perhaps"),
        ("toy.pt Cu Zr engine fast", "engine fast is unknown: use native or torch"),
        ("toy.pt Cu Zr engine native", "toy.pt .*has no weights for the native engine"),
        ("toy.pt Cu Zr engine native device cuda", "engine native has no device cuda: use device cpu, or engine"),
        ("toy.pt Cu Zr device tpu", "device tpu is unknown: use cpu, cuda or cuda:n"),
    ],
)
def test_command(folder: Path, words: str, expected: str) -> None:
    message = run_lammps(script(words), folder).error()
    assert re.search(expected, message), message


def test_no_model(folder: Path) -> None:
    message = run_lammps(script().replace("symgnn/atom toy.pt Cu Zr", "symgnn/atom"), folder).error()
    assert re.search("(?i)compute symgnn/atom.*missing|missing.*symgnn/atom", message), message


def test_no_box(folder: Path) -> None:
    message = run_lammps("units metal\ncompute b all symgnn/atom toy.pt Cu Zr\n", folder).error()
    assert "before simulation box is defined" in message


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("group some type 1\natom_modify first some\nneigh_modify include some", "use neigh_modify include all"),
        ("neighbor 2.0 multi\ncomm_modify mode multi cutoff/multi * 3.0", "use comm_modify mode single"),
    ],
)
def test_surroundings(folder: Path, before: str, expected: str) -> None:
    message = run_lammps(script(before=before), folder).error()
    assert expected in message, message


def test_two_dimensions(folder: Path) -> None:
    source = """\
units        metal
dimension    2
region       box block 0 9 0 9 -0.5 0.5
create_box   2 box
mass         * 60.0
compute      b all symgnn/atom toy.pt Cu Zr
"""
    assert "the model is three-dimensional: use dimension 3" in run_lammps(source, folder).error()


@pytest.mark.parametrize("ranks", [1, 2])
def test_positions_that_are_no_numbers(folder: Path, ranks: int) -> None:
    after = """\
run 0
variable bad atom (id==5)*1e200*1e200
group five id 5
set group five x v_bad
write_dump all custom out.dump id c_b[1]
"""
    message = run_lammps(script(after=after, dump=""), folder, ranks).error()
    assert "compute symgnn/atom: the position of atom 5 is not a number at step 0" in message


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize(
    "change",
    ["delete_atoms group five compress no", "create_atoms 1 single 3.0 3.0 3.0", "create_atoms 1 random 900 7 NULL"],
)
def test_ghosts_that_are_gone(folder: Path, change: str, ranks: int) -> None:
    after = f"""\
run 0
group five id 5 6 7
{change}
write_dump all custom out.dump id c_b[1]
"""
    message = run_lammps(script(after=after, dump=""), folder, ranks).error()
    assert "the number of atoms has changed since the last run: use run 0 first" in message


def test_before_any_run(folder: Path) -> None:
    source = script(dump="", after="write_dump all custom out.dump id c_b[1]")
    assert re.search("(?i)before .*initialization|not initialized|current", run_lammps(source, folder).error())


def test_nothing_is_computed_unless_it_is_asked_for(folder: Path) -> None:
    # a model that fails at its first prediction
    run_ok(script("broken.pt Cu Zr", dump="", after="run 2"), folder)
    asked = script("broken.pt Cu Zr", dump="", after="run 2\n" + DUMP + "run 0")
    assert "prediction of step 2 failed" in run_lammps(asked, folder).error()


@pytest.mark.parametrize("name", ["truncated.pt", "broken.pt", pytest.param("nan.pt", marks=pytest.mark.slow)])
@pytest.mark.parametrize("ranks", [2, FOUR_RANKS])
def test_errors_of_all_ranks_are_one(folder: Path, name: str, ranks: int) -> None:
    output = run_lammps(script(f"{name} Cu Zr"), folder, ranks).output
    assert output.count("ERROR") == 1, output


def test_fix_ogn_refuses_the_file(folder: Path) -> None:
    source = script(dump="", before="fix 1 all ogn toy.pt Cu Zr")
    message = run_lammps(source, folder).error()
    assert re.search("fix ogn: .*toy.pt is of kind symgnn: it predicts the barrier of atoms at rest", message), message
    assert "use compute symgnn/atom for it, or give a model of kind ogn" in message
