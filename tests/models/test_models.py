"""Symmetries and conservation laws of the OGN variants, and their contract with the hosts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vitrify.core.errors import VitrifyError
from vitrify.graphs.graph import Graph
from vitrify.graphs.neighbours import neighbour_list
from vitrify.models import build_model, parse_model_config
from vitrify.models.base import System

SYSTEM = System(species=("A", "B"), masses=(1.0, 2.5), units="lj", timestep=0.025)
CONFIGS = {"pair": {"variant": "pair", "cutoff": 2.0}, "paper": {"variant": "paper", "cutoff": 2.0}}


def make_model(variant: str, seed: int = 0) -> torch.nn.Module:
    """A model with random weights that differ from zero everywhere, in float64."""
    torch.manual_seed(seed)
    model = build_model("ogn", CONFIGS[variant], SYSTEM).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def make_atoms(n_side: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A jittered lattice in a triclinic cell at density about 1.2: positions, velocities, types, cell."""
    rng = np.random.default_rng(seed)
    edge = n_side * 0.94
    cell = np.array([[edge, 0, 0], [0.2 * edge, edge, 0], [-0.1 * edge, 0.15 * edge, edge]])
    grid = np.stack(np.meshgrid(*[np.arange(n_side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = (grid + 0.5 + 0.08 * rng.normal(size=grid.shape)) / n_side @ cell
    return positions, rng.normal(size=positions.shape) * 1.7, rng.integers(0, 2, len(grid)), cell


def graph_of(
    model: torch.nn.Module, positions: np.ndarray, velocities: np.ndarray, types: np.ndarray, cell: np.ndarray
) -> Graph:
    index, vectors = neighbour_list(positions, cell, model.cutoff)
    return Graph(torch.tensor(types), torch.tensor(velocities), torch.tensor(index), torch.tensor(vectors))


def predict(model: torch.nn.Module, *atoms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with torch.no_grad():
        dr, dv = model(*graph_of(model, *atoms))
    return dr.numpy(), dv.numpy()


def deviation(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference relative to the rms of the expected values."""
    return float(np.abs(a - b).max() / np.sqrt(np.mean(b**2)))


def random_orthogonal(sign: float, seed: int = 3) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q)) * sign


def momentum_change(variant: str) -> float:
    """|sum m dv| per atom over the rms of m dv, and likewise for the deviation from ballistic motion."""
    model = make_model(variant)
    atoms = make_atoms()
    dr, dv = predict(model, *atoms)
    masses = np.array(SYSTEM.masses)[atoms[2], None]
    return max(
        np.abs((masses * x).mean(0)).max() / np.sqrt(np.mean((masses * x) ** 2))
        for x in (dv, dr - SYSTEM.timestep * atoms[1])
    )


def orthogonal_residual(variant: str, sign: float) -> float:
    model = make_model(variant)
    positions, velocities, types, cell = make_atoms()
    q = random_orthogonal(sign)
    dr, dv = predict(model, positions, velocities, types, cell)
    dr_q, dv_q = predict(model, positions @ q, velocities @ q, types, cell @ q)
    return max(deviation(dr_q, dr @ q), deviation(dv_q, dv @ q))


def galilean_residual(variant: str) -> float:
    model = make_model(variant)
    positions, velocities, types, cell = make_atoms()
    boost = np.array([3.0, -1.0, 2.0])
    dr, dv = predict(model, positions, velocities, types, cell)
    dr_b, dv_b = predict(model, positions, velocities + boost, types, cell)
    return max(deviation(dr_b - SYSTEM.timestep * boost, dr), deviation(dv_b, dv))


def test_pair_conserves_momentum() -> None:
    assert momentum_change("pair") < 1e-12


@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["rotation", "reflection"])
def test_pair_is_equivariant(sign: float) -> None:
    assert orthogonal_residual("pair", sign) < 1e-10


def test_pair_is_galilean_invariant() -> None:
    assert galilean_residual("pair") < 1e-10


def test_paper_variant_has_none_of_these_symmetries() -> None:
    """The reason why `pair` is the default: the paper's network breaks each of them."""
    assert momentum_change("paper") > 1e-3
    assert orthogonal_residual("paper", 1.0) > 1e-2
    assert orthogonal_residual("paper", -1.0) > 1e-2
    assert galilean_residual("paper") > 1e-2


@pytest.mark.parametrize("variant", CONFIGS)
def test_translation_and_permutation(variant: str) -> None:
    model = make_model(variant)
    positions, velocities, types, cell = make_atoms()
    dr, dv = predict(model, positions, velocities, types, cell)
    order = np.random.default_rng(1).permutation(len(types))
    moved = (positions + np.array([0.4, -7.1, 2.2]))[order]
    dr_p, dv_p = predict(model, moved, velocities[order], types[order], cell)
    assert max(deviation(dr_p, dr[order]), deviation(dv_p, dv[order])) < 1e-10


@pytest.mark.parametrize("variant", CONFIGS)
def test_cell_smaller_than_the_cutoff_agrees_with_its_replica(variant: str) -> None:
    model = make_model(variant)
    positions, velocities, types, cell = make_atoms(n_side=2)
    assert np.linalg.norm(cell, axis=1).min() < model.cutoff
    dr, dv = predict(model, positions, velocities, types, cell)
    shifts = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), -1).reshape(-1, 3) @ cell
    replica = (positions[None] + shifts[:, None]).reshape(-1, 3)
    n = len(shifts)
    dr_r, dv_r = predict(model, replica, np.tile(velocities, (n, 1)), np.tile(types, n), 3 * cell)
    assert max(deviation(dr_r, np.tile(dr, (n, 1))), deviation(dv_r, np.tile(dv, (n, 1)))) < 1e-10


@pytest.mark.parametrize("variant", CONFIGS)
def test_layerwise_exchange_with_ghosts_is_exact(variant: str) -> None:
    """Splits the atoms between two hosts that only exchange node features, as LAMMPS ranks do."""
    model = make_model(variant)
    atoms = make_atoms()
    n = len(atoms[0])
    graph = graph_of(model, *atoms)
    expected = predict(model, *atoms)
    parts = [torch.arange(n // 3), torch.arange(n // 3, n)]
    states = []
    for owned in parts:
        others = torch.tensor(sorted(set(range(n)) - set(owned.tolist())))
        members = torch.cat([owned, others])  # every other atom is a ghost
        local = torch.empty(n, dtype=torch.long)
        local[members] = torch.arange(n)
        centre_owned = torch.isin(graph.edge_index[0], owned)
        keep = centre_owned | torch.isin(graph.edge_index[1], owned) if model.reverse_edges else centre_owned
        part = Graph(
            graph.types[members],
            graph.velocities[members],
            local[graph.edge_index[:, keep]],
            graph.edge_vectors[keep],
        )
        states.append([members, len(owned), part, *model.start(*part)])
    with torch.no_grad():
        for index in range(model.layers):
            everyone = torch.empty(n, model.node_width, dtype=torch.float64)
            for state in states:
                members, n_owned, part, nodes, edges = state
                new_nodes, state[4] = model.layer(index, nodes, edges, *part, n_owned)
                everyone[members[:n_owned]] = new_nodes
            for state in states:
                state[3] = everyone[state[0]]
        for members, n_owned, part, nodes, edges in states:
            result = model.finish(nodes, edges, *part, n_owned)
            for got, want in zip(result, expected, strict=True):
                assert deviation(got.numpy(), want[members[:n_owned]]) < 1e-10


@pytest.mark.parametrize("variant", CONFIGS)
def test_torchscript_gives_the_same_answer(variant: str) -> None:
    model = make_model(variant)
    atoms = make_atoms()
    scripted = torch.jit.script(model)
    for got, want in zip(predict(scripted, *atoms), predict(model, *atoms), strict=True):
        assert deviation(got, want) < 1e-12


@pytest.mark.parametrize("variant", CONFIGS)
def test_velocity_changes_scale_alone(variant: str) -> None:
    model, atoms = make_model(variant), make_atoms()
    dr, dv = predict(model, *atoms)
    model.scale_velocity_changes(1.25)
    dr_scaled, dv_scaled = predict(model, *atoms)
    assert deviation(dr_scaled, dr) < 1e-12
    assert deviation(dv_scaled, 1.25 * dv) < 1e-12


def test_paper_variant_standardises_online() -> None:
    """Mean and standard deviation after several batches are those of all rows seen."""
    model = make_model("paper")
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(5):
        batch = torch.tensor(rng.normal(3.0, 2.0, size=(40, 3)))
        model.edge_inputs.observe(batch)
        seen.append(batch)
    rows = torch.cat(seen)
    assert torch.allclose(model.edge_inputs.mean, rows.mean(0))
    assert torch.allclose(model.edge_inputs.std, rows.std(0, unbiased=False))
    assert torch.allclose(model.edge_inputs.inverse(model.edge_inputs(rows)), rows)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"variant": "pear"}, "did you mean 'pair'"),
        ({"variant": "pair", "layer": 2}, "did you mean 'layers'"),
        ({"variant": "pair", "layers": 0}, "model.layers"),
        ({"variant": "pair", "cutoff": 0.8, "reach": 0.3}, "core"),
    ],
)
def test_bad_model_config_is_one_clear_error(config: dict, message: str) -> None:
    with pytest.raises(VitrifyError, match=message):
        parse_model_config("ogn", config)
