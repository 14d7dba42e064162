"""A layer of moments of the flow variant, structures for it, and its values and gradients."""

import numpy as np
import torch

from vitrify.amshortcut.models.flow import MomentLayer, harmonics
from vitrify.graphs.neighbours import neighbour_list

CUTOFF = 2.4
CELLS = {
    "orthogonal": np.diag([5.0, 5.5, 6.0]),
    "triclinic": np.array([[5.0, 0, 0], [1.5, 5.0, 0], [-1.0, 0.7, 5.0]]),
    "smaller than the cutoff": np.diag([2.0, 2.2, 2.1]),
}


def make_edges(cell, dtype, density=1.0):
    """Distances, harmonics and indices of a random structure, some of them beyond the splines."""
    random = np.random.default_rng(2)
    n = max(8, int(density * abs(np.linalg.det(cell))))
    index, vectors = neighbour_list(random.random((n, 3)) @ cell, cell, 1.1 * CUTOFF)
    return n, torch.as_tensor(index), *harmonics(torch.as_tensor(vectors).to(dtype))


def make_layer(width, first, dtype):
    torch.manual_seed(1)
    return MomentLayer(width, 9, CUTOFF, 8, first).to(dtype)


def results_of(layer, n, index, distances, directions):
    torch.manual_seed(3)
    s = torch.randn(n, layer.width, dtype=distances.dtype, requires_grad=True)
    v = torch.randn(n, 3, layer.width, dtype=distances.dtype, requires_grad=True)
    layer.zero_grad()
    moments, carried = layer.sums(s, v, index, distances, directions)
    (moments.sin().sum() + (carried * torch.linspace(0, 1, 4, dtype=s.dtype).view(1, 4, 1)).cos().sum()).backward()
    gradients = [s.grad, layer.filters.weight.grad] + ([] if layer.first else [v.grad])
    return [moments.detach(), carried.detach(), *gradients]
