"""The layers of SymGNN beside references: other implementations, or their formulas written out atom by atom."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch_geometric.nn.models import schnet

from symgnn_variants import graph_of, make_atoms, make_model
from vitrify.symgnn.models.blocks import BatchNorm, GaussianBasis


def test_schnet_block_agrees_with_torch_geometric() -> None:
    model, graph = make_model("schnet", width=12, basis=9), graph_of(*make_atoms())
    distances = graph.edge_vectors.norm(dim=1)
    smearing = schnet.GaussianSmearing(0.0, 5.0, 9).double()
    basis = smearing(distances)
    assert model.basis(distances).numpy() == pytest.approx(basis.numpy(), abs=1e-6)
    theirs, ours = schnet.InteractionBlock(12, 9, 12, 5.0).double(), model.blocks[0]
    pairs = [
        (theirs.mlp[0], ours.filters[0]), (theirs.mlp[2], ours.filters[2]), (theirs.conv.lin1, ours.neighbour),
        (theirs.conv.lin2, ours.update[0]), (theirs.lin, ours.update[2]),
    ]  # fmt: skip
    with torch.no_grad():
        for target, source in pairs:
            target.load_state_dict(source.state_dict())
        x = torch.randn(64, 12).double()
        # Its edges run from source to target.
        wanted = x + theirs(x, graph.edge_index.flip(0), distances, basis)
        got, _ = ours(x, basis, graph.types, graph.edge_index, graph.edge_vectors, 64)
    assert got.numpy() == pytest.approx(wanted.numpy(), abs=1e-7)


def test_attention_agrees_with_its_formula() -> None:
    """Each head of each atom by itself, with torch's softmax."""
    model, graph = make_model("paper-wide"), graph_of(*make_atoms(3))
    block, n, width = model.blocks[0], 27, 8
    i, j = graph.edge_index
    with torch.no_grad():
        h, f = torch.randn(n, width).double(), 3.0 * torch.randn(len(i), width).double()
        got, edges = block(h, f, graph.types, graph.edge_index, graph.edge_vectors, n)
        s = torch.nn.functional.leaky_relu(block.centre(h)[i] + block.neighbour(h)[j] + block.edge(f), 0.2)
        attended = torch.zeros(n, 3 * width).double()
        for atom in range(n):
            mine = i == atom
            for head in range(3):
                part = slice(width * head, width * (head + 1))
                attention = torch.softmax(s[mine, part] @ block.score[head], dim=0)
                attended[atom, part] = attention @ block.value(h)[j[mine], part]
        norm = torch.nn.BatchNorm1d(3 * width).double().eval()
        norm.load_state_dict({**block.norm.state_dict(), "num_batches_tracked": torch.tensor(0)})
        wanted = h + block.output(torch.nn.functional.elu(norm(attended)))
    assert got.numpy() == pytest.approx(wanted.numpy(), abs=1e-10)
    assert edges.numpy() == pytest.approx((f + block.edge_output(s)).detach().numpy(), abs=1e-10)


def test_egnn_moves_coordinates_as_its_paper_does() -> None:
    """Two layers on a cluster in a large cell, with absolute coordinates and all pairs as matrices."""
    model = make_model("egnn", layers=3, width=6)
    positions = make_atoms(3)[0][:20]
    types = np.arange(20) % 2
    graph = graph_of(positions, 60.0 * np.eye(3), types)
    near = torch.zeros(20, 20, 1).double()
    near[graph.edge_index[0], graph.edge_index[1]] = 1.0
    x, h = torch.tensor(positions), model.embedding(graph.types)
    with torch.no_grad():
        nodes, memory = model.start(*graph)
        for index in range(3):
            block = model.blocks[index]
            nodes, memory = model.layer(index, nodes, memory, *graph, 20)
            towards = x[None, :] - x[:, None]
            squares = (towards / 5.0).square().sum(2, keepdim=True)
            messages = torch.nn.functional.silu(
                block.centre(h)[:, None] + block.neighbour(h)[None, :] + block.square(squares)
            )
            messages = near * torch.nn.functional.silu(block.message(messages))
            if index < 2:
                x = x + (near * towards * block.shift(messages)).sum(1) / near.sum(1)
            h = h + block.update(torch.cat([h, block.norm(messages.sum(1))], dim=1))
    moves = (x - torch.tensor(positions)).numpy()
    assert np.abs(moves).max() > 0.05
    assert nodes[:, :3].numpy() == pytest.approx(moves, abs=1e-10)
    assert nodes[:, 3:].numpy() == pytest.approx(h.detach().numpy(), abs=1e-10)


def test_mgcn_levels_agree_with_their_formula() -> None:
    model, graph = make_model("mgcn", layers=2, width=5), graph_of(*make_atoms(3))
    n, (i, j) = 27, graph.edge_index
    softplus = torch.nn.functional.softplus
    with torch.no_grad():
        a = model.embedding(graph.types)
        e = torch.stack([model.pairs.weight[{0: 0, 1: 1, 2: 2}[int(s)]] for s in graph.types[i] + graph.types[j]])
        levels = [a]
        for block in model.blocks:
            basis = torch.exp(
                -0.5 * ((graph.edge_vectors.norm(dim=1)[:, None] - block.basis.centres) / (5.0 / 24)) ** 2
            )
            filters = block.filters[2](softplus(block.filters[0](basis)))
            messages = block.neighbour(a)[j] * filters + block.pairs(e)
            total = torch.stack([messages[i == atom].sum(0) for atom in range(n)])
            scale = block.norm.weight / (block.norm.running_var + 1e-5).sqrt()
            total = (total - block.norm.running_mean) * scale + block.norm.bias
            if block is model.blocks[0]:
                e = 0.8 * e + 0.2 * block.edge_update(a[i] * a[j])
            a = a + block.update[2](softplus(block.update[0](total)))
            levels.append(a)
        wanted = model.in_units(model.head(torch.cat(levels, dim=1)).squeeze(1), graph.types)
        got = model(*graph)[0]
    assert got.numpy() == pytest.approx(wanted.numpy(), abs=1e-6)


def test_batch_norm_agrees_with_torch() -> None:
    ours, theirs = BatchNorm(4), torch.nn.BatchNorm1d(4)
    for _ in range(3):
        rows = 3.0 + 2.0 * torch.randn(50, 4)
        assert ours(rows).detach().numpy() == pytest.approx(theirs(rows).detach().numpy(), abs=1e-6)
    rows = torch.randn(7, 4)
    assert ours.eval()(rows).detach().numpy() == pytest.approx(theirs.eval()(rows).detach().numpy(), abs=1e-6)
    one = torch.randn(1, 4)
    assert torch.equal(ours.train()(one), ours.eval()(one))


def test_faenet_averages_what_training_draws() -> None:
    """The nodes of one layer: each atom's mean over many draws of its frame is the average of evaluation."""
    model, graph = make_model("faenet", layers=1), graph_of(*make_atoms(2))

    def nodes() -> torch.Tensor:
        return model.layer(0, *model.start(*graph), *graph, 8)[0]

    with torch.no_grad():
        wanted = nodes()
        model.train()
        model.blocks[0].update[0].eval()  # the running statistics of evaluation
        draws = torch.stack([nodes() for _ in range(600)])
    error = (draws.mean(0) - wanted).abs() / (draws.std(0) / math.sqrt(600))
    assert draws.std(0).max() > 0.003
    assert error.square().mean().sqrt() < 1.3


def test_gaussian_basis_is_one_at_its_centres() -> None:
    basis = GaussianBasis(6.0, 4)
    values = basis(torch.tensor([2.0]))[0].numpy()
    assert values == pytest.approx(np.exp(-0.5 * np.array([1.0, 0.0, 1.0, 4.0])), abs=1e-6)
