"""Masks on the bonds around an atom: they are exact, and what they find was planted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import model_files
import toy_symgnn
from toy_explain import QUICK, PlantedSymGNN, write
from toy_symgnn import METAL, glass, write_toy
from vitrify.core.errors import VitrifyError
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.models import build_model, variants_of
from vitrify.symgnn.explain import store
from vitrify.symgnn.explain.explainer import Explanation, binary_entropy, explain_atom
from vitrify.symgnn.explain.mask import MaskedModel, open_masked
from vitrify.symgnn.explain.settings import Settings
from vitrify.symgnn.explain.subgraph import all_edges, k_hop_subgraph
from vitrify.symgnn.torchscript import TorchSymGNN

VARIANTS = ["toy", *(name for name in variants_of("symgnn") if name != "ridge")]


class CountingSymGNN(PlantedSymGNN):
    """Uses edges outside of sums over them, as no mask can weigh: here, by the number of neighbours."""

    def finish(
        self, nodes: Tensor, memory: Tensor, types: Tensor,
        edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        counts = torch.bincount(edge_index[0], minlength=n_owned).to(nodes.dtype)
        return nodes[:n_owned, 0] + counts, torch.ones_like(counts)


class ChoosySymGNN(PlantedSymGNN):
    """Its second layer uses the near edges alone, which an if hands out, and the root of a sum that may be 0."""

    def __init__(self, cutoff: float, seed: int) -> None:
        super().__init__(cutoff, seed)
        self.layers = 2

    def layer(
        self, index: int, nodes: Tensor, memory: Tensor, types: Tensor,
        edge_index: Tensor, edge_vectors: Tensor, n_owned: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        if index > 0:
            near = edge_vectors.square().sum(1) < 0.4 * self.cutoff**2
            edge_index, edge_vectors = edge_index[:, near], edge_vectors[near]
        fade = (1.0 - edge_vectors.square().sum(1, keepdim=True) / self.cutoff**2).clamp_min(0.0)
        terms = fade * nodes[edge_index[1]]
        sums = nodes.new_zeros([n_owned, 1]).index_add(0, edge_index[0], terms)
        # No edge is that short, so these terms and their sums are 0.
        none = (0.1 - edge_vectors.square().sum(1, keepdim=True)).clamp_min(0.0)
        empty = nodes.new_zeros([n_owned, 1]).index_add(0, edge_index[0], none)
        return sums + empty.clamp_min(0.0).sqrt(), memory


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> MaskedModel:
    return open_masked(str(write_toy(tmp_path_factory.mktemp("models") / "toy.pt")))


# Masks


@pytest.mark.parametrize("variant", VARIANTS)
def test_ones_change_nothing_and_zeros_leave_edges_out(variant: str, tmp_path: Path) -> None:
    if variant == "toy":
        path = write_toy(tmp_path / "m.pt", dtype="float32")
    else:
        torch.manual_seed(1)
        path = write(tmp_path / "m.pt", build_model("symgnn", {"variant": variant}, METAL), variant, "float32")
    masked, c = open_masked(str(path)), glass(tilt=0.2)
    graph = build_structure_graph(c.positions, c.cell, c.types, masked.opened.metadata.cutoff)
    module = masked.opened.module
    with torch.no_grad():
        whole = module(*graph)[0]
        ones = torch.ones(len(graph.edge_vectors))
        assert torch.equal(masked(masked.start(*graph), ones)[0], whole)
        # One edge, a random half, and all edges of an atom, whose softmax then has nothing to sum.
        for dropped in (
            torch.arange(len(ones)) == 7,
            torch.rand(len(ones), generator=torch.Generator().manual_seed(2)) < 0.5,
            graph.edge_index[0] == 3,
        ):
            fewer = module(graph.types, graph.edge_index[:, ~dropped], graph.edge_vectors[~dropped])[0]
            got = masked(masked.start(*graph), torch.where(dropped, 0.0, ones))[0]
            assert float((fewer - whole).abs().max()) > 0
            assert float((got - fewer).abs().max()) <= 1e-5 * max(1.0, float(whole.abs().max()))


def test_edges_that_an_if_hands_out_are_weighed_and_slopes_are_finite(tmp_path: Path) -> None:
    masked = open_masked(str(write(tmp_path / "choosy.pt", ChoosySymGNN(5.0, 1), "choosy")))
    c = glass()
    graph = build_structure_graph(c.positions, c.cell, c.types, 5.0, torch.float64)
    kept = torch.rand(len(graph.edge_vectors), generator=torch.Generator().manual_seed(2)) < 0.5
    weights = kept.double().requires_grad_()
    value = masked(masked.start(*graph), weights)[0]
    fewer = masked.opened.module(graph.types, graph.edge_index[:, kept], graph.edge_vectors[kept])[0]
    assert torch.allclose(value, fewer, rtol=0, atol=1e-12)
    (slopes,) = torch.autograd.grad(value[0], weights)
    assert torch.isfinite(slopes).all() and (slopes != 0).any()


@pytest.mark.parametrize("variant", VARIANTS)
def test_layers_of_one_prediction_leave_out_what_it_cannot_see(variant: str, tmp_path: Path) -> None:
    if variant == "toy":
        path = write_toy(tmp_path / "m.pt")
    else:
        torch.manual_seed(1)
        path = write(tmp_path / "m.pt", build_model("symgnn", {"variant": variant}, METAL), variant)
    masked = open_masked(str(path))
    c = glass(counts=(7, 7, 7))
    edges = all_edges(c.positions, c.cell, masked.opened.metadata.cutoff)
    part = k_hop_subgraph(edges, 5, masked.most_hops)
    graph = torch.as_tensor(np.asarray(c.types)[part.atoms]), torch.as_tensor(part.pairs), torch.as_tensor(part.vectors)
    whole, narrow = masked.start(*graph), masked.start(*graph, torch.as_tensor(part.hops))
    weights = torch.rand(len(part.vectors), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values, slopes = [], []
    for started in (whole, narrow):
        mine = weights.clone().requires_grad_()
        value = masked(started, mine)[0][0]
        slopes.append(torch.autograd.grad(value, mine)[0])
        values.append(value.item())
    assert values[0] == pytest.approx(values[1], abs=1e-10) and torch.allclose(*slopes, rtol=1e-6, atol=1e-12)
    last = narrow.stages[-1]
    if variant == "mgcn":  # its memory holds edges and nodes
        assert last.owned == len(part.atoms)
    else:
        assert last.owned == 1 and len(last.edge_vectors) == (part.pairs[0] == 0).sum()


def test_a_mask_goes_to_zero_without_a_jump(toy: MaskedModel, tmp_path: Path) -> None:
    """Attention divides by a sum that shrinks with the mask: the limit must be the edge left out."""
    masks = [toy]
    if "egat" in VARIANTS:
        torch.manual_seed(1)
        model = build_model("symgnn", {"variant": "egat"}, METAL)
        masks.append(open_masked(str(write(tmp_path / "m.pt", model, "egat"))))
    c = glass()
    for masked in masks:
        graph = build_structure_graph(c.positions, c.cell, c.types, 5.0, torch.float64)
        kept = (torch.arange(len(graph.edge_vectors)) % 5 == 0).double()
        with torch.no_grad():
            zero, nearly = (masked(masked.start(*graph), kept.clamp_min(low))[0] for low in (0.0, 1e-9))
        assert float((zero - nearly).abs().max()) < 1e-6


def test_gradients_of_the_mask_are_those_of_finite_differences(toy: MaskedModel) -> None:
    c = glass(counts=(3, 3, 3))
    graph = build_structure_graph(c.positions, c.cell, c.types, 5.0, torch.float64)
    start = torch.rand(len(graph.edge_vectors), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weights = start.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(toy(toy.start(*graph), weights)[0][0], weights)
    for edge in range(0, len(start), 97):
        step = torch.zeros_like(start)
        step[edge] = 1e-5
        with torch.no_grad():
            slope = (toy(toy.start(*graph), start + step)[0][0] - toy(toy.start(*graph), start - step)[0][0]) / 2e-5
        assert float(gradient[edge]) == pytest.approx(float(slope), abs=1e-8)


def test_models_that_cannot_be_explained_are_refused(tmp_path: Path) -> None:
    counting = write(tmp_path / "counting.pt", CountingSymGNN(5.0, 1), "counting")
    with pytest.raises(VitrifyError, match="cannot be weighed"):
        open_masked(str(counting))
    with pytest.raises(VitrifyError, match=r"kind 'ogn'.*give a model of a property"):
        open_masked(str(model_files.export(tmp_path / "ogn.pt").path))


# Crops and bonds


@pytest.mark.parametrize(("counts", "tilt"), [((6, 6, 6), 0.0), ((4, 3, 4), 0.3), ((1, 2, 1), 0.2)])
def test_a_crop_gives_the_prediction_of_the_whole(toy: MaskedModel, counts: tuple[int, int, int], tilt: float) -> None:
    c = glass(counts=counts, tilt=tilt)
    values = toy.opened.predict(c.positions, c.cell, c.types)[0]
    edges = all_edges(c.positions, c.cell, 5.0)
    for centre in (0, len(c.types) - 1):
        found = explain_atom(toy, edges, np.asarray(c.types), centre, float(values.std()), 0.1, QUICK)
        assert found.prediction == pytest.approx(values[centre], abs=1e-10)
        assert found.atoms[0] == centre and found.distances[0] == 0
        assert found.hops.max() == min(2, len(c.types) - 1)
        assert ((found.scores > 0) & (found.scores < 1)).all()
        # Where the bond says its second atom is, there is an image of that atom.
        ends = found.displacements[found.bonds[:, 0]] + found.vectors
        off = (ends - found.displacements[found.bonds[:, 1]]) @ np.linalg.inv(c.cell)
        assert np.abs(off - np.rint(off)).max() < 1e-9
    assert len(k_hop_subgraph(edges, 0, 2).atoms) < len(c.types) or counts != (6, 6, 6)


@pytest.mark.parametrize("counts", [(4, 4, 4), (1, 1, 2)])
def test_an_edge_and_its_reverse_are_one_bond(counts: tuple[int, int, int]) -> None:
    """In a small cell too, where an atom has bonds with its own images."""
    c = glass(counts=counts, tilt=0.2)
    edges = all_edges(c.positions, c.cell, 5.0)
    part = k_hop_subgraph(edges, 0, 20)
    assert len(part.bond) == len(edges.vectors) == 2 * len(part.first)
    for bond in range(0, len(part.first), 11):
        one, other = np.flatnonzero(part.bond == bond)
        assert np.allclose(part.vectors[one], -part.vectors[other])
        assert (part.pairs[:, one] == part.pairs[::-1, other]).all()


# Explanations


def test_the_explainer_finds_what_was_planted(tmp_path: Path) -> None:
    masked = open_masked(str(write(tmp_path / "planted.pt", PlantedSymGNN(5.0, 1), "planted")))
    c = glass(counts=(5, 5, 5), seed=4)
    types = np.asarray(c.types)
    values = masked.opened.predict(c.positions, c.cell, types)[0]
    edges = all_edges(c.positions, c.cell, 5.0)
    found = explain_atom(masked, edges, types, 11, float(values.std()), 0.1, Settings(top=5, importance="mask"))
    other = found.bonds.max(1)  # the centre is atom 0 of the subgraph
    matters = types[found.atoms[other]] == 1
    near = found.lengths < 4.0
    assert matters.any() and (~matters).any()
    assert found.scores[matters & near].min() > 2 * found.scores[~matters].max()
    assert abs(found.masked - found.prediction) < 0.3 * values.std()
    # Without the important bonds less is left than without others of their lengths, and species do not help those.
    assert found.removed < found.prediction - 0.5
    assert set(found.top(5)) <= set(np.flatnonzero(matters))


def test_effects_are_what_leaving_bonds_out_changes(tmp_path: Path) -> None:
    """Exactly so for a sum over bonds; and no bonds matter more than those with the largest effects."""
    masked = open_masked(str(write(tmp_path / "planted.pt", PlantedSymGNN(5.0, 1), "planted")))
    c = glass(counts=(5, 5, 5), seed=4)
    types = np.asarray(c.types)
    edges = all_edges(c.positions, c.cell, 5.0)
    found = explain_atom(masked, edges, types, 11, 1.0, 0.1, Settings(top=1, importance="effect"))
    other = types[found.atoms[found.bonds.max(1)]]
    expected = np.where(other == 1, 1.0, 1e-4) * (1.0 - found.lengths**2 / 25.0)
    assert found.scores == pytest.approx(expected, abs=1e-12) and np.isnan(found.masked)
    assert found.prediction - found.removed == pytest.approx(expected.max(), abs=1e-12)
    assert Settings(importance="effect", epochs=3).of_an_atom() == Settings(importance="effect").of_an_atom()
    with pytest.raises(VitrifyError, match="importance is 'charm', but must be one of mask, effect"):
        Settings(importance="charm")


def test_masks_start_where_they_are_told(toy: MaskedModel) -> None:
    c = glass()
    edges = all_edges(c.positions, c.cell, 5.0)
    seeds = [dataclasses.replace(QUICK, start=0.5, seed=seed) for seed in (1, 2, 1)]
    one, other, again = (explain_atom(toy, edges, np.asarray(c.types), 5, 0.1, 0.1, each).scores for each in seeds)
    assert np.array_equal(one, again) and 0.5 < np.std(np.log(one / (1 - one)) - np.log(other / (1 - other))) < 1.0


def test_explanations_do_not_depend_on_the_run_and_survive_the_disk(toy: MaskedModel, tmp_path: Path) -> None:
    c = glass()
    edges = all_edges(c.positions, c.cell, 5.0)
    one, again = (explain_atom(toy, edges, np.asarray(c.types), 5, 0.1, 0.1, QUICK) for _ in range(2))
    store.save_explanation(one, tmp_path / "one.npz")
    opened = store.load_explanation(tmp_path / "one.npz")
    assert opened is not None
    for field in dataclasses.fields(Explanation):
        a, b, c_ = (getattr(each, field.name) for each in (one, again, opened))
        assert np.array_equal(a, b) and np.array_equal(a, c_) and type(a) is type(c_)
    (tmp_path / "one.npz").write_bytes((tmp_path / "one.npz").read_bytes()[:500])
    assert store.load_explanation(tmp_path / "one.npz") is None


def test_the_entropy_is_that_of_a_coin() -> None:
    logits = torch.tensor([-30.0, -1.0, 0.0, 2.0, 30.0], dtype=torch.float64)
    assert torch.allclose(binary_entropy(logits), torch.distributions.Bernoulli(logits=logits).entropy())


def test_an_atom_of_a_large_glass(toy: MaskedModel) -> None:
    """In which most atoms are beyond what the model sees from there."""
    structure = glass(counts=(12, 12, 12), tilt=0.1)
    opened = toy.opened
    assert isinstance(opened, TorchSymGNN)
    values = opened.predict(structure.positions, structure.cell, structure.types)[0]
    edges = all_edges(structure.positions, structure.cell, 5.0)
    settings = Settings(epochs=60, importance="mask")
    found = explain_atom(toy, edges, structure.types, 1500, float(values.std()), 0.1, settings)
    assert found.prediction == pytest.approx(values[1500], abs=1e-9) and found.distances.max() < 10.0
    assert abs(found.masked - found.prediction) < 0.3 * values.std() and found.scores.mean() < 0.6
    assert toy_symgnn.CUTOFF["metal"] > found.lengths.max() > 4.9
