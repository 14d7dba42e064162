"""From a training run, finished or interrupted, to a model file that runs in Python and in the real lmp."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import toy_trajectories as toy
from vitrify.cli.diagnose import diagnose
from vitrify.cli.main import app
from vitrify.core.files import sha256
from vitrify.engines.load import load_model
from vitrify.engines.open import engines_of
from vitrify.graphs.neighbours import build_graph
from vitrify.modelfile.archive import read_metadata
from vitrify.training.loop import Fit
from vitrify.training.run import load_run, train

pytestmark = pytest.mark.train

CONFIG = """
kind: ogn
model: {variant: VARIANT}
data: {train: [train.h5], validation: [validation.h5], stride: 4, validation_pairs: 9}
training: {seed: 3, max_steps: 24, batch_size: 2, validate_every: 8, learning_rate: 0.01, device: cpu}
"""
VARIANTS = {
    "pair": "pair, cutoff: 1.5, reach: 0.2, core: 0.2, layers: 2, scalars: 4, hidden: 8, basis: 8",
    "paper": "paper, cutoff: 1.3, layers: 1, width: 8",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    toy.write(folder / "train.h5", range(4))
    toy.write(folder / "validation.h5", range(10, 11))
    for name, model in VARIANTS.items():
        (folder / f"{name}.yaml").write_text(CONFIG.replace("VARIANT", model))
    return folder


def export(run: Path, out: Path, *options: str) -> Path:
    result = CliRunner().invoke(app, ["export", str(run), "-o", str(out), *options])
    assert result.exit_code == 0 and result.output.strip() == str(out), result.output
    return out


@pytest.mark.parametrize(
    ("variant", "interrupted"),
    [("pair", False), ("pair", True), ("paper", False), pytest.param("paper", True, marks=pytest.mark.slow)],
)
def test_an_exported_run_computes_what_was_trained(
    variant: str, interrupted: bool, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if interrupted:
        step = Fit._step

        def stopping_step(self: Fit, *arguments: Any) -> None:
            step(self, *arguments)
            if self.progress.step == 3:
                signal.raise_signal(signal.SIGTERM)

        monkeypatch.setattr(Fit, "_step", stopping_step)
    run = tmp_path / "run"
    assert train(folder / f"{variant}.yaml", run) is not interrupted
    for dtype in ("float32", "float64"):
        opened = load_model(export(run, tmp_path / f"{dtype}.pt", "--dtype", dtype))
        model = load_run(run).model.to(opened.dtype)
        frame = toy.trajectory(seed=99, frames=2)
        state = frame.positions[0], frame.velocities[0], frame.cell, frame.types
        with torch.no_grad():
            expected = model(*build_graph(*state, model.cutoff, opened.dtype))
        for got, wanted in zip(opened.predict(*state), expected, strict=True):
            limit = opened.metadata.reference.tolerance * float(wanted.square().mean().sqrt())
            assert np.abs(got - wanted.double().numpy()).max() <= limit
    monkeypatch.setattr("vitrify.cli.diagnose.shipped_models", dict)
    findings = [f for f in diagnose([str(tmp_path / "float64.pt")]) if f.name.startswith("float64.pt")]
    hosts = 2  # Python and lmp, each with every engine
    assert len(findings) == hosts * len(engines_of(tmp_path / "float64.pt")), findings
    assert all(finding.ok for finding in findings), findings


def test_the_metadata_tell_where_the_model_comes_from(folder: Path, tmp_path: Path) -> None:
    assert train(folder / "pair.yaml", tmp_path / "run")
    metadata = read_metadata(export(tmp_path / "run", tmp_path / "model.pt"))
    assert metadata.dtype == "float32" and metadata.variant == "pair" and metadata.units == "lj"
    assert metadata.species == ("A", "B") and metadata.masses == toy.MASSES
    assert metadata.stride == 4 and metadata.base_timestep == toy.BASE_TIMESTEP
    low, high = metadata.validity.number_density
    assert low < toy.N_ATOMS / toy.EDGE**3 < high
    assert metadata.validity.composition["B"][0] < 1 / 3 < metadata.validity.composition["B"][1]
    provenance = metadata.provenance
    assert provenance.seed == 3 and provenance.steps is not None and provenance.versions["torch"]
    assert provenance.data[0]["sha256"] == sha256(folder / "train.h5")
    assert provenance.config["data"]["train"] == ["train.h5"]
    assert str(folder) not in metadata.to_json() and metadata.metrics
