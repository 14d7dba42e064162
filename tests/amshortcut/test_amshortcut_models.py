"""The generators: symmetries, exact batches, scripting, and the published network against loops over its equations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from toy_samples import CONFIGS, SYSTEM, inputs_of, jittered, make_generator
from vitrify.core.errors import VitrifyError
from vitrify.models import build_model, parse_model_config

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit")


def random_elements(model, n: int, seed: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, model.kinds))


def answer(model, positions, cell, elements, dtype=torch.float64) -> tuple[np.ndarray, np.ndarray]:
    with torch.no_grad():
        vectors, kinds = model(*inputs_of(model, [(positions, cell, None)], [elements], dtype=dtype))
    return vectors.double().numpy(), kinds.double().numpy()


def orthogonal(sign: float) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q)) * sign


def symmetry_error(model, dtype: torch.dtype, sign: float) -> float:
    """Largest deviation after a rotation (or reflection), a translation and a permutation, over the largest output."""
    positions, cell, _ = jittered()
    elements = random_elements(model, len(positions))
    vectors, kinds = answer(model, positions, cell, elements, dtype)
    assert np.abs(vectors).max() > 0.01, "an answer of nothing has all symmetries"
    q, order = orthogonal(sign), np.random.default_rng(1).permutation(len(positions))
    moved = (positions @ q + np.array([0.4, -7.1, 2.2]))[order]
    new_vectors, new_kinds = answer(model, moved, cell @ q, elements[order], dtype)
    error = np.abs(new_vectors - (vectors @ q)[order]).max() / np.abs(vectors).max()
    return max(error, np.abs(new_kinds - kinds[order]).max() / max(np.abs(kinds).max(), 1e-9))


@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["rotation", "reflection"])
@pytest.mark.parametrize("name", CONFIGS)
def test_equivariance(name, sign):
    model = make_generator(name)
    assert symmetry_error(model, torch.float64, sign) < 1e-10
    assert symmetry_error(model.float(), torch.float32, sign) < 1e-5


@pytest.mark.parametrize("name", CONFIGS)
def test_replication_in_a_tiny_triclinic_cell(name):
    """In a cell of 5.2, an atom is its own neighbour several times; 27 copies answer as one."""
    model = make_generator(name)
    positions, cell, _ = jittered(n_side=2)
    elements = random_elements(model, len(positions))
    one = answer(model, positions, cell, elements)
    shifts = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), -1).reshape(-1, 3) @ cell
    copies = (positions[None] + shifts[:, None]).reshape(-1, 3)
    many = answer(model, copies, 3 * cell, np.tile(elements, (27, 1)))
    for few, all_of_them in zip(one, many, strict=True):
        np.testing.assert_allclose(all_of_them, np.tile(few, (27, 1)), atol=1e-10)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_batch_is_each_structure_alone_and_no_structure_drifts(name):
    model = make_generator(name)
    structures = [jittered(3, 0), jittered(2, 1)]
    elements = [random_elements(model, len(s[0]), k) for k, s in enumerate(structures)]
    inputs = inputs_of(model, structures, elements)
    with torch.no_grad():
        vectors, kinds = model(*inputs)
        first = 0
        for k, (structure, mine) in enumerate(zip(structures, elements, strict=True)):
            alone = list(inputs_of(model, [structure], [mine]))
            alone[4:] = [value[k : k + 1] for value in inputs[4:]]
            part = slice(first, first + len(mine))
            for together, single in zip((vectors, kinds), model(*alone), strict=True):
                torch.testing.assert_close(together[part], single, rtol=0, atol=1e-12)
            assert vectors[part].mean(0).abs().max() < 1e-12
            first += len(mine)


@pytest.mark.parametrize("name", CONFIGS)
def test_scripting_changes_nothing(name):
    model = make_generator(name)
    positions, cell, _ = jittered()
    inputs = list(inputs_of(model, [(positions, cell, None)], [random_elements(model, len(positions))]))
    inputs[7] = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    scripted = torch.jit.script(model)
    with torch.no_grad():
        for _ in range(2):  # the second call is optimised
            torch.manual_seed(1)
            expected = model(*inputs)
            torch.manual_seed(1)
            for got, want in zip(scripted(*inputs), expected, strict=True):
                torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CONFIGS)
def test_gradients_are_finite_and_reach_all_weights(name):
    """Even where two atoms are in the same place, as random sites may be."""
    model = make_generator(name).train()
    positions, cell, _ = jittered()
    positions[1] = positions[0]
    inputs = list(inputs_of(model, [(positions, cell, None)], [random_elements(model, len(positions))]))
    inputs[7] = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    vectors, kinds = model(*inputs)
    (vectors.square().sum() + kinds.square().sum()).backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    assert silent == []


@pytest.mark.parametrize("name", CONFIGS)
def test_the_answer_is_smooth_at_the_cutoff(name):
    """An atom that crosses the cutoff changes nothing at once."""
    model = make_generator(name)
    cell, elements = np.eye(3) * 30.0, random_elements(model, 3)
    found = []
    for distance in (model.cutoff - 1e-4, model.cutoff + 1e-4, model.cutoff - 1.0):
        positions = np.array([[0.0, 0, 0], [1.5, 0.3, 0], [0, distance, 0]])
        found.append(np.hstack(answer(model, positions, cell, elements)))
    inside, outside, near = found
    assert np.abs(inside - outside).max() < 1e-6
    assert np.abs(inside - near).max() > 1e-4


@pytest.mark.parametrize("name", CONFIGS)
def test_everything_that_goes_in_matters(name):
    model = make_generator(name)
    positions, cell, _ = jittered()
    inputs = list(inputs_of(model, [(positions, cell, None)], [random_elements(model, len(positions))]))
    with torch.no_grad():
        before = model(*inputs)[0]
        for place, other in {0: 0.5 * inputs[0], 4: inputs[4] + 0.2, 5: inputs[5] + 0.2, 6: inputs[6] + 3.0}.items():
            change = (model(*inputs[:place], other, *inputs[place + 1 :])[0] - before).abs().max()
            if place == 5 and not name.startswith(("flow", "paper")):
                assert change == 0  # trained on velocities alone: no length of a step was ever seen
            else:
                assert change > 1e-4, place


def test_the_published_network_follows_its_equations():
    """Eqs. 12 to 15 in loops over atoms, with coordinates X and offsets o as printed.

    Long because it writes the whole network of the paper out once more."""
    model = make_generator("paper")
    positions, cell, _ = jittered(2)
    elements = random_elements(model, len(positions))
    inputs = inputs_of(model, [(positions, cell, None)], [elements])
    weights = {key: value.numpy() for key, value in model.state_dict().items()}
    n, k, cutoff = len(positions), 3, model.cutoff
    i, j = inputs[2].numpy()
    offsets = positions[j] - positions[i] - inputs[3].numpy()  # of cell vectors: X_i - X_j - o_ij with o = -(...)

    def linear(name, x):
        return weights[f"{name}.weight"] @ x + weights.get(f"{name}.bias", 0.0)

    def silu(x):
        return x / (1 + np.exp(-x))

    def normalised(name, x):
        return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def edge_mlp(name, h_i, h_j, e):
        ends = linear(f"{name}.centre", h_i) + linear(f"{name}.neighbour", h_j) + linear(f"{name}.edge", np.array([e]))
        return linear(f"{name}.out", silu(normalised(f"{name}.norm", ends)))

    standard = (inputs[6][0].numpy() - [30.0, 6.0]) / [10.0, 0.5]
    embedded = []
    for p in range(2):
        x = standard[p] * weights["condition.weight"][p] + weights["condition.bias"][p]
        x = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
        embedded += list(x * weights["condition.norm_weight"][p] + weights["condition.norm_bias"][p])
    condition = [float(inputs[4][0]), float(inputs[5][0]), *embedded]
    h = np.array([linear("backbone.start", np.array([*condition, *e])) for e in elements])
    x = np.repeat(positions[:, :, None], k, axis=2)
    lengths = np.linalg.norm(inputs[3].numpy(), axis=1)
    e = 2 * np.tanh(lengths / cutoff) - 1
    envelope = [2 * math.tanh(1 - min(r, cutoff) / cutoff) ** 2 for r in lengths]
    for layer in range(2):
        name = f"backbone.blocks.{layer}"
        for sub in range(2):
            total = np.zeros_like(h)
            part = f"{name}.exchanges.{sub}"
            for edge in range(len(i)):
                m = silu(edge_mlp(f"{part}.message", h[i[edge]], h[j[edge]], e[edge]))
                attention = 1 / (1 + np.exp(-linear(f"{part}.attention", m)))
                total[i[edge]] += attention * m * envelope[edge] / 40
            for atom in range(n):
                y = linear(f"{part}.update.0", np.concatenate([h[atom], total[atom]]))
                total[atom] = linear(f"{part}.update.3", silu(normalised(f"{part}.update.1", y)))
            h = h + total
        moved = np.zeros_like(x)
        for edge in range(len(i)):
            d = x[j[edge]] - x[i[edge]] - offsets[edge][:, None]
            d = d / (np.sqrt((d**2).sum(0) + 1) + 1)
            phi = edge_mlp(f"{name}.mixing", h[i[edge]], h[j[edge]], e[edge]).reshape(k, k)
            moved[i[edge]] += d @ phi * envelope[edge] / 40
        x = x + moved
    displacements = x[:, :, 0] - positions
    with torch.no_grad():
        vectors, kinds = model(*inputs)
    np.testing.assert_allclose(vectors, displacements - displacements.mean(0), atol=1e-12)
    np.testing.assert_allclose(kinds, [linear("backbone.finish", row) for row in h], atol=1e-12)


def test_what_is_not_asked_for_is_embedded_as_random_numbers():
    condition = make_generator("paper", embedding=64).condition
    moments = [torch.zeros(500, dtype=torch.float64)] * 2
    properties = torch.tensor([[25.0, float(6)]], dtype=torch.float64).expand(500, 2)
    known = torch.tensor([[1.0, 0.0]], dtype=torch.float64).expand(500, 2)
    with torch.no_grad():
        torch.manual_seed(3)
        first, second = (condition(*moments, properties, known) for _ in range(2))
        torch.manual_seed(3)
        again = condition(*moments, properties, known)
    asked, null = first[:, 2:66], first[:, 66:]
    assert asked.std(0).max() == 0
    assert abs(float(null.mean())) < 0.02
    assert abs(float(null.std()) - 1) < 0.02
    assert not torch.equal(first, second)
    assert torch.equal(first, again)
    # before training, an embedding has the mean and variance of the random numbers
    fresh = build_model("amshortcut", {**CONFIGS["paper"], "embedding": 64}, SYSTEM).condition
    with torch.no_grad():
        rows = fresh(torch.zeros(1), torch.zeros(1), torch.ones(1, 2), torch.ones(1, 2))[:, 2:].view(2, 64)
    torch.testing.assert_close(rows.mean(1), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(rows.var(1, correction=0), torch.ones(2), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["flow", "paper"])
def test_a_property_that_never_varies_divides_by_nothing(name):
    model = make_generator(name)
    model.calibrate(torch.tensor([30.0, 6.3]), torch.tensor([0.0, 0.5]))
    positions, cell, _ = jittered()
    vectors, _ = answer(model, positions, cell, random_elements(model, len(positions)))
    assert np.isfinite(vectors).all()


def test_settings_of_the_variants():
    models = {name: build_model("amshortcut", config, SYSTEM) for name, config in CONFIGS.items()}
    found = {name: (m.process, m.shortcuts, m.null, m.kinds) for name, m in models.items()}
    assert found["flow"] == ("flow", 0.25, 0.15, 2)
    assert found["paper"] == ("shortcut", 0.25, 0.0, 3)
    assert found["paper-moments"] == ("shortcut", 0.25, 0.15, 3)
    assert found["sde"] == ("sde", 0.0, 0.0, 3)
    assert found["ode"] == ("ode", 0.0, 0.0, 3)
    assert models["paper"].shortest == 1 / 128
    assert all(models[name].ghost_density is None for name in CONFIGS)
    full = build_model("amshortcut", {"variant": "paper", "ghosts": 0.07}, SYSTEM)
    assert (full.cutoff, full.layers, full.node_width, full.ghost_density) == (6.5, 4, 128, 0.07)
    with pytest.raises(VitrifyError, match=r"model.shortcuts is not a setting of amshortcut variant sde"):
        parse_model_config("amshortcut", {"variant": "sde", "shortcuts": 0.25})
    with pytest.raises(VitrifyError, match=r"model.backbone"):
        parse_model_config("amshortcut", {"variant": "ode", "backbone": "schnet"})
