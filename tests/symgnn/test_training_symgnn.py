"""Training on structures: it learns what can be learned, continues exactly, and the ridge is the one of a formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from labelled_glass import CONFIG, SMALL, glass
from vitrify.core.errors import VitrifyError
from vitrify.data.structures import load_structures
from vitrify.engines.open import open_model
from vitrify.export.from_run import export_run
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.models import System, build_model
from vitrify.training.checkpoint import LAST, load_checkpoint
from vitrify.training.config import load_config
from vitrify.training.run import load_run, train

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("glasses")
    for seed, name in enumerate("abcd"):
        glass(folder / f"{name}.npz", seed)
    variants = {"exact": f"exact, {SMALL}, members: 2, fields: 2, hidden: 4", "ridge": f"ridge, {SMALL}"}
    for variant, settings in variants.items():
        (folder / f"{variant}.yaml").write_text(CONFIG.replace("VARIANT", settings))
    (folder / "schnet.yaml").write_text(CONFIG.replace("VARIANT", "schnet, cutoff: 4.0"))
    return folder


def test_it_learns_and_its_figures_are_those_computed_by_hand(folder, tmp_path):
    assert train(folder / "exact.yaml", tmp_path, overrides=["training.max_steps=200"])
    run = load_run(tmp_path)
    (unseen,) = load_structures([folder / "d.npz"], ["Cu", "Zr"], "barrier")
    graph = build_structure_graph(unseen.positions, unseen.cell, unseen.types, run.model.cutoff)
    with torch.no_grad():
        value, deviation = run.model(*graph)
    error = value.numpy() - unseen.labels
    assert run.metrics["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)
    assert run.metrics["pearson"] == pytest.approx(np.corrcoef(value, unseen.labels)[0, 1], rel=1e-4)
    assert run.metrics["pearson_within"] == pytest.approx(run.metrics["pearson"], rel=1e-6)
    assert run.metrics["pearson"] > 0.8  # its two members learn from one and from two of the three structures
    # the deviation is that of the errors, over structures that training has not seen
    assert np.sqrt(np.mean(deviation.numpy() ** 2)) == pytest.approx(run.metrics["rmse"], rel=0.02)


@pytest.mark.parametrize("variant", ["exact", "ridge", "schnet"])
def test_the_exported_file_says_what_the_run_learned(variant, folder, tmp_path):
    train(folder / f"{variant}.yaml", tmp_path / "run")
    opened = export_run(tmp_path / "run", tmp_path / "model.symgnn.pt")
    assert (tmp_path / "model.symgnn.pt").stat().st_size < 1_000_000
    metadata = opened.metadata
    assert (metadata.kind, metadata.property.name, metadata.property.unit) == ("symgnn", "barrier", "eV")
    with np.load(folder / "a.npz") as file:
        copper = float(np.mean(file["types"] == 1))
    low, high = metadata.validity.composition["Cu"]
    assert low < copper < high
    run = load_run(tmp_path / "run")
    (unseen,) = load_structures([folder / "d.npz"], ["Cu", "Zr"], "barrier")
    graph = build_structure_graph(unseen.positions, unseen.cell, unseen.types, run.model.cutoff)
    with torch.no_grad():
        value, deviation = run.model(*graph)
    got = open_model(tmp_path / "model.symgnn.pt").predict(unseen.positions, unseen.cell, unseen.types)
    np.testing.assert_allclose(got[0], value, atol=1e-4 * float(value.std()))
    np.testing.assert_allclose(got[1], deviation, rtol=1e-4)


def test_the_ridge_is_that_of_the_formula(folder, tmp_path):
    train(folder / "ridge.yaml", tmp_path)
    model = load_run(tmp_path).model
    structures = load_structures([folder / f"{name}.npz" for name in "abc"], ["Cu", "Zr"], "barrier")
    labels = np.concatenate([s.labels for s in structures])
    types = np.concatenate([s.types for s in structures])
    means = np.array([labels[types == t].mean() for t in (0, 1)])
    with torch.no_grad():
        graphs = [build_structure_graph(s.positions, s.cell, s.types, model.cutoff) for s in structures]
        rows = np.concatenate([model._rows(graph).double().numpy() for graph in graphs])
        predicted = np.concatenate([model(*graph)[0].double().numpy() for graph in graphs])
    spread = rows.std(0)
    spread[spread < 1e-9 * spread.max()] = np.inf
    x, y = (rows - rows.mean(0)) / spread, labels - means[types]
    # whatever alpha was chosen: the gradient of the ridge's objective vanishes for one alpha
    w = model.weight.double().numpy() * float(model.label_scale)
    gradient = x.T @ (y - x @ w)
    alpha = float(gradient @ w / (w @ w))
    assert alpha > 0
    np.testing.assert_allclose(gradient, alpha * w, atol=2e-3 * np.abs(gradient).max())
    np.testing.assert_allclose(predicted, means[types] + x @ w, atol=1e-3 * y.std())


def test_a_stopped_run_continues_as_if_it_had_not(folder, tmp_path):
    train(folder / "exact.yaml", tmp_path / "whole", overrides=["training.schedule=exponential"])
    train(folder / "exact.yaml", tmp_path / "halves", overrides=["training.schedule=exponential"])
    whole, again = (load_checkpoint(tmp_path / name / LAST)[1]["task"] for name in ("whole", "halves"))
    assert all(torch.equal(whole[key], again[key]) for key in whole)


def test_folding_the_whitening_changes_nothing(folder, tmp_path):
    train(folder / "exact.yaml", tmp_path)
    model = load_run(tmp_path).model
    (unseen,) = load_structures([folder / "d.npz"], ["Cu", "Zr"], "barrier")
    model = model.double()
    graph = build_structure_graph(unseen.positions, unseen.cell, unseen.types, model.cutoff, torch.float64)
    with torch.no_grad():
        folded = model.exportable()
        assert folded.whiten.numel() == 0
        for one, other in zip(model(*graph), folded(*graph), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
        members = model.standard_members(graph, model.prepare(graph))
        torch.testing.assert_close(model.in_units(members.mean(1), graph.types), model(*graph)[0])


def test_bad_configurations_are_one_clear_error(folder, tmp_path):
    def refused(*overrides: str) -> str:
        with pytest.raises(VitrifyError) as caught:
            train(folder / "exact.yaml", tmp_path, overrides=overrides)
        return str(caught.value)

    assert "barier" in refused("data.label=barier")
    assert "in both train and validation" in refused("data.validation=[a.npz]")
    assert "did you mean" in refused("data.lable=barrier")
    assert "must grow" in refused("model.inner=9.0")
    assert "kind" in refused("kind=symgn") and "symgnn" in refused("kind=symgn")


def test_kinds_have_their_own_data_section(folder):
    assert load_config(folder / "exact.yaml").data.unit == "eV"
    model = build_model("symgnn", {"variant": "exact"}, System(("Cu", "Zr"), (), "metal", 0.0))
    assert model.cutoff == 8.0
