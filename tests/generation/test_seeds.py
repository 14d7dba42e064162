"""One rule for seeds and one generator of random numbers, in every host."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from typer.testing import CliRunner

from glass_files import oblique, write_glass
from lammps_inputs.create_glass import apart, atoms_of
from lammps_inputs.create_glass import script as create_glass
from lammps_inputs.fix_ogn import lj_liquid, save_lj
from lammps_inputs.fix_ogn import script as fix_ogn
from lammps_runner import run_lammps, run_ok
from oracles import counter_rng as oracle
from vitrify import OGNDynamics
from vitrify.cli.main import app
from vitrify.core.compiled import _core
from vitrify.core.counter_rng import Stream, normal3, uniform
from vitrify.core.errors import VitrifyError
from vitrify.core.seeds import check_seed, later_seed
from vitrify.datagen.barriers.campaign import find_barriers
from vitrify.datagen.glass.melt_quench import check_settings, make_glasses
from vitrify.datagen.structures.campaign import make_ensemble
from vitrify.datagen.trajectories.campaign import generate as trajectories
from vitrify.generation.generate import generate_many
from vitrify.hosts.lammps.arguments import options_of, read_arguments
from vitrify.ogn.step import Langevin
from vitrify.training.config import TrainingConfig

LARGEST = 2**31 - 1
GOOD = [1, 2, 7, 1_000_003, 2**30, LARGEST]
BAD = [0, -1, -(2**31), 2**31, 2**32 - 1, 2**32, 2**63, 10**30]
WORDS = r"seed {} is not allowed: give an integer from 1 to 2147483647"


@pytest.mark.parametrize("seed", GOOD)
@pytest.mark.parametrize("stream", [0, 1, 4, 7, 18])
def test_the_generator_is_philox(seed: int, stream: int) -> None:
    """Against the same numbers in numpy, up to the last digits of logarithms and cosines."""
    ids = np.array([1, 2, 3, 4_000_000_000, 2**33 + 5])
    for step in (0, 1, 2**31, 2**40 + 3):
        np.testing.assert_allclose(
            normal3(ids, step, seed, stream), oracle.normal3(ids, step, seed, stream), rtol=0, atol=1e-13
        )
    counters = np.array([0, 1, 77, 2**32 - 1])
    assert np.array_equal(uniform(counters, seed, stream), oracle.uniform(counters, seed, stream))


def test_no_two_uses_share_a_stream() -> None:
    streams = [int(value) for name, value in Stream.__members__.items() if name != "END"]
    sites = [_core.sites_stream(species) for species in range(6)]
    assert len(set(streams + sites[1:])) == len(streams) + 5 and sites[0] == int(Stream.SITES)
    assert min(sites[1:]) >= int(Stream.END)
    # However many species there are: streams that came later lie between those of the sites.
    later = [stream for stream in streams if stream > int(Stream.END)]
    assert all((stream - int(Stream.SITES)) % int(Stream.END) for stream in later)


@pytest.mark.parametrize("seed", [3.0, np.int32(3), np.int64(3), np.float64(3.0)])
def test_whole_numbers_are_seeds(seed: Any) -> None:
    assert check_seed(seed) == 3 and type(check_seed(seed)) is int
    assert Langevin(1.0, 1.0, seed).seed == 3


@pytest.mark.parametrize("seed", [*BAD, 1.5, float("nan"), "7", None, True])
def test_everything_else_is_one_line(seed: Any) -> None:
    with pytest.raises(VitrifyError) as caught:
        check_seed(seed)
    assert "is not allowed: give an integer from 1 to 2147483647" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_seeds_that_follow_one_are_seeds() -> None:
    assert [later_seed(seed, k) for seed in GOOD for k in (0, 1, 5)] == [
        (seed + k - 1) % LARGEST + 1 for seed in GOOD for k in (0, 1, 5)
    ]
    assert check_seed(LARGEST, count=1) == LARGEST and check_seed(LARGEST - 2, count=3)
    with pytest.raises(VitrifyError, match="seed 2147483647 with 2 seeds in a row goes beyond"):
        check_seed(LARGEST, count=2)


def atoms() -> Atoms:
    grid = np.stack(np.meshgrid(*[range(5)] * 3, indexing="ij"), -1).reshape(-1, 3) * 0.94
    return Atoms(["Ar"] * 100 + ["Kr"] * 25, grid, cell=[4.7] * 3, pbc=True)


SPECIES = {"Ar": "A", "Kr": "B"}
HOSTS: dict[str, Callable[[Path, int], Any]] = {
    "OGNDynamics": lambda folder, seed: OGNDynamics(atoms(), "kalj.ogn.pt", SPECIES, langevin=(3.0, 1.0, seed)),
    "generate": lambda folder, seed: next(generate_many("Si.amshortcut.pt", 1, n_atoms=8, seed=seed)),
    "structures": lambda folder, seed: make_ensemble("si-liquid", folder / "a.extxyz", count=1, seed=seed),
    "trajectories": lambda folder, seed: trajectories("kalj", folder / "a.h5", seed=seed),
    "glass": lambda folder, seed: check_settings("Cu64Zr36", 100, 1e13, seed=seed),
    "glasses": lambda folder, seed: next(make_glasses("Cu64Zr36", 1, atoms=100, rate=1e13, seed=seed)),
    "barriers": lambda folder, seed: find_barriers(folder / "a", folder / "b", potential="pair_style sw", seed=seed),
}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("seed", [0, -3, 2**31])
def test_every_host_refuses_the_same_seeds(host: str, seed: int, tmp_path: Path) -> None:
    with pytest.raises(VitrifyError, match=WORDS.format(seed)):
        HOSTS[host](tmp_path, seed)
    assert not list(tmp_path.iterdir())


COMMANDS = {
    "generate": "generate Si.amshortcut.pt --atoms 8 -o a.extxyz",
    "trajectories": "data trajectories kalj --out a.h5",
    "glass": "data glass Cu64Zr36 --atoms 100 --rate 1e13 --out a.data",
    "structures": "data structures si-liquid --out a.extxyz",
    "artn": "artn a.data --potential pair_style --out a.h5 --number 1",
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("seed", [0, -3, 2**31])
def test_every_command_refuses_the_same_seeds(
    command: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [*COMMANDS[command].split(), f"--seed={seed}"])
    said = f"{result.output} {result.exception}"
    assert result.exit_code and re.search(WORDS.format(seed), " ".join(said.replace("│", " ").split())), said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_glass(folder / "silica.pt")
    lj_liquid((3, 3, 3)).write_data(folder / "data.test")
    save_lj(folder)
    return folder


@pytest.mark.lmp
@pytest.mark.parametrize("seed", [1, 2_000_000_011, LARGEST])
def test_a_seed_gives_one_structure_in_python_and_lammps(seed: int, folder: Path) -> None:
    cell = oblique(99, 0.066)
    made = next(generate_many(folder / "silica.pt", 1, cell=cell, n_atoms=99, steps=2, churn=0.1, seed=seed))
    command = f"silica.pt number 99 elements Si O seed {seed} steps 2 churn 0.1"
    _, types, positions = atoms_of(run_ok(create_glass(command, cell), folder))
    assert np.array_equal(np.array(["Si", "O"])[types], made.get_chemical_symbols())
    assert apart(positions, made.positions, cell) < 1e-9


@pytest.mark.lmp
@pytest.mark.parametrize("word", ["0", "-1", "2147483648", "4294967296", "99999999999999999999", "7.0", "x", "1e3"])
def test_lammps_and_its_words_refuse_the_same_seeds(word: str, folder: Path) -> None:
    words = WORDS.format(re.escape(word))
    command = f"silica.pt number 99 elements Si O seed {word}"
    assert re.search(f"create_glass: {words}", run_lammps(create_glass(command, oblique(99, 0.066)), folder).error())
    fix = fix_ogn(f"toy.pt A B langevin 1.0 0.5 {word}")
    assert re.search(f"fix ogn: langevin {words}", run_lammps(fix, folder).error())
    arguments = read_arguments("attach", f"toy.pt A B langevin 1.0 0.5 {word}", 2, {"langevin": 3})
    with pytest.raises(VitrifyError, match=f"attach: langevin {words}"):
        options_of("attach", arguments)


@pytest.mark.parametrize("seed", [0, -3, 2**31, 1.5, "seven"])
def test_configurations_refuse_the_same_seeds(seed: Any) -> None:
    with pytest.raises(ValueError, match=r"is not allowed: give an integer from 1 to 2147483647"):
        TrainingConfig(seed=seed, max_steps=1)
    assert TrainingConfig(seed=LARGEST, max_steps=1).seed == LARGEST
