"""What the commands of vitrify print and write: info, doctor, generate, and train, export and evaluate of each kind.

Everything goes through the command line of this Python's environment, in a folder of its own, on data that are made
there; seconds are left out.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from typer.testing import CliRunner

from model_outputs import can_run, metadata_of, models
from public_surface import app

SIMD = "avx2" if can_run("avx2") else "default"
_NUMBER = re.compile(r"(?<!\S)-?\d[\d.e+-]*")
_TIMES = ("seconds", "steps_per_second")


def vitrify(*words: str | Path, folder: Path) -> str:
    """What a command prints on stdout, without the names of folders; fails if the command does."""
    environment = {**os.environ, "VITRIFY_SIMD": SIMD, "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "vitrify.cli", *map(str, words)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def info() -> dict[str, Any]:
    """`vitrify info` of each shipped model, the digest of `vitrify info --json`, and that of the file itself."""
    found = {}
    for path in models():
        text, told = (CliRunner().invoke(app(), ["info", path.name, *more]).output for more in ([], ["--json"]))
        lines = re.sub(r"(?m)^(file +)\S*/", r"\1", text).splitlines()
        file = hashlib.sha256(path.read_bytes()).hexdigest()
        found[path.name] = {"info": lines, "json": hashlib.sha256(told.encode()).hexdigest(), "file": file}
    return found


def doctor(folder: Path) -> list[str]:
    """`vitrify doctor` without paths, versions and other programs of LAMMPS on this machine."""
    lines = vitrify("doctor", folder=folder).splitlines()
    lines = [line for line in lines if " routes of " not in line]
    lines[-1] = re.sub(r"\d+ checks", "# checks", lines[-1])  # their number is that of the programs of LAMMPS, too
    return [re.sub(r"(?<!\S)/\S*/", "", re.sub(r"\b\d+(\.\d+){2,}(\+\w+)?", "VERSION", line)) for line in lines]


def generate(folder: Path) -> dict[str, Any]:
    """Structures of `vitrify generate`: the digest of each file that it writes, and what it prints."""
    runs = {
        "Si": ("Si.amshortcut.pt --atoms 54 --steps 2 --target log10_cooling_rate=13 --churn 0.1", "--count 2"),
        "SiO2": ("SiO2.amshortcut.pt --cell 9,9,10 --density 2.2 --elements SiO2 --steps 1", ""),
        "Cu50Zr50": ("Cu50Zr50.glassvae.pt --atoms 64 --steps 2 --energy=-4.86:-4.85", ""),
        "Cu50Zr50, anneal": ("Cu50Zr50.glassvae.pt --atoms 40 --steps 1 --anneal 0.02", ""),
    }
    found = {}
    for name, (words, more) in runs.items():
        place = folder / name.replace(", ", "_")
        place.mkdir()
        for suffix in ("extxyz", "data"):
            command = f"generate {words} {more} --seed 7 -o glass.{suffix}".split()
            printed = vitrify(*command, folder=place).splitlines()
            files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(place.iterdir())}
            found[f"{name}, {suffix}"] = {"printed": printed, "files": files}
    return found


def _frames(seed: int, count: int) -> list[Atoms]:
    """Jittered fcc crystals of copper and zirconium, with everything that any kind learns from."""
    rng, frames = np.random.default_rng(seed), []
    cells = np.array(list(np.ndindex(2, 2, 2)))
    fcc = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]])
    for number in range(count):
        edge = 8.2 + 0.1 * rng.random()
        positions = (cells[:, None] + fcc).reshape(-1, 3) * edge / 2 + 0.15 * rng.standard_normal((32, 3))
        atoms = Atoms(rng.permutation(["Cu"] * 16 + ["Zr"] * 16), positions, cell=[edge] * 3, pbc=True)
        atoms.info |= {"stiffness": 20 + 5 * rng.random(), "sample": seed * 100 + number // 2, "temperature": 300.0}
        atoms.arrays["barrier"] = 1 + 0.2 * rng.standard_normal(32)
        energy, stress = -150 + rng.standard_normal(), 0.01 * rng.standard_normal(6)
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=rng.standard_normal((32, 3)), stress=stress)
        frames.append(atoms)
    return frames


_SPECIES = {"species": ["Cu", "Zr"]}
_WORKFLOWS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "ogn": (
        {"variant": "pair", "cutoff": 2.0, "layers": 2},
        {"stride": 10, "validation_pairs": 4},
        "--pairs 4 --starts 1 --horizon 20 --reversal 1 --transfer none --steps 0",
    ),
    "symgnn": (
        {"variant": "exact"},
        {**_SPECIES, "label": "barrier", "unit": "eV"},
        "",
    ),
    "amshortcut": (
        {"variant": "flow", "cutoff": 4.0, "width": 8, "layers": 2},
        {**_SPECIES, "properties": ["stiffness"], "validation_samples": 2},
        "--samples 3 --sampling-steps 1,2 --measured 2,2,2",
    ),
    "glassvae": (
        {"variant": "equivariant", "cutoff": 4.0},
        {**_SPECIES, "validation_samples": 2},
        "--decode 2 --sampling-steps 1",
    ),
}


def workflow(kind: str, folder: Path) -> dict[str, Any]:
    """From data to the report of one kind: files, what is printed, the log of the training, and keys of the metrics."""
    model, data, options = _WORKFLOWS[kind]
    suffix = "h5" if kind == "ogn" else "extxyz"
    names = [f"{name}.{suffix}" for name in ("train", "validation", "test")]
    for seed, name in enumerate(names, 1):
        if kind == "ogn":
            words = "--atoms 200 --trajectories 1 --frames 8 --every 5 --workers 1 --seed"
            vitrify("data", "trajectories", "kalj", "--out", name, *words.split(), str(seed), folder=folder)
        else:
            write(folder / name, _frames(seed, 4))
    training = {"max_steps": 4, "validate_every": 2, "batch_size": 1, "device": "cpu"}
    files = {"train": names[:1], "validation": names[1:2]}
    config = {"kind": kind, "model": model, "data": {**files, **data}, "training": training}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    printed = [vitrify("train", "config.yaml", folder=folder)]
    printed.append(vitrify("export", "runs/config", "-o", f"small.{kind}.pt", folder=folder))
    printed.append(vitrify("evaluate", f"small.{kind}.pt", "--data", names[2], *options.split(), folder=folder))
    with (folder / "runs/config/log.csv").open() as file:
        log = list(csv.DictReader(file))
    metrics = next((folder / "out").rglob("metrics.json"))
    return {
        "printed": [_NUMBER.sub("#", text).splitlines() for text in printed],
        "files": sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()),
        "log columns": list(log[0]),
        "log": {name: [_logged(kind, row[name]) for row in log] for name in log[0] if name not in _TIMES},
        "model": sorted(metadata_of(folder / f"small.{kind}.pt")),
        "metrics": _keys(json.loads(metrics.read_text())),
    }


def _logged(kind: str, text: str) -> float | str:
    """A number of the log. A latent model of so few structures magnifies the rounding of the processor's libraries."""
    value = float(text or "nan")
    return value if kind != "glassvae" else "finite" if math.isfinite(value) else "not finite"


def _keys(values: Any, depth: int = 3) -> Any:
    """The keys of an object, and of the objects in it; of lists, those of the first entry."""
    if isinstance(values, list):
        return [_keys(values[0], depth)] if values and isinstance(values[0], dict) else "list"
    if not isinstance(values, dict) or depth == 0:
        return type(values).__name__
    return {name: _keys(value, depth - 1) for name, value in values.items()}
