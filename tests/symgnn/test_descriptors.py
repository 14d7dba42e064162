"""Descriptors: harmonics against Legendre polynomials, splines against scipy, invariance against random rotations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from scipy.special import eval_legendre

from vitrify.symgnn.models.descriptors import (
    densities,
    hats,
    invariants,
    n_invariants,
    spherical_harmonics,
    spline_basis,
)


def unit_vectors(n: int, seed: int = 0) -> torch.Tensor:
    v = torch.tensor(np.random.default_rng(seed).normal(size=(n, 3)))
    return v / v.norm(dim=1, keepdim=True)


def test_harmonics_obey_the_addition_theorem():
    u, v = unit_vectors(20), unit_vectors(20, 1)
    a, b = spherical_harmonics(u, 8), spherical_harmonics(v, 8)
    for ell in range(9):
        part = slice(ell**2, (ell + 1) ** 2)
        expected = eval_legendre(ell, (u * v).sum(1).numpy())
        np.testing.assert_allclose((a[:, part] * b[:, part]).sum(1).numpy(), expected, atol=1e-12)


def test_harmonics_are_orthogonal():
    # Gauss-Legendre in z, even angles in phi: exact for products up to degree 8
    z, w = np.polynomial.legendre.leggauss(12)
    phi = np.arange(24) * 2 * np.pi / 24
    s = np.sqrt(1 - z**2)
    points = np.stack([np.outer(s, np.cos(phi)), np.outer(s, np.sin(phi)), np.outer(z, np.ones(24))], -1)
    y = spherical_harmonics(torch.tensor(points.reshape(-1, 3)), 4).numpy()
    gram = (y * np.repeat(w, 24)[:, None] / 48).T @ y
    norms = np.concatenate([np.full(2 * ell + 1, 1 / (2 * ell + 1)) for ell in range(5)])
    np.testing.assert_allclose(gram, np.diag(norms), atol=1e-12)


def test_splines_are_those_of_scipy_and_end_smoothly():
    start, end, count = 2.0, 6.5, 6
    step = (end - start) / (count + 1)
    r = np.linspace(1.0, 7.0, 500)
    got = spline_basis(torch.tensor(r), start, end, count).numpy()
    for n in range(count):
        knots = start + (n + np.arange(-2, 3)) * step
        expected = BSpline.basis_element(knots, extrapolate=False)(r)
        np.testing.assert_allclose(got[:, n], np.nan_to_num(expected), atol=1e-12)
    assert (got[r > end] == 0).all()


def test_hats_add_up_to_one_inside():
    r = torch.linspace(0.0, 9.0, 200, dtype=torch.float64)
    values = hats(r, 2.0, 8.0, 5)
    torch.testing.assert_close(values[r <= 7.0].sum(1), torch.ones_like(r[r <= 7.0]))
    assert (values[r >= 8.0] == 0).all()


@pytest.mark.parametrize("n_species", [1, 2, 3])
def test_invariants_know_angles_but_no_directions(n_species):
    rng = np.random.default_rng(3)
    centres = torch.tensor(np.repeat(np.arange(5), 12))
    types = torch.tensor(rng.integers(0, n_species, 60))
    vectors = unit_vectors(60, 4) * torch.tensor(rng.uniform(2.0, 6.0, (60, 1)))
    turn = torch.tensor(np.linalg.qr(rng.normal(size=(3, 3)))[0])
    assert float(torch.det(turn)) != 0

    def of(v: torch.Tensor) -> torch.Tensor:
        return invariants(densities(types, centres, v, 5, n_species, 6, 2.0, 6.5, 4), 6)

    plain = of(vectors)
    assert plain.shape == (5, n_invariants(n_species, 6, 4))
    torch.testing.assert_close(of(vectors @ turn.T), plain, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(of(-vectors), plain, rtol=1e-10, atol=1e-10)
    bent = vectors.clone()
    bent[0] = bent[0].norm() * unit_vectors(1, 9)[0]  # same lengths, another angle
    assert (of(bent)[0] - plain[0]).abs().max() > 1e-3
