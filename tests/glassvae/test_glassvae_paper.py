"""The paper's GlassVAE and its ablations: they train, their files agree, and their known weaknesses are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import toy_glassvae
from toy_glassvae import derivative, predict
from vitrify.core.errors import VitrifyError
from vitrify.data.frames import load_frames
from vitrify.export.from_run import export_run
from vitrify.generation.generate import generate_many
from vitrify.glassvae.training.batches import Items
from vitrify.glassvae.training.config import LossConfig
from vitrify.glassvae.training.paper import PaperTask, calibrate
from vitrify.modelfile.archive import read_metadata
from vitrify.models import build_model
from vitrify.training.run import load_run, train

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit")
SMALL: dict[str, Any] = {"cutoff": 3.6, "width": 8, "latent": 4, "atoms": 32}
VARIANTS: dict[str, dict[str, Any]] = {
    "full": {"variant": "paper", "layers": 2, **SMALL},
    "single": {"variant": "paper", "ablation": "single", "layers": 1, **SMALL},
    "gnn-mlp": {"variant": "paper", "ablation": "gnn-mlp", "layers": 2, **SMALL},
    "distance": {"variant": "distance", **SMALL},
}


def make(name: str):
    torch.manual_seed(1)
    return build_model("glassvae", VARIANTS[name], toy_glassvae.SYSTEM).double()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    toy_glassvae.write_frames(folder / "f.extxyz", groups=3, frames=3)
    for name, model in VARIANTS.items():
        config = {
            "kind": "glassvae",
            "model": model,
            "data": {"train": ["f.extxyz"], "species": ["Cu", "Au"], "held_out": 0.3},
            "training": {
                "max_steps": 40, "batch_size": 3, "validate_every": 20, "device": "cpu", "learning_rate": 0.01,
                "final_learning_rate": 0.01, "ema": 0.9,
            },
        }  # fmt: skip
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.mark.parametrize("name", VARIANTS)
def test_each_variant_learns_and_its_file_agrees(name, folder, tmp_path):
    assert train(folder / f"{name}.yaml", tmp_path / "run")
    run = load_run(tmp_path / "run")
    frames = load_frames([folder / "f.extxyz"], ("Cu", "Au"))
    weights = LossConfig()
    fresh = make(name).float()
    task, before = PaperTask(run.model, weights), PaperTask(fresh, weights)
    for one in (task, before):
        one.scales.copy_(torch.tensor([0.05, 1.0]))
    before.model.property_mean.copy_(run.model.property_mean)
    before.model.property_scale.copy_(run.model.property_scale)
    source = Items(frames, run.model)
    batch = [source[index, 0] for index in range(6)]
    after, start = task.statistics(batch), before.statistics(batch)
    assert float(after[-1]) < float(start[-1])
    assert float(after[-2]) <= 0.5 * float(start[-2])  # distances of those that decode them
    path = export_run(tmp_path / "run", tmp_path / "m.glassvae.pt").path
    metadata = read_metadata(path)
    assert metadata.kind == "glassvae" and metadata.statistics is None and metadata.hyperparameters == {}
    with pytest.raises(VitrifyError, match="has no density of latent vectors"):
        next(iter(generate_many(path, 1, n_atoms=32)))


@pytest.mark.parametrize("name", ["full", "gnn-mlp"])
def test_the_loss_of_a_few_structures_can_be_learned(name, folder):
    """Energies in particular, which a test on so few other structures would not show."""
    frames = load_frames([folder / "f.extxyz"], ("Cu", "Au"))[:3]
    model = make(name).float()
    task = PaperTask(model, LossConfig())
    calibrate(task, frames)
    source = Items(frames, model)
    batch, steps = [source[index, 1] for index in range(3)], torch.optim.Adam(model.parameters(), 0.003)
    start, losses = float(task.statistics(batch)[0]), []
    for _ in range(140):
        steps.zero_grad()
        task(batch).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        steps.step()
        losses.append(float(task.statistics(batch)[0]))
    # at a constant rate the loss jumps: means over atoms differ little between structures
    assert min(losses) < 0.7 * start


@pytest.mark.parametrize("name", VARIANTS)
def test_forces_are_derivatives_too(name):
    model, atoms = make(name), toy_glassvae.glass(2, tilt=0.1)
    found = predict(model, atoms)

    def moved(x: float) -> float:
        other = atoms.copy()
        other.positions[3, 1] += x
        return predict(model, other).energy

    force = -derivative(moved, 1e-5)
    assert abs(found.forces).max() > 0
    assert force == pytest.approx(found.forces[3, 1], abs=1e-4 * np.sqrt(np.mean(found.forces**2)))


def test_the_papers_energy_changes_when_the_glass_is_turned():
    """Theorem 1 of the paper does not hold: edges carry displacement vectors. Matrices of distances are invariant."""
    atoms = toy_glassvae.glass(2)
    turned = atoms.copy()
    turned.rotate(77.0, (1.0, 2.0, -0.5), rotate_cell=True)
    for name, invariant in (("full", False), ("distance", True)):
        model = make(name)
        change = abs(predict(model, turned).energy - predict(model, atoms).energy)
        assert (change < 1e-9) == invariant
    order = np.random.default_rng(0).permutation(len(atoms))
    model = make("distance")
    assert abs(predict(model, atoms[order]).energy - predict(model, atoms).energy) > 1e-9  # but not to the order


def test_what_is_reconstructed_starts_from_the_input():
    """With a decoder that says nothing, the paper's distances are still exact: they are copied."""
    model = make("full")
    with torch.no_grad():
        for part in (model.shifts[-1], model.edges[-1]):
            part.weight.zero_()
            part.bias.zero_()
    atoms = toy_glassvae.glass(2)
    from toy_glassvae import types_of
    from vitrify.graphs.neighbours import build_structure_graph

    graph = build_structure_graph(atoms.positions, atoms.cell[:], types_of(atoms), model.cutoff, torch.float64)
    logits, distances = model.reconstruct(*graph)
    torch.testing.assert_close(distances, graph.edge_vectors.norm(dim=1))
    assert logits.shape == (32, 2)


def test_parts_of_the_loss(folder):
    frames = load_frames([folder / "f.extxyz"], ("Cu", "Au"))[:2]
    for name, expected in (
        ("full", {"energy", "kl", "rdf", "node", "edge"}), ("gnn-mlp", {"energy"}),
        ("distance", {"energy", "kl", "rdf", "node", "edge"}),
    ):  # fmt: skip
        model = make(name)
        task = PaperTask(model, LossConfig(rdf=0.0)).double()
        source = Items(frames, model)
        parts = task.parts([source[0, 1], source[1, 1]], train=True)
        assert parts.keys() == expected
        assert task.weights.get("rdf", 0.0) == 0.0
    other = build_model("glassvae", {**VARIANTS["full"], "atoms": 30}, toy_glassvae.SYSTEM)
    with pytest.raises(
        VitrifyError, match=r"structures of 32 to 32 atoms, but this variant is tied to model\.atoms, 30"
    ):
        PaperTask(other, LossConfig()).parts([Items(frames, other)[0, 0]], train=True)
