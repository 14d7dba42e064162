"""Model files of kind symgnn: what is written comes back and computes what the eager model does, or is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import model_files
import toy_symgnn
from changed_files import rewrite, with_metadata
from lammps_runner import Configuration
from toy_symgnn import glass, make_toy, write_toy
from vitrify.cli import diagnose as doctor
from vitrify.cli.main import app
from vitrify.core.errors import VitrifyError
from vitrify.engines.load import load_model
from vitrify.engines.open import engines_of, open_model
from vitrify.engines.replay import check_reference
from vitrify.export.write import export_model, save_model
from vitrify.modelfile.archive import open_archive, read_metadata
from vitrify.modelfile.metadata import Validity
from vitrify.modelfile.trust import remember
from vitrify.symgnn.metadata import SymGNNMetadata
from vitrify.symgnn.torchscript import TorchSymGNN

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
SHAPES = {"orthogonal": ((4, 4, 4), 0.0), "triclinic": ((4, 3, 4), 0.3), "small": ((1, 2, 1), 0.2)}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> TorchSymGNN:
    opened = load_model(write_toy(tmp_path_factory.mktemp("models") / "good.pt"))
    assert isinstance(opened, TorchSymGNN)
    return opened


def predict(opened: TorchSymGNN, c: Configuration) -> tuple[np.ndarray, np.ndarray]:
    return opened.predict(c.positions, c.cell, c.types)


def close(got: tuple[np.ndarray, ...], expected: tuple[np.ndarray, ...], tolerance: float) -> bool:
    return all(np.abs(g - e).max() <= tolerance * np.sqrt(np.mean(e**2)) for g, e in zip(got, expected, strict=True))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("units", ["lj", "metal"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_file_computes_what_the_eager_model_does(shape: str, units: str, dtype: str, tmp_path: Path) -> None:
    """On a graph that is found by brute force, in cells larger and smaller than the cutoff."""
    counts, tilt = SHAPES[shape]
    c, model = glass(units, counts, tilt), make_toy(units, dtype)
    if shape == "small":
        assert np.linalg.norm(c.cell, axis=1).min() < model.cutoff
    opened = load_model(write_toy(tmp_path / "model.pt", units, dtype))
    assert isinstance(opened, TorchSymGNN) and opened.metadata.dtype == dtype
    assert check_reference(opened) <= opened.metadata.reference.tolerance == TOLERANCE[dtype]
    values, deviations = predict(opened, c)
    assert values.shape == deviations.shape == (len(c.types),) and values.dtype == np.float64
    assert np.std(values) > 0.01 and deviations.min() > 0
    assert close((values, deviations), toy_symgnn.predict(model, c), TOLERANCE[dtype])


def test_symmetries(good: TorchSymGNN) -> None:
    """Rotated, reflected, translated, permuted or replicated, a glass keeps its values."""
    c, rng = glass(counts=(3, 3, 3), tilt=0.2), np.random.default_rng(1)
    expected = predict(good, c)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    for operation in (turn, -turn):
        assert close(good.predict(c.positions @ operation, c.cell @ operation, c.types), expected, 1e-12)
    assert close(good.predict(c.positions + np.array([3.0, -40.0, 7.7]), c.cell, c.types), expected, 1e-12)
    order = rng.permutation(len(c.types))
    got = good.predict(c.positions[order], c.cell, c.types[order])
    assert close(got, tuple(e[order] for e in expected), 1e-12)
    assert close(predict(good, c.replicated((2, 1, 3))), tuple(np.tile(e, 6) for e in expected), 1e-12)


def test_the_toy_sees_angles(good: TorchSymGNN) -> None:
    """A straight and a bent chain of three atoms, with equal bond lengths, differ at the middle atom."""
    cell, types = np.diag([30.0] * 3), [0, 1, 0]
    straight = good.predict([[-2.5, 0, 0], [0, 0, 0], [2.5, 0, 0]], cell, types)[0]
    bent = good.predict([[0, 2.5, 0], [0, 0, 0], [2.5, 0, 0]], cell, types)[0]
    assert abs(straight[1] - bent[1]) > 1e-3


def test_layer_by_layer_with_ghosts_is_the_whole(good: TorchSymGNN) -> None:
    """What LAMMPS does: periodic images as ghosts, whose features come from their owners after every layer."""
    c = glass(counts=(3, 3, 3))
    n, cutoff = len(c.types), good.metadata.cutoff
    steps = np.array(np.meshgrid(*[range(-2, 3)] * 3, indexing="ij")).reshape(3, -1).T
    steps = steps[np.any(steps != 0, axis=1)]
    positions = np.concatenate([c.positions, *(c.positions + s @ c.cell for s in steps)])
    owner = torch.arange(n).repeat(1 + len(steps))
    vectors = positions[None] - c.positions[:, None]
    near = (np.linalg.norm(vectors, axis=2) < cutoff) & ~np.eye(n, len(positions), dtype=bool)
    graph = torch.tensor(c.types)[owner], torch.tensor(np.array(near.nonzero())), torch.tensor(vectors[near])
    module = good.module
    with torch.no_grad():
        nodes, memory = module.start(*graph)
        for index in range(good.metadata.layers):
            owned, memory = module.layer(index, nodes, memory, *graph, n)
            nodes = owned[owner]
        got = module.finish(nodes, memory, *graph, n)
    assert close(tuple(x.numpy() for x in got), predict(good, c), 1e-12)


def test_the_json_is_the_documented_one(good: TorchSymGNN) -> None:
    raw = json.loads(good.metadata.to_json())
    assert set(raw) == {
        *("schema", "kind", "variant", "species", "units", "dtype", "cutoff", "layers", "network"),
        *(
            "hyperparameters",
            "node_width",
            "reverse_edges",
            "property",
            "validity",
            "provenance",
            "metrics",
            "citation",
            "reference",
        ),
    }
    assert raw["schema"] == 1 and raw["kind"] == "symgnn" and raw["species"] == ["Cu", "Zr"]
    assert raw["hyperparameters"] == {} and raw["reverse_edges"] is False
    assert raw["property"] == {"name": "barrier", "unit": "eV"}
    assert set(raw["validity"]) == {"number_density", "composition", "min_distance"}
    assert set(raw["reference"]) == {"cell", "positions", "species", "values", "deviations", "tolerance", "tolerances"}
    again = read_metadata(good.path)
    assert isinstance(again, SymGNNMetadata) and again == good.metadata


def test_the_reference_case_is_a_real_test(good: TorchSymGNN, tmp_path: Path) -> None:
    reference = good.metadata.reference
    cell = np.array(reference.cell)
    assert (1 / np.linalg.norm(np.linalg.inv(cell), axis=0)).min() < 2 * good.metadata.cutoff
    assert np.allclose(np.triu(cell, 1), 0) and abs(cell[1, 0]) > 0.1, "triclinic, as LAMMPS takes it"
    assert set(reference.species) == {"Cu", "Zr"} and np.std(reference.values) > 0.01
    for key in ("values", "deviations"):
        wrong = json.loads(good.metadata.to_json())["reference"]
        wrong[key][3] += 1e-3
        path = with_metadata(good.path, tmp_path / f"{key}.pt", reference=wrong)
        assert check_reference(load_model(path, trust=True)) > 1e-5


def test_the_same_model_gives_the_same_bytes(good: TorchSymGNN, tmp_path: Path) -> None:
    assert write_toy(tmp_path / "again.pt").read_bytes() == good.path.read_bytes()


def test_bad_metadata_are_refused(good: TorchSymGNN, tmp_path: Path) -> None:
    reference = json.loads(good.metadata.to_json())["reference"]
    bad: dict[str, dict[str, object]] = {
        "one length": {"reference": {**reference, "values": reference["values"][:-1]}},
        "reference.deviations.0": {"reference": {**reference, "deviations": [-1.0] * len(reference["values"])}},
        "bad metadata, property": {"property": "barrier"},
        "property.name": {"property": {"name": "", "unit": "eV"}},
        "reverse_edges": {"reverse_edges": True},
        "min_distance has 1 values": {"validity": {"number_density": [1, 2], "composition": {}, "min_distance": [1.0]}},
        "bad metadata, validity.temperature": {"kind": "ogn"},
    }
    for message, change in bad.items():
        with pytest.raises(VitrifyError, match=message):
            load_model(with_metadata(good.path, tmp_path / "bad.pt", **change))


def test_a_program_of_another_kind_is_refused(good: TorchSymGNN, tmp_path: Path) -> None:
    ogn = model_files.make_model("pair", "metal").double().eval()
    save_model(ogn, good.metadata, tmp_path / "swapped.pt")
    with pytest.raises(VitrifyError, match=r"takes types, velocities, .* a model of kind symgnn takes types, edge_ind"):
        load_model(tmp_path / "swapped.pt", trust=True)


def test_no_model_file_is_written_from_half_the_facts(tmp_path: Path) -> None:
    def refused(message: str, **settings: object) -> None:
        with pytest.raises(VitrifyError, match=message):
            write_toy(tmp_path / "model.pt", **settings)
        assert list(tmp_path.iterdir()) == []

    refused("give export_model property", property=None)
    refused("kind 'gnn' is unknown: use ogn or symgnn", kind="gnn")
    refused("bad metadata, property.name", property={"name": "", "unit": ""})
    refused("min_distance has 2 values", validity=Validity(
        number_density=(0.05, 0.06), composition={"Cu": (0, 1), "Zr": (0, 1)}, min_distance=(2, 2)
    ))  # fmt: skip
    with pytest.raises(VitrifyError, match="give export_model masses"):
        export_model(
            make_toy(), tmp_path / "m.pt", kind="ogn", variant="toy", species=("Cu", "Zr"), units="metal",
            validity=toy_symgnn.VALIDITY["metal"],
        )  # fmt: skip


def test_damaged_weights_are_refused(good: TorchSymGNN, tmp_path: Path) -> None:
    path = rewrite(good.path, tmp_path / "no_code.pt", lambda name, text: None if "/code/" in name else text)
    with pytest.raises(VitrifyError, match="to build it again"):
        load_model(path)


def test_info_says_what_the_file_holds_without_torch(good: TorchSymGNN) -> None:
    output = CliRunner().invoke(app, ["info", str(good.path)]).output
    for text in (
        "symgnn, variant toy, float64",
        "barrier (eV) of each atom, with its standard deviation",
        "0.055 to 0.065 atoms per volume",
        "Cu 0.2 to 0.8, Zr 0.2 to 0.8",
        "engines      torch\n",
        "compute 1 all symgnn/atom good.pt Cu Zr",
    ):
        assert text in output
    assert "temperature" not in output and "mass" not in output and "timestep" not in output
    code = f"import sys; from vitrify.cli.main import app; app(['info', {str(good.path)!r}], standalone_mode=False)"
    code += "; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_the_engine_is_torch_without_hyperparameters(good: TorchSymGNN) -> None:
    assert engines_of(good.path) == ("torch",)
    assert isinstance(open_model(good.path), TorchSymGNN)


def test_doctor_replays_the_reference_case_in_both_hosts(
    good: TorchSymGNN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = json.loads(good.metadata.to_json())["reference"]
    reference["deviations"][0] += 0.01
    wrong = with_metadata(good.path, tmp_path / "wrong.pt", reference=reference)
    remember(open_archive(wrong))
    monkeypatch.setattr(doctor, "shipped_models", dict)
    findings = {finding.name: finding for finding in doctor.diagnose([str(good.path), str(wrong)])}
    assert findings["lmp loads the plugin"].ok and "symgnn/atom" in findings["lmp loads the plugin"].detail
    for host in ("Python, torch", "lmp, torch"):
        healthy, broken = findings[f"good.pt in {host}"], findings[f"wrong.pt in {host}"]
        assert healthy.ok and "reference case reproduced to" in healthy.detail
        assert not broken.ok and "reference case" in broken.detail
