"""The contract of every variant of SymGNN with the hosts and with training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from symgnn_variants import CONFIGS, graph_of, make_atoms, make_model, predict
from vitrify.core.errors import VitrifyError
from vitrify.graphs.graph import StructureGraph
from vitrify.models import parse_model_config


@pytest.mark.parametrize("name", CONFIGS)
def test_output(name: str) -> None:
    """One finite value and deviation for each atom, in units of the labels; in evaluation nothing is drawn."""
    model, graph = make_model(name), graph_of(*make_atoms())
    with torch.no_grad():
        value, deviation = model(*graph)
        again = model(*graph)[0]
    assert value.shape == deviation.shape == (64,)
    assert value.dtype == torch.float64
    assert value.isfinite().all()
    assert torch.equal(value, again)
    assert deviation.numpy() == pytest.approx(np.full(64, 0.24))
    model.label_mean += 2.0
    model.label_scale *= 3.0
    standard = (value - torch.tensor([1.1, 1.7])[graph.types]) / 0.4
    wanted = torch.tensor([3.1, 3.7])[graph.types] + 1.2 * standard
    with torch.no_grad():
        assert model(*graph)[0].numpy() == pytest.approx(wanted.numpy(), abs=1e-6)


@pytest.mark.parametrize("name", CONFIGS)
def test_float32_agrees_with_float64(name: str) -> None:
    model, graph = make_model(name), graph_of(*make_atoms())
    with torch.no_grad():
        wanted = model(*graph)[0]
        got = model.float()(graph.types, graph.edge_index, graph.edge_vectors.float())[0]
    assert got.dtype == torch.float32
    assert got.double().numpy() == pytest.approx(wanted.numpy(), abs=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_torchscript_gives_the_same_answer(name: str) -> None:
    model, graph = make_model(name), graph_of(*make_atoms())
    scripted = torch.jit.script(model)
    with torch.no_grad():
        for got, want in zip(scripted(*graph), model(*graph), strict=True):
            assert got.numpy() == pytest.approx(want.numpy(), abs=1e-12)


def halves(positions: np.ndarray, cell: np.ndarray, types: np.ndarray) -> list[tuple[np.ndarray, int, StructureGraph]]:
    """Two hosts with half of the atoms each and ghosts, one for every image that they need: members, n_owned, graph."""
    graph = graph_of(positions, cell, types)
    i, j = graph.edge_index.numpy()
    straight = graph.edge_vectors.numpy() - (positions[j] - positions[i])
    images = np.rint(straight @ np.linalg.inv(cell)).astype(int)
    result = []
    for owned in (positions[:, 0] < np.median(positions[:, 0]), positions[:, 0] >= np.median(positions[:, 0])):
        atoms = np.flatnonzero(owned)
        local = {(atom, 0, 0, 0): n for n, atom in enumerate(atoms)}
        kept = np.flatnonzero(owned[i])
        neighbours = [(j[e], *images[e]) for e in kept]
        for key in neighbours:
            local.setdefault(key, len(local))
        members = np.array([key[0] for key in local])
        index = np.array([[local[i[e], 0, 0, 0] for e in kept], [local[key] for key in neighbours]])
        part = StructureGraph(torch.tensor(types[members]), torch.tensor(index), graph.edge_vectors[kept])
        result.append((members, len(atoms), part))
    return result


@pytest.mark.parametrize("name", CONFIGS)
def test_layerwise_exchange_with_ghosts_is_exact(name: str) -> None:
    """Two hosts that only exchange node features, as LAMMPS ranks do, give what one gives."""
    model, atoms = make_model(name), make_atoms()
    expected = predict(model, *atoms)
    with torch.no_grad():
        hosts = [[*host, *model.start(*host[2])] for host in halves(*atoms)]
        assert all(len(members) > n_owned + 20 for members, n_owned, *_ in hosts)
        for index in range(model.layers):
            everyone = torch.full((len(expected), model.node_width), torch.nan, dtype=torch.float64)
            for host in hosts:
                members, n_owned, part, nodes, memory = host
                new, host[4] = model.layer(index, nodes, memory, *part, n_owned)
                assert new.shape == (n_owned, model.node_width)
                everyone[members[:n_owned]] = new
            for host in hosts:
                host[3] = everyone[host[0]]
        for members, n_owned, part, nodes, memory in hosts:
            value, deviation = model.finish(nodes, memory, *part, n_owned)
            assert value.numpy() == pytest.approx(expected[members[:n_owned]], abs=1e-10)
            assert deviation.shape == (n_owned,)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_parameter_has_a_gradient(name: str) -> None:
    """In training, with dropout and draws; the types-only MLP alone leaves its three columns for vectors at zero."""
    model, graph = make_model(name).train(), graph_of(*make_atoms())
    value, _ = model(*graph)
    value.sin().sum().backward()
    for label, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), label
        assert parameter.grad.abs().max() > 0, label


@pytest.mark.parametrize("name", ["paper-none", "egat", "gcn", "egnn", "schnet", "mgcn", "faenet"])
def test_gradients_agree_with_finite_differences(name: str) -> None:
    """Along one direction in the space of all parameters."""
    model, graph = make_model(name), graph_of(*make_atoms(3))
    value, _ = model(*graph)
    value.sin().sum().backward()
    directions = [torch.randn_like(p) for p in model.parameters()]
    slope = sum(float((p.grad * d).sum()) for p, d in zip(model.parameters(), directions, strict=True))
    ends = []
    with torch.no_grad():
        for step in (1e-7, -2e-7):
            for parameter, direction in zip(model.parameters(), directions, strict=True):
                parameter.add_(step * direction)
            ends.append(float(model(*graph)[0].sin().sum()))
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-7, rel=1e-3)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", CONFIGS)
def test_graphs_of_any_size(name: str, training: bool) -> None:
    """No atoms, an isolated atom, an atom without neighbours among others, and a structure of one species."""
    model = make_model(name).train(training)
    none = StructureGraph(
        torch.zeros(0, dtype=torch.long), torch.zeros((2, 0), dtype=torch.long), torch.zeros((0, 3)).double()
    )
    assert model(*none)[0].shape == model(*none)[1].shape == (0,)
    alone = model(torch.tensor([1]), none.edge_index, none.edge_vectors)[0]
    assert alone.shape == (1,) and alone.isfinite().all()
    positions, cell, types = make_atoms()
    graph = graph_of(positions, cell, np.zeros_like(types))
    model.zero_grad()
    value, _ = model(torch.cat([graph.types, torch.tensor([0])]), *graph[1:])
    value.sum().backward()
    assert value.shape == (65,) and value.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    if not training:
        with torch.no_grad():
            assert value[:64].detach().numpy() == pytest.approx(model(*graph)[0].numpy(), abs=1e-10)


def test_configs_are_checked() -> None:
    with pytest.raises(VitrifyError, match=r"3 heads do not share a width of 32"):
        parse_model_config("symgnn", {"variant": "paper", "heads": [3]})
    with pytest.raises(VitrifyError, match=r"model\.sampling"):
        parse_model_config("symgnn", {"variant": "paper", "sampling": "uniform"})
    with pytest.raises(VitrifyError, match=r"model\.transformation .*transformations"):
        parse_model_config("symgnn", {"variant": "paper", "transformation": 2})
