"""The stress of a stride: its symmetries, what it is the derivative of, its fit, and the file that holds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import toy_trajectories
from vitrify.cli.main import app
from vitrify.core.errors import VitrifyError
from vitrify.data.trajectories import Trajectory, TrajectoryFile, TrajectoryMeta, TrajectoryWriter
from vitrify.datagen.trajectories.campaign import simulate
from vitrify.datagen.trajectories.systems import Stage, get_system
from vitrify.engines.open import engines_of, open_model
from vitrify.engines.replay import deviations
from vitrify.graphs.neighbours import build_graph, neighbour_list
from vitrify.modelfile.archive import read_metadata
from vitrify.models import build_model
from vitrify.models.base import System
from vitrify.ogn.training import stress

Array = np.ndarray
Atoms = tuple[Array, Array, Array, Array]
SYSTEM = System(species=("A", "B"), masses=(1.0, 2.5), units="lj", timestep=0.025)


def make_model(seed: int = 0, moments: int = 0, **settings: Any) -> Any:
    """A model with a stress whose weights, like all others, are random, in float64."""
    torch.manual_seed(seed)
    config = {"variant": "pair", "cutoff": 2.2, "inner": 1.7, "far": (2,), "moments": moments, "stress": 1, **settings}
    model = build_model("ogn", config, SYSTEM).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        for weight in model.stress.parameters():
            weight.copy_(torch.randn_like(weight))
    return model.eval()


def make_atoms(n_side: int = 4, seed: int = 0) -> Atoms:
    """A jittered lattice in a triclinic cell at density about 1.2: positions, velocities, cell, types."""
    rng = np.random.default_rng(seed)
    edge = n_side * 0.94
    cell = np.array([[edge, 0, 0], [0.2 * edge, edge, 0], [-0.1 * edge, 0.15 * edge, edge]])
    grid = np.stack(np.meshgrid(*[np.arange(n_side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = (grid + 0.5 + 0.08 * rng.normal(size=grid.shape)) / n_side @ cell
    return positions, rng.normal(size=positions.shape) * 1.7, cell, rng.integers(0, 2, len(grid))


def predict(model: Any, positions: Array, velocities: Array, cell: Array, types: Array) -> tuple[Array, ...]:
    graph = build_graph(positions, velocities, cell, types, model.cutoff, torch.float64)
    with torch.no_grad():
        return tuple(x.numpy() for x in model.forward_with_virial(*graph))


def tensor(virial: Array) -> Array:
    """(3, 3) from the six components of the cell."""
    xx, yy, zz, xy, xz, yz = virial
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def assert_close(a: Array, b: Array, tolerance: float = 1e-10) -> None:
    assert np.abs(a - b).max() < tolerance * np.sqrt(np.mean(b**2))


@pytest.mark.parametrize("moments", [0, 1])
def test_the_motion_is_that_of_the_network_without_stress(moments: int) -> None:
    model, atoms = make_model(moments=moments), make_atoms()
    plain = build_model("ogn", {**model.built_from.model_dump(), "stress": 0}, SYSTEM).double()
    plain.load_state_dict({name: w for name, w in model.state_dict().items() if not name.startswith("stress.")})
    assert not hasattr(plain, "virial")
    graph = build_graph(*atoms, model.cutoff, torch.float64)
    with torch.no_grad():
        expected = plain(*graph)
    dr, dv, virial = predict(model, *atoms)
    np.testing.assert_array_equal(dr, expected[0].numpy())
    np.testing.assert_array_equal(dv, expected[1].numpy())
    assert np.abs(virial).min() > 0


@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["rotation", "reflection"])
def test_it_turns_with_the_structure(sign: float) -> None:
    model, (positions, velocities, cell, types) = make_model(moments=1), make_atoms()
    q, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    q = q * np.sign(np.linalg.det(q)) * sign
    here = tensor(predict(model, positions, velocities, cell, types)[2].sum(0))
    there = tensor(predict(model, positions @ q, velocities @ q, cell @ q, types)[2].sum(0))
    assert_close(there, q.T @ here @ q)


def test_translation_permutation_and_boost() -> None:
    model, (positions, velocities, cell, types) = make_model(), make_atoms()
    order = np.random.default_rng(1).permutation(len(types))
    virial = predict(model, positions, velocities, cell, types)[2]
    moved = (positions + np.array([0.4, -7.1, 2.2]))[order]
    again = predict(model, moved, (velocities + np.array([3.0, -1.0, 2.0]))[order], cell, types[order])[2]
    assert_close(again, virial[order])


def test_a_doubled_cell_has_the_same_stress() -> None:
    """Also where the cell is smaller than the cutoff, so that atoms see their own images."""
    model, (positions, velocities, cell, types) = make_model(moments=1), make_atoms(2)
    small = predict(model, positions, velocities, cell, types)[2].sum(0)
    for axis in range(3):
        wide = cell.copy()
        wide[axis] *= 2
        both = np.concatenate([positions, positions + cell[axis]])
        large = predict(model, both, np.tile(velocities, (2, 1)), wide, np.tile(types, 2))[2].sum(0)
        assert_close(large, 2 * small)


def test_ranks_add_up_to_the_whole() -> None:
    """Each rank has its owned atoms first, and the edges that begin there."""
    model, atoms = make_model(), make_atoms()
    types, velocities, edges, vectors = build_graph(*atoms, model.cutoff, torch.float64)
    n = len(types)
    with torch.no_grad():
        nodes, memory = model.start(types, velocities, edges, vectors)
        for index in range(3):
            nodes, memory = model.layer(index, nodes, memory, types, velocities, edges, vectors, n)
        whole = model.virial(3, nodes, types, velocities, edges, vectors, n)
        parts = torch.zeros(6, dtype=torch.float64)
        for mine in (torch.arange(n) < 20, torch.arange(n) >= 20):
            order = torch.cat([torch.nonzero(mine), torch.nonzero(~mine)]).squeeze(1)
            place, own = torch.argsort(order), mine[edges[0]]
            arguments = nodes[order], types[order], velocities[order], place[edges[:, own]], vectors[own]
            parts += model.virial(3, *arguments, int(mine.sum())).sum(0)
    assert_close(parts.numpy(), whole.sum(0).numpy())


@pytest.mark.parametrize("moments", [0, 1])
def test_with_the_right_weights_it_is_the_virial_of_the_forces_of_a_stage(moments: int) -> None:
    """In free space that is sum x f over atoms, with the stage's own sums of forces f on them."""
    model, (positions, velocities, cell, types) = make_model(moments=moments), make_atoms()
    edges, vectors = neighbour_list(positions, cell, model.cutoff, pbc=False)
    graph = (torch.tensor(types), torch.tensor(velocities), torch.tensor(edges), torch.tensor(vectors))
    n, channel = len(types), 1
    with torch.no_grad():
        for weight in model.stress.parameters():
            weight.zero_()
        for part in model.stress:
            part.weights[:, channel, 0] = part.weights[:, channel, 1 + channel] = 1.0
            part.weights[:, part.central + channel :: model.channels, 0] = 1.0
        nodes, memory = model.start(*graph)
        for index in range(model.layers):
            virial = model.virial(index, nodes, *graph, n).sum(0).numpy()
            x = torch.cat([nodes[:, :3] + model.timestep * model.times[index] * graph[1], nodes[:, 3:]], dim=1)
            forces = model.stages[index].sums(x, graph[2], graph[3], graph[0], n)[:, 3 * channel : 3 * channel + 3]
            moved = torch.tensor(positions) + x[:, :3]
            expected = (moved.T @ forces).numpy()
            assert_close(tensor(virial), 0.5 * (expected + expected.T))
            nodes, memory = model.layer(index, nodes, memory, *graph, n)


def test_without_gates_it_is_the_derivative_of_a_pair_energy_by_strain() -> None:
    """W = -dU / d(strain) with U' = f, a filter, which is integrated here; of atoms at rest at the first stage."""
    model = make_model()
    with torch.no_grad():
        for weight in model.stress.parameters():
            weight.zero_()
        model.stress[0].weights[:, 0, 0] = 1.0
    positions, velocities, cell, types = make_atoms()
    stage, r = model.stages[0], np.linspace(0.3, 1.7, 20001)
    grid, energies = torch.tensor(r), []
    for kind in range(3):
        values = stage.filters(grid, torch.full((len(r),), kind))[:, 0] * stage.envelope(grid)
        steps = 0.5 * (values[1:] + values[:-1]).detach().numpy() * np.diff(r)
        energies.append(np.concatenate([[0.0], np.cumsum(steps)]))

    def energy(strain: Array) -> float:
        turn = np.eye(3) + strain
        graph = build_graph(positions @ turn, velocities, cell @ turn, types, 1.7, torch.float64)
        d = graph.edge_vectors.norm(dim=1).numpy()
        a, b = types[graph.edge_index[0]], types[graph.edge_index[1]]
        kinds = np.maximum(a, b) * (np.maximum(a, b) + 1) // 2 + np.minimum(a, b)
        ends = [np.interp(d, r, of_kind) - of_kind[-1] for of_kind in energies]
        return 0.5 * float(np.choose(kinds, ends).sum())

    got = tensor(predict(model, positions, 0 * velocities, cell, types)[2].sum(0))
    expected = np.zeros((3, 3))
    for a, b in np.ndindex(3, 3):
        strain = np.zeros((3, 3))
        strain[a, b] = strain[b, a] = 1e-4
        expected[a, b] = -(energy(strain) - energy(-strain)) / (2e-4 if a == b else 4e-4)
    assert_close(got, expected, 1e-3)


def test_the_program_and_single_precision_agree() -> None:
    model, atoms = make_model(), make_atoms()
    program = torch.jit.script(model)
    graph = build_graph(*atoms, model.cutoff, torch.float64)
    for mine, its in zip(model.forward_with_virial(*graph), program.forward_with_virial(*graph), strict=True):
        torch.testing.assert_close(mine, its, rtol=0, atol=1e-12)
    single = model.float().forward_with_virial(*build_graph(*atoms, model.cutoff, torch.float32))
    assert single[2].dtype == torch.float64


def _with_virials(model: Any, seed: int, frames: int) -> Any:
    """A toy trajectory whose virial over each pair of neighbouring frames is that of a model."""
    run = toy_trajectories.trajectory(seed, frames)
    virials = [
        predict(model, run.positions[k], run.velocities[k], run.cell, run.types)[2].sum(0) for k in range(frames - 1)
    ]
    steps = np.diff(run.times)[:, None] * np.array(virials)
    return replace(run, virial_integral=np.concatenate([np.zeros((1, 6)), np.cumsum(steps, axis=0)]))


def test_the_fit_finds_a_stress_of_its_own_form() -> None:
    settings = {"layers": 2, "far": (1,), "basis": 6}
    model = make_model(**settings)
    runs = [_with_virials(model, seed, 12) for seed in range(6)]
    held_out = _with_virials(model, 9, 12)
    for weight in model.stress.parameters():
        weight.data.zero_()
    parts = [stress.sums_of(model, run, 1, 100, lambda: None) for run in runs]
    assert stress.fit(parts, model) < 1e-8
    found = stress.accuracy([stress.compare(model, held_out, 1, 100, "lj")])
    assert found["rms"] < 1e-3 * found["spread"] and found["bias"] < 1e-3 * found["spread"]
    assert found["shear_r"] > 0.9999


def test_the_figures_of_known_errors() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(size=(50, 6))
    wrong = true.copy()
    wrong[:, :3] += 0.3
    right = stress.State(1.0, 1.0, true, true)
    off = stress.State(1.0, 1.0, true, wrong)
    found = stress.accuracy([right, off])
    assert found["rms"] == pytest.approx(0.3 / np.sqrt(2)) and found["bias"] == pytest.approx(0.3)
    assert found["shear_r"] == pytest.approx(1.0) and found["shear_rms"] == 0.0
    assert found["spread"] == pytest.approx(true[:, :3].mean(1).std())


def _write(path: Path, runs: list[Trajectory], **changes: Any) -> Path:
    system = get_system("kalj")
    values: dict[str, Any] = {
        "system": "kalj", "units": "lj", "species": system.species, "masses": system.masses, "base_timestep": 0.005,
        "md_timestep": 0.001, "frame_interval": 5, "recipe": system.recipe(), "seed": 1, "versions": {},
    }  # fmt: skip
    with TrajectoryWriter(path, TrajectoryMeta(**{**values, **changes})) as writer:
        for run in runs:
            writer.append(run)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short trajectories of the Kob-Andersen liquid at two densities, and the shipped model with a stress from them."""
    place = tmp_path_factory.mktemp("stress")
    runs = []
    for index in range(5):
        system = replace(
            get_system("kalj").with_settings(density=1 + 0.05 * (index % 2)), stages=(Stage(600),), settle=200
        )
        runs.append(simulate(system, 21, 5, [3, index]))
    _write(place / "train.h5", runs[:3])
    _write(place / "validation.h5", runs[3:])
    _write(place / "old.h5", [replace(run, virial_integral=None) for run in runs[:1]])
    _write(place / "other.h5", runs[:1], masses=(1.0, 2.0))
    _write(place / "sparse.h5", runs[:1], frame_interval=7)
    arguments = ["stress", "kalj.ogn.pt", str(place / "train.h5"), "--validation", str(place / "validation.h5")]
    done = CliRunner().invoke(app, [*arguments, "-o", str(place / "kalj-stress.ogn.pt")])
    assert done.exit_code == 0, done.output
    (place / "told.txt").write_text(done.output)
    return place


def test_the_command_fits_and_tells(folder: Path) -> None:
    told, metadata = (folder / "told.txt").read_text(), read_metadata(folder / "kalj-stress.ogn.pt")
    assert "shear, correlation" in told and told.rstrip().endswith("kalj-stress.ogn.pt")
    assert metadata.has_stress and metadata.stress.unit == "epsilon/sigma^3"
    assert metadata.stress.rms < 0.1 * metadata.stress.spread and metadata.stress.shear_r > 0.95
    assert metadata.stress.trajectories == 2 and metadata.stress.data[0]["name"] == "train.h5"
    info = CliRunner().invoke(app, ["info", str(folder / "kalj-stress.ogn.pt")]).output
    assert "stress       of a stride; pressure: rms" in info
    old = read_metadata("kalj.ogn.pt")
    assert old.validity == metadata.validity and old.provenance == metadata.provenance


def test_the_file_moves_atoms_as_before_in_every_engine(folder: Path) -> None:
    new = folder / "kalj-stress.ogn.pt"
    case = read_metadata(new).reference
    types = [("A", "B").index(name) for name in case.species]
    arguments = case.positions, case.velocities, case.cell, types
    for engine in engines_of(new):
        moved, before = (open_model(name, engine).predict(*arguments) for name in (new, "kalj.ogn.pt"))
        for a, b in zip(moved, before, strict=True):
            np.testing.assert_array_equal(a, b)
        assert max(deviations(open_model(new, engine))) <= case.tolerance
    model = open_model(new, "torch")
    assert len(deviations(model)) == 3
    np.testing.assert_allclose(model.predict_with_virial(*arguments)[2], case.virial, rtol=1e-4)


def test_models_without_stress_say_so(folder: Path) -> None:
    assert not read_metadata("kalj.ogn.pt").has_stress
    assert "vitrify stress" in CliRunner().invoke(app, ["info", "kalj.ogn.pt"]).output
    run = TrajectoryFile(folder / "train.h5").load(0)
    with pytest.raises(VitrifyError, match=r"kalj\.ogn\.pt does not give the stress.*vitrify stress"):
        open_model("kalj.ogn.pt", "torch").predict_with_virial(run.positions[0], run.velocities[0], run.cell, run.types)


@pytest.mark.parametrize(
    ("model", "train", "validation", "message"),
    [
        ("kalj.ogn.pt", "old.h5", "validation.h5", r"old\.h5.*lack the virial.*vitrify data trajectories"),
        ("kalj.ogn.pt", "other.h5", "validation.h5", r"other\.h5: masses is .*system"),
        ("kalj.ogn.pt", "sparse.h5", "validation.h5", r"a frame every 0\.035: make trajectories whose --every"),
        ("kalj.ogn.pt", "train.h5", "train.h5", "among the files of the fit and of the validation"),
        ("Si.amshortcut.pt", "train.h5", "validation.h5", "has no stress; kind amshortcut"),
    ],
)
def test_what_does_not_fit_is_refused(model: str, train: str, validation: str, message: str, folder: Path) -> None:
    out = folder / "refused.ogn.pt"
    words = ["stress", model, str(folder / train), "--validation", str(folder / validation), "-o", str(out)]
    with pytest.raises(VitrifyError, match=message):
        raise VitrifyError(" ".join(CliRunner().invoke(app, words).output.split()))
    assert not out.exists()
