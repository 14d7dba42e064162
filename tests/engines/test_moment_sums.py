"""The compiled sums of a layer of the flow variant against eager torch: values and every gradient."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from native_models.moment_layers import CELLS, CUTOFF, make_edges, make_layer, results_of
from vitrify import _core
from vitrify.core.errors import VitrifyError
from vitrify.graphs.neighbours import neighbour_list
from vitrify.models import build_model, moment_sums
from vitrify.models.base import System

SYSTEM = System(species=("A", "B"), masses=(), units="metal", timestep=0.0)


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
@pytest.mark.parametrize("width", [8, 24, 40, 48])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_values_and_gradients_are_those_of_eager_torch(cell, width, dtype, first, monkeypatch):
    layer, edges = make_layer(width, first, dtype), make_edges(cell, dtype)
    used = []
    sums = moment_sums.moment_sums
    monkeypatch.setattr(moment_sums, "moment_sums", lambda *a: used.append(1) or sums(*a))
    compiled = results_of(layer, *edges)
    monkeypatch.setattr(moment_sums, "applies_to", lambda *a: False)
    eager = results_of(layer, *edges)
    assert used == [1]
    tolerance = 1e-5 if dtype == torch.float32 else 1e-13
    for found, wanted in zip(compiled, eager, strict=True):
        assert found.shape == wanted.shape
        scale = float(wanted.abs().max()) if len(wanted) else 0.0
        torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance * scale)


def test_gradients_are_those_of_finite_differences():
    _, index, distances, directions = make_edges(CELLS["smaller than the cutoff"], torch.float64, density=0.3)
    layer = make_layer(8, False, torch.float64)
    n = int(index.max()) + 1
    s, v = (torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((n, 8), (n, 3, 8)))

    def sums(s, v, weight):
        return moment_sums.MomentSums.apply(s, v, weight, index, distances, directions, 0.0, 9 / CUTOFF)

    # The sums are linear in each input alone, so that long differences are exact and short of rounding.
    assert torch.autograd.gradcheck(sums, (s, v, layer.filters.weight), eps=1e-2, atol=1e-10, rtol=1e-10)


def test_atoms_with_more_neighbours_than_a_block_and_edges_without_order(monkeypatch):
    n, index, distances, directions = make_edges(CELLS["orthogonal"], torch.float64, density=3.0)
    assert torch.bincount(index[0]).min() > 64
    order = torch.randperm(len(distances))
    layer = make_layer(16, False, torch.float64)
    sorted_edges = results_of(layer, n, index, distances, directions)
    mixed = results_of(layer, n, index[:, order], distances[order], directions[order])
    monkeypatch.setattr(moment_sums, "applies_to", lambda *a: False)
    for found, other, wanted in zip(
        sorted_edges, mixed, results_of(layer, n, index, distances, directions), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(other, wanted, rtol=1e-12, atol=1e-12)


def test_all_gradients_of_a_model_are_those_of_eager_torch(monkeypatch):
    torch.manual_seed(0)
    settings = {"variant": "flow", "width": 24, "cutoff": CUTOFF, "spread": 0.5}
    model = build_model("amshortcut", settings, SYSTEM).double()
    n, cell = 40, CELLS["triclinic"]
    index, vectors = neighbour_list(np.random.default_rng(4).random((n, 3)) @ cell, cell, CUTOFF)
    index, vectors = torch.as_tensor(index), torch.as_tensor(vectors)
    elements = torch.nn.functional.one_hot(torch.arange(n) % 2, 2).double()
    none, one = torch.zeros(1, 0).double(), torch.tensor([0.3]).double()

    def gradients(inputs):
        model.zero_grad()
        found, _ = model(elements, torch.zeros(n, dtype=torch.long), index, inputs, one, 0.5 * one, none, none)
        found.sin().sum().backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    compiled = gradients(vectors)
    moving = vectors.clone().requires_grad_()
    gradients(moving)  # eager, as the core has no gradient by positions
    assert moving.grad is not None and moving.grad.abs().sum() > 0
    monkeypatch.setattr(moment_sums, "applies_to", lambda *a: False)
    eager = gradients(vectors)
    assert compiled.keys() == eager.keys() and len(eager) > 20
    for name, wanted in eager.items():
        torch.testing.assert_close(compiled[name], wanted, rtol=1e-10, atol=1e-10 * float(wanted.abs().max()))


def test_a_distance_that_is_no_number_gives_sums_that_are_none():
    n, index, distances, directions = make_edges(CELLS["orthogonal"], torch.float32)
    distances[5] = float("nan")
    layer, s, v = make_layer(8, True, torch.float32), torch.ones(n, 8), torch.zeros(n, 3, 8)
    moments, _ = layer.sums(s, v, index, distances, directions)
    assert moments[index[0, 5]].isnan().all()
    assert not moments[index[0, -1]].isnan().any()


def test_arrays_that_do_not_fit_are_refused():
    n, index, distances, directions = make_edges(CELLS["orthogonal"], torch.float32)
    arrays = [index, distances, directions, torch.ones(n, 8), None, torch.ones(1, 9, 8)]

    def call(place, tensor):
        changed = [*arrays[:place], tensor, *arrays[place + 1 :]]
        return _core.moments_forward(*(None if a is None else a.numpy() for a in changed), 0.0, 1.0)

    call(3, arrays[3])
    for place, wrong in [
        (1, distances[1:]), (2, directions[:, :8].contiguous()), (3, torch.ones(n, 12)), (4, torch.ones(n, 3, 8)),
        (5, torch.ones(1, 9, 16)), (0, index[:1]),
    ]:  # fmt: skip
        with pytest.raises(VitrifyError, match=r"do not fit"):
            call(place, wrong)
    with pytest.raises(VitrifyError, match=f"node {n} of {n}"):
        call(0, torch.where(index == 3, n, index))


@pytest.mark.parametrize("simd", ["default", "avx2"])
def test_other_instruction_sets_give_the_same(simd):
    script = (
        "import torch; from native_models.moment_layers import CELLS, make_edges, make_layer, results_of\n"
        "edges = make_edges(CELLS['triclinic'], torch.float64)\n"
        "print(*(float(x.abs().sum()) for x in results_of(make_layer(24, False, torch.float64), *edges)))"
    )
    helpers = str(Path(__file__).parents[1] / "helpers")
    environment = {**os.environ, "VITRIFY_SIMD": simd, "PYTHONPATH": helpers}
    found = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    if "this machine can use" in found.stderr:
        pytest.skip(f"no {simd} here")
    assert found.returncode == 0, found.stderr
    here = results_of(make_layer(24, False, torch.float64), *make_edges(CELLS["triclinic"], torch.float64))
    wanted = [float(x.abs().sum()) for x in here]
    np.testing.assert_allclose(np.array(found.stdout.split(), float), wanted, rtol=1e-12)
