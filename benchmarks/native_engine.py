"""What a prediction of the native engine costs: time and memory for each atom, by model, instruction set and threads.

    python -m benchmarks.native_engine [--atoms 4000] [--repeats 40]

The models are untrained and of the shapes in examples/*/config.yaml; the time of a prediction does not depend on the
weights. It counts everything that the engine does, its search for pairs included. The least of many repeats is shown,
because a machine that does something else beside can only make it longer; a pair-stage is one pair in one stage.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

if not __package__:  # run by its path, so that the repository is not on sys.path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import paths
from benchmarks.common.output import write_json
from benchmarks.common.predictions import jittered_lattice, measure, untrained_model
from vitrify.datagen.trajectories.systems import get_system

RESULTS = paths.RESULTS / "native_engine.json"
SYSTEMS = ("kalj", "cuzr", "si", "sio2")
INSTRUCTION_SETS = ("default", "avx2", "avx512")

PREDICT = """
import json, sys
import numpy as np
from vitrify.ogn.native import NativeOGN
case = dict(np.load(sys.argv[2]))
model = NativeOGN(sys.argv[1])
seconds = []
for _ in range(int(sys.argv[3])):
    model.predict(**case)
    seconds.append(model.seconds[1])
print(json.dumps({"seconds": min(seconds[1:]), "bytes": model.bytes}))
"""


def write_model(name: str, path: Path) -> Any:
    """An untrained model of an example's shape; returns its metadata."""
    config = yaml.safe_load((paths.EXAMPLES / name / "config.yaml").read_text())
    return untrained_model(path, config["model"], get_system(name), int(config["data"]["stride"]))


def liquid(atoms: int, density: float, n_species: int, path: Path) -> dict[str, np.ndarray]:
    """A jittered lattice in a cubic cell, with velocities and types."""
    rng = np.random.default_rng(0)
    positions, cell = jittered_lattice(atoms, density, rng)
    case = {
        "positions": positions,
        "velocities": rng.standard_normal(positions.shape),
        "cell": cell,
        "types": rng.integers(0, n_species, len(positions)),
    }
    np.savez(path, **case)
    return case


def pair_stages(case: dict[str, np.ndarray], cutoffs: list[float]) -> float:
    """Pairs of each atom, every pair counted once, summed over the stages."""
    from vitrify.graphs.neighbours import neighbour_list

    vectors = neighbour_list(case["positions"], case["cell"], max(cutoffs))[1]
    distances = np.linalg.norm(vectors, axis=1)
    return sum(float(np.sum(distances < cutoff)) for cutoff in cutoffs) / 2 / len(case["positions"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--atoms", type=int, default=4096, help="atoms of each system, about")
    parser.add_argument("--repeats", type=int, default=40, help="predictions, of which the fastest counts")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print("system  instructions threads  pair-stages   us/atom  ns/pair-stage  bytes/atom")
    with tempfile.TemporaryDirectory() as folder:
        for name in SYSTEMS:
            system = get_system(name)
            model, case = Path(folder) / f"{name}.pt", Path(folder) / f"{name}.npz"
            metadata = write_model(name, model)
            atoms = liquid(arguments.atoms, system.n_atoms / system.box**3, len(system.species), case)
            n, stages = len(atoms["types"]), pair_stages(atoms, metadata.hyperparameters["cutoffs"])
            for instructions, threads in [*((name, 1) for name in INSTRUCTION_SETS), ("", 2)]:
                found = measure(PREDICT, model, case, arguments.repeats, instructions, threads)
                if found is None:
                    continue
                row = {
                    "system": name, "instructions": instructions or "widest", "threads": threads, "atoms": n,
                    "pair_stages": stages, "us_per_atom": 1e6 * found["seconds"] / n,
                    "ns_per_pair_stage": 1e9 * found["seconds"] / n / stages, "bytes_per_atom": found["bytes"] / n,
                }  # fmt: skip
                rows.append(row)
                print(
                    f"{name:<7} {row['instructions']:<12} {threads:7} {stages:12.1f} {row['us_per_atom']:9.2f}"
                    f" {row['ns_per_pair_stage']:14.2f} {row['bytes_per_atom']:11.0f}",
                    flush=True,
                )
    write_json(RESULTS, {"load_average": os.getloadavg()[0], "rows": rows})
    print(f"\n{RESULTS.relative_to(paths.ROOT)}")


if __name__ == "__main__":
    main()
