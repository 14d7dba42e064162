"""Training GlassVAE: it learns a potential, continues exactly, what the file holds, generation, errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

import toy_glassvae
from vitrify import GlassCalc
from vitrify.cli.main import app
from vitrify.core.errors import VitrifyError
from vitrify.data.frames import load_frames
from vitrify.export.from_run import export_run
from vitrify.generation.generate import generate_many
from vitrify.glassvae.differentiate import energy_prediction
from vitrify.glassvae.metadata import GlassVAEMetadata
from vitrify.glassvae.training.batches import make_batch
from vitrify.glassvae.training.config import LossConfig
from vitrify.glassvae.training.equivariant import GlassVAETask, answer, encode
from vitrify.glassvae.training.prepare import prepare
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.modelfile.archive import read_metadata
from vitrify.models import parse_model_config
from vitrify.training.checkpoint import LAST, load_checkpoint
from vitrify.training.config import load_config
from vitrify.training.run import load_run, train

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore:.*torch.jit")]
SPECIES = ("Cu", "Au")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("glassvae")
    toy_glassvae.write_frames(folder / "f.extxyz", groups=5, frames=4)
    rates = {"learning_rate": 0.005, "final_learning_rate": 0.005, "ema": 0.9}
    config = {
        "kind": "glassvae",
        "model": toy_glassvae.CONFIG,
        "data": {"train": ["f.extxyz"], "species": list(SPECIES), "held_out": 0.2},
        "training": {"max_steps": 8, "batch_size": 2, "validate_every": 4, "device": "cpu", **rates},
    }
    (folder / "c.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "long"
    assert train(folder / "c.yaml", out, overrides=["training.max_steps=150", "training.validate_every=50"])
    return out


def prepared(folder: Path):
    config = load_config(folder / "c.yaml")
    torch.manual_seed(0)
    return prepare(config, parse_model_config("glassvae", config.model))


def test_the_quick_way_to_forces_gives_those_of_the_file(folder):
    """Training takes derivatives by the sums over neighbours, hosts by the edges."""
    found = prepared(folder)
    task = found.task.double()
    items = [found.train[index, 0] for index in (0, 3)]
    batch = make_batch(items, task.scales)
    got = answer(task.model, batch)
    first = 0
    for number, item in enumerate(items):
        frame, n = item.frame, len(item.frame)
        graph = build_structure_graph(frame.positions, frame.cell, frame.types, task.model.cutoff, torch.float64)
        want = energy_prediction(task.model, frame.cell, graph)
        assert float(got.energies[number].detach()) == pytest.approx(want.energy, rel=1e-12)
        np.testing.assert_allclose(got.forces[first : first + n].detach(), want.forces, atol=1e-10)
        stress = got.stresses[number].detach().numpy()
        np.testing.assert_allclose(stress, want.stress, atol=1e-10)
        np.testing.assert_allclose(stress, stress.T, atol=1e-10)
        np.testing.assert_allclose(got.mu[number].detach(), want.latent, atol=1e-10)
        first += n


def test_the_scales_are_those_of_the_data(folder):
    found = prepared(folder)
    task, frames = found.task, found.train.frames
    energies = np.array([frame.energy_per_atom for frame in frames])
    assert float(task.scales[0]) == pytest.approx(energies.std(), rel=1e-3)
    forces = np.concatenate([frame.forces.ravel() for frame in frames])
    assert float(task.scales[1]) == pytest.approx(np.sqrt(np.mean(forces**2)), rel=1e-4)
    batch = make_batch([found.train[index, 0] for index in range(len(frames))], task.scales)
    model = task.model
    sums = model.basis(batch.types, batch.pairs, batch.vectors, len(batch.types))
    x = model.invariants(sums, batch.types)
    np.testing.assert_allclose(x.mean(0).detach(), 0.0, atol=1e-3)
    np.testing.assert_allclose(x.std(0).detach(), 1.0, atol=1e-3)
    rdf = np.mean([found.train[index, 0].rdf for index in range(len(frames))], axis=0)
    np.testing.assert_allclose(model.rdf_mean, rdf, atol=1e-5)


def test_the_loss_is_the_weighted_mean_of_its_parts(folder):
    found = prepared(folder)
    items = [found.train[0, 5]]
    parts = {name: float(value.detach()) for name, value in found.task.parts(items, train=True).items()}
    weights = LossConfig().model_dump()
    assert parts.keys() == weights.keys()
    want = sum(weights[name] * parts[name] for name in parts) / sum(weights.values())
    assert float(found.task(items).detach()) == pytest.approx(want, rel=1e-4)
    papers = {"node": 1, "edge": 100, "energy": 300, "kl": 1e-4, "rdf": 10}
    assert {name: weights[name] for name in papers} == papers


def test_data_without_stress_or_inherent_energies_train_too(folder, tmp_path):
    from ase.io import read, write

    frames = read(folder / "f.extxyz", ":")
    for atoms in frames:
        del atoms.calc.results["stress"], atoms.info["inherent_energy"]
    write(tmp_path / "f.extxyz", frames)
    config = (folder / "c.yaml").read_text()
    (tmp_path / "c.yaml").write_text(config)
    assert train(tmp_path / "c.yaml", tmp_path / "run", overrides=["training.max_steps=4"])
    found = load_run(tmp_path / "run")
    assert found.info["latent_energy"] == "energy" and np.isfinite(list(found.metrics.values())).all()
    assert all(torch.isfinite(weight).all() for weight in found.model.parameters())


def test_it_learns_a_potential(run):
    metrics = load_run(run).metrics
    assert metrics["force_rmse_over_rms"] < 0.5
    assert metrics["energy_r2"] > 0.7
    assert metrics["position_loss"] < 1.2


def test_a_run_that_continues_has_the_weights_of_one_that_did_not_stop(folder, tmp_path):
    config = folder / "c.yaml"
    train(config, tmp_path / "whole", overrides=["training.max_steps=8"])
    train(config, tmp_path / "halves", overrides=["training.max_steps=4"])
    train(config, tmp_path / "halves", overrides=["training.max_steps=8"])
    whole, halves = (load_checkpoint(tmp_path / part / LAST) for part in ("whole", "halves"))
    assert whole[0].step == halves[0].step == 8
    for content in ("task", "averaged"):
        for key, value in whole[1][content].items():
            torch.testing.assert_close(halves[1][content][key], value, rtol=0, atol=0, equal_nan=True)
    with pytest.raises(VitrifyError, match=r"holds a run with another configuration \(loss\.rdf: 10\.0, now 1\.0\)"):
        train(config, tmp_path / "halves", overrides=["loss.rdf=1.0"])


def test_the_file_is_the_run_and_the_calculator_gives_it(folder, run, tmp_path):
    path = export_run(run, tmp_path / "m.glassvae.pt").path
    metadata, found = read_metadata(path), load_run(run)
    assert isinstance(metadata, GlassVAEMetadata)
    assert metadata.latent == 4 and metadata.latent_energy == "inherent_energy" and metadata.layers == 1
    assert metadata.validity.temperature == (0.0, 600.0)
    frame = load_frames([folder / "f.extxyz"], SPECIES)[-1]
    calc = GlassCalc(path, check=True)
    from ase import Atoms

    atoms = Atoms([SPECIES[t] for t in frame.types], frame.positions, cell=frame.cell, pbc=True, calculator=calc)
    graph = build_structure_graph(frame.positions, frame.cell, frame.types, metadata.cutoff)
    want = energy_prediction(found.model, frame.cell, graph)
    assert atoms.get_potential_energy() == pytest.approx(want.energy, rel=1e-5)
    scale = np.sqrt(np.mean(want.forces**2))
    np.testing.assert_allclose(atoms.get_forces(), want.forces, atol=2e-5 * scale)
    np.testing.assert_allclose(atoms.get_stress(voigt=False), want.stress, atol=1e-5)
    np.testing.assert_allclose(calc.get_property("latent", atoms), want.latent, atol=1e-4)
    assert calc.get_property("energies", atoms).sum() == pytest.approx(atoms.get_potential_energy())
    np.testing.assert_allclose(encode(found.model, [frame])[0], want.latent, atol=1e-4)
    text = CliRunner().invoke(app, ["info", str(path)]).output
    assert "energy, forces, stress and a latent vector of 4 numbers" in text and "inherent energy " in text


def test_a_finished_run_knows_the_density_of_its_latent_vectors(folder, run):
    found = load_run(run)
    held = 4  # one simulation of five
    frames = load_frames([folder / "f.extxyz"], SPECIES)
    z = encode(found.model, frames)
    density = found.model.density()
    assert (density.weights > 0).sum() == max(1, (len(frames) - held) // 10)
    np.testing.assert_allclose(density.weights @ density.means[:, :-1], z.mean(0), atol=0.6 * z.std(0).max())
    low, high = density.quantiles((0.05, 0.95))
    inherent = np.array([frame.inherent_energy for frame in frames])
    assert low < np.median(inherent) < high
    densities = [frame.number_density for frame in frames]
    assert min(densities) < float(found.model.state_mean[0]) < max(densities)


def test_structures_come_from_the_density(run, tmp_path):
    path = export_run(run, tmp_path / "m.glassvae.pt").path
    metadata = read_metadata(path)
    low, high = metadata.latent_energy_range
    options = {"n_atoms": 40, "steps": 2}
    one, two = generate_many(path, 2, seed=3, **options)
    (again,) = generate_many(path, 1, seed=4, **options)
    np.testing.assert_array_equal(two.positions, again.positions)
    assert not np.allclose(one.info["latent"], two.info["latent"])
    assert len(one) == 40 and list(one.symbols).count("Cu") == 20 and one.pbc.all()
    between = metadata.validity.number_density
    assert between[0] <= 40 / one.get_volume() <= between[1]
    middle = 0.5 * (low + high)
    kept = list(generate_many(path, 30, seed=1, energy=(low, middle), n_atoms=8, steps=1))
    free = list(generate_many(path, 30, seed=1, n_atoms=8, steps=1))
    model = load_run(run).model

    def mean(structures) -> float:
        z = torch.tensor(np.array([atoms.info["latent"] for atoms in structures]), dtype=torch.float32)
        return float(model.decode_energies(z)[:, 1].mean().detach())

    assert mean(kept) < mean(free)
    done = CliRunner().invoke(
        app, ["generate", str(path), "--atoms", "16", "--steps", "1", f"--energy={low}:{middle}", "-o",
              str(tmp_path / "g.extxyz")],
    )  # fmt: skip
    assert done.exit_code == 0 and (tmp_path / "g.extxyz").is_file(), done.output
    for message, wrong in (
        ("leave nothing between them", {"energy": (high, low)}),
        ("next to no training data", {"energy": (high + 50, high + 60)}),
        ("knows no target", {"target": {"x": 1.0}}),
        ("is impossible for this model", {"density": 90.0}),
        ("knows no Xx", {"composition": {"Xx": 1.0}}),
        ("steps is 0", {"steps": 0}),
        ("give n_atoms or cell", {"n_atoms": None}),
    ):
        with pytest.raises(VitrifyError, match=message):
            list(generate_many(path, 1, **{**options, **wrong}))


def test_bad_data_are_one_clear_error(folder, tmp_path):
    (tmp_path / "c.yaml").write_text((folder / "c.yaml").read_text())
    toy_glassvae.write_frames(tmp_path / "f.extxyz", 1, 2)
    with pytest.raises(VitrifyError, match="all structures are of one simulation"):
        train(tmp_path / "c.yaml", tmp_path / "run")
    with pytest.raises(VitrifyError, match=r"start 5\.0 is not below the cutoff 4\.5"):
        train(folder / "c.yaml", tmp_path / "run", overrides=["model.start=5.0"])
    with pytest.raises(VitrifyError, match=r"unknown key 'loss\.energies' \(did you mean 'energy'"):
        train(folder / "c.yaml", tmp_path / "run", overrides=["loss.energies=5.0"])
    assert GlassVAETask.n_statistics == 9
