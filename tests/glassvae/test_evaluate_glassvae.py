"""Evaluation of latent models: every number against something independent, the report, and refusals."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import toy_glassvae
from vitrify.cli.main import app
from vitrify.core.errors import VitrifyError
from vitrify.core.options import from_options
from vitrify.data.frames import load_frames
from vitrify.engines.predictions import EnergyPrediction
from vitrify.glassvae.evaluate import EVALUATION, Settings
from vitrify.glassvae.evaluate.metrics import (
    LinearBaseline,
    Rdf,
    explained_by,
    means_of,
    potential_scores,
    principal_axes,
    r_squared,
    shuffled_between,
)

SPECIES = ("Cu", "Au")


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    return load_frames([toy_glassvae.write_frames(tmp_path_factory.mktemp("f") / "f.extxyz", 3, 4)], SPECIES)


def test_scores_of_the_potential(frames):
    """Errors that are put in come out."""
    random = np.random.default_rng(0)
    answers = []
    for frame in frames:
        each = np.full(len(frame), (frame.energy + 0.32) / len(frame))
        forces = frame.forces + 0.5 * random.choice([-1, 1], frame.forces.shape)
        answers.append(EnergyPrediction(each, forces, frame.stress + 0.01, np.zeros(4)))
    found = potential_scores(frames, answers)
    energies = np.array([frame.energy_per_atom for frame in frames])
    assert found["energy_rmse"] == pytest.approx(0.01) and found["energy_bias"] == pytest.approx(0.01)
    assert found["energy_r2"] == pytest.approx(1 - 1e-4 / energies.var())
    assert found["energy_of_range"] == pytest.approx(100 * 0.01 / np.ptp(energies))
    assert found["force_rmse"] == pytest.approx(0.5) and found["stress_rmse"] == pytest.approx(0.01)
    rms = np.sqrt(np.mean(np.concatenate([frame.forces for frame in frames]) ** 2))
    assert found["force_ratio"] == pytest.approx(0.5 / rms)
    blind = [replace(frame, forces=frame.forces * np.nan) for frame in frames]
    assert np.isnan(potential_scores(blind, answers)["force_ratio"])


def test_the_linear_baseline_finds_a_linear_law(frames):
    random = np.random.default_rng(1)
    g, density = random.random((80, 3, 10)), random.random(80)
    law = random.normal(size=30)
    energies = g.reshape(80, -1) @ law + 3.0 * density - 5.0
    model = LinearBaseline(g[:60], density[:60], energies[:60])
    assert r_squared(model.predict(g[60:], density[60:]), energies[60:]) > 0.999
    noisy = LinearBaseline(g[:35], density[:35], random.normal(size=35))
    # with nothing to learn, it stays near the mean
    assert np.std(noisy.predict(g[60:], density[60:])) < 1.0


def test_means_of_temperatures_are_interpolated(frames):
    ladder = zip(frames, (700.0,) * 6 + (1000.0,) * 6, strict=True)
    at = [replace(frame, temperature=t, segment=f"{t:g}K") for frame, t in ladder]
    values = np.array([1.0] * 6 + [4.0] * 6)
    asked = [
        replace(frames[0], temperature=t, segment=name)
        for t, name in ((700.0, "700K"), (800.0, "800K"), (500.0, "500K"), (1000.0, "1000K"), (np.nan, "minimised"))
    ]
    np.testing.assert_allclose(means_of(values, at, asked), [1.0, 2.0, 1.0, 4.0, 2.5])


def test_distances_between_distributions():
    rdf = Rdf(1.5, 6.5, 50, shell=6.0)
    r = rdf.r

    def peak(at: float) -> np.ndarray:
        return (np.exp(-0.5 * ((r - at) / 0.3) ** 2) / r**2)[None, None]

    assert rdf.wasserstein(peak(3.5), peak(3.0))[0] == pytest.approx(0.5, abs=0.01)
    assert rdf.wasserstein(peak(3.0), peak(3.0))[0] == 0.0
    assert rdf.error(np.ones((1, 3, 50)), np.zeros((1, 3, 50)))[0] == pytest.approx(1.0)


def test_codes_and_planes():
    random = np.random.default_rng(2)
    low = random.normal(size=(100, 3)) * [5.0, 2.0, 1.0]
    values = low @ np.linalg.qr(random.normal(size=(20, 3)))[0].T
    assert explained_by(values, values, 3) < 1e-12
    assert explained_by(values, values, 2) == pytest.approx(np.sqrt(np.var(low[:, 2]) / 20), rel=0.1)
    plane = principal_axes(values)
    assert np.abs(np.corrcoef(plane[:, 0], low[:, 0])[0, 1]) > 0.98
    assert principal_axes(values[:, :1]).shape == (100, 2)
    parts = np.array(["a"] * 5 + ["b"] * 5, dtype=object)
    assert (parts[shuffled_between(parts)] != parts).all()
    np.testing.assert_array_equal(shuffled_between(parts[:5]), np.arange(5))


def test_the_report_of_a_model(tmp_path):
    opened = toy_glassvae.write(tmp_path / "toy.glassvae.pt", "float32")
    test = toy_glassvae.write_frames(tmp_path / "test.extxyz", 2, 3)
    known = toy_glassvae.write_frames(tmp_path / "known.extxyz", 3, 4)
    arguments = ["evaluate", str(opened.path), "--data", str(test), "--data", str(known), "--training", str(known)]
    options = ["--decode", "2", "--sampling-steps", "2", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*arguments, *options])
    assert done.exit_code == 0, done.output
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    frames = load_frames([test], SPECIES)
    energies = [opened.predict(f.positions, f.cell, f.types).energy / len(f) for f in frames]
    true = [frame.energy_per_atom for frame in frames]
    scores = metrics["potential"]["test.extxyz"]["thermal"]
    assert scores["energy_rmse"] == pytest.approx(np.sqrt(np.mean(np.subtract(energies, true) ** 2)), rel=1e-4)
    assert scores["frames"] == 6 and set(metrics["potential"]) == {"test.extxyz", "known.extxyz"}
    assert set(metrics["baselines"]["test.extxyz"]) == {"mean", "linear"}
    latent = metrics["latent"]
    assert latent["numbers"] == 4 and latent["species"]["most frequent"]["accuracy"] == pytest.approx(0.5)
    assert metrics["decoded"]["structures"] == 2
    page = (tmp_path / "out" / "report.html").read_text()
    for words in ("Energy, forces and stress", "linear model on g(r)", "What the latent vector alone tells", "decoded"):
        assert words in page
    assert page.count("<img") == 3


def test_refusals(tmp_path):
    opened = toy_glassvae.write(tmp_path / "toy.glassvae.pt", "float32")
    data = toy_glassvae.write_frames(tmp_path / "f.extxyz", 1, 1, forces=False)
    assert EVALUATION.run(opened.path, [data], tmp_path / "out", Settings(count=0), progress=False).is_file()
    with pytest.raises(VitrifyError, match="there is no file"):
        EVALUATION.run(opened.path, [tmp_path / "no.extxyz"], tmp_path / "out")
    with pytest.raises(VitrifyError, match="-1 structures were asked for"):
        from_options(Settings, {"decode": -1, "sampling_steps": "5"})
    assert from_options(Settings, {"decode": 3, "sampling_steps": "5,9"}) == Settings(3, 5, (), (), 1)
    assert from_options(Settings, {"sampling_steps": "1,5,10,50"}).steps == 10  # which is the default of generators
