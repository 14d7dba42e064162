"""The LAMMPS input script of a melt-quench run, which does not need vitrify.

Source: appendix A.5 of the SymGNN paper: random start, melt at zero pressure with Nose-Hoover dynamics, quench,
conjugate-gradient minimum.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitrify.core.compositions import box_length, masses
from vitrify.core.units import get_units
from vitrify.lammps_library.session import expand, potential_file

HISTORY = "history.csv"
COLUMNS = "step,time,temperature,density,volume_per_atom,energy_per_atom,pressure,stage"
RESTARTS = ("a", "b")
_FALLBACK = 20  # MD steps in place of a stride that the guard of fix ogn refuses
_EVERY = 10  # strides between two changes of the box: the pressure of the potential costs a force call
_WARM = 2.0  # ps at constant volume, after which a random start no longer boils at constant pressure


@dataclass(frozen=True)
class Integrator:
    """A model that moves atoms: its file, as `fix ogn` finds it, the file's SHA-256, and the stride in ps."""

    file: str
    sha256: str
    stride: float


@dataclass(frozen=True)
class GlassSettings:
    """Composition, potential and protocol of a glass, in LAMMPS's metal units."""

    formula: str
    species: tuple[str, ...]
    counts: tuple[int, ...]  # atoms of each species
    rate: float  # K/s, of the quench
    potential: tuple[str, ...]  # LAMMPS commands
    melt_temperature: float  # K
    melt_time: float  # ps
    final_temperature: float  # K
    timestep: float  # ps
    pressure: float  # bar
    density: float  # g/cm^3, of the random start
    seed: int
    files: tuple[tuple[str, str], ...] = ()  # names of the files in the commands, and their SHA-256
    integrator: Integrator | None = None  # of melt and quench; None is MD

    @property
    def n_atoms(self) -> int:
        return sum(self.counts)

    @property
    def quench_time(self) -> float:
        """ps"""
        return (self.melt_temperature - self.final_temperature) / self.rate * 1e12

    @property
    def step(self) -> float:
        """Time of a step of melt and quench, ps."""
        return self.integrator.stride if self.integrator else self.timestep

    @property
    def warm(self) -> int:
        """Steps of the warm-up, which is always MD."""
        return round(_WARM / self.timestep)

    @property
    def ends(self) -> tuple[int, int, int]:
        """The steps at which the melt begins, and melt and quench end. Strides are counted from the melt on."""
        begin = 0 if self.integrator else self.warm
        melt, quench = (round(time / self.step) for time in (self.melt_time, self.quench_time))
        return begin, begin + melt, begin + melt + quench

    @property
    def every(self) -> int:
        """Steps between two lines of the history."""
        return 10 * max(1, min(1000, self.ends[2] // 10_000))

    @property
    def restart_every(self) -> int:
        """Steps between two restart files."""
        return 100 * max(2, min(1000, self.ends[2] // 5000))


def glass_script(settings: GlassSettings, name: str, files: Mapping[str, Path]) -> str:
    """The input script that writes `name`.data and a history; `files`: where files named in the potential are."""
    return "\n\n".join(
        (
            _head(settings, name),
            _start(settings),
            _potential(settings, files),
            _warm_up(settings),
            _melt_and_quench(settings),
            _minimum(settings, name),
            "",
        )
    )


def _head(s: GlassSettings, name: str) -> str:
    atoms = ", ".join(f"{n} {symbol}" for symbol, n in zip(s.species, s.counts, strict=True))
    return f"""\
# {s.formula} glass of {s.n_atoms} atoms ({atoms}), quenched from {s.melt_temperature:g} K to {s.final_temperature:g} K
# at {s.rate:g} K/s, pressure {s.pressure:g} bar; metal units (A, ps, eV, K, bar).
#   lmp -in {name}.in                 from the start
#   lmp -in {name}.in -var from a     from the restart file a.restart (or b: the newer one)

variable      from index start

units         metal
atom_style    {_atom_style(s.potential)}
suffix        opt"""


def _atom_style(commands: Sequence[str]) -> str:
    named = [line.split()[1] for line in commands if line.startswith("atom_style ")]
    charged = any(re.match(r"set\s.*\scharge\b", line) or re.search(r"\b(coul|reaxff|comb)", line) for line in commands)
    return named[0] if named else "charge" if charged else "atomic"


def _start(s: GlassSettings) -> str:
    edge = box_length(s.species, s.counts, s.density)
    seeds = _seeds(s)
    numbered = list(enumerate(s.species, 1))
    strength = 100 * get_units("metal").boltz * s.melt_temperature
    # Soft spheres of this size fit into the box without overlap.
    reach = 0.9 * edge / s.n_atoms ** (1 / 3)
    lines = [
        "# 1. random positions, pushed apart by a soft repulsion",
        'if "${from} != start" then "jump SELF continue"',
        f"region        box block 0 {edge:.6f} 0 {edge:.6f} 0 {edge:.6f}",
        f"create_box    {len(s.species)} box",
        f"labelmap      atom {' '.join(f'{number} {symbol}' for number, symbol in numbered)}",
        *(f"mass          {symbol} {mass:.10g}" for symbol, mass in zip(s.species, masses(s.species), strict=True)),
        *(
            f"create_atoms  {symbol} random {count} {seed} NULL"
            for symbol, count, seed in zip(s.species, s.counts, seeds[1:], strict=True)
        ),
        f"pair_style    soft {reach:.4f}",
        f"pair_coeff    * * {strength:.4f}",
        "minimize      0 1e-3 1000 10000",
        "jump          SELF potential",
        "",
        "label         continue",
        "read_restart  ${from}.restart",
    ]
    return "\n".join(lines)


def _seeds(s: GlassSettings) -> list[int]:
    """For the velocities and for the positions of each species: glasses of neighbouring seeds share none."""
    found: list[int] = np.random.default_rng(s.seed).integers(1, 900_000_000, 1 + len(s.species)).tolist()
    return found


def _potential(s: GlassSettings, files: Mapping[str, Path]) -> str:
    commands = [line for line in s.potential if not line.startswith("atom_style ")]
    shipped = [name for line in commands for name in re.findall(r"{potentials/([^}]*)}", line)]
    folder = str(Path(potential_file(shipped[0])).parent) if shipped else ""
    lines = ["# 2. the potential", "label         potential"]
    if folder and " " not in folder:  # LAMMPS reads no variable inside quotes
        lines.append(f"variable      potentials index {folder}")
        commands = [re.sub(r"{potentials/([^}]*)}", r"${potentials}/\1", line) for line in commands]
    lines += [_placed(expand(line), files) for line in commands]
    return "\n".join(
        (
            *lines,
            "neigh_modify  every 1 delay 0 check yes",
            f"timestep      {s.timestep!r}",
            "thermo_style  custom step temp density vol pe press",
            "thermo_modify norm no flush yes lost error",
            f"thermo        {min(s.every, 1000)}",
        )
    )


def _placed(line: str, files: Mapping[str, Path]) -> str:
    """The command with the paths of its files, which no longer depend on the working folder."""
    arguments = line.split()
    quoted = {word: shlex.quote(str(path)) if " " in str(path) else str(path) for word, path in files.items()}
    return " ".join(quoted.get(argument.strip("\"'"), argument) for argument in arguments) if quoted else line


def _warm_up(s: GlassSettings) -> str:
    hot = f"{s.melt_temperature:g}"
    begin = "\nreset_timestep 0" if s.integrator else ""
    return f"""\
# 3. canonical warm-up at constant volume: at constant pressure a random start would boil
if "${{from}} != start" then "jump SELF melt"
minimize      0 1e-3 200 2000
reset_timestep 0
velocity      all create {hot} {_seeds(s)[0]} mom yes rot no dist gaussian
print         "--- warm-up: to step {s.warm}"
fix           warm all nve
fix           bath all langevin {hot} {hot} 0.1 {_seeds(s)[0]} zero yes
run           {s.warm} upto
unfix         bath
unfix         warm
velocity      all zero linear{begin}"""


def _melt_and_quench(s: GlassSettings) -> str:
    begin, melt, quench = s.ends
    hot, cold = f"{s.melt_temperature:g}", f"{s.final_temperature:g}"
    how = f"fix ogn, strides of {s.step:g} ps" if s.integrator else "Nose-Hoover"
    columns = "$(step),$(step*dt:%.8g),$(temp:%.6g),$(density:%.8g),$(vol/atoms:%.8g),$(pe/atoms:%.10g),$(press:%.6g)"
    return f"""\
# 4. melt and quench at constant pressure ({how}); a system of a third of its density has boiled
label         melt
timestep      {s.step!r}
restart       {s.restart_every} {RESTARTS[0]}.restart {RESTARTS[1]}.restart
variable      stage string melt
variable      density equal density
fix           boil all halt 100 v_density < {s.density / 3:.6g} error hard message yes
fix           history all print {s.every} "{columns},${{stage}}" append {HISTORY} screen no &
              title "{COLUMNS}"

print         "--- melt: to step {melt}"
if "$(step) >= {melt}" then "jump SELF quench"
{_move(s, "melt", hot, hot)}
run           {melt} upto start {begin} stop {melt}
{_stop(s, "melt")}

label         quench
variable      stage string quench
print         "--- quench: to step {quench}"
if "$(step) >= {quench}" then "jump SELF minimum"
{_move(s, "quench", hot, cold)}
run           {quench} upto start {melt} stop {quench}
{_stop(s, "quench")}"""


def _move(s: GlassSettings, name: str, start: str, stop: str) -> str:
    """What moves the atoms at constant pressure, with a temperature that goes from `start` to `stop`."""
    iso = f"iso {s.pressure:g} {s.pressure:g} {1000 * s.timestep:g}"
    damp = f"{100 * s.timestep:g}"
    if s.integrator is None:
        return f"fix           {name} all npt temp {start} {stop} {damp} {iso}"
    seed = _seeds(s)[0]
    return (
        f"fix           {name} all ogn {s.integrator.file} {' '.join(s.species)} guard yes fallback {_FALLBACK} &\n"
        f"              {iso} temp {start} {stop} every {_EVERY} seed {seed}\n"
        f"fix           bath all temp/csvr {start} {stop} {damp} {seed}"
    )


def _stop(s: GlassSettings, name: str) -> str:
    return f"unfix         {name}" if s.integrator is None else f"unfix         {name}\nunfix         bath"


def _minimum(s: GlassSettings, name: str) -> str:
    return f"""\
# 5. the minimum at this pressure: first with the volume, then in the box found
label         minimum
print         "--- minimum"
restart       0
unfix         history
unfix         boil
velocity      all set 0 0 0
thermo        100
min_style     cg
min_modify    norm max dmax 0.05
fix           relax all box/relax iso {s.pressure:g} vmax 0.001
minimize      0 1e-4 10000 100000
minimize      0 1e-4 10000 100000
unfix         relax
minimize      0 1e-5 10000 100000
min_modify    line forcezero
minimize      0 1e-5 1000 10000

variable      force atom sqrt(fx^2+fy^2+fz^2)
compute       force all reduce max v_force
thermo_style  custom step pe press density vol c_force
thermo_modify norm no
run           0
print         "--- result: $(pe/atoms:%.10g) $(press:%.6g) $(density:%.8g) $(c_force:%.6g) $(step)"
write_data    {name}.data nocoeff nofix"""
