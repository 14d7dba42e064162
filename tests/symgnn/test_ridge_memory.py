"""The ridge regression solves the equations of all structures at once, in the memory of one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from symgnn_variants import SYSTEM
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.models import build_model
from vitrify.symgnn.models import ridge

SMALL = {"variant": "ridge", "cutoff": 5.0, "inner": 4.0, "core": 1.5, "basis": 3, "degree": 2, "shells": 2}


def structures(number: int, n: int = 60):
    """Graphs of random atoms in double precision, and labels of which some are missing."""
    rng = np.random.default_rng(3)
    graphs, labels = [], []
    for _ in range(number):
        cell = np.eye(3) * (n / 0.05) ** (1 / 3)
        types = rng.integers(0, 2, n)
        graphs.append(build_structure_graph(rng.uniform(0, cell[0, 0], (n, 3)), cell, types, 5.0, torch.float64))
        label = torch.tensor(rng.normal(size=n) + 0.5 * types)
        label[rng.random(n) < 0.2] = torch.nan
        labels.append(label)
    return graphs, labels


def solved(graphs, labels):
    model = build_model("symgnn", SMALL, SYSTEM).double()
    types, every = torch.cat([graph.types for graph in graphs]), torch.cat(labels)
    with torch.no_grad():
        model.calibrate(types[~every.isnan()], every[~every.isnan()])
        model.solve(graphs, labels)
    return model


def directly(model, graphs, labels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviation and coefficients from one matrix of all atoms, as the module's docstring has them."""
    xs, ys = [], []
    for graph, label in zip(graphs, labels, strict=True):
        known = ~label.isnan()
        xs.append(model._rows(graph)[known].numpy())
        ys.append((((label - model.label_mean[graph.types]) / model.label_scale)[known]).numpy())
    x = np.concatenate(xs)
    mean, std = x.mean(0), x.std(0)
    std[std <= 1e-9 * std.max()] = np.inf
    zs = [(x - mean) / std for x in xs]

    def fit(alpha: float, left_out: int | None) -> np.ndarray:
        kept = [number for number in range(len(zs)) if number != left_out]
        z, y = np.concatenate([zs[k] for k in kept]), np.concatenate([ys[k] for k in kept])
        rows = np.concatenate([z, np.sqrt(alpha) * np.eye(z.shape[1])])
        return np.linalg.lstsq(rows, np.concatenate([y, np.zeros(z.shape[1])]), rcond=None)[0]

    def error(alpha: float) -> float:
        return sum(((zs[k] @ fit(alpha, k) - ys[k]) ** 2).sum() for k in range(len(zs)))

    alpha = min(ridge.ALPHAS, key=error) if len(zs) > 1 else ridge.ALPHAS[0]
    return mean, std, fit(alpha, None)


@pytest.mark.parametrize("number", [1, 2, 4])
@pytest.mark.parametrize("block", [7, 4096])
def test_it_is_the_regression_on_all_atoms(number: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ridge, "_BLOCK", block)
    graphs, labels = structures(number)
    model = solved(graphs, labels)
    for got, wanted in zip((model.centre, model.scale, model.weight), directly(model, graphs, labels), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-8 * np.abs(wanted[np.isfinite(wanted)]).max())


def test_more_structures_take_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in the matrices of equations that are alive at one time."""
    alive, most = [0], [0]
    equations = ridge.RidgeSymGNN._equations

    class Counted:
        def __init__(self) -> None:
            alive[0] += 1
            most[0] = max(most[0], alive[0])

        def __del__(self) -> None:
            alive[0] -= 1

    def counted(self, *arguments):
        gram, moment = equations(self, *arguments)
        gram.counted = Counted()
        return gram, moment

    monkeypatch.setattr(ridge.RidgeSymGNN, "_equations", counted)
    peaks = []
    for number in (2, 12):
        most[0] = 0
        solved(*structures(number, 40))
        peaks.append(most[0])
    assert peaks[0] == peaks[1] <= 4
