"""Symmetries of the SymGNN variants, and by how much those that are not invariant miss them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from symgnn_variants import CONFIGS, SAMPLINGS, SYSTEM, graph_of, make_atoms, make_model, predict
from vitrify.models import build_model

INVARIANT = ("exact", "egat", "mlp-types", "egnn", "schnet", "mgcn", "faenet")


def random_orthogonal(sign: float, seed: int = 3) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q)) * sign


def rotation_residual(model: torch.nn.Module, sign: float) -> float:
    """Change under a random rotation or rotoinversion, relative to the spread over atoms of the same species (rms)."""
    positions, cell, types = make_atoms()
    q = random_orthogonal(sign)
    before, after = predict(model, positions, cell, types), predict(model, positions @ q, cell @ q, types)
    spread = np.mean([before[types == s].std() for s in (0, 1)])
    return float(np.sqrt(np.mean((after - before) ** 2)) / max(spread, 1e-3))


@pytest.mark.parametrize("name", CONFIGS)
def test_translation_permutation_and_replication(name: str) -> None:
    """Also in a cell of 5.2, in which an atom is its own neighbour several times."""
    model = make_model(name)
    positions, cell, types = make_atoms(n_side=2)
    values = predict(model, positions, cell, types)
    order = np.random.default_rng(1).permutation(len(types))
    moved = (positions + np.array([0.4, -7.1, 2.2]))[order]
    assert predict(model, moved, cell, types[order]) == pytest.approx(values[order], abs=1e-9)
    shifts = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), -1).reshape(-1, 3) @ cell
    replica = (positions[None] + shifts[:, None]).reshape(-1, 3)
    tiled = predict(model, replica, 3 * cell, np.tile(types, 27))
    assert tiled == pytest.approx(np.tile(values, 27), abs=1e-9)


@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["rotation", "reflection"])
@pytest.mark.parametrize("name", INVARIANT)
def test_invariant_variants(name: str, sign: float) -> None:
    assert rotation_residual(make_model(name), sign) < 1e-8


def test_residual_of_the_paper_variant() -> None:
    """Its symmetrisation is not exact; the less it averages, the less invariant it is."""

    def residual(sampling: str) -> float:
        found = []
        for seed in range(2):
            torch.manual_seed(seed)
            config = {**CONFIGS[f"paper-{sampling}"], "dropout": 0.0, "quantiles": 4}
            model = build_model("symgnn", config, SYSTEM).double()
            graph = graph_of(*make_atoms())
            with torch.no_grad():
                for _ in range(40):  # the running statistics
                    model(*graph)
            found += [rotation_residual(model.eval(), sign) for sign in (1.0, -1.0)]
        return float(np.mean(found))

    found = {sampling: residual(sampling) for sampling in SAMPLINGS}
    assert 1e-6 < found["icosahedral"] < 0.005
    assert 1e-6 < found["haar"] < 0.005
    assert 0.005 < found["von_mises"] < 0.15
    assert found["von_mises"] < found["none"]
    assert found["fixed3"] < found["none"] < 0.5


def test_gcn_and_mean_vectors_know_no_rotation() -> None:
    """The paper calls these two non-invariant."""
    assert rotation_residual(make_model("gcn"), 1.0) > 0.02
    assert rotation_residual(make_model("mlp"), 1.0) > 0.02
