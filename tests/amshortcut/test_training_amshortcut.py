"""Training generators: each variant learns and continues exactly, draws are what was asked for, errors are clear."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from toy_samples import CONFIGS, SYSTEM, process_of, write_crystals
from vitrify.amshortcut.training.task import AMShortcutTask, Draws
from vitrify.core.errors import VitrifyError
from vitrify.data.samples import Sample, load_samples
from vitrify.export.from_run import export_run
from vitrify.generation.processes import Flow
from vitrify.models import build_model
from vitrify.training.checkpoint import LAST, load_checkpoint
from vitrify.training.run import load_run, train

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore:.*torch.jit")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A configuration for each variant; the learning rate is constant, so that runs of any length begin alike."""
    folder = tmp_path_factory.mktemp("crystals")
    write_crystals(folder / "c.extxyz.gz")
    write_crystals(folder / "gap.extxyz", missing=1)
    for name, model in CONFIGS.items():
        rates = {"learning_rate": 0.005, "final_learning_rate": 0.005, "ema": 0.9, "clip": 1.0}
        config = {
            "kind": "amshortcut",
            "model": model,
            "data": {
                "train": ["c.extxyz.gz"], "species": ["Si", "O"], "properties": ["spacing", "ring_size"],
                "held_out": 0.25,
            },
            "training": {"max_steps": 12, "batch_size": 2, "validate_every": 6, "device": "cpu", **rates},
        }  # fmt: skip
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
    return folder


def mean_loss(model, samples: list[Sample], seeds: range, **options) -> float:
    """The loss over many draws, the same for every model of a variant."""
    process = process_of(model)
    settings = {"shortcuts": 0.0, "shortest": model.shortest, "null": 0.0, "density": None, **options}
    draws = Draws(samples, process, **settings)
    task = AMShortcutTask(model, process)
    batch = [draws[index, seed][0] for index in range(len(draws)) for seed in seeds]
    return float(task.statistics(batch)[0])


@pytest.mark.parametrize(
    "name",
    [
        name if name in ("flow", "paper", "ode-moments") else pytest.param(name, marks=pytest.mark.slow)
        for name in CONFIGS
    ],
)
def test_each_variant_learns(name, folder, tmp_path):
    """On structures that it has not seen, it becomes better than it was at the start and than an answer of nothing."""
    overrides = ["training.max_steps=120", "training.validate_every=60", "training.learning_rate=0.02"]
    assert train(folder / f"{name}.yaml", tmp_path, overrides=overrides)
    run = load_run(tmp_path)
    samples = load_samples([folder / "c.extxyz.gz"], ["Si", "O"], ["spacing", "ring_size"])
    torch.manual_seed(1)
    fresh = build_model("amshortcut", CONFIGS[name], SYSTEM).eval()
    fresh.calibrate(torch.tensor([2.95, 6.0]), torch.tensor([0.1, 0.0]))
    seeds = range(1000, 1012)
    before, after = (mean_loss(model, samples, seeds) for model in (fresh, run.model))
    process = process_of(run.model)
    draws = [Draws(samples, process, shortcuts=0.0, shortest=1.0, null=0.0, density=None)[0, s][0] for s in seeds]
    nothing = np.mean([(d.target_x**2).sum(1) + 0.5 * (d.target_e**2).sum(1) for d in draws])
    assert after < 0.95 * before
    if name != "ode":  # the atoms of the material ODE come from anywhere, so that there is little to be learned
        assert after < 0.97 * nothing
    assert run.metrics["val_loss"] < 1.1 * nothing


@pytest.mark.parametrize("name", ["flow", "paper", "sde-moments"])
def test_a_run_that_continues_has_the_weights_of_one_that_did_not_stop(name, folder, tmp_path):
    config = folder / f"{name}.yaml"
    train(config, tmp_path / "whole", overrides=["training.max_steps=24"])
    train(config, tmp_path / "halves")
    train(config, tmp_path / "halves", overrides=["training.max_steps=24"])
    whole, halves = (load_checkpoint(tmp_path / part / LAST) for part in ("whole", "halves"))
    assert whole[0].step == halves[0].step == 24
    for content in ("task", "averaged"):
        for key, value in whole[1][content].items():
            torch.testing.assert_close(halves[1][content][key], value, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", ["flow", "paper-moments"])
def test_the_model_file_answers_as_the_run(name, folder, tmp_path):
    train(folder / f"{name}.yaml", tmp_path / "run")
    opened = export_run(tmp_path / "run", tmp_path / "model.amshortcut.pt")
    model = load_run(tmp_path / "run").model
    structure = load_samples([folder / "c.extxyz.gz"], ["Si", "O"])[0]
    elements = np.eye(model.kinds)[structure.types]
    got = opened.answer(structure.positions, structure.cell, elements, 0.5, 0.25, np.array([3.0, np.nan]))
    task = AMShortcutTask(model, process_of(model))
    draw = Draws([structure], task.process, shortcuts=0, shortest=1, null=0, density=None)[0, 0][0]
    state = type(draw.state)(structure.cell, structure.positions, elements)
    asked = type(draw)(state, 0.5, 0.25, draw.target_x, draw.target_e, np.array([3.0, 0.0]), np.array([1.0, 0.0]))
    with torch.no_grad():
        want = task.answers([asked], [state], [0.5], [0.25])
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def make_draws(samples: list[Sample], variant: str = "paper", **options) -> Draws:
    process = process_of(build_model("amshortcut", CONFIGS[variant], SYSTEM))
    return Draws(samples, process, **{"shortcuts": 0.25, "shortest": 1 / 16, "null": 0.3, "density": None, **options})


def test_draws_follow_from_their_seed_and_have_the_shares_that_were_asked_for(folder):
    samples = load_samples([folder / "gap.extxyz"], ["Si", "O"], ["spacing", "ring_size"])
    draws = make_draws(samples)
    one, again, other = draws[2, 5][0], draws[2, 5][0], draws[2, 6][0]
    np.testing.assert_array_equal(one.state.positions, again.state.positions)
    assert not np.array_equal(one.state.positions, other.state.positions)
    many = [draws[2, seed][0] for seed in range(2000)]
    steps = np.array([d.step for d in many])
    assert np.mean(steps > 0) == pytest.approx(0.25, abs=0.04)
    assert all(d.time - d.step >= 0 and d.time <= 0.99 for d in many)
    assert steps[steps > 0].min() >= 1 / 16 - 0.011
    assert np.mean(steps[steps > 0] > 0.9) > 0.2
    known = np.array([d.known for d in many])
    np.testing.assert_allclose(known.mean(0), 0.7, atol=0.05)
    assert abs(np.corrcoef(known.T)[0, 1]) < 0.1
    # what the file does not say is never told
    missing = [draws[1, seed][0] for seed in range(50)]
    assert all(d.known[0] == 0 and d.properties[0] == 0 for d in missing)
    assert any(d.known[1] == 1 for d in missing)


def test_ghosts_fill_the_cell_to_a_density(folder):
    samples = load_samples([folder / "c.extxyz.gz"], ["Si", "O"])
    for index in (0, len(samples) - 1):
        draw = make_draws(samples, density=0.15)[index, 1][0]
        n = len(draw.state.positions)
        assert n == int(0.15 * samples[index].volume)
        # at time 0 the kinds would be 8 of each species, and ghosts
        draws, kinds = make_draws(samples, density=0.15), []
        for seed in range(100):
            found = draws[index, seed][0]
            angle = 0.5 * np.pi * found.time
            kinds.append((found.state.elements - 1.5 * np.sin(angle) * found.target_e) / np.cos(angle))
        np.testing.assert_allclose(np.sum(kinds, axis=1), np.tile([8, 8, n - 16], (100, 1)), atol=1e-6)
    assert len(make_draws(samples, density=0.01)[0, 1][0].state.positions) == 16
    assert len(make_draws(samples, "flow", density=0.15)[0, 1][0].state.positions) == 16


def test_a_checkpoint_says_what_the_data_are(folder, tmp_path):
    train(folder / "flow.yaml", tmp_path)
    info = load_run(tmp_path).info
    assert [(p["name"], p["unit"]) for p in info["properties"]] == [("spacing", "A"), ("ring_size", "")]
    low, high = info["properties"][0]["range"]
    assert 2.79 < low <= 2.8 + 1e-9
    assert 3.0 < high <= 3.11
    statistics = info["statistics"]
    assert statistics["names"] == ["number_density", "fraction:Si", "fraction:O", "spacing", "ring_size"]
    samples = load_samples([folder / "c.extxyz.gz"], ["Si", "O"], ["spacing", "ring_size"])
    spacings = {round(s.volume ** (1 / 3) / 2, 3) for s in samples}
    assert min(spacings) < statistics["mean"][3] < max(spacings)
    np.testing.assert_allclose(statistics["mean"][1:3], 0.5)
    covariance = np.array(statistics["covariance"])
    assert covariance[0, 3] < 0  # denser where closer
    np.testing.assert_allclose(covariance, covariance.T)
    assert info["data"][0]["name"] == "c.extxyz.gz"
    assert str(folder) not in json.dumps({key: info[key] for key in info if key != "config"})


def test_wrong_configurations_are_one_clear_error(folder, tmp_path):
    def refused(*overrides: str, name: str = "flow") -> str:
        with pytest.raises(VitrifyError) as caught:
            train(folder / f"{name}.yaml", tmp_path / "none", overrides=overrides)
        return str(caught.value)

    assert "no structure of" in refused("data.properties=[spacin]")
    assert "did you mean 'spacing'" in refused("data.properties=[spacin]")
    assert "has atoms of O, which is none of the species Si" in refused("data.species=[Si]")
    assert "is no element: give data.masses" in refused("data.species=[Si, O, A]")
    assert "there is no file" in refused("data.train=[none.extxyz]")
    assert "in both train and validation" in refused("data.validation=[c.extxyz.gz]")
    assert "variant 'papr' of amshortcut is unknown" in refused("model.variant=papr")
    assert "model.channels is not a setting of amshortcut variant flow" in refused("model.channels=3")
    assert "model.shortcuts is not a setting of amshortcut variant ode" in refused("model.shortcuts=0.5", name="ode")
    assert "spread 9.0 is not below the cutoff" in refused("model.spread=9.0")
    assert "did you mean" in refused("data.propertis=[spacing]")
    write_crystals(folder / "single.extxyz", groups=1)
    assert "of one simulation" in refused("data.train=[single.extxyz]")


def test_one_noise_is_shown_at_several_times(folder):
    samples = load_samples([folder / "c.extxyz.gz"], ["Si", "O"])
    process = Flow(2, 1.2)
    draws = Draws(samples, process, shortcuts=0.0, shortest=1.0, null=0.0, density=None, times=3)[0, 1]
    assert len({draw.time for draw in draws}) == 3
    for draw in draws:
        np.testing.assert_array_equal(draw.target_x, draws[0].target_x)
        np.testing.assert_allclose(draw.state.positions - draw.time * draw.target_x, samples[0].positions, atol=1e-12)
