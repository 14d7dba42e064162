"""The symmetrisation of the paper's SymGNN: distributions of transformations, their gradients, and their averages."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.spatial
import scipy.special
import scipy.stats
import torch

from vitrify.symgnn.models import transforms
from vitrify.symgnn.models.paper import MeanOfReLU, PaperSymGNNConfig, Symmetrised


def test_von_mises_quantiles_agree_with_scipy() -> None:
    kappa = torch.tensor([0.01, 0.3, 1.0, 4.0, 30.0, 300.0]).double().repeat_interleave(5)
    u = torch.tensor([0.003, 0.2, 0.5, 0.81, 0.999]).double().repeat(6)
    x = transforms.VonMisesQuantile.apply(u, kappa)
    assert scipy.stats.vonmises.cdf(x.numpy(), kappa.numpy()) == pytest.approx(u.numpy(), abs=1e-7)


def test_von_mises_gradients_agree_with_finite_differences() -> None:
    """Of the quantile by kappa, mean and u, with quantiles from an integral of the density by itself."""
    grid = np.linspace(-np.pi, np.pi, 400_001)

    def quantile(u: float, kappa: float) -> float:
        density = np.exp(kappa * (np.cos(grid) - 1.0))
        total = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
        return float(np.interp(u, total / total[-1], grid))

    for u, kappa in ((0.1, 0.2), (0.37, 1.4), (0.9, 6.0), (0.6, 50.0)):
        arguments = torch.tensor([[u], [kappa]]).double().requires_grad_()
        mean = torch.tensor([0.7]).double().requires_grad_()
        angle = transforms.von_mises_angles(arguments[0], mean, arguments[1])
        assert float(angle.detach()) == pytest.approx(0.7 + quantile(u, kappa), abs=1e-6)
        angle.sum().backward()
        by_kappa = (quantile(u, 1.01 * kappa) - quantile(u, 0.99 * kappa)) / (0.02 * kappa)
        by_u = (quantile(u + 1e-3, kappa) - quantile(u - 1e-3, kappa)) / 2e-3
        assert arguments.grad is not None and mean.grad is not None
        assert float(arguments.grad[1]) == pytest.approx(by_kappa, rel=2e-3)
        assert float(arguments.grad[0]) == pytest.approx(by_u, rel=2e-3)
        assert float(mean.grad) == 1.0


def test_von_mises_draws_have_the_distribution_and_its_gradient() -> None:
    """d E[cos x] / d kappa = 1 - A / kappa - A^2, A = I_1 / I_0, which sampling without reparametrisation misses."""
    torch.manual_seed(0)
    kappa = torch.tensor(1.7).double().requires_grad_()
    u = torch.rand(10_000).double()
    x = transforms.VonMisesQuantile.apply(u, kappa.expand(10_000))
    assert scipy.stats.kstest(x.detach().numpy(), scipy.stats.vonmises(1.7).cdf).pvalue > 0.01
    x.cos().mean().backward()
    ratio = float(scipy.special.ive(1, 1.7) / scipy.special.ive(0, 1.7))
    assert kappa.grad is not None
    assert float(kappa.grad) == pytest.approx(1 - ratio / 1.7 - ratio**2, rel=0.06)


def test_von_mises_inference_follows_what_was_learned() -> None:
    """The nodes average as many draws do, rotations and rotoinversions apart, and eval() renews them."""
    torch.manual_seed(1)
    encoder = Symmetrised(PaperSymGNNConfig(quantiles=6)).double()
    before = encoder.eval().transforms
    with torch.no_grad():
        encoder.angle_mean += 0.5
    assert torch.equal(encoder.transforms, before)
    after = encoder.train().eval().transforms
    assert not torch.allclose(after, before)
    assert after.shape == (2 * 6**3, 3, 3)
    with torch.no_grad():
        draws = transforms.von_mises_sample(5_000, encoder.angle_mean, encoder.angle_log_kappa.exp())
    for sign in (1.0, -1.0):
        mine = [m[torch.linalg.det(m).sign() == sign].mean(0) for m in (draws, after)]
        assert mine[0].numpy() == pytest.approx(mine[1].numpy(), abs=0.08)


def test_euler_matrices_agree_with_scipy() -> None:
    angles = np.random.default_rng(0).uniform(-3, 3, (20, 3))
    wanted = scipy.spatial.transform.Rotation.from_euler("XYZ", angles).as_matrix()
    assert transforms.euler_matrices(torch.tensor(angles)).numpy() == pytest.approx(wanted, abs=1e-12)


def legendre_mean(matrices: torch.Tensor, degree: int) -> float:
    """Largest mean of P_l(e . T f) over the transformations T, for unit vectors e of 40 directions and one f."""
    rng = np.random.default_rng(5)
    e, f = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (rng.normal(size=(40, 3)), rng.normal(size=(1, 3))))
    cosines = np.einsum("ea,tab,b->et", e, matrices.numpy(), f[0])
    return float(np.abs(scipy.special.eval_legendre(degree, cosines).mean(1)).max())


def test_icosahedral_group() -> None:
    """A group of 120, whose averages vanish at the degrees where they should, and not at 6."""
    group = transforms.icosahedral_group()
    flat = group.flatten(1)
    products = (group[:, None] @ group[None]).reshape(-1, 9)
    assert len(group) == 120
    assert (torch.cdist(flat, flat) + 9 * torch.eye(120)).min() > 0.5
    assert torch.cdist(products, flat).min(1).values.max() < 1e-6
    rotations = group[torch.linalg.det(group) > 0]
    assert len(rotations) == 60
    for degree in (1, 2, 3, 4, 5, 7, 8, 9, 11, 13, 14):
        assert legendre_mean(rotations, degree) < 1e-12
    assert 0.1 < legendre_mean(rotations, 6) < 0.5
    assert legendre_mean(group, 15) < 1e-12 < legendre_mean(rotations, 15)


def test_haar_is_uniform_and_uniform_euler_angles_are_not() -> None:
    """At degree 2, where theorem 4.3 of the paper fails."""
    torch.manual_seed(2)
    matrices = transforms.haar_matrices(10_000)
    assert matrices @ matrices.mT == pytest.approx(np.broadcast_to(np.eye(3), (10_000, 3, 3)), abs=1e-10)
    assert float((torch.linalg.det(matrices) > 0).double().mean()) == pytest.approx(0.5, abs=0.02)
    noise = 4.0 / math.sqrt(10_000)
    for degree in range(1, 7):
        assert legendre_mean(matrices, degree) < noise
    angles = (2 * torch.rand(10_000, 3).double() - 1) * math.pi
    assert legendre_mean(transforms.euler_matrices(angles), 2) > 0.05


def test_mean_of_relu_and_its_gradients() -> None:
    """Over more edges than one chunk holds, beside the plain formula; and by finite differences."""
    torch.manual_seed(0)
    x, w, b = torch.randn(9000, 3).double(), torch.randn(4, 5, 3).double(), torch.randn(5).double()
    arguments = [t.requires_grad_() for t in (x, w, b)]
    value = MeanOfReLU.apply(*arguments)
    wanted = torch.relu(torch.einsum("ea,tca->tec", x, w) + b).mean(0)
    assert torch.allclose(value, wanted)
    weights = torch.randn_like(value)
    got = torch.autograd.grad((value * weights).sum(), arguments)
    for a, c in zip(got, torch.autograd.grad((wanted * weights).sum(), arguments), strict=True):
        assert torch.allclose(a, c)
    assert torch.autograd.gradcheck(MeanOfReLU.apply, (x[:7].detach().requires_grad_(), w, b))


def test_symmetrised_encoder_is_blind_to_directions_in_the_limit() -> None:
    """Over the icosahedral group the features of an edge depend, up to degree 6, on its length alone."""
    directions = torch.nn.functional.normalize(torch.randn(200, 3).double(), dim=1)
    spreads = {}
    for sampling in ("icosahedral", "none"):
        torch.manual_seed(0)
        encoder = Symmetrised(PaperSymGNNConfig(sampling=sampling)).double().eval()
        with torch.no_grad():
            spreads[sampling] = float(encoder(1.2 * directions).std(0).mean())
    assert spreads["icosahedral"] < 0.02 * spreads["none"]
