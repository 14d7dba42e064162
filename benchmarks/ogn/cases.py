"""What is compared: systems, the runs that decide whether two integrators match, and equilibrated starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import lmp
from vitrify.core.errors import VitrifyError
from vitrify.core.files import atomic_path
from vitrify.datagen.trajectories.campaign import simulate
from vitrify.datagen.trajectories.systems import System, get_system
from vitrify.engines.open import engines_of
from vitrify.lammps_library.session import expand
from vitrify.modelfile.archive import find_model, read_metadata

# Multiples of the base step that Verlet is tried at.
FACTORS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0)
TABLE_ENTRIES = 6000  # forces to 2e-4 of their rms
DAMP = 100.0  # relaxation time of fix temp/csvr in MD, in base steps


@dataclass(frozen=True)
class Case:
    """A system of the benchmark, with LAMMPS's time units.

    atoms: of the start, which larger cells repeat. time: length of a run that is measured, of which a tenth is
    not counted. reference_step: the fine step of the reference. r_max, shell: range and resolution of g(r).
    liquid: D is on the list. like: a system with the same atoms and a cheap potential, whose matched step is carried
    over, because a scan of this one would be too dear. max_atoms: the largest cell that is timed. table: range of a
    table of the pair potential, for a potential of which MD is faster with one than with its formulas.
    """

    name: str
    atoms: int
    time: float
    reference_step: float
    r_max: float
    shell: float
    skins: tuple[float, ...]
    liquid: bool = True
    like: str | None = None
    max_atoms: int = 100_000
    table: tuple[float, float] | None = None

    @property
    def system(self) -> System:
        return get_system(self.name)


LJ_SKINS, METAL_SKINS = (0.15, 0.3, 0.5, 0.8, 1.2), (0.5, 1.0, 2.0, 3.0, 4.0)
CASES = {
    case.name: case
    for case in (
        Case("kalj", 1000, 200.0, 0.0025, 4.0, 0.05, LJ_SKINS),
        Case("kalj-glass", 1000, 200.0, 0.0025, 4.0, 0.05, LJ_SKINS, liquid=False),
        Case("si", 1000, 20.0, 0.0005, 8.0, 0.1, METAL_SKINS),
        Case("sio2", 999, 18.0, 0.0005, 8.0, 0.1, METAL_SKINS, table=(0.9, 8.0)),
        Case("cuzr", 1000, 20.0, 0.0005, 8.0, 0.1, METAL_SKINS),
        Case("cuzr-glass", 1000, 20.0, 0.0005, 8.0, 0.1, METAL_SKINS, liquid=False),
        Case("si-snap", 128, 12.0, 0.002, 6.5, 0.1, (0.5, 1.0), like="si", max_atoms=10_000),
    )
}


def start(case: Case, folder: Path, atoms: int | None = None) -> Path:
    """The data file of an equilibrated cell in `folder`, made at the first call.

    Prepared as training data are, but with the base step throughout.
    """
    system = case.system
    system = system.with_settings(atoms=atoms or case.atoms, md_timestep=system.base_timestep)
    path = folder / f"{case.name}-{system.n_atoms}.data"
    if path.exists():
        return path
    state = simulate(system, 1, 1, 2024)
    with system.session(state.positions[0]) as session:
        session.set_state(state.positions[0], state.velocities[0])
        with atomic_path(path) as work:
            session.run_commands(f'write_data "{work}" nocoeff')
    return path


def head(
    system: System, data: Path, copies: tuple[int, int, int] = (1, 1, 1), settings: tuple[str, ...] = ()
) -> list[str]:
    """The commands that make the atoms, before those of the potential; `settings` come before all atoms."""
    return [
        f"units           {system.units}",
        f"atom_style      {'charge' if system.charges else 'atomic'}",
        *settings,
        f'read_data       "{data.resolve()}"',
        *([f"replicate       {copies[0]} {copies[1]} {copies[2]}"] if max(copies) > 1 else []),
    ]


def verlet(system: System) -> list[str]:
    """The commands of MD with the reference potential."""
    return [*(expand(command) for command in system.commands), "fix             integrate all nve"]


def fast_verlet(case: Case, data: Path) -> list[str]:
    """`verlet` as a user in a hurry runs it: with tables (made beside `data`) where they are faster than formulas."""
    system = case.system
    if case.table is None:
        return verlet(system)
    path, number = data.with_suffix(".table").resolve(), len(system.species)
    pairs = [(a, b) for a in range(1, number + 1) for b in range(a, number + 1)]
    if not path.exists():
        charges = system.charges or (0.0,) * number
        with atomic_path(path) as work:
            asked = [
                f'pair_write {a} {b} {TABLE_ENTRIES} rsq {case.table[0]!r} {case.table[1]!r} "{work}" P{a}{b}'
                f" {charges[a - 1]!r} {charges[b - 1]!r}"
                for a, b in pairs
            ]
            lmp.run([*head(system, data), *verlet(system), "run 0", *asked])
    return [
        f"pair_style      table linear {TABLE_ENTRIES}",
        *(f'pair_coeff      {a} {b} "{path}" P{a}{b} {case.table[1]!r}' for a, b in pairs),
        "fix             integrate all nve",
    ]


def thermostat(system: System, seed: int, damp: float | None = None) -> list[str]:
    """New velocities, and the thermostat of a run, with the relaxation time `damp` (DAMP base steps by default)."""
    t, damp = system.temperature, damp or DAMP * system.base_timestep
    return [
        f"velocity        all create {t!r} {seed} mom yes rot no",
        f"fix             bath all temp/csvr {t!r} {t!r} {damp!r} {seed + 1}",
    ]


@dataclass(frozen=True)
class Model:
    """A model file of a case. timestep: of a stride, and cutoff, in the units of the case."""

    path: Path
    species: tuple[str, ...]
    engines: tuple[str, ...]
    stride: int
    timestep: float
    cutoff: float

    @property
    def settings(self) -> tuple[str, ...]:
        """What a user of fix ogn should set before the atoms.

        Without Newton's third law one neighbour list serves the fix and the pair style; atoms that move far in a step
        are to be sorted after fewer steps, in bins that no pair style sets.
        """
        return "newton          off", f"atom_modify     sort 100 {0.5 * self.cutoff!r}"

    def commands(self, engine: str) -> list[str]:
        """The commands of a run that this model integrates, without forces."""
        # The native engine finds its pairs itself; for the other, LAMMPS makes lists in bins of the pair style's size.
        lists = engine != "native"
        return [
            *([f"pair_style      zero {self.cutoff!r}", "pair_coeff      * *"] if lists else ["pair_style      none"]),
            f'fix             integrate all ogn "{self.path.resolve()}" {" ".join(self.species)} engine {engine}',
        ]


def open_model(case: Case) -> Model | None:
    """The model of a case, or None where there is none."""
    try:
        path = find_model(f"{case.name}.ogn.pt")
    except VitrifyError:
        return None
    data = read_metadata(path)
    return Model(path, case.system.species, engines_of(path), data.stride, data.timestep, data.cutoff)
