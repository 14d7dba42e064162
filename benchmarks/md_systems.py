"""Checks the five reference systems against physics and writes benchmarks/results/md_systems.md.

    python -m benchmarks.md_systems [--data FOLDER] [--workers N]

Takes about five CPU-minutes. With --data the trajectories are kept there, and a second run skips making them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.common import paths
from vitrify.analysis import (
    coordination_number,
    diffusion_coefficient,
    energy_drift,
    first_peak,
    msd,
    partial_rdf,
    species_temperatures,
    velocity_autocorrelation,
)
from vitrify.core.units import get_units
from vitrify.data.trajectories import Trajectory, TrajectoryFile
from vitrify.datagen.trajectories.campaign import generate, simulate
from vitrify.datagen.trajectories.systems import Stage, System, get_system
from vitrify.lammps_library.session import lammps_version

RESULTS = paths.RESULTS / "md_systems.md"
TRAJECTORIES, FRAMES = 3, 1000
EVERY = {"lj": 2, "metal": 5}

# First maxima of the partial g(r) as (low, high), and where the range comes from.
PEAKS: dict[str, tuple[str, dict[str, tuple[float, float]]]] = {
    "kalj": (
        "between the Barker-Henderson diameter and the minimum of the pair potential",
        {"AA": (0.945, 1.122), "AB": (0.765, 0.898)},
    ),
    "kalj-glass": (
        "1.07 and 0.88 in the supercooled liquid, Kob and Andersen 1995",
        {"AA": (1.05, 1.09), "AB": (0.86, 0.9)},
    ),
    "sio2": (
        "1.61, 2.63, 3.08 A by neutrons (Johnson 1983); 1.60, 2.59, 3.16 A for BKS (Vollmayr 1996)",
        {"SiO": (1.58, 1.66), "OO": (2.55, 2.72), "SiSi": (3.0, 3.25)},
    ),
    "si": ("2.4 to 2.5 A for liquid silicon, measured and Stillinger-Weber", {"SiSi": (2.38, 2.55)}),
    "cuzr": (
        "2.5, 2.8 and 3.2 A for the Cu64.5Zr35.5 liquid",
        {"CuCu": (2.4, 2.62), "CuZr": (2.68, 2.9), "ZrZr": (3.05, 3.3)},
    ),
}


@dataclass(frozen=True)
class Check:
    system: str
    quantity: str
    value: float
    low: float
    high: float
    source: str

    @property
    def passed(self) -> bool:
        return self.low <= self.value <= self.high

    def row(self) -> str:
        wanted = f"{self.low:.4g} to {self.high:.4g}" if self.low > 0 else f"below {self.high:.4g}"
        verdict = "pass" if self.passed else "**FAIL**"
        return f"| {self.system} | {self.quantity} | {self.value:.4g} | {wanted} | {verdict} | {self.source} |"


def common_checks(system: System, runs: list[Trajectory]) -> Iterator[Check]:
    """Energy conservation, temperature and g(r)."""
    kt = get_units(system.units).boltz * system.temperature
    label_step = get_system(system.name).md_timestep
    at_base = [energy_drift(run.times, run.total_energy, system.n_atoms) for run in runs]
    at_label = [label_drift(system, run) for run in runs]
    for step, drifts, limit in ((system.base_timestep, at_base, 2e-3), (label_step, at_label, 1e-4)):
        yield Check(
            system.name,
            f"NVE drift in 1,000 base steps / kT, step {step:g}",
            float(np.mean(np.abs(drifts))) * 1000 * system.base_timestep / kt,
            0.0,
            limit,
            "energy conservation",
        )
    mean_temperature = float(np.mean([run.temperature for run in runs]))
    tolerance = 0.1 if system.name == "kalj-glass" else 0.03
    yield Check(
        system.name,
        "mean T / T",
        mean_temperature / system.temperature,
        1 - tolerance,
        1 + tolerance,
        "the recipe; a glass that ages in NVE warms up" if system.name == "kalj-glass" else "the recipe",
    )
    if len(system.species) > 1:
        units, masses = get_units(system.units), np.array(system.masses)
        per_species = np.mean(
            [species_temperatures(r.velocities, r.types, masses, units).mean(0) for r in runs], axis=0
        )
        a, b = system.species
        yield Check(system.name, f"T({a}) / T({b})", per_species[0] / per_species[1], 0.97, 1.03, "equipartition")
    yield from structure_checks(system, runs)


def structure_checks(system: System, runs: list[Trajectory]) -> Iterator[Check]:
    frames = np.concatenate([run.positions[::20] for run in runs])
    source, peaks = PEAKS[system.name]
    r_max = 2.5 if system.units == "lj" else 6.0
    rdf = partial_rdf(frames, system.cell, system.types, len(system.species), r_max, 150)
    names = {f"{system.species[a]}{system.species[b]}": (a, b) for a, b in rdf.g}
    for name, (low, high) in peaks.items():
        position, _ = first_peak(rdf.r, rdf.g[names[name]])
        yield Check(system.name, f"first peak of g({name})", position, low, high, source)
    if system.name == "sio2":
        density = system.counts[1] / system.box**3
        number = coordination_number(rdf, (0, 1), density, 2.2)
        yield Check(system.name, "O around Si within 2.2 A", number, 3.85, 4.15, "network of SiO4 tetrahedra")
    if system.name == "si":
        number = coordination_number(rdf, (0, 0), system.n_atoms / system.box**3, 2.95)
        yield Check(
            system.name,
            "neighbours within 2.95 A",
            number,
            4.0,
            6.5,
            "about 5 for the Stillinger-Weber liquid, 4 in the crystal, 6.4 measured",
        )


def label_drift(system: System, run: Trajectory) -> float:
    """Energy drift for each atom and time at the step that labels are made with, from the same start."""
    step = get_system(system.name).md_timestep
    substeps = round(system.base_timestep / step)
    with system.session(run.positions[0], system.commands) as session:
        session.set_state(run.positions[0], run.velocities[0])
        session.run_commands("fix nve all nve", f"timestep {step!r}")
        session.run(0)
        energies = []
        for _ in range(100):
            session.run(10 * substeps, fresh=False)
            state = session.state()
            energies.append(state.potential_energy + state.kinetic_energy)
    return energy_drift(np.arange(100) * 10 * system.base_timestep, np.array(energies), system.n_atoms)


def dynamics_checks(system: System, runs: list[Trajectory]) -> Iterator[Check]:
    interval = runs[0].times[1]
    longest = FRAMES // 2
    time = np.arange(longest + 1) * interval
    curves = np.mean([msd(run.positions, run.types, longest)[1] for run in runs], axis=0)
    if system.name == "kalj-glass":
        value = float(curves[0][-1])
        yield Check(system.name, "MSD of A after 5", value, 0.0, 0.1, "atoms stay in their cages, 0.3 wide")
        return
    shares = np.array(system.counts) / system.n_atoms
    d = diffusion_coefficient(time, shares @ curves, time[-1] / 3)
    if system.name == "sio2":
        yield Check(
            system.name,
            "MSD of O after 2.5 ps, A^2",
            float(curves[1][-1]),
            0.5,
            7.0,
            "beyond the cage, within the O-O distance squared",
        )
        return
    vacf = np.mean([velocity_autocorrelation(run.velocities, None, longest)[1] for run in runs], axis=0)
    upto = round(longest * 0.6)
    green_kubo = float(np.trapezoid(vacf[:upto], dx=interval) / 3)
    yield Check(system.name, "D (Einstein) / D (Green-Kubo)", d / green_kubo, 0.85, 1.15, "two routes to one number")
    if system.name == "si":
        yield Check(
            system.name,
            "D, 1e-4 cm^2/s",
            d,
            0.69,
            3.0,
            "0.69 at melting, 1691 K, Broughton and Li 1987; here 2000 K",
        )


def coexistence_pressure() -> Check:
    """Pressure of the Kob-Andersen liquid at T = 1.028 and density 1.2, with the published cutoffs."""
    liquid = get_system("kalj").with_settings(atoms=800, temperature=1.028, md_timestep=0.005)
    liquid = replace(
        liquid,
        box=(800 / 1.2) ** (1 / 3),
        stages=(Stage(500, 3.0, 3.0), Stage(3000)),
        settle=4000,
        commands=(
            "pair_style lj/cut 2.5",
            "pair_coeff 1 1 1.0 1.0 2.5",
            "pair_coeff 1 2 1.5 0.8 2.0",
            "pair_coeff 2 2 0.5 0.88 2.2",
            "pair_modify shift yes",
        ),
    )
    pressures, temperatures = [], []
    for run in (simulate(liquid, 100, 50, [1, index]) for index in range(2)):
        temperatures.append(run.temperature.mean())
        with liquid.session(run.positions[0], liquid.commands) as session:
            for positions, velocities in zip(run.positions, run.velocities, strict=True):
                session.set_state(positions, velocities)
                session.run(0)
                pressures.append(session.lmp.get_thermo("press"))
    return Check(
        "kalj",
        f"pressure at T {np.mean(temperatures):.3f}, density 1.2, cutoffs 2.5 sigma",
        float(np.mean(pressures)),
        9.98,
        10.4,
        "10.19 at 1.028, Pedersen, Schroeder and Dyre 2018",
    )


def table(checks: list[Check]) -> str:
    failed = sum(not check.passed for check in checks)
    head = [
        "# Reference systems against physics",
        "",
        f"Made by `python -m benchmarks.md_systems` with LAMMPS {lammps_version()}: {TRAJECTORIES} trajectories",
        f"of each system, {FRAMES} frames {EVERY['lj']} (lj) or {EVERY['metal']} (metal) base steps apart,",
        "integrated with the base step, and with the smaller step of training labels from the same starts.",
        "Lengths in sigma or A, times in tau or ps. Ranges are wide enough for these short runs of small cells.",
        "Silica has the constants of the OGN paper but for a stronger O-O wall, see `vitrify/datagen/systems.py`.",
        "",
        f"**{len(checks) - failed} of {len(checks)} checks pass.**",
        "",
        "| system | quantity | found | wanted | | source |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join(head + [check.row() for check in checks]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder to keep the trajectories in")
    parser.add_argument("--workers", type=int, help="processes; default: one for each core")
    arguments = parser.parse_args()
    checks: list[Check] = []
    with tempfile.TemporaryDirectory() as temporary:
        for name in PEAKS:
            default = get_system(name)
            system = default.with_settings(md_timestep=default.base_timestep)
            path = generate(
                name,
                (arguments.data or Path(temporary)) / f"{name}.h5",
                trajectories=TRAJECTORIES,
                frames=FRAMES,
                every=EVERY[system.units],
                md_timestep=system.base_timestep,
                workers=arguments.workers,
            )
            with TrajectoryFile(path) as file:
                runs = list(file)
            checks += [*common_checks(system, runs), *dynamics_checks(system, runs)]
    checks.append(coexistence_pressure())
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(table(checks))
    print(table(checks))
    return 0 if all(check.passed for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
