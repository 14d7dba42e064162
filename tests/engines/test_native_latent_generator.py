"""Structures of a latent model: the compiled generator against torch, and create_glass in LAMMPS against both."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import toy_glassvae
import toy_ogn
from glass_files import SILICON, cube, oblique, write_glass
from lammps_inputs.create_glass import apart, atoms_of, script
from lammps_runner import FOUR_RANKS, run_lammps, run_ok
from python_lmp import needs_python_lmp, python_ok
from vitrify import _core
from vitrify.cli.main import app
from vitrify.core.errors import VitrifyError
from vitrify.engines.load import load_model
from vitrify.engines.replay import check_reference
from vitrify.export.write import save_model
from vitrify.generation.generate import generate, generate_many
from vitrify.generation.processes import Flow
from vitrify.generation.samplers import TorchFlow
from vitrify.glassvae.generate import LatentRequest, LatentSampler
from vitrify.glassvae.metadata import GlassVAEMetadata
from vitrify.glassvae.models.latent_density import Density
from vitrify.glassvae.native import NativeGlassVAE
from vitrify.glassvae.torchscript import TorchGlassVAE
from vitrify.modelfile.archive import read_metadata
from vitrify.modelfile.metadata import make_metadata

N, DENSITY = 96, 0.075
WINDOW = (-3.59, -3.55)
SEED = 2000000011  # near the largest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("latents")
    toy_glassvae.write(folder / "toy.pt", model=toy_glassvae.make_joint())
    toy_glassvae.write(folder / "single.pt", "float32", toy_glassvae.make_joint(torch.float32))
    toy_glassvae.write(folder / "blind.pt", density=False)
    return folder


@pytest.fixture(scope="module")
def metadata(folder: Path) -> GlassVAEMetadata:
    found = read_metadata(folder / "toy.pt")
    assert isinstance(found, GlassVAEMetadata)
    return found


def density_of(path: Path) -> Density:
    opened = load_model(path)
    assert isinstance(opened, TorchGlassVAE)
    names = ("density_weight", "density_mean", "density_covariance")
    return Density(*(getattr(opened.module, name).double().numpy() for name in names))


def save(folder: Path, name: str, model: Any = None, **changes: Any) -> Path:
    """The joint toy with other metadata, and its weights as plain tensors, too."""
    good = json.loads(_core.read_metadata(str(folder / "toy.pt")))
    save_model(model or toy_glassvae.make_joint(), make_metadata({**good, **changes}, name), folder / name)
    return folder / name


def steep() -> np.ndarray:
    """A cell (3, 3), thinner than the decoder's cutoff in one direction."""
    return np.array([[3.8, 0, 0], [1.2, 14.0, 0], [-1.0, 2.5, N / DENSITY / 3.8 / 14.0]])


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        (cube(N, DENSITY), {"seed": 1, "steps": 1}),
        (oblique(N, DENSITY), {"seed": SEED, "energy": WINDOW}),
        (steep(), {"seed": 7, "energy": (-3.52, -3.4), "steps": 3, "churn": 0.4}),
        (cube(N, DENSITY), {"seed": 3, "n_atoms": N, "composition": {"Cu": 1, "Au": 3}}),
    ],
)
@pytest.mark.parametrize(("name", "tolerance"), [("toy.pt", 1e-9), ("single.pt", 1e-4)])
def test_engines_agree(folder: Path, name: str, tolerance: float, cell: np.ndarray, options: dict[str, Any]) -> None:
    request = {"cell": cell, **options}
    native, torch_ = (generate(folder / name, engine=engine, **request) for engine in ("native", "torch"))
    np.testing.assert_array_equal(native.numbers, torch_.numbers)
    np.testing.assert_array_equal(native.info["latent"], torch_.info["latent"])
    assert apart(native.positions, torch_.positions, cell) < tolerance
    start = Flow(2, 0.2).start(cell, (native.numbers == 79).astype(int), options["seed"]).positions
    assert apart(native.positions, start, cell) > 0.1, "a decoder that does nothing tests nothing"


def test_a_seed_gives_one_structure_wherever_it_stands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, options = folder / "toy.pt", {"n_atoms": N, "energy": WINDOW, "steps": 2}
    batch = list(generate_many(path, 4, seed=3, **options))
    side_by_side = list(generate_many(path, 4, seed=3, workers=3, **options))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    alone = generate(path, seed=5, engine="native", **options)
    for one, other in zip(batch, side_by_side, strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)
    np.testing.assert_array_equal(alone.positions, batch[2].positions)
    info = alone.info
    assert info["seed"] == 5 and info["energy_window"] == list(WINDOW) and info["steps"] == 2
    z, energy = _core.Generator(str(path)).latent(5, *WINDOW)
    np.testing.assert_array_equal(info["latent"], z)
    assert info["latent_energy"] == energy and WINDOW[0] < energy < WINDOW[1]
    free = generate(path, n_atoms=N, seed=5)
    assert "energy_window" not in free.info and not np.allclose(free.info["latent"], z)


def test_z_is_that_of_the_files_density(folder: Path, metadata: GlassVAEMetadata) -> None:
    core, density = _core.Generator(str(folder / "toy.pt")), density_of(folder / "toy.pt")
    for seed in (1, 2, SEED):
        for window in ((-np.inf, np.inf), WINDOW):
            z, energy = core.latent(seed, *window)
            expected, energies = density.sample(1, seed, *window)
            np.testing.assert_allclose(z, expected[0], rtol=0, atol=1e-12)
            assert energy == pytest.approx(energies[0], abs=1e-12)
    assert metadata.latent_energy_range == pytest.approx(tuple(density.quantiles((0.01, 0.99))), abs=1e-9)


def test_the_cell_goes_with_z(folder: Path, metadata: GlassVAEMetadata) -> None:
    """Density and composition against the mean of a Gaussian, given z and what the user says."""
    assert metadata.statistics is not None
    mean, covariance = np.array(metadata.statistics.mean), np.array(metadata.statistics.covariance)

    def given(known: list[int], values: np.ndarray) -> np.ndarray:
        slope = covariance[:, known] @ np.linalg.pinv(covariance[np.ix_(known, known)], rcond=1e-12)
        return np.array(mean + slope @ (values - mean[known]))

    found = []
    for seed in range(1, 7):
        atoms = generate(folder / "toy.pt", n_atoms=2000, steps=1, seed=seed)
        z = atoms.info["latent"]
        expected = given([3, 4, 5, 6], z)
        per_volume = np.clip(expected[0], *metadata.validity.number_density)
        assert len(atoms) / atoms.get_volume() == pytest.approx(per_volume, rel=1e-6)
        assert (atoms.numbers == 29).sum() == pytest.approx(2000 * np.clip(expected[1], 0.2, 0.8), abs=1.5)
        rich = generate(folder / "toy.pt", n_atoms=100, steps=1, seed=seed, composition={"Cu": 7, "Au": 3})
        expected = given([1, 2, 3, 4, 5, 6], np.array([0.7, 0.3, *z]))
        per_volume = np.clip(expected[0], *metadata.validity.number_density)
        assert len(rich) / rich.get_volume() == pytest.approx(per_volume, rel=1e-5)
        assert (rich.numbers == 29).sum() == 70
        found.append((atoms.get_volume(), (atoms.numbers == 29).sum()))
    assert (np.ptp(found, axis=0) > [10.0, 5]).all(), "the same cell for every z tests nothing"
    box = generate(folder / "toy.pt", cell=[10.0, 12.0, 14.0], steps=1, seed=2)
    assert len(box) / 1680.0 == pytest.approx(2000 / found[1][0], abs=1 / 1680.0)


def test_the_reference_case_has_the_decoder(folder: Path) -> None:
    for name, tolerance in (("toy.pt", 1e-10), ("single.pt", 1e-5)):
        assert _core.Generator(str(folder / name)).reference_error() < tolerance
        assert check_reference(NativeGlassVAE(folder / name)) < tolerance
    good = json.loads(_core.read_metadata(str(folder / "toy.pt")))["reference"]
    decoded = good["decoded"]
    assert (decoded["time"], decoded["step"]) == (0.5, 0.25) and len(decoded["vectors"]) == len(good["positions"])
    wrong = {**decoded, "vectors": [[1.01 * x for x in row] for row in decoded["vectors"]]}
    path = save(folder, "wrong.pt", reference={**good, "decoded": wrong})
    error = check_reference(load_model(path, trust=True))
    assert check_reference(NativeGlassVAE(path)) == pytest.approx(error, rel=1e-6)
    assert 0.005 < error < 0.1
    assert _core.Generator(str(path)).reference_error() == pytest.approx(error, rel=1e-6)
    path = save(folder, "old.pt", reference={**good, "decoded": None})  # as files had it before
    assert check_reference(load_model(path, trust=True)) < 1e-12
    with pytest.raises(VitrifyError, match="no reference case of its generator: export the model again"):
        _core.Generator(str(path)).reference_error()
    assert "decoded" not in json.loads(_core.read_metadata(str(folder / "blind.pt")))["reference"]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"energy": (-3.4, -3.6)}, "leave nothing between them"),
        ({"energy": (4.0, 5.0)}, r"next to no training data .* from 4 to 5: most lie from -3\.\d+ to -3\.\d+, ask"),
        ({"target": {"z0": 1.0}}, "kind glassvae, which knows no target: give energy"),
        ({"density": 90.0}, "density of 90 g/cm.3 is impossible for this model"),
        ({"composition": {"Xx": 1.0}}, "knows no Xx"),
        ({"composition": {"Cu": -1.0, "Au": 2.0}}, "a fraction of the composition is -1"),
        ({"steps": 0}, "steps is 0"),
        ({"churn": -1.0}, "churn is -1"),
        ({"n_atoms": None}, "n_atoms or cell"),
        ({"n_atoms": 0}, "0 atoms"),
        ({"engine": "jax"}, "engine 'jax' is unknown"),
        ({"n_atoms": None, "cell": 1.0}, "none at all: use a larger box"),
    ],
)
def test_what_makes_no_sense_is_refused(folder: Path, options: dict[str, Any], match: str) -> None:
    with pytest.raises(VitrifyError, match=match):
        generate(folder / "toy.pt", **{"n_atoms": 40, **options})


def test_models_that_make_no_structures(folder: Path, tmp_path: Path) -> None:
    said = "has no density of latent vectors, so that it makes no structures: finish the training"
    with pytest.raises(VitrifyError, match=said):
        generate(folder / "blind.pt", n_atoms=40)
    with pytest.raises(VitrifyError, match=said):
        _core.Generator(str(folder / "blind.pt"))
    write_glass(tmp_path / "si.pt", SILICON)
    with pytest.raises(VitrifyError, match="kind amshortcut, which knows no energy: give a target"):
        generate(tmp_path / "si.pt", n_atoms=40, energy=WINDOW)
    with pytest.raises(VitrifyError, match="kind amshortcut has no latent vectors"):
        _core.Generator(str(tmp_path / "si.pt")).latent(1)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"statistics": {"names": ["number_density"], "mean": [1.0], "covariance": [[1.0]]}}, "the statistics are not"),
        ({"latent": 0}, "latent is 0, not a whole number from 1"),
        ({"latent": 3}, "one value for each latent number|the statistics are not"),
        ({"latent_energy": 3}, "damaged or incomplete"),
    ],
)
def test_metadata_that_make_no_sense(folder: Path, tmp_path: Path, change: dict[str, Any], match: str) -> None:
    """The checks of C++, which must not rely on those of Python."""
    good = json.loads(_core.read_metadata(str(folder / "toy.pt")))
    path = toy_ogn.save(toy_glassvae.make_joint(), {**good, **change}, tmp_path / "bad.pt")
    with pytest.raises(VitrifyError, match=match):
        _core.Generator(str(path))


def test_weights_that_are_damaged(folder: Path, metadata: GlassVAEMetadata) -> None:
    hyper = metadata.hyperparameters
    for change, match in (
        ({}, "which runs in Python alone"),
        ({"decoder": hyper["decoder"]}, "hyperparameters are damaged"),
        ({**hyper, "decoder": {}}, "hyperparameters are damaged"),
        ({**hyper, "decoder": {**hyper["decoder"], "cutoff": -1.0}}, "contradict one another"),
        ({**hyper, "decoder": {**hyper["decoder"], "width": 16}}, "shape .* of decoder"),
        ({**hyper, "components": 3}, "shape .* of density_"),
        ({**hyper, "components": 0}, "components is 0, not a number from 1"),
    ):
        path = save(folder, "bad.pt", hyperparameters=change)
        with pytest.raises(VitrifyError, match=rf"bad\.pt.*{match}"):
            _core.Generator(str(path))
    model = toy_glassvae.make_joint()
    model.density_weight.fill_(-1.0)
    path = save(folder, "bad.pt", model)
    with pytest.raises(VitrifyError, match=r"bad\.pt: the weights of the density of z are not positive"):
        _core.Generator(str(path))


def test_what_is_outside_the_data_is_warned_of(folder: Path) -> None:
    cell = cube(N, 0.093)
    with pytest.warns(UserWarning, match="unlike the training data.*: the number density is 0.093, outside"):
        generate(folder / "toy.pt", n_atoms=N, cell=cell, steps=1)
    output = run_ok(script(f"toy.pt number {N} elements Cu Au steps 1", cell), folder, 2).output
    assert output.count("WARNING: create_glass") == output.count("the number density is 0.093, outside") == 1


@pytest.mark.parametrize("make", [pytest.param(cube, marks=pytest.mark.slow), oblique])
def test_the_same_atoms_on_all_ranks(folder: Path, make: Any) -> None:
    cell = make(N, DENSITY)
    command = f"toy.pt number {N} elements Au Cu seed 11 steps 3 energy {WINDOW[0]} {WINDOW[1]} check yes"
    expected = generate(folder / "toy.pt", N, cell=cell, seed=11, steps=3, energy=WINDOW)
    runs, results = [], []
    for ranks in (1, 2, 4):
        runs.append(run_ok(script(command, cell), folder, ranks))
        results.append(atoms_of(runs[-1]))
    for ids, types, positions in results:
        np.testing.assert_array_equal(ids, np.arange(1, N + 1))
        np.testing.assert_array_equal(types, (expected.numbers == 29).astype(int))
        np.testing.assert_array_equal(positions, results[0][2])
        assert apart(positions, expected.positions, cell) < 1e-9
    energy = expected.info["latent_energy"]
    said = f"latent vector of inherent_energy {energy:.6g} for each atom, drawn from -3.59 to -3.55"
    for run in runs:
        assert run.output.count(f"create_glass: model toy.pt, variant equivariant, float64; {said}\n") == 1
        assert re.search(r"reference case reproduced, relative error \S+e-1\d\n", run.output)
        warned = [line for line in run.output.splitlines() if line.startswith("WARNING: create_glass")]
        assert len(warned) == 1 and "is not measured in the structure" in warned[0]


def test_a_box_is_filled_as_python_fills_it(folder: Path) -> None:
    """The number of atoms and their species follow from z, which follows from the seed."""
    cell = oblique(300, DENSITY)
    for words, options in (
        ("", {}),
        ("composition 3 7", {"composition": {"Cu": 3, "Au": 7}}),
        ("density 12.5 churn 0.2", {"density": 12.5, "churn": 0.2}),
    ):
        _, types, positions = atoms_of(run_ok(script(f"toy.pt elements Cu Au seed 4 {words}", cell), folder, 2))
        expected = generate(folder / "toy.pt", cell=cell, seed=4, **options)
        np.testing.assert_array_equal(types, (expected.numbers == 79).astype(int))
        assert apart(positions, expected.positions, cell) < 1e-9


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("toy.pt elements Cu Au energy -3.4 -3.6", "energies -3.4 to -3.6 leave nothing between them"),
        ("toy.pt elements Cu Au energy 4 5", r"next to no training data with energies from 4 to 5: most lie"),
        ("toy.pt elements Cu Au energy -3.6", "(?i)missing"),
        ("toy.pt elements Cu Au energy -3.6 high", "high"),
        ("toy.pt elements Cu Au target z0 1.0", "toy.pt is of kind glassvae, which knows no target: use energy"),
        ("si.pt elements Si NULL energy -4 -3", "si.pt is of kind amshortcut, which knows no energy: use target"),
        ("blind.pt elements Cu Au", "has no density of latent vectors, so that it makes no structures"),
        ("old.pt elements Cu Au check yes", "no reference case of its generator: export the model again"),
        ("wrong.pt elements Cu Au check yes", "does not reproduce its reference case"),
    ],
)
def test_wrong_words(folder: Path, words: str, expected: str) -> None:
    case = json.loads(_core.read_metadata(str(folder / "toy.pt")))["reference"]
    off = [[1.01 * x for x in row] for row in case["decoded"]["vectors"]]
    write_glass(folder / "si.pt", SILICON)
    save(folder, "old.pt", reference={**case, "decoded": None})
    save(folder, "wrong.pt", reference={**case, "decoded": {**case["decoded"], "vectors": off}})
    message = run_lammps(script(words, cube(N, DENSITY)), folder).error()
    assert re.search(expected, message), message


@pytest.mark.parametrize("ranks", [2, FOUR_RANKS])
def test_errors_of_all_ranks_are_one(folder: Path, ranks: int) -> None:
    words = "toy.pt elements Cu Au energy 4 5"
    output = run_lammps(script(words, oblique(N, DENSITY)), folder, ranks).output
    assert output.count("ERROR") == 1, output


def test_other_hosts_refuse_a_latent_model(folder: Path) -> None:
    source = script("toy.pt elements Cu Au", cube(N, DENSITY), after="fix 1 all ogn toy.pt Cu Au")
    assert "toy.pt is of kind glassvae: it gives energies, forces and " in run_lammps(source, folder).error()


def test_the_command_writes_what_python_makes(folder: Path, tmp_path: Path) -> None:
    from ase.io import read

    out = tmp_path / "g.extxyz"
    words = ["generate", str(folder / "toy.pt"), "--atoms", str(N), "--steps", "2", "--energy=-3.59:-3.55"]
    for engine in ("auto", "native", "torch"):
        done = CliRunner().invoke(app, [*words, "--out", str(out), "--engine", engine])
        assert done.exit_code == 0, done.output
        found = read(out)
        expected = generate(folder / "toy.pt", N, steps=2, energy=WINDOW)
        assert apart(found.positions, expected.positions, expected.cell[:]) < 1e-6
        np.testing.assert_allclose(found.info["latent"], expected.info["latent"], atol=1e-7)
        assert WINDOW[0] < found.info["latent_energy"] < WINDOW[1]


def test_a_sampler_needs_no_torch_for_the_native_engine(folder: Path, metadata: GlassVAEMetadata) -> None:
    sampler = LatentSampler(folder / "toy.pt", metadata, LatentRequest(n_atoms=N))
    assert not isinstance(sampler.sampler, TorchFlow)
    other = LatentSampler(folder / "toy.pt", metadata, LatentRequest(n_atoms=N), "torch")
    assert isinstance(other.sampler, TorchFlow)


PYTHON_GLASS = '''\
python glass input 1 SELF format p here """
from vitrify.lammps import create_glass
def glass(lmp): create_glass(lmp, "toy.pt", ["Au", "Cu"], n_atoms=96, seed=11, steps=3, energy=(-3.59, -3.55))
"""
python glass invoke'''


@needs_python_lmp
@pytest.mark.parametrize("ranks", [1, 2])
def test_the_python_route_makes_the_same(folder: Path, ranks: int) -> None:
    cell = oblique(N, DENSITY)
    expected = generate(folder / "toy.pt", N, cell=cell, seed=11, steps=3, energy=WINDOW)
    source = script("NONE", cell).replace("create_glass NONE", PYTHON_GLASS).replace("%24.16e", "%.15g")
    _, types, positions = atoms_of(python_ok(source, folder, ranks))
    np.testing.assert_array_equal(types, (expected.numbers == 29).astype(int))
    assert apart(positions, expected.positions, cell) < 1e-9
