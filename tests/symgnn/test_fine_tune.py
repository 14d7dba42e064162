"""Fine-tuning a model file on few labels: a shift is found, little evidence changes little, and hosts run it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from changed_files import with_metadata
from labelled_glass import CONFIG, SMALL, glass
from lammps_inputs.compute_symgnn import frame, script
from lammps_runner import run_ok
from toy_symgnn import glass as lattice
from toy_symgnn import write_toy
from vitrify.cli.main import app
from vitrify.core.errors import VitrifyError
from vitrify.data.structures import load_structures
from vitrify.engines.load import load_model
from vitrify.engines.open import open_model
from vitrify.export.from_run import export_run
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.modelfile.archive import find_model, read_metadata
from vitrify.models import System, build_model, parse_model_config
from vitrify.symgnn.training.fine_tune import features, fit_output, fit_weights, left_out, load_start, union
from vitrify.training.checkpoint import BEST, LAST, load_checkpoint
from vitrify.training.run import load_run, train

pytestmark = pytest.mark.train

SETTINGS = """
kind: symgnn
start: {model: start.symgnn.pt, adapt: ADAPT}
data: {train: [few.npz]}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A trained model file start.symgnn.pt, and the glass d.npz that it has not seen."""
    folder = tmp_path_factory.mktemp("fine_tune")
    for seed, name in enumerate("abcd"):
        glass(folder / f"{name}.npz", seed, 200)
    settings = f"exact, {SMALL}, members: 2, fields: 2"
    (folder / "start.yaml").write_text(CONFIG.replace("VARIANT", settings))
    train(folder / "start.yaml", folder / "start", overrides=["data.validation=[]"])
    export_run(folder / "start", folder / "start.symgnn.pt")
    for how in ("output", "weights"):
        (folder / f"{how}.yaml").write_text(SETTINGS.replace("ADAPT", how))
    return folder


def predicted(path: Path, structure: Path, engine: str = "torch") -> tuple[np.ndarray, np.ndarray]:
    (s,) = load_structures([structure], ["Cu", "Zr"])
    return open_model(path, engine).predict(s.positions, s.cell, s.types)


def label(folder: Path, labels: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """few.npz: d.npz with `count` of the labels; returns which."""
    chosen = np.random.default_rng(seed).permutation(len(labels))[:count]
    few = np.full(len(labels), np.nan)
    few[chosen] = labels[chosen]
    with np.load(folder / "d.npz") as file:
        np.savez(folder / "few.npz", **{**file, "barrier": few})
    return chosen


def fine_tuned(folder: Path, where: Path, how: str = "output") -> Path:
    assert train(folder / f"{how}.yaml", where / "run", resume=False)
    return export_run(where / "run", where / "new.symgnn.pt").path


@pytest.mark.parametrize("how", ["output", "weights"])
def test_a_shift_is_recovered_from_many_exact_labels(how, folder, tmp_path):
    before, _ = predicted(folder / "start.symgnn.pt", folder / "d.npz")
    with np.load(folder / "d.npz") as file:
        shifted = 1.2 * before - 0.2 + 0.05 * (file["types"] == 2)
    label(folder, shifted, 150)
    after, deviation = predicted(fine_tuned(folder, tmp_path, how), folder / "d.npz")
    assert np.abs(after - shifted).max() < 0.03 * np.abs(before - shifted).max()
    assert deviation.mean() < predicted(folder / "start.symgnn.pt", folder / "d.npz")[1].mean()


@pytest.mark.parametrize("how", ["output", "weights"])
def test_few_labels_that_agree_change_little(how, folder, tmp_path):
    before, stated = predicted(folder / "start.symgnn.pt", folder / "d.npz")
    chosen = label(folder, before, 3)
    before[chosen] += stated.mean() * np.array([0.7, 0.5, -0.9])
    label(folder, before, 3)
    before[chosen] -= stated.mean() * np.array([0.7, 0.5, -0.9])
    after, deviation = predicted(fine_tuned(folder, tmp_path, how), folder / "d.npz")
    # the mean of three errors is off by 0.58 standard deviations
    assert np.sqrt(np.mean((after - before) ** 2)) < 0.2 * stated.mean()
    np.testing.assert_allclose(deviation, stated, rtol=0.2)


@pytest.mark.parametrize("n", [3, 10, 30])
def test_the_shrunk_output_is_better_than_a_mean_where_nothing_has_shifted(n):
    rng = np.random.default_rng(3)
    ours, means = [], []
    for _ in range(100):
        species = rng.integers(0, 2, n)
        inputs = np.column_stack([np.ones(n), np.eye(2)[species], rng.standard_normal(n)])
        errors = rng.standard_normal(n)
        everywhere = np.column_stack([np.ones(400), np.eye(2)[rng.integers(0, 2, 400)], rng.standard_normal(400)])
        ours.append(np.mean((everywhere @ fit_output(inputs, errors, 1.0).change) ** 2))
        means.append(errors.mean() ** 2)
    assert np.mean(ours) < 0.6 * np.mean(means)


@pytest.mark.parametrize("how", ["output", "weights"])
def test_labels_that_are_the_predictions_change_nothing(how, folder, tmp_path):
    before, _ = predicted(folder / "start.symgnn.pt", folder / "d.npz")
    label(folder, before, 40)
    after, _ = predicted(fine_tuned(folder, tmp_path, how), folder / "d.npz")
    np.testing.assert_allclose(after, before, atol=1e-5)


@pytest.mark.parametrize("name", ["start.symgnn.pt", "Cu64Zr36.symgnn.pt"])
def test_a_file_comes_back_with_its_predictions_of_all_members(name, folder):
    path = folder / name if (folder / name).is_file() else find_model(name)
    opened = load_model(path)
    metadata = opened.metadata
    model = load_start(path, parse_model_config("symgnn", metadata.provenance.config["model"]))
    state = opened.module.state_dict()
    assert model.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    case = metadata.reference
    types = [metadata.species.index(s) for s in case.species]
    (s,) = load_structures([folder / "d.npz"], ["Cu", "Zr"])
    for positions, cell, kinds in ((case.positions, case.cell, types), (s.positions, s.cell, s.types)):
        graph = build_structure_graph(positions, cell, kinds, model.cutoff)
        with torch.no_grad():
            members = model.standard_members(graph, model.prepare(graph))
            value, deviation = model.exportable()(*graph)
        wanted = opened.predict(positions, cell, kinds)
        np.testing.assert_allclose(value, wanted[0], rtol=1e-6)
        np.testing.assert_allclose(deviation, wanted[1], rtol=1e-6)
        np.testing.assert_allclose(model.in_units(members.mean(1), graph.types), wanted[0], rtol=1e-6)
        assert members.shape == (len(kinds), model.members)


@pytest.mark.parametrize("how", ["output", "weights"])
def test_every_engine_runs_the_new_file(how, folder, tmp_path):
    with np.load(folder / "d.npz") as file:
        label(folder, file["barrier"] + 0.3, 120)
    path = fine_tuned(folder, tmp_path, how)
    run = load_run(tmp_path / "run")
    (s,) = load_structures([folder / "d.npz"], ["Cu", "Zr"])
    with torch.no_grad():
        eager = run.model(*build_structure_graph(s.positions, s.cell, s.types, run.model.cutoff))
    for engine in ("native", "torch"):
        for got, wanted in zip(predicted(path, folder / "d.npz", engine), eager, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def test_the_shipped_model_fine_tuned_is_the_same_in_lmp(tmp_path):
    """An ensemble with stiffness, whose pair functions stay."""
    c = lattice("metal", (6, 5, 5))
    c.write_data(tmp_path / "data.test")
    shipped = find_model("Cu64Zr36.symgnn.pt")
    before, _ = open_model(shipped).predict(c.positions, c.cell, c.types)
    few = np.where(np.arange(len(before)) % 5 == 0, before + 0.3 * np.sin(before / before.std()), np.nan)
    np.savez(tmp_path / "few.npz", positions=c.positions, cell=c.cell, types=c.types + 1, barrier=few)
    settings = SETTINGS.replace("start.symgnn.pt", shipped.name).replace("ADAPT", "weights")
    (tmp_path / "shipped.yaml").write_text(settings)
    train(tmp_path / "shipped.yaml", tmp_path / "run")
    path = export_run(tmp_path / "run", tmp_path / "new.pt").path
    assert path.stat().st_size < 1.1 * shipped.stat().st_size
    old, new = (load_model(each).module.state_dict() for each in (shipped, path))
    kept = ("pair_table", "centre", "shell_scale", "readout")
    assert all(torch.equal(old[key], new[key]) for key in kept) and not torch.equal(old["residual"], new["residual"])
    run = load_run(tmp_path / "run")
    with torch.no_grad():
        eager = run.model(*build_structure_graph(c.positions, c.cell, c.types, run.model.cutoff))
    assert np.abs(eager[0].numpy() - before).max() > 0.01
    found = frame(run_ok(script("new.pt Cu Zr check yes"), tmp_path, ranks=2))
    native = open_model(path, "native").predict(c.positions, c.cell, c.types)
    for got in ((found.values, found.deviations), native):
        for one, other in zip(got, eager, strict=True):
            assert np.abs(one - other.numpy()).max() < 1e-5 * np.sqrt(np.mean(other.numpy() ** 2))


def test_the_weights_learn_what_offsets_cannot(folder, tmp_path):
    """The label of the training glasses and of d.npz are the same function; here another one is asked for."""
    with np.load(folder / "d.npz") as file:
        truth = file["barrier"].copy()
    truth = truth + 0.5 * np.sin(3 * truth)
    chosen = label(folder, truth, 150)
    rest = np.setdiff1d(np.arange(len(truth)), chosen)
    errors = {}
    for how in ("output", "weights"):
        after, _ = predicted(fine_tuned(folder, tmp_path / how, how), folder / "d.npz")
        errors[how] = np.sqrt(np.mean((after - truth)[rest] ** 2))
        figures = read_metadata(tmp_path / how / "new.symgnn.pt").metrics
        assert figures["rmse"] == pytest.approx(errors[how], rel=0.35), "labels that are left out are like the others"
    before, _ = predicted(folder / "start.symgnn.pt", folder / "d.npz")
    assert errors["weights"] < 1.02 * errors["output"] < 1.04 * np.sqrt(np.mean((before - truth)[rest] ** 2))


def test_the_file_says_where_it_comes_from(folder, tmp_path):
    with np.load(folder / "d.npz") as file:
        label(folder, file["barrier"], 30)
    old = read_metadata(folder / "start.symgnn.pt")
    new = read_metadata(fine_tuned(folder, tmp_path))
    digest = hashlib.sha256((folder / "start.symgnn.pt").read_bytes()).hexdigest()
    assert new.provenance.config["start"] == {"model": "start.symgnn.pt", "adapt": "output", "sha256": digest}
    names = [entry["name"] for entry in new.provenance.data]
    assert names == ["a.npz", "b.npz", "c.npz", "start.symgnn.pt", "few.npz"]
    assert str(folder) not in new.to_json()
    assert (new.species, new.property, new.hyperparameters) == (old.species, old.property, old.hyperparameters)
    assert new.metrics["labels"] == 30 and {"offset_Cu", "offset_Zr", "gain"} <= new.metrics.keys()
    low, high = old.validity.composition["Cu"]
    assert new.validity.composition["Cu"][0] <= low and high <= new.validity.composition["Cu"][1]
    assert new.validity.max_deviation is not None
    # a file that is fine-tuned can be fine-tuned again
    settings = SETTINGS.replace("start.symgnn.pt", str(tmp_path / "new.symgnn.pt")).replace("ADAPT", "weights")
    (folder / "again.yaml").write_text(settings)
    assert train(folder / "again.yaml", tmp_path / "again")


def test_validation_structures_give_the_figures_of_unseen_atoms(folder, tmp_path):
    with np.load(folder / "d.npz") as file:
        truth = file["barrier"]
        label(folder, truth, 60)
    train(folder / "weights.yaml", tmp_path / "run", overrides=["data.validation=[d.npz]"])
    path = export_run(tmp_path / "run", tmp_path / "new.pt").path
    error = predicted(path, folder / "d.npz")[0] - truth
    assert read_metadata(path).metrics["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)


@pytest.mark.parametrize("hidden", [0, 4])
def test_features_are_the_derivatives_of_the_prediction(hidden, folder):
    torch.manual_seed(0)
    settings = {"variant": "exact", "cutoff": 5.0, "inner": 4.0, "core": 1.5, "basis": 3, "degree": 2, "shells": 2}
    settings |= {"members": 2, "fields": 2, "hidden": hidden, "floor": 0.01}
    model = build_model("symgnn", settings, System(("Cu", "Zr"), (), "metal", 0.0)).double().eval()
    (s,) = load_structures([folder / "d.npz"], ["Cu", "Zr"])
    graph = build_structure_graph(s.positions, s.cell, s.types, model.cutoff, torch.float64)
    with torch.no_grad():
        model.observe_structures([graph])
        model = model.exportable()
        for parameter in (model.last_weight, model.readout, model.field_weight):
            parameter.add_(0.01 * torch.randn_like(parameter))
        ready = model.prepare(graph)
        whiten = model.whitening(ready[0])
        known = torch.arange(len(s)) % 3 == 0
        found = features(model, graph, ready, known, whiten)
        direction = torch.randn(found.shape[1], dtype=torch.float64)
        step = whiten @ direction.view(2, len(whiten), -1)
        values = []
        for sign in (1.0, -1.0):
            model.field_weight += sign * 1e-4 * step.view(model.field_weight.shape)
            values.append(model.standard_members(graph, ready)[known].mean(1))
            model.field_weight -= sign * 1e-4 * step.view(model.field_weight.shape)
        torch.testing.assert_close((values[0] - values[1]) / 2e-4, found @ direction, rtol=1e-5, atol=1e-6)


def test_validity_ranges_are_united():
    one = {"number_density": [1.0, 2.0], "composition": {"A": [0.1, 0.2]}, "min_distance": [1.0], "max_deviation": 3.0}
    other = {"number_density": [0.5, 1.5], "composition": {"A": [0.15, 0.4]}, "min_distance": [0.8]}
    assert union(one, other) == {
        "number_density": [0.5, 2.0], "composition": {"A": [0.1, 0.4]}, "min_distance": [0.8], "max_deviation": 3.0,
    }  # fmt: skip


def test_it_is_the_regression_of_the_formula(monkeypatch):
    """With one width for each prior: the normal equations, and every label left out by hand."""
    rng = np.random.default_rng(0)
    n, widths, strength = 30, np.array([0.3, 0.1, 0.1, 0.3]), 0.5
    species = rng.integers(0, 2, n)
    inputs = np.column_stack([np.ones(n), np.eye(2)[species], rng.standard_normal(n)])
    errors, features = rng.standard_normal(n), rng.standard_normal((n, 80)) / 80**0.5
    grids = {"OFFSETS": 0.3, "OFFSETS_OF_SPECIES": 0.1, "GAINS": 0.3, "STRENGTHS": strength}
    for name, value in grids.items():
        monkeypatch.setattr(f"vitrify.symgnn.training.fine_tune.{name}", (value,))
    output = fit_output(inputs, errors, 1.0)
    wanted = np.linalg.solve(inputs.T @ inputs + np.diag(widths**-2), inputs.T @ errors)
    np.testing.assert_allclose(output.change, wanted)
    weights = fit_weights(errors, features @ features.T, 1.0)
    ridge = np.linalg.solve(features.T @ features + np.eye(80) / strength, features.T @ errors)
    np.testing.assert_allclose(features.T @ weights.dual, ridge)
    for fit, columns, scales in (
        (None, inputs, widths),
        (weights, np.hstack([inputs, features]), np.append(widths, np.full(80, strength**0.5))),
    ):
        by_hand = []
        for i in range(n):
            others = np.arange(n) != i
            x = columns[others]
            solution = np.linalg.solve(x.T @ x + np.diag(scales**-2), x.T @ errors[others])
            by_hand.append(errors[i] - columns[i] @ solution)
        np.testing.assert_allclose(left_out(errors, inputs, output, fit), by_hand)


def test_an_interrupted_run_is_solved_again(folder, tmp_path):
    with np.load(folder / "d.npz") as file:
        label(folder, file["barrier"], 50)
    train(folder / "weights.yaml", tmp_path)
    whole = load_checkpoint(tmp_path / LAST)[1]["averaged"]
    (tmp_path / BEST).unlink()  # killed between its two files, and once more when it was over
    for _ in range(2):
        assert train(folder / "weights.yaml", tmp_path)
        again = load_checkpoint(tmp_path / BEST)[1]["averaged"]
        assert all(torch.equal(whole[key], again[key]) for key in whole)
    with pytest.raises(VitrifyError, match="another configuration"):
        train(folder / "output.yaml", tmp_path)


def test_what_the_file_does_not_allow_is_one_clear_error(folder, tmp_path):
    with np.load(folder / "d.npz") as file:
        label(folder, file["barrier"], 30)

    def refused(*overrides: str) -> str:
        with pytest.raises(VitrifyError) as caught:
            train(folder / "weights.yaml", tmp_path / "run", overrides=overrides)
        return str(caught.value)

    assert "start.symgnn.pt has ['Cu', 'Zr']" in refused("data.species=[Cu, Ni]")
    assert "data.units is lj, but start.symgnn.pt has metal" in refused("data.units=lj")
    assert "data.unit is K, but start.symgnn.pt has eV" in refused("data.unit=K")
    assert "data.property is energy" in refused("data.property=energy")
    assert "model.variant is ridge, but start.symgnn.pt has exact" in refused("model.variant=ridge")
    assert "model.members is 7" in refused("model.members=7")
    assert "leave data.potential out" in refused("data.potential=x.fs")
    assert "holds a model of kind ogn" in refused("start.model=kalj.ogn.pt")
    assert "no model file nowhere.pt" in refused("start.model=nowhere.pt")
    assert "'output' or 'weights'" in refused("start.adapt=everything")
    assert "no label 'barier'" in refused("data.label=barier")
    write_toy(tmp_path / "toy.pt")
    assert "does not say how its model was made" in refused(f"start.model={tmp_path / 'toy.pt'}")
    config = json.loads(read_metadata(folder / "start.symgnn.pt").to_json())["provenance"]
    config["config"]["model"]["fields"] = 3
    with_metadata(folder / "start.symgnn.pt", tmp_path / "other.pt", provenance=config)
    assert "weights do not fit" in refused(f"start.model={tmp_path / 'other.pt'}")
    label(folder, np.ones(200), 0)
    assert "no atom of Cu, Zr has a label 'barrier'" in refused()


def test_the_command_line_goes_from_a_file_to_a_file(folder, tmp_path):
    with np.load(folder / "d.npz") as file:
        label(folder, file["barrier"] + 1.0, 60)
    settings = folder / "weights.yaml"
    for words in (
        ["train", str(settings), "--out", str(tmp_path / "run")],
        ["export", str(tmp_path / "run"), "-o", str(tmp_path / "new.pt")],
        ["info", str(tmp_path / "new.pt")],
    ):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
    assert "start.symgnn.pt (sha256" in result.output
    after, _ = predicted(tmp_path / "new.pt", folder / "d.npz")
    with np.load(folder / "d.npz") as file:
        assert np.mean(after - file["barrier"]) == pytest.approx(1.0, abs=0.2)
