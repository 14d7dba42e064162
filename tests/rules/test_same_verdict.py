"""Structures inside and outside of the training data: LAMMPS, ASE and Python say the same of them, in equal words."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from lammps_runner import Configuration, run_lammps, run_ok
from python_lmp import needs_python_lmp, python_ok
from vitrify import GlassCalc, OGNDynamics
from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.core.units import get_units
from vitrify.engines.open import open_model
from vitrify.lammps import attach, lammps
from vitrify.modelfile.archive import read_metadata
from vitrify.modelfile.validity import outside
from vitrify.ogn.step import OGNStepper

MODELS = {"ogn": "kalj.ogn.pt", "symgnn": "Cu64Zr36.symgnn.pt", "glassvae": "Cu50Zr50.glassvae.pt"}
METADATA: dict[str, Any] = {kind: read_metadata(name) for kind, name in MODELS.items()}
MASSES = {"lj": (1.0, 1.0), "metal": (63.546, 91.224)}
SYMBOLS = {"lj": ("Ar", "Kr"), "metal": ("Cu", "Zr")}
CELLS = 3  # fcc cells along each edge, of four atoms
TEMPERATURE = 3.3  # of the integrator, in the middle of its range


def structure(
    kind: str, *, density: float = 0.0, share: float = -1.0, rattle: float = 0.01, temperature: float = TEMPERATURE,
    gap: float = 0.0, near: float = 0.0,
) -> Configuration:  # fmt: skip
    """An fcc crystal of 108 atoms, rattled by a part of its distances, with the middle of the ranges by default.

    density: as a multiple of the range's lower end if below 1, of its upper end if above. share: of the first species.
    gap: of vacuum, in edges. near: the distance of two atoms of the first species, as a multiple of the range's end.
    """
    validity, random = METADATA[kind].validity, np.random.default_rng(7)
    low, high = validity.number_density
    wanted = (low + high) / 2 if not density else density * (low if density < 1 else high)
    n = 4 * CELLS**3
    edge = (n / wanted) ** (1 / 3)
    sites = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    grid = np.array(np.meshgrid(*[range(CELLS)] * 3, indexing="ij")).reshape(3, -1).T
    positions = (grid[:, None] + sites).reshape(-1, 3) * edge / CELLS
    positions += rattle * edge / CELLS * random.normal(size=positions.shape)
    first = METADATA[kind].species[0]
    count = round((np.mean(validity.composition[first]) if share < 0 else share) * n)
    types = random.permutation(np.arange(n) >= count).astype(np.int64)
    if near:
        one, *others = np.flatnonzero(types == 0)
        apart = np.linalg.norm(positions[others] - positions[one], axis=1)
        other = others[int(np.argmin(apart))]
        positions[other] += (positions[one] - positions[other]) * (1 - near * validity.min_distance[0] / apart.min())
    masses = MASSES[METADATA[kind].units]
    velocities = np.zeros_like(positions)
    if kind == "ogn":
        velocities = random.normal(size=positions.shape)
        velocities -= velocities.mean(0)
        now = get_units("lj").temperature_of(np.ones(n), velocities)
        velocities *= np.sqrt(temperature / now)
    cell = np.diag([edge, edge, edge * (1 + gap)])
    return Configuration(cell, positions, velocities, types, masses)


def swapped(kind: str) -> Configuration:
    """With a pair of small atoms, which is too close for large ones."""
    c = structure(kind, near=1.04)
    return Configuration(c.cell, c.positions, c.velocities, 1 - c.types, c.masses)


def ends(kind: str) -> tuple[float, float]:
    return METADATA[kind].validity.composition[METADATA[kind].species[0]]


ATOM = 1 / (4 * CELLS**3)
# Name -> structure of a kind, and the quantities outside of the range.
TABLE: dict[str, tuple[Callable[[str], Configuration], str]] = {
    "in range": (structure, ""),
    "crystal": (lambda kind: structure(kind, rattle=0.0), ""),
    "rattled": (lambda kind: structure(kind, rattle=0.02), ""),
    "density just inside, above": (lambda kind: structure(kind, density=1 + 5e-6), ""),
    "density just inside, below": (lambda kind: structure(kind, density=1 - 5e-6), ""),
    "density just outside, above": (lambda kind: structure(kind, density=1 + 1e-4), "density"),
    "density just outside, below": (lambda kind: structure(kind, density=1 - 1e-4), "density"),
    "half a percent too dense": (lambda kind: structure(kind, density=1.005), "density"),
    "far too dense": (lambda kind: structure(kind, density=1.15), "density"),
    "far too thin": (lambda kind: structure(kind, density=0.6), "density"),
    "slab": (lambda kind: structure(kind, gap=0.5), "density"),
    "composition just inside, above": (lambda kind: structure(kind, share=ends(kind)[1]), ""),
    "composition just inside, below": (lambda kind: structure(kind, share=ends(kind)[0]), ""),
    "composition just outside, above": (lambda kind: structure(kind, share=ends(kind)[1] + 1.5 * ATOM), "fraction"),
    "composition just outside, below": (lambda kind: structure(kind, share=ends(kind)[0] - 1.5 * ATOM), "fraction"),
    "pure first": (lambda kind: structure(kind, share=1.0), "fraction"),
    "pure second": (lambda kind: structure(kind, share=0.0), "fraction"),
    "swapped": (swapped, ""),
    "close just inside": (lambda kind: structure(kind, near=0.96), ""),
    "close just outside": (lambda kind: structure(kind, near=0.94), "closest"),
    "overlapping": (lambda kind: structure(kind, near=0.6), "closest"),
    "thin and poor": (lambda kind: structure(kind, density=0.9, share=0.3), "fraction density"),
}
HOT: dict[str, tuple[Callable[[str], Configuration], str]] = {
    "hot inside": (lambda kind: structure(kind, temperature=4.05 * 1.2), ""),
    "hot outside": (lambda kind: structure(kind, temperature=4.06 * 1.27), "temperature"),
    "cold inside": (lambda kind: structure(kind, temperature=2.56 * 0.8), ""),
    "cold outside": (lambda kind: structure(kind, temperature=2.56 * 0.7), "temperature"),
    "at rest": (lambda kind: structure(kind, temperature=1e-9), "temperature"),
}


def table(kind: str) -> dict[str, tuple[Callable[[str], Configuration], str]]:
    return TABLE | HOT if kind == "ogn" else TABLE


PAIR = "pair_style zero 2.5\npair_coeff * *\n"
COMMANDS = {
    "ogn": "pair_style zero 2.5\npair_coeff * *\ntimestep 0.05\nfix 1 all ogn {model} A B {force}\nrun 1",
    "symgnn": (
        "pair_style zero 2.5\npair_coeff * *\ncompute b all symgnn/atom {model} Cu Zr {force}\n"
        "compute m all reduce max c_b[1]\nthermo_style custom step c_m\nrun 0"
    ),
    "glassvae": "pair_style glassvae\npair_coeff * * {model} Cu Zr {force}\nrun 0",
    "latent": (PAIR + "compute z all glassvae/latent {model} Cu Zr {force}\nthermo_style custom step c_z[1]\nrun 0"),
    "python": (
        PAIR + 'timestep 0.05\nvariable ogn string "{model} A B {force}"\nfix 1 all python/move vitrify.lammps.OGN\n'
        "run 1"
    ),
}
FORCE = {"ogn": "guard no", "symgnn": "force yes", "glassvae": "force yes"}
STYLE = {
    "ogn": "fix ogn", "symgnn": "compute symgnn/atom", "glassvae": "pair_style glassvae",
    "latent": "compute glassvae/latent",
}  # fmt: skip


def script(kind: str, name: str, force: str, host: str = "") -> str:
    commands = COMMANDS[host or kind].format(model=MODELS[kind], force=force)
    # Python writes its warnings to stderr, which does not wait for what LAMMPS writes to stdout.
    tell = f'shell "echo >&2; echo CASE {name} >&2"' if host == "python" else f'print "CASE {name}"'
    return (
        f"clear\nunits {METADATA[kind].units}\nread_data {name}\nneigh_modify every 1 delay 0 check yes\n"
        f"{tell}\n{commands}\n"
    )


def all_cases(kind: str, folder: Path, host: str = "") -> str:
    """One input for all structures, whose data files are written into `folder`."""
    text = ""
    for number, (make, _) in enumerate(table(kind).values()):
        make(kind).write_data(folder / f"data.{number}")
        text += script(kind, f"data.{number}", FORCE[kind], host)
    return text


def by_case(kind: str, output: str, pattern: str) -> dict[str, list[str]]:
    """What the pattern finds behind the name of each structure."""
    parts = output.split("\nCASE data.")[1:]
    by_number = {int(part.split("\n")[0]): re.findall(pattern, part, re.MULTILINE) for part in parts}
    return {name: by_number[number] for number, name in enumerate(table(kind))}


def in_lammps(kind: str, folder: Path, host: str = "") -> dict[str, list[str]]:
    """The warnings of the style about each structure, without its name, the step and the place in the source."""
    output = run_ok(all_cases(kind, folder, host), folder).output
    return by_case(kind, output, rf"^WARNING: {STYLE[host or kind]}: at step \d+ (.*) \([^()]*\.cpp:\d+\)$")


def in_attached(kind: str, folder: Path) -> dict[str, list[str]]:
    """The same of `vitrify.lammps.attach`, in a LAMMPS that Python drives."""
    found = {}
    for name, (make, _) in table(kind).items():
        make(kind).write_data(folder / "data.attached")
        lmp = lammps()
        lmp.commands_string(f'units {METADATA[kind].units}\nread_data "{folder}/data.attached"\n{PAIR}timestep 0.05')
        options = {"guard": False} if kind == "ogn" else {"force": True}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            attached = attach(lmp, MODELS[kind], METADATA[kind].species, **options)
            if kind == "ogn":
                attached.run(1)
            elif kind == "symgnn":
                attached.update()
            else:
                lmp.command("run 0")
        lmp.close()
        found[name] = told_of(caught)
    return found


def in_python_move(kind: str, folder: Path) -> dict[str, list[str]]:
    """The same of `fix python/move`, in an lmp without plugins."""
    output = python_ok(all_cases(kind, folder, "python"), folder).output
    return by_case(kind, output, r"VitrifyWarning: vitrify\.lammps\.OGN: at step \d+ (.*)$")


def as_atoms(kind: str, c: Configuration) -> Atoms:
    symbols = np.array(SYMBOLS[METADATA[kind].units])[c.types]
    atoms = Atoms(list(symbols), c.positions, cell=c.cell, pbc=True)
    atoms.set_velocities(c.velocities)
    return atoms


def run_ase(kind: str, c: Configuration, force: bool) -> None:
    atoms = as_atoms(kind, c)
    if kind == "ogn":
        OGNDynamics(atoms, MODELS[kind], species={"Ar": "A", "Kr": "B"}, guard=not force).run(1)
        return
    name = {"symgnn": "barriers", "glassvae": "model"}[kind]
    calc = GlassCalc(**{name: MODELS[kind]}, force=force)
    calc.get_property({"symgnn": "barriers", "glassvae": "energy"}[kind], atoms)


def in_ase(kind: str, c: Configuration) -> list[str]:
    """The warnings of ASE's host, without what stands before them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run_ase(kind, c, force=True)
    return told_of(caught)


def told_of(caught: list[warnings.WarningMessage]) -> list[str]:
    """The texts about structures, without the host, the step, and the counts at the end of a run."""
    texts = [str(warning.message) for warning in caught if issubclass(warning.category, VitrifyWarning)]
    host = r"^((OGNDynamics|vitrify\.lammps\.attach): at step \d+|[\w.]+\.pt:) "
    return [re.sub(host, "", text) for text in texts if not re.search(r"\d strides? ", text)]


def brute_force(c: Configuration) -> list[float]:
    """Smallest distance of each pair of species by all pairs and images."""
    shifts = np.array(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij")).reshape(3, -1).T @ c.cell
    found = [np.inf] * 3
    for shift in shifts:
        distances = np.linalg.norm(c.positions[:, None] - c.positions[None] + shift, axis=2)
        distances[distances < 1e-12] = np.inf
        for pair, (a, b) in enumerate(((0, 0), (1, 0), (1, 1))):
            part = distances[np.ix_(c.types == a, c.types == b)]
            found[pair] = min(found[pair], part.min(initial=np.inf))
    return found


def oracle(kind: str, c: Configuration) -> dict[str, float]:
    """The quantities outside of the range and their values, by the words of the documentation."""
    metadata, n, found = METADATA[kind], len(c.types), {}
    validity = metadata.validity
    for index, name in enumerate(metadata.species):
        share = float(np.mean(c.types == index))
        low, high = validity.composition[name]
        if share < low - 0.5 / n - 1e-6 or share > high + 0.5 / n + 1e-6:
            found[f"the fraction of {name}"] = share
    density, (low, high) = n / np.linalg.det(c.cell), validity.number_density
    if density < low * (1 - 1e-5) or density > high * (1 + 1e-5):
        found["the number density"] = density
    if kind == "ogn":
        temperature = get_units("lj").temperature_of(np.ones(n), c.velocities)
        slack, (low, high) = 3 * np.sqrt(2 / (3 * n - 3)), validity.temperature
        if temperature < low * (1 - slack) or temperature > high * (1 + slack):
            found["the temperature"] = temperature
    pairs = ((0, 0), (0, 1), (1, 1))
    for (a, b), distance, least in zip(pairs, brute_force(c), validity.min_distance, strict=True):
        if distance < 0.95 * least:
            found[f"the closest {metadata.species[a]}-{metadata.species[b]} distance"] = distance
    return found


def told(texts: list[str]) -> dict[str, float]:
    """Quantities and values in warnings."""
    lists = [text.split("extrapolates: ")[1].rsplit(": ", 1)[0] for text in texts if "extrapolates: " in text]
    sentences = [sentence for each in lists for sentence in each.split("; ") if " is " in sentence]
    return {name: float(rest.split(",")[0]) for name, rest in (sentence.split(" is ") for sentence in sentences)}


def _without_line(text: str) -> str:
    """The text without the words that exchange elements, which each host has its own."""
    return re.sub(r"(is like the training data: ).*", r"\1", text)


@pytest.mark.parametrize("kind", MODELS)
def test_every_host_says_the_same(kind: str, tmp_path: Path) -> None:
    theirs = in_lammps(kind, tmp_path)
    for name, (make, quantities) in table(kind).items():
        c = make(kind)
        ours = in_ase(kind, c)
        assert [_without_line(text) for text in ours] == [_without_line(text) for text in theirs[name]], name
        expected = oracle(kind, c)
        assert told(theirs[name]) == pytest.approx(expected, rel=5e-4), name
        assert all(any(word in key for key in expected) for word in quantities.split()), name
        assert bool(quantities) == bool(expected) or name == "swapped", name
        temperature = get_units("lj").temperature_of(np.ones(len(c.types)), c.velocities) if kind == "ogn" else None
        volume = float(np.linalg.det(c.cell))
        words = outside(METADATA[kind], c.types, volume, brute_force(c), temperature)
        assert all(any(word in text for text in theirs[name]) for word in words) and len(words) == len(expected), name


@pytest.mark.parametrize(
    ("kind", "host"),
    [
        ("glassvae", "latent"),
        *((kind, "attach") for kind in MODELS),
        pytest.param("ogn", "python/move", marks=[pytest.mark.slow, needs_python_lmp]),
    ],
)
def test_further_hosts_say_the_same(kind: str, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "always")
    theirs = in_lammps(kind, tmp_path)
    if host == "latent":
        found = in_lammps(kind, tmp_path, host)
    else:
        found = in_attached(kind, tmp_path) if host == "attach" else in_python_move(kind, tmp_path)
    for name in table(kind):
        assert [_without_line(text) for text in found[name]] == [_without_line(text) for text in theirs[name]], name


@pytest.mark.parametrize(("kind", "wanted"), [("ogn", "guard"), ("symgnn", "force"), ("glassvae", "")])
def test_swapped_elements_are_refused_with_the_line_to_write(kind: str, wanted: str, tmp_path: Path) -> None:
    """A composition that fits in either order is no sign."""
    c = swapped(kind)
    c.write_data(tmp_path / "data.swapped")
    done = run_lammps(script(kind, "data.swapped", ""), tmp_path)
    if not wanted:
        assert done.status == 0 and "seem to be swapped" not in done.output
        run_ase(kind, c, force=False)
        return
    line = {"ogn": "fix 1 all ogn kalj.ogn.pt B A", "symgnn": "compute b all symgnn/atom Cu64Zr36.symgnn.pt Zr Cu"}
    assert f"use {line[kind]}, or {wanted}" in done.error()
    with pytest.raises(VitrifyError, match="the elements seem to be swapped") as refused, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_ase(kind, c, force=False)
    reason = str(refused.value).split("swapped: ")[1].split(": use")[0].split(": change")[0]
    assert reason in done.output


@pytest.mark.parametrize("kind", MODELS)
def test_two_atoms_in_one_place_are_refused(kind: str, tmp_path: Path) -> None:
    c = structure(kind, near=0.002)
    c.write_data(tmp_path / "data.place")
    error = run_lammps(script(kind, "data.place", ""), tmp_path).error()
    with pytest.raises(VitrifyError) as refused, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_ase(kind, c, force=False)
    words = "are in one place" if "in one place" in error else "not a number"
    assert words in error and (words in str(refused.value) or "not finite" in str(refused.value))


def test_the_stepper_of_python_warns_as_the_others() -> None:
    c = structure("ogn", density=0.9, temperature=6.0)
    model = open_model(MODELS["ogn"])
    with pytest.warns(UserWarning, match="OGNStepper: the structure is unlike the training data") as caught:
        OGNStepper(model).step(c.positions, c.velocities, c.cell, c.types)
    assert told([str(caught[0].message)]) == pytest.approx(oracle("ogn", c), rel=5e-4)
