"""Files of structures, and configurations of training."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms

from tests.fuzz import mutations
from tests.fuzz.harness import ROOT
from vitrify import load_frames, load_samples, load_structures
from vitrify.training.config import load_config


@cache
def glass() -> Atoms:
    rng = np.random.default_rng(3)
    atoms = Atoms("Cu6Zr4", positions=rng.random((10, 3)) * 6.0, cell=[6.0, 6.5, 7.0], pbc=True)
    atoms.set_velocities(rng.normal(size=(10, 3)))
    atoms.info.update(energy=-3.5, stress=np.eye(3) * 0.1, label="x")
    atoms.arrays["forces"] = rng.normal(size=(10, 3))
    atoms.arrays["barrier"] = rng.random(10)
    return atoms


@cache
def good_files() -> dict[str, bytes]:
    """A whole file of each form, by name."""
    found = {}
    for name, form, options in (
        ("a.extxyz", "extxyz", {}), ("a.xyz", "xyz", {}), ("a.POSCAR", "vasp", {}), ("a.cif", "cif", {}),
        ("a.json", "json", {}), ("a.data", "lammps-data", {"masses": True, "specorder": ["Cu", "Zr"]}),
    ):  # fmt: skip
        text: Any = io.BytesIO() if form == "cif" else io.StringIO()
        ase.io.write(text, glass(), format=form, **options)
        value = text.getvalue()
        found[name] = value if isinstance(value, bytes) else value.encode()
    found["a.dump"] = dump()
    found["b.lammpstrj"] = found["a.dump"] * 3
    found["a.dump.gz"] = gzip.compress(found["a.dump"])
    packed = io.BytesIO()
    np.savez(packed, positions=glass().positions, cell=glass().cell.array, species=np.array(glass().symbols),
             types=np.arange(10) % 2, barrier=np.ones(10))  # fmt: skip
    found["a.npz"] = packed.getvalue()
    return found


def dump() -> bytes:
    atoms = glass()
    lines = ["ITEM: UNITS", "metal", "ITEM: TIME", "0.5", "ITEM: TIMESTEP", "100", "ITEM: NUMBER OF ATOMS", "10",
             "ITEM: BOX BOUNDS pp pp pp", "0 6", "0 6.5", "0 7",
             "ITEM: ATOMS id type element x y z vx vy vz"]  # fmt: skip
    for k, (symbol, r) in enumerate(zip(atoms.symbols, atoms.positions, strict=True)):
        lines.append(f"{k + 1} {1 + (symbol == 'Zr')} {symbol} {r[0]:.6f} {r[1]:.6f} {r[2]:.6f} 0.1 -0.2 0.3")
    return ("\n".join(lines) + "\n").encode()


def structures(rng: random.Random, folder: Path) -> Callable[[], Any]:
    """Damaged files of structures, in each of the readers."""
    name = rng.choice(sorted(good_files()))
    content = good_files()[name]
    if name.endswith(".gz"):
        inner = mutations.of_text(rng, gzip.decompress(content))
        content = gzip.compress(inner) if rng.random() < 0.7 else mutations.of_bytes(rng, content)
    elif name.endswith(".npz"):
        content = mutations.of_bytes(rng, content)
    else:
        content = mutations.of_text(rng, content)
    path = folder / (name if rng.random() < 0.9 else rng.choice(sorted(good_files())))
    path.write_bytes(content)
    read: Any = rng.choice((load_structures, load_frames, load_samples))
    return lambda: read([path], ["Cu", "Zr"])


@cache
def configurations() -> tuple[tuple[Path, bytes], ...]:
    return tuple((path, path.read_bytes()) for path in sorted((ROOT / "examples").glob("*/config*.yaml")))


_YAML = (
    b"a: &a [*a]\n", b"x: !!python/object/apply:os.system ['touch ran']\n", b"x: !!timestamp 2024-99-99\n", b"? [a]\n",
    b"x: !!int '9'\n", b"<<: {kind: ogn}\n", b"--- \nkind: ogn\n---\nkind: ogn\n", b"\xff\xfe", b"\xef\xbb\xbf", b"\t",
    b"[" * 5000, b"x: " + b"9" * 5000 + b"\n", b"x: 1e400\n", b"x: !!binary =\n", b"x: 2024-02-30\n", b"%YAML 9.9\n",
    b"a: &a x\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n", b"x: |\n y", b"'", b"x: {", b"x: \x00\n", b"x: 0o9\n",
)  # fmt: skip


def configuration(rng: random.Random, folder: Path) -> Callable[[], Any]:
    """Damaged configurations, and settings on top of whole ones."""
    _, content = rng.choice(configurations())
    overrides = []
    match rng.randrange(4):
        case 0:
            lines = content.split(b"\n")
            lines.insert(rng.randrange(len(lines)), rng.choice(_YAML))
            content = b"\n".join(lines)
        case 1:
            key = rng.choice((
                "training.max_time", "model.channels", "data.frames", "training.batch", "x", "training.", ".", "=", "",
                "model", "training.steps", "data.files", "seed", "kind", "model.variant",
            ))  # fmt: skip
            value = rng.choice((*mutations.ODD_NUMBERS, *mutations.ODD_WORDS, "[", "{", "2024-99-99", "!!int x", "&a"))
            overrides = [f"{key}={value}"]
        case _:
            content = mutations.of_text(rng, content)
    path = folder / "config.yaml"
    path.write_bytes(content)
    return lambda: load_config(path, overrides)
