"""The equivariant GlassVAE: its energy and forces against finite differences, symmetries, smoothness, no leak."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from ase.units import fs

import toy_glassvae
from toy_glassvae import derivative, predict, types_of
from vitrify import GlassCalc
from vitrify.engines.predictions import EnergyPrediction
from vitrify.glassvae.differentiate import energy_prediction
from vitrify.glassvae.models.edge_basis import EdgeBasis
from vitrify.glassvae.models.equivariant import for_centres
from vitrify.graphs.neighbours import build_structure_graph, neighbour_list
from vitrify.models.nn import CubicSplines


@pytest.fixture(scope="module")
def model():
    return toy_glassvae.make()


@pytest.mark.parametrize(("n", "tilt"), [(2, 0.0), (2, 0.25), (1, 0.2)], ids=["cube", "triclinic", "tiny"])
def test_forces_and_stress_are_derivatives_of_the_energy(model, n, tilt):
    atoms = toy_glassvae.glass(n, tilt)
    found, rms = predict(model, atoms), np.sqrt(np.mean(predict(model, atoms).forces ** 2))

    def moved(x: float, atom: int, axis: int) -> float:
        other = atoms.copy()
        other.positions[atom, axis] += x
        return predict(model, other).energy

    def strained(x: float, a: int, b: int) -> float:
        strain = np.eye(3)
        strain[a, b] += 0.5 * x
        strain[b, a] += 0.5 * x
        other = atoms.copy()
        other.set_cell(atoms.cell[:] @ strain, scale_atoms=True)
        return predict(model, other).energy

    for atom, axis in ((0, 0), (1, 2), (3, 1)):
        force = -derivative(lambda x, i=atom, k=axis: moved(x, i, k))
        assert force == pytest.approx(found.forces[atom, axis], abs=1e-7 * rms)
    for a, b in ((0, 0), (1, 1), (0, 1), (2, 1)):
        pull = derivative(lambda x, i=a, k=b: strained(x, i, k), 3e-4) / atoms.get_volume()
        assert pull == pytest.approx(found.stress[a, b], abs=1e-7 * np.abs(found.stress).max())
    np.testing.assert_allclose(found.forces.sum(0), 0.0, atol=1e-10)


def test_every_part_of_the_energy_has_a_say(model):
    """Otherwise the finite differences above would not see it."""
    atoms = toy_glassvae.glass(2)
    whole = predict(model, atoms)
    for name in ("fusion", "energy"):
        changed = toy_glassvae.make()
        part = getattr(changed, name)
        with torch.no_grad():
            (part.out if name == "fusion" else part.latent).weight.zero_()
        assert np.abs(predict(changed, atoms).forces - whole.forces).max() > 1e-3


def test_symmetries(model):
    atoms = toy_glassvae.glass(2)
    whole = predict(model, atoms)
    turned = atoms.copy()
    turned.rotate(77.0, (1.0, 2.0, -0.5), rotate_cell=True)
    mirrored = turned.copy()
    mirrored.set_cell(-turned.cell.array)
    mirrored.positions *= -1
    moved = atoms.copy()
    moved.positions += (50.0, -3.0, 0.7)
    moved.wrap()
    order = np.random.default_rng(0).permutation(len(atoms))
    for same, back in ((turned, None), (mirrored, None), (moved, whole.forces), (atoms[order], whole.forces[order])):
        found = predict(model, same)
        assert found.energy == pytest.approx(whole.energy, rel=1e-12)
        np.testing.assert_allclose(found.latent, whole.latent, atol=1e-10)
        if back is not None:
            np.testing.assert_allclose(found.forces, back, atol=1e-9)
    from scipy.spatial.transform import Rotation

    rotation = np.linalg.lstsq(atoms.cell[:], turned.cell[:], rcond=None)[0]
    assert Rotation.from_matrix(rotation).magnitude() > 1.0
    np.testing.assert_allclose(predict(model, turned).forces, whole.forces @ rotation, atol=1e-9)


def test_the_energy_is_extensive_and_the_latent_vector_intensive(model):
    atoms = toy_glassvae.glass(2)
    whole, many = predict(model, atoms), predict(model, atoms.repeat((2, 1, 3)))
    assert many.energy == pytest.approx(6 * whole.energy, rel=1e-12)
    np.testing.assert_allclose(many.latent, whole.latent, atol=1e-10)
    np.testing.assert_allclose(many.stress, whole.stress, atol=1e-12)
    np.testing.assert_allclose(many.forces, np.tile(whole.forces, (6, 1)), atol=1e-9)


def test_parts_of_the_atoms_add_up(model):
    """As the ranks of a host do it: totals, then energies, then the backward pass in two pieces."""
    atoms = toy_glassvae.glass(2)
    whole, types = predict(model, atoms), torch.as_tensor(types_of(atoms))
    index, vectors = neighbour_list(atoms.positions, atoms.cell[:], model.cutoff)
    n, half = len(atoms), len(atoms) // 3
    parts, totals = [], 0.0
    for mine in (np.arange(half), np.arange(half, n)):
        others = np.setdiff1d(np.arange(n), mine)
        order = np.concatenate([mine, others])
        place = np.argsort(order)
        edges = np.isin(index[0], mine)
        leaf = torch.as_tensor(vectors[edges]).requires_grad_()
        local = types[torch.as_tensor(order)]
        features, added = model.atoms(local, torch.as_tensor(place[index[:, edges]]), leaf, len(mine))
        parts.append((mine, local[: len(mine)], leaf, features, added, index[:, edges]))
        totals = totals + added.detach().sum(0)
    energy, by_totals, leaves = 0.0, 0.0, []
    for _, local, _, features, _, _ in parts:
        common = totals.clone().requires_grad_()
        mu, _, summary = model.head(common[None], torch.tensor([float(n)], dtype=torch.float64))
        own = model.energies(features, local, torch.zeros_like(local), mu, summary).sum()
        by_features, by_common = torch.autograd.grad(own, (features, common))
        energy, by_totals = energy + float(own.detach()), by_totals + by_common
        leaves.append(by_features)
    forces = np.zeros((n, 3))
    for (_, _, leaf, features, added, edges), by_features in zip(parts, leaves, strict=True):
        (by_edge,) = torch.autograd.grad((features, added), leaf, (by_features, by_totals.expand_as(added)))
        np.add.at(forces, edges[0], by_edge.numpy())
        np.add.at(forces, edges[1], -by_edge.numpy())
    assert energy == pytest.approx(whole.energy, rel=1e-12)
    np.testing.assert_allclose(forces, whole.forces, atol=1e-9)


def test_sums_are_splines_times_harmonics():
    """The fixed basis with weights gives what radial splines of each pair of species give, edge by edge."""
    atoms = toy_glassvae.glass(2)
    basis, splines = EdgeBasis(2, 9, 1.0, 4.0), CubicSplines(4, 5, 1.0, 4.0, 9).double()
    graph = build_structure_graph(atoms.positions, atoms.cell[:], types_of(atoms), 4.4, torch.float64)
    sums = basis(graph.types, graph.edge_index, graph.edge_vectors, len(atoms))
    got = for_centres(sums, splines.weight, graph.types, 2)
    i, j = graph.edge_index
    unit = torch.nn.functional.normalize(graph.edge_vectors, dim=1)
    radial = splines(graph.edge_vectors.norm(dim=1), 2 * graph.types[i] + graph.types[j])
    x, y, z = unit.T
    for number, values in ((0, torch.ones_like(x)), (2, y), (4, x * y), (6, (3 * z * z - 1) / 12**0.5)):
        want = torch.zeros(len(atoms), 5, dtype=torch.float64).index_add(0, i, radial * values[:, None])
        torch.testing.assert_close(got[:, number], want, atol=1e-12, rtol=1e-10)


def test_pull_is_the_derivative_of_the_sums():
    atoms = toy_glassvae.glass(2, seed=4)
    # some pairs lie below the start, some beyond the end
    basis = EdgeBasis(2, 7, 2.6, 4.0)
    graph = build_structure_graph(atoms.positions, atoms.cell[:], types_of(atoms), 4.4, torch.float64)
    vectors = graph.edge_vectors.clone().requires_grad_()
    sums = basis(graph.types, graph.edge_index, vectors, len(atoms))
    gradient = torch.randn(sums.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    (want,) = torch.autograd.grad((sums * gradient).sum(), vectors)
    got = basis.vector_gradient(gradient.requires_grad_(), graph.types, graph.edge_index, graph.edge_vectors)
    assert float(want.abs().max()) > 1.0
    torch.testing.assert_close(got, want, atol=1e-12, rtol=1e-10)
    probe = torch.randn(got.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    (back,) = torch.autograd.grad((got * probe).sum(), gradient)
    # the transposed map: what the sums change by along the probe
    _, forward = torch.autograd.functional.jvp(
        lambda v: basis(graph.types, graph.edge_index, v, len(atoms)), graph.edge_vectors, probe
    )
    torch.testing.assert_close(back, forward, atol=1e-12, rtol=1e-10)


def test_nothing_jumps_at_the_cutoff(model):
    """An atom that enters the sphere of another changes neither energy nor forces at once."""

    def at(distance: float) -> EnergyPrediction:
        atoms = Atoms(["Cu", "Au", "Cu"], [[0, 0, 0], [distance, 0, 0], [0, 2.5, 0]], cell=np.eye(3) * 20, pbc=True)
        return predict(model, atoms)

    inside, outside = at(model.cutoff - 1e-5), at(model.cutoff + 1e-5)
    assert inside.energy == pytest.approx(outside.energy, abs=1e-9)
    np.testing.assert_allclose(inside.forces, outside.forces, atol=1e-6)
    far = at(3.0)
    assert np.abs(far.forces - outside.forces).max() > 1e-2


def test_atoms_that_come_too_close_repel_each_other(model):
    found = []
    for distance in (1.9, 1.2, 0.6):
        atoms = Atoms("CuCu", [[0, 0, 0], [distance, 0, 0]], cell=np.eye(3) * 20, pbc=True)
        found.append(predict(model, atoms))
    # 200 (1 - r / 1.9)^3 for the pair, beside what the network says there
    assert found[2].energy - found[1].energy == pytest.approx(200 * (0.6842**3 - 0.3684**3), rel=0.2)
    assert found[1].forces[1, 0] == pytest.approx(600 * 0.3684**2 / 1.9, rel=0.1)


def test_no_input_edge_reaches_the_decoder(model):
    """What is decoded depends on z, and species on positions, but on nothing else of the encoded structure.

    The decoder is a function of z in a graph of its own: with z held fixed, another encoded structure changes nothing,
    and the gradient from what is decoded to the edges of the encoder passes through z alone.
    """
    atoms = toy_glassvae.glass(2)
    graph = build_structure_graph(atoms.positions, atoms.cell[:], types_of(atoms), model.cutoff, torch.float64)
    vectors = graph.edge_vectors.clone().requires_grad_()
    mu = model(graph.types, graph.edge_index, vectors)[1]
    n = len(atoms)
    sample = torch.zeros(n, dtype=torch.int64)
    noise = toy_glassvae.glass(2, seed=9)
    other = build_structure_graph(noise.positions, noise.cell[:], types_of(noise), 4.0, torch.float64)
    ones = torch.ones(1, model.latent, dtype=torch.float64)
    moment = torch.tensor([0.7], dtype=torch.float64)

    def decoded(z: torch.Tensor) -> list[torch.Tensor]:
        elements = torch.nn.functional.one_hot(other.types, 2).double()
        positions = model.decoder(
            elements, sample, other.edge_index, other.edge_vectors, moment, moment, z[None], ones
        )[0]
        species = model.decode_species(sample, other.edge_index, other.edge_vectors, z[None])
        return [positions, species, model.decode_rdf(z[None]), model.decode_energies(z[None])]

    free, cut = decoded(mu), decoded(mu.detach())
    for with_path, without in zip(free, cut, strict=True):
        torch.testing.assert_close(with_path, without, rtol=0, atol=0)
        (through,) = torch.autograd.grad(with_path.square().sum(), vectors, retain_graph=True, allow_unused=True)
        assert through is not None and float(through.abs().max()) > 0
        assert torch.autograd.grad(without.square().sum(), vectors, retain_graph=True, allow_unused=True) == (None,)
    # species are decoded without any species
    blind = model.decode_species(sample, other.edge_index, other.edge_vectors, mu[None])
    assert blind.shape == (n, 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_file_answers_as_the_eager_model(dtype, tmp_path):
    opened = toy_glassvae.write(tmp_path / "m.glassvae.pt", dtype)
    atoms, model = toy_glassvae.glass(2), toy_glassvae.make(getattr(torch, dtype))
    graph = build_structure_graph(atoms.positions, atoms.cell[:], types_of(atoms), model.cutoff, opened.dtype)
    want, got = (
        energy_prediction(toy_glassvae.WithCore(model), atoms.cell[:], graph),
        opened.predict(atoms.positions, atoms.cell[:], types_of(atoms)),
    )
    scale = np.sqrt(np.mean(want.forces**2))
    limit = 1e-5 if dtype == "float32" else 1e-11
    for name in ("energies", "forces", "stress", "latent"):
        np.testing.assert_allclose(getattr(got, name), getattr(want, name), atol=limit * max(scale, 1.0))
    z = np.array([0.3, -0.2, 0.5, 0.1])
    elements = np.eye(2)[types_of(atoms)]
    moved, _ = opened.decode(atoms.positions, atoms.cell[:], elements, 0.5, 0.25, z)
    near = build_structure_graph(atoms.positions, atoms.cell[:], types_of(atoms), 4.0, opened.dtype)
    real = {"dtype": opened.dtype}
    want_moved = model.decoder(
        torch.tensor(elements, **real), torch.zeros(len(atoms), dtype=torch.int64), near.edge_index, near.edge_vectors,
        torch.tensor([0.5], **real), torch.tensor([0.25], **real), torch.tensor(z, **real)[None],
        torch.ones(1, 4, **real),
    )[0]  # fmt: skip
    np.testing.assert_allclose(moved, want_moved.detach().numpy(), atol=1e-5)


def test_dynamics_conserve_the_energy(tmp_path):
    """NVE through the calculator, from a minimum: the drift is far below what moves between the two energies."""
    from ase.optimize import FIRE

    atoms = toy_glassvae.glass(2, tilt=0.1)
    atoms.calc = GlassCalc(toy_glassvae.write(tmp_path / "m.pt"))
    FIRE(atoms, logfile=None).run(fmax=0.05, steps=60)
    thermalize_momenta(atoms, 600.0, rng=np.random.default_rng(3))
    run, totals, kinetic = VelocityVerlet(atoms, 1.0 * fs), [], []
    for _ in range(40):
        run.run(5)
        totals.append(atoms.get_total_energy() / len(atoms))
        kinetic.append(atoms.get_kinetic_energy() / len(atoms))
    assert np.ptp(kinetic) > 5e-3
    assert np.ptp(totals) < 1e-4
