"""What shipped models answer, in one engine with one instruction set: digests of all bits, and a few of the numbers.

    VITRIFY_SIMD=avx2 python tests/surface/model_outputs.py native      # prints JSON; torch for the other engine

A digest is the sha256 of float64 values, none of them rounded. The structures are made here, of numpy's generator, so
that nothing but the models and their engines enters.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import platform
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

import vitrify

ROOT = Path(vitrify.__file__).parents[2]
N_ATOMS = 64
FCC_CELLS = (2, 2, 4)
FCC = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]])
SHAPE = np.array([1.0, 1.0, 2.0]) / 2 ** (1 / 3)  # of the cell's edges, that each fcc cell is about a cube
STAND_INS = {"A": "Ar", "B": "Kr"}  # chemical symbols of species that are no elements


def machine() -> dict[str, Any]:
    """What bits depend on beside the sources: compiler, C library (it chooses instructions itself) and processor."""
    cpu = Path("/proc/cpuinfo")
    words = set(cpu.read_text().split()) if cpu.is_file() else set()
    core = importlib.import_module("vitrify._core").__file__
    compilers = re.findall(rb"(?:GCC: \([^)]*\)|clang version) [\d.]+", Path(str(core)).read_bytes())
    return {
        "compiler": sorted({found.decode() for found in compilers}),
        "libc": " ".join(platform.libc_ver()),
        "processor": platform.machine(),
        "instructions": [name for name in ("fma", "avx2", "avx512f") if name in words],
    }


def can_run(instructions: str) -> bool:
    """Whether the processor has the native engine's `instructions`: default, avx2 or avx512."""
    wanted = {"default": [], "avx2": ["fma", "avx2"], "avx512": ["avx512f"]}[instructions]
    return set(wanted) <= set(machine()["instructions"])


def models() -> list[Path]:
    """The shipped model files."""
    return sorted((ROOT / "potentials").glob("*.pt"))


def metadata_of(path: Path) -> dict[str, Any]:
    """`vitrify.json` of a model file, as it is written there."""
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("extra/vitrify.json"))
        values: dict[str, Any] = json.loads(archive.read(name))
        return values


def structure(metadata: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cell (3, 3), positions (64, 3), types (64,) and velocities (64, 3), in the middle of a model's training data."""
    rng = np.random.default_rng(20)
    n, validity = N_ATOMS, metadata["validity"]
    edge = (n / np.mean(validity["number_density"])) ** (1 / 3)
    cell = edge * np.array([[1.02, 0.0, 0.0], [0.1, 1.0, 0.0], [-0.05, 0.08, 1 / 1.02]]) * SHAPE[:, None]
    cells = np.array(list(np.ndindex(*FCC_CELLS)))
    sites = ((cells[:, None] + FCC).reshape(-1, 3) + 0.03 * rng.standard_normal((n, 3))) / FCC_CELLS
    positions = sites @ cell
    share = np.array([np.mean(validity["composition"][name]) for name in metadata["species"]])
    types = np.searchsorted(np.cumsum(share / share.sum())[:-1], (np.arange(n) + 0.5) / n)
    velocities = rng.standard_normal((n, 3))
    if validity.get("temperature") and "masses" in metadata:
        # kB in g/mol A^2/ps^2/K, in metal units
        boltzmann = 0.8314462618 if metadata["units"] == "metal" else 1.0
        mass = np.array(metadata["masses"])[types, None]
        velocities *= np.sqrt(boltzmann * np.mean(validity["temperature"]) / mass)
        velocities -= (mass * velocities).sum(0) / mass.sum()
    return cell, positions, rng.permutation(types), velocities


def summary(values: Any) -> dict[str, Any]:
    """Of an array: the digest of all bits, the root mean square, and the first three numbers."""
    array = np.ascontiguousarray(values, dtype=np.float64)
    return {
        "sha256": hashlib.sha256(array.tobytes()).hexdigest()[:32],
        "rms": float(np.sqrt(np.mean(array**2))),
        "first": array.ravel()[:3].tolist(),
    }


def open_model(path: Path, engine: str) -> Any:
    """`vitrify.open_model`, or what it was before it stood at the top."""
    for place in ("vitrify", "vitrify.engines"):
        if hasattr(importlib.import_module(place), "open_model"):
            return importlib.import_module(place).open_model(path, engine)
    return importlib.import_module("vitrify.engines.open").open_model(path, engine)


def answers(path: Path, engine: str) -> dict[str, Any]:
    """What a model in an engine says of `structure`, and how far it is from the reference case of its file."""
    metadata = metadata_of(path)
    model = open_model(path, engine)
    cell, positions, types, velocities = structure(metadata)
    found = _answers(model, metadata, {"cell": cell, "positions": positions, "velocities": velocities, "types": types})
    case = metadata["reference"]
    names = [metadata["species"].index(name) for name in case["species"]]
    replayed = _answers(model, metadata, {**case, "types": np.array(names)})
    expected = {**case, **{f"decoded {key}": value for key, value in (case.get("decoded") or {}).items()}}
    errors = [_relative(values, np.array(expected[name])) for name, values in replayed.items() if name in expected]
    return {
        "outputs": {name: summary(values) for name, values in found.items()},
        "reference_error": max(errors),
    }


def _answers(model: Any, metadata: dict[str, Any], case: dict[str, Any]) -> dict[str, np.ndarray]:
    kind, cell, positions, types = metadata["kind"], case["cell"], case["positions"], case["types"]
    if kind == "ogn":
        return dict(zip(("dr", "dv"), model.predict(positions, case["velocities"], cell, types), strict=True))
    if kind == "symgnn":
        return dict(zip(("values", "deviations"), model.predict(positions, cell, types), strict=True))
    elements = np.eye(len(metadata["species"]))[types]
    if kind == "amshortcut":
        asked = case.get("properties") or [np.mean(one["range"]) for one in metadata["properties"]]
        values = [np.nan if value is None else value for value in asked]
        told = case.get("time", 0.25), case.get("step", 0.5), np.array(values)
        return {"vectors": model.answer(positions, cell, elements, *told)[0]}
    said = model.predict(positions, cell, types)
    found = {"energy": np.array(said.energy), "forces": said.forces, "stress": said.stress, "latent": said.latent}
    told = case.get("decoded") or {"time": 0.25, "step": 0.5}
    z = np.array(case.get("latent", said.latent))
    found["decoded vectors"] = model.decode(positions, cell, elements, told["time"], told["step"], z)[0]
    return found


def _relative(got: Any, expected: np.ndarray) -> float:
    return float(np.abs(got - expected).max() / np.sqrt(np.mean(expected**2)))


def hosted(path: Path, engine: str) -> dict[str, Any]:
    """What the public names of vitrify give with a model: GlassCalc, OGNDynamics, generate."""
    from ase import Atoms, units

    metadata = metadata_of(path)
    species, kind = metadata["species"], metadata["kind"]
    if kind == "amshortcut" or kind == "glassvae":
        made = vitrify.generate(path, n_atoms=66, steps=2, seed=7, engine=engine)
        found = {"generate": summary(made.positions), "generate cell": summary(made.cell.array)}
        found["generate numbers"] = summary(made.numbers)
        if kind == "amshortcut":
            return found
    cell, positions, types, velocities = structure(metadata)
    symbols = [STAND_INS.get(species[t], species[t]) for t in types]
    atoms = Atoms(symbols, positions=positions, cell=cell, pbc=True)
    if kind == "ogn":
        atoms.set_masses(np.array(metadata["masses"])[types])
        atoms.set_velocities(velocities if metadata["units"] == "lj" else velocities / (1000 * units.fs))
        names = {symbol: name for name, symbol in STAND_INS.items() if name in species}
        vitrify.OGNDynamics(atoms, path, species=names or None, engine=engine, guard=False).run(2)
        return {"two strides": summary(atoms.positions), "two strides, momenta": summary(atoms.get_momenta())}
    if kind == "symgnn":
        calc = vitrify.GlassCalc(barriers=path, engine=engine, force=True)  # the structure is a lattice
        return {name: summary(calc.get_property(name, atoms)) for name in sorted(calc.implemented_properties)}
    calc = vitrify.GlassCalc(path, engine=engine)
    return found | {name: summary(calc.get_property(name, atoms)) for name in sorted(calc.implemented_properties)}


def everything(engine: str) -> dict[str, Any]:
    """All answers of all shipped models in an engine."""
    return {path.name: {**answers(path, engine), "hosts": hosted(path, engine)} for path in models()}


def in_process(engine: str, instructions: str = "default") -> dict[str, Any]:
    """`everything` in a process of its own: instructions are chosen when the engine is loaded."""
    environment = {**os.environ, "VITRIFY_SIMD": instructions, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, __file__, engine], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    if sys.argv[1] == "torch":
        import torch

        torch.set_num_threads(1)
    json.dump(everything(sys.argv[1]), sys.stdout, indent=1)
