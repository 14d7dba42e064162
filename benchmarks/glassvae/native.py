"""What energy, forces and stress of a latent model cost natively and in torch: results/glassvae/native.md.

    python -m benchmarks.glassvae.native [--atoms 4000] [--repeats 20] [--torch-repeats 3]

The model is untrained and of the default sizes; the time of a prediction does not depend on the weights. It is
processor time on one core and counts everything from positions to forces; torch gets its graph for nothing. The least
of many repeats is shown, because a machine that does something else beside can only make it longer. Memory of the
native engine is what it holds; of torch, what a process needs beyond that of a structure of one atom.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import paths
from benchmarks.common.output import write_text
from benchmarks.common.predictions import jittered_lattice, measure

SPECIES, MASSES, DENSITY = ("Cu", "Zr"), (63.546, 91.224), 0.0576
# Engine, precision, instruction set.
ROWS = [
    ("native", "float32", "default"),
    ("native", "float32", "avx2"),
    ("native", "float32", "avx512"),
    ("native", "float64", "default"),
    ("native", "float64", "avx2"),
    ("native", "float64", "avx512"),
    ("torch", "float32", ""),
    ("torch", "float64", ""),
]

NATIVE = """
import json, sys, time
import numpy as np
from vitrify.glassvae.native import NativeGlassVAE
case, model, seconds = dict(np.load(sys.argv[2])), NativeGlassVAE(sys.argv[1]), []
for _ in range(int(sys.argv[3])):
    start = time.process_time()
    model.predict(**case)
    seconds.append(time.process_time() - start)
print(json.dumps({"seconds": min(seconds), "bytes": model.bytes}))
"""
TORCH = """
import json, resource, sys, time
import numpy as np
from torch.jit._fuser import optimized_execution
from vitrify.engines.load import load_model
from vitrify.glassvae.differentiate import energy_prediction
case, model, seconds = dict(np.load(sys.argv[2])), load_model(sys.argv[1]), []
model.predict(case["positions"][:1], case["cell"], case["types"][:1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
graph = model.graph(**case)
for _ in range(int(sys.argv[3])):
    start = time.process_time()
    with optimized_execution(False):
        energy_prediction(model.module, case["cell"], graph)
    seconds.append(time.process_time() - start)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": min(seconds), "bytes": 1024 * (after - before)}))
"""


def write_model(path: Path, dtype: str) -> None:
    """An untrained model of the default sizes."""
    import torch

    from vitrify.export.write import export_model
    from vitrify.modelfile.metadata import Validity
    from vitrify.models import System, build_model

    torch.manual_seed(0)
    model = build_model("glassvae", {"variant": "equivariant"}, System(SPECIES, MASSES, "metal", 0.0))
    validity = Validity(number_density=(DENSITY, DENSITY), composition=dict.fromkeys(SPECIES, (0.0, 1.0)))
    export_model(
        model, path, kind="glassvae", variant="equivariant", species=SPECIES, units="metal", validity=validity,
        dtype=dtype, masses=MASSES,
    )  # fmt: skip


def write_glass(atoms: int, path: Path) -> int:
    """A jittered lattice of both elements at the density of Cu50Zr50; returns the number of its atoms."""
    rng = np.random.default_rng(0)
    positions, cell = jittered_lattice(atoms, DENSITY, rng)
    types = rng.integers(0, 2, len(positions))
    np.savez(path, positions=positions, cell=cell, types=types)
    return len(positions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atoms", type=int, default=4000, help="about")
    parser.add_argument("--repeats", type=int, default=20, help="native predictions, of which the fastest counts")
    parser.add_argument("--torch-repeats", type=int, default=3, help="the same for torch")
    parser.add_argument("--results", type=Path, default=paths.RESULTS / "glassvae")
    chosen: Any = parser.parse_args()
    lines = [
        "# Speed of a latent model", "",
        "Made by `python -m benchmarks.glassvae.native`; its --help says how.", "",
        "| engine | precision | instructions | atoms | µs an atom | bytes an atom |",
        "| --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        case = Path(folder) / "case.npz"
        n = write_glass(chosen.atoms, case)
        for dtype in ("float32", "float64"):
            write_model(Path(folder) / f"{dtype}.pt", dtype)
        for engine, dtype, instructions in ROWS:
            repeats = chosen.repeats if engine == "native" else chosen.torch_repeats
            script = NATIVE if engine == "native" else TORCH
            found = measure(script, Path(folder) / f"{dtype}.pt", case, repeats, instructions)
            if found is None:
                continue
            lines.append(
                f"| {engine} | {dtype} | {instructions or 'its own'} | {n:,} "
                f"| {1e6 * found['seconds'] / n:.2f} | {found['bytes'] / n:,.0f} |"
            )
            print(lines[-1], flush=True)
    write_text(chosen.results / "native.md", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
