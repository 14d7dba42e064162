"""The compiled sums of a stage against eager torch: values and every gradient."""

import numpy as np
import pytest
import torch

from vitrify.graphs.neighbours import build_graph
from vitrify.models.base import System
from vitrify.ogn.models import stage_gradient
from vitrify.ogn.models.pair import PairConfig, PairOGN

SYSTEM = System(species=("A", "B"), masses=(1.0, 2.0), units="lj", timestep=0.05)
CELLS = {
    "orthogonal": np.diag([5.0, 5.5, 6.0]),
    "triclinic": np.array([[5.0, 0, 0], [1.5, 5.0, 0], [-1.0, 0.7, 5.0]]),
    "smaller than the cutoff": np.diag([2.0, 2.2, 2.1]),
}


def _model(**settings):
    torch.manual_seed(1)
    model = PairOGN(PairConfig(cutoff=2.4, reach=0.4, **settings), SYSTEM)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def _gradients(model, graph):
    model.zero_grad()
    dr, dv = model(*graph)
    (dr.sin().sum() + dv.square().sum()).backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return dr.detach(), dv.detach(), found


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
@pytest.mark.parametrize(
    "settings",
    [
        {"layers": 4},
        {"layers": 5, "moments": 1},
        {"layers": 5, "channels": 3, "scalars": 6, "inner": 2.0, "far": (0, 3)},
    ],
    ids=["pairs", "moments", "far"],
)
def test_values_and_gradients_are_those_of_eager_torch(cell, settings, monkeypatch):
    model = _model(**settings)
    random = np.random.default_rng(2)
    n = max(8, int(1.2 * abs(np.linalg.det(cell))))
    positions, velocities = random.random((n, 3)) @ cell, random.normal(size=(n, 3))
    graph = build_graph(positions, velocities, cell, random.integers(0, 2, n), model.cutoff, torch.float32)
    used = []
    sums = stage_gradient.stage_sums
    monkeypatch.setattr(stage_gradient, "stage_sums", lambda *a: used.append(1) or sums(*a))
    compiled = _gradients(model, graph)
    assert len(used) == model.layers
    monkeypatch.setattr(stage_gradient, "applies_to", lambda x: False)
    eager = _gradients(model, graph)
    assert len(used) == model.layers
    for got, wanted in zip(compiled[:2], eager[:2], strict=True):
        assert torch.allclose(got, wanted, rtol=0, atol=1e-5 * float(wanted.square().mean().sqrt()))
    assert compiled[2].keys() == eager[2].keys()
    for name, wanted in eager[2].items():
        assert float((compiled[2][name] - wanted).norm()) <= 2e-4 * float(wanted.norm()) + 1e-7, name


def test_a_stage_with_too_many_filters_is_refused():
    model = _model(layers=2, channels=2, scalars=100)
    graph = build_graph(np.eye(3), np.eye(3), 4 * np.eye(3), np.zeros(3, int), model.cutoff, torch.float32)
    with pytest.raises(Exception, match="102 filters"):
        model(*graph)


def test_what_is_no_number_stays_so():
    model = _model(layers=3)
    positions = np.random.default_rng(3).random((20, 3)) * 2.5
    graph = build_graph(positions, np.zeros((20, 3)), 2.5 * np.eye(3), np.zeros(20, int), model.cutoff, torch.float32)
    graph = graph._replace(velocities=torch.full_like(graph.velocities, torch.nan))
    assert all(x.isnan().all() for x in model(*graph))


def test_validation_and_double_precision_take_plain_torch():
    x = torch.zeros(1)
    assert stage_gradient.applies_to(x)
    assert not stage_gradient.applies_to(x.double())
    with torch.no_grad():
        assert not stage_gradient.applies_to(x)
