"""The evaluation on labelled structures: labels of a known distribution around the eager model's predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import toy_symgnn
from report_text import ReportText
from toy_symgnn import VALIDITY, glass, make_toy, write_toy
from vitrify.core.errors import VitrifyError
from vitrify.core.files import sha256
from vitrify.engines.open import open_model
from vitrify.modelfile.metadata import Provenance
from vitrify.symgnn.evaluate import EVALUATION, Settings
from vitrify.symgnn.evaluate.report import glasses_figure, parity_figure

# Wider than the toy's own: a jittered lattice has closer pairs than a glass.
RANGE = VALIDITY["metal"].model_copy(update={"min_distance": (1.3, 1.3, 1.4)})
FIGURES = ("parity.png", "glasses.png", "deviations.png", "distributions.png")


class Broken:
    """A model whose prediction is not finite for one atom."""

    def __init__(self, model: Any) -> None:
        self.path, self.metadata, self.runs_on, self.model = model.path, model.metadata, model.runs_on, model

    def predict(self, positions: Any, cell: Any, types: Any) -> tuple[np.ndarray, np.ndarray]:
        values, deviations = self.model.predict(positions, cell, types)
        return np.where(np.arange(len(values)) == 3, np.inf, values), deviations


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("model") / "toy.symgnn.pt", validity=RANGE)


def write_glass(path: Path, seed: int, scale: float = 1.0, **changes: Any) -> dict[str, np.ndarray]:
    """An npz file of 216 atoms whose labels scatter around the eager model's values with its own deviations."""
    c = glass(counts=(6, 6, 6), seed=seed)
    c = type(c)(scale * c.cell, scale * c.positions, c.velocities, c.types, c.masses)
    values, deviations = toy_symgnn.predict(make_toy(), c)
    labels = values + deviations * np.random.default_rng(seed).normal(size=len(values))
    arrays = {"positions": c.positions, "cell": c.cell, "types": c.types + 1, "barrier": labels, **changes}
    np.savez(path, **arrays)
    return {**arrays, "values": values, "deviations": deviations, "labels": labels, "species": c.types}


def test_numbers_figures_and_report(model: Path, tmp_path: Path) -> None:
    """Pooled, per glass and calibrated, against numpy on the eager model's own predictions; one glass is too thin."""
    data = [write_glass(tmp_path / f"glass{i}.npz", i, scale=1.1 if i == 2 else 1.0) for i in range(3)]
    paths = [tmp_path / f"glass{i}.npz" for i in range(3)]
    report = EVALUATION.run(model, paths, tmp_path / "out", Settings(ceiling=0.9))
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())

    values, labels, species = (np.concatenate([d[name] for d in data]) for name in ("values", "labels", "species"))
    pooled = np.corrcoef(values, labels)[0, 1]
    found = metrics["scores"]
    assert found["pearson"] == pytest.approx(pooled, rel=1e-6)
    assert found["of_ceiling"] == pytest.approx(pooled / 0.9, rel=1e-6)
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean((values - labels) ** 2)), rel=1e-6)
    for i, d in enumerate(data):
        one = found["glasses"][f"glass{i}"]
        assert one["pearson"] == pytest.approx(np.corrcoef(d["values"], d["labels"])[0, 1], rel=1e-6)
    only = metrics["species"]["Zr"]
    assert only["pearson"] == pytest.approx(np.corrcoef(values[species == 1], labels[species == 1])[0, 1], rel=1e-6)
    means = np.array([labels[species == t].mean() for t in range(2)])[species]
    assert metrics["species_mean"]["pearson"] == pytest.approx(np.corrcoef(means, labels)[0, 1], rel=1e-6)
    assert metrics["deviation"]["residual_rms"] == pytest.approx(1, abs=0.1)
    assert metrics["deviation"]["calibration_error"] < 0.05
    assert (metrics["label"], metrics["unit"]) == ("barrier", "eV")
    assert metrics["data"][1] == {"name": "glass1.npz", "sha256": sha256(paths[1])}

    beyond = [one["outside"] for one in metrics["glasses"]]
    assert beyond[0] == beyond[1] == [] and any("0.055 to 0.065" in why for why in beyond[2])
    assert report == tmp_path / "out/report.html"
    page = ReportText(report.read_text())
    assert page.outside == [] and page.images == len(FIGURES)
    assert all((tmp_path / "out" / name).stat().st_size > 5000 for name in FIGURES)
    for text in (f"{pooled:.3g}", "eV", "glass2", "0.055 to 0.065", "extrapolation", sha256(model)):
        assert text in page.text
    assert not list((tmp_path / "out").glob(".*"))  # nothing half-written


def test_every_atom_is_in_the_figures() -> None:
    """Also the outliers, and where all values are one."""
    rng = np.random.default_rng(0)
    labels, values = rng.normal(size=5000), rng.normal(size=5000)
    labels[0], values[1] = 40.0, -40.0
    for given in (values, np.zeros(5000)):
        cells = parity_figure(labels, given, "barrier (eV)").axes[0].collections[0]
        assert np.asarray(cells.get_array()).sum() == 5000
    figure = glasses_figure(["a", "b"], [0.5, 0.7], [0.1, 0.2], pooled=0.6, ceiling=0.9, unit="eV")
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.5, 0.7]
    assert [line.get_xdata()[0] for line in figure.axes[0].get_lines()] == [0.6, 0.9]


@pytest.mark.slow
def test_close_atoms_and_copies_are_pointed_out(model: Path, tmp_path: Path) -> None:
    d = write_glass(tmp_path / "a.npz", 1)
    moved = d["positions"] + np.array([1.0, 2.0, 3.0])
    pair = np.flatnonzero(d["species"] == 1)[:2]
    moved[pair[1]] = moved[pair[0]] + [1.2, 0.0, 0.0]  # Zr-Zr, below 1.4
    np.savez(tmp_path / "b.npz", positions=moved, cell=d["cell"], types=d["types"], barrier=d["labels"])
    write_glass(tmp_path / "c.npz", 2)
    report = EVALUATION.run(model, [tmp_path / f"{n}.npz" for n in "abc"], tmp_path / "out", progress=False)
    glasses = json.loads((tmp_path / "out/metrics.json").read_text())["glasses"]
    assert [g["same_as"] for g in glasses] == [["b"], ["a"], []]
    assert any("the closest Zr-Zr distance is 1.2, below 1.4" in why for why in glasses[1]["outside"])
    page = ReportText(report.read_text()).text
    assert "Near copies" in page and "a = b." in page


@pytest.mark.slow
def test_species_in_another_order_and_partial_labels(model: Path, tmp_path: Path) -> None:
    d = write_glass(tmp_path / "a.npz", 1)
    EVALUATION.run(model, tmp_path / "a.npz", tmp_path / "all", progress=False)
    swapped = np.where(d["species"] == 1, np.nan, d["labels"])
    np.savez(tmp_path / "b.npz", positions=d["positions"], cell=d["cell"], types=2 - d["species"], eb=swapped)
    EVALUATION.run(
        model, tmp_path / "b.npz", tmp_path / "part",
        Settings(label="eb", species=("Zr", "Cu"), label_species=("Cu",)), progress=False,
    )  # fmt: skip
    whole, part = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("all", "part"))
    assert part["scores"]["pearson"] == pytest.approx(whole["species"]["Cu"]["pearson"])
    assert list(part["species"]) == ["Cu"] and part["glasses"][0]["labelled"] == int((d["species"] == 0).sum())
    assert part["species_mean"]["pearson"] is None  # constant: nothing to correlate, and JSON has no NaN


def test_what_makes_no_sense_is_refused(model: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "a.npz", tmp_path / "out"
    write_glass(path, 1)
    trained = write_toy(
        tmp_path / "trained.pt", provenance=Provenance(data=({"name": "a.npz", "sha256": sha256(path)},))
    )
    with pytest.raises(VitrifyError, match=r"a\.npz was used to train"):
        EVALUATION.run(trained, path, out, progress=False)
    with pytest.raises(VitrifyError, match="no label 'height'"):
        EVALUATION.run(model, path, out, Settings(label="height"), progress=False)
    with pytest.raises(VitrifyError, match="atoms of Ni, the model knows Cu, Zr"):
        EVALUATION.run(model, path, out, Settings(species=("Cu", "Ni")), progress=False)
    with pytest.raises(VitrifyError, match=r"a: the prediction of 1 atoms \(first: 3\) is no number"):
        EVALUATION.run(Broken(open_model(model, kind="symgnn")), path, out, progress=False)
    with pytest.raises(VitrifyError, match="noise ceiling"):
        EVALUATION.run(model, path, out, Settings(ceiling=0.0), progress=False)
    assert not out.exists()  # an evaluation that fails leaves nothing


def test_a_model_without_deviations(tmp_path: Path) -> None:
    """Deviations of zero are no error of the model: the report says that there are none to calibrate."""

    class Sure(Broken):
        def predict(self, positions: Any, cell: Any, types: Any) -> tuple[np.ndarray, np.ndarray]:
            values, deviations = self.model.predict(positions, cell, types)
            return values, np.zeros_like(deviations)

    write_glass(tmp_path / "a.npz", 1)
    sure = Sure(open_model(write_toy(tmp_path / "toy.pt", validity=RANGE), kind="symgnn"))
    report = EVALUATION.run(sure, tmp_path / "a.npz", tmp_path / "out", progress=False)
    assert json.loads((tmp_path / "out/metrics.json").read_text())["deviation"] is None
    assert "nothing to calibrate" in ReportText(report.read_text()).text
