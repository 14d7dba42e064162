"""Every style of vitrify in LAMMPS with every keyword, on shipped models: what `lmp` prints and computes, on one rank.

Structures are those of `model_outputs`. Kept of each run: the lines that vitrify prints, warnings and errors without
the place in its sources, the numbers of thermo output, and the last dump. The keywords of a style are read from the
message that names them all.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from lammps_runner import Configuration, run_lammps
from model_outputs import ROOT, can_run, metadata_of, structure, summary

SIMD = "avx2" if can_run("avx2") else "default"  # of the native engine, in all runs
_STYLES = ("fix ogn", "compute symgnn/atom", "compute glassvae/latent", "pair_style glassvae", "create_glass")
_KEPT = ("ERROR", "WARNING", *(f"{style}:" for style in _STYLES))
_SECONDS = re.compile(r"[\d.e+-]+ seconds")
_SOURCE = re.compile(r" \(\S+:\d+\)$")


@dataclass(frozen=True)
class Run:
    """An input of LAMMPS after its atoms are there.

    model: whose structure is read; box: an empty cube of that edge in its place. thermo, dump: columns to keep, those
    of thermo output beside temperature and energies. torch: whether torch computes.
    """

    model: str
    text: str
    thermo: str = ""
    dump: str = ""
    torch: bool = False
    box: float | None = None


_LJ = "pair_style lj/cut 2.5\npair_coeff 1 1 1.0 1.0\npair_coeff 1 2 1.5 0.8\npair_coeff 2 2 0.5 0.88\n"
_NVE = "timestep 0.001\nfix 1 all nve\nrun 2\n"
_OGN = "f_1 f_1[*]"


def _ogn(words: str, before: str = "", steps: int = 3, torch: bool = False) -> Run:
    pair = before or ("pair_style zero 2.5\npair_coeff * *\n" if torch else "pair_style none\n")
    return Run(
        "kalj.ogn.pt",
        f"{pair}timestep 0.05\nfix 1 all ogn kalj.ogn.pt A B {words}\nrun {steps}\n",
        _OGN,
        "xu yu zu vx vy vz",
        torch,
    )


def _symgnn(words: str, elements: str = "Cu Zr", torch: bool = False) -> Run:
    setting = "pair_style zero 8.0\npair_coeff * *\nvelocity all set 0 0 0\n"
    compute = f"compute e all symgnn/atom Cu64Zr36.symgnn.pt {elements} force yes {words}"
    text = f"{setting}{compute}\ncompute m all reduce ave c_e[*]\n"
    return Run("Cu64Zr36.symgnn.pt", f"{text}run 0\n", "c_m[*]", "c_e[1] c_e[2] c_e[3]", torch)


def _glassvae(words: str, compute: str = "", elements: str = "Cu Zr", torch: bool = False) -> Run:
    setting = f"pair_style glassvae\npair_coeff * * Cu50Zr50.glassvae.pt {elements} {words}\n"
    text = f"{setting}compute z all glassvae/latent Cu50Zr50.glassvae.pt {elements} {compute}\n"
    text += "compute a all pe/atom\ncompute s all stress/atom NULL\n"
    return Run(
        "Cu50Zr50.glassvae.pt", text + _NVE, "press pxx pxy c_z[*]", "fx fy fz c_a c_s[1] c_s[2] c_s[3] c_s[6]", torch
    )


def _made(model: str, box: float, words: str, before: str = "") -> Run:
    return Run(model, f"{before}create_glass {model} {words}\nrun 0\n", "atoms density", "xu yu zu", box=box)


RUNS: dict[str, Run] = {
    "fix ogn": _ogn(""),
    "fix ogn, engine native check yes": _ogn("engine native device cpu check yes"),
    "fix ogn, engine torch check yes": _ogn("engine torch device cpu check yes", torch=True),
    "fix ogn, energy rescale": _ogn("energy rescale", _LJ),
    "fix ogn, energy none langevin": _ogn("energy none langevin 3.0 1.0 77"),
    "fix ogn, guard no": _ogn("guard no check no"),
    "fix ogn, fallback": _ogn("guard yes fallback 20", f"{_LJ}velocity all scale 8.0\n", steps=2),
    "fix ogn, guard refuses": _ogn("", "pair_style none\nvelocity all scale 8.0\n"),
    "fix ogn, iso": _ogn("iso 30 40 1.0 temp 3 3 seed 5 guard no", _LJ),
    "fix ogn, keywords": _ogn("nothing"),
    "fix ogn, restart": _ogn(
        "energy none\nrun 2\nwrite_restart r.test\nclear\nread_restart r.test\npair_style none\ntimestep 0.05\n"
        "fix 1 all ogn kalj.ogn.pt A B energy none"
    ),
    "compute symgnn/atom": _symgnn(""),
    "compute symgnn/atom, check yes": _symgnn("engine native device cpu check yes"),
    "compute symgnn/atom, engine torch check yes": _symgnn("engine torch device cpu check yes", torch=True),
    "compute symgnn/atom, NULL": _symgnn("", "Cu NULL"),
    "compute symgnn/atom, keywords": _symgnn("nothing"),
    "pair_style glassvae": _glassvae(""),
    "pair_style glassvae, check yes": _glassvae("engine native device cpu check yes", "engine native check yes"),
    "pair_style glassvae, engine torch": _glassvae("engine torch device cpu check yes", "engine torch", torch=True),
    "pair_style glassvae, keywords": _glassvae("nothing"),
    "compute glassvae/latent, keywords": _glassvae("", "nothing"),
    "create_glass": _made("Si.amshortcut.pt", 10.0, ""),
    "create_glass, number target churn": _made(
        "Si.amshortcut.pt", 10.0,
        "number 52 seed 3 steps 2 elements Si target log10_cooling_rate 13 target inherent_energy -4.1 churn 0.2 "
        "check yes",
    ),
    "create_glass, density composition": _made(
        "SiO2.amshortcut.pt", 9.0, "density 2.2 seed 4 steps 2 elements Si O composition 1 2"
    ),
    "create_glass, region occupied": _made(
        "Si.amshortcut.pt", 10.0,
        "seed 6 steps 1 density 2.3 region part occupied yes check no",
        "region part block 0 5 0 10 0 10\ncreate_atoms 1 single 8 8 8\n",
    ),
    "create_glass, energy": _made("Cu50Zr50.glassvae.pt", 10.5, "energy -4.86 -4.85 seed 5 steps 2 elements Cu Zr"),
    "create_glass, keywords": _made("Si.amshortcut.pt", 10.0, "nothing"),
}  # fmt: skip


def script(run: Run) -> str:
    """The whole input."""
    metadata = metadata_of(ROOT / "potentials" / run.model)
    n_types = len(metadata["species"])
    place = "read_data data.test"
    if run.box is not None:
        masses = "\n".join(f"mass {number} {mass}" for number, mass in enumerate(metadata["masses"], 1))
        place = f"region box block 0 {run.box} 0 {run.box} 0 {run.box}\ncreate_box {n_types} box\n{masses}"
    head, _, rest = run.text.rpartition("run ")
    dump = f"dump d all custom 1 out.dump id {run.dump}\ndump_modify d sort id format float %24.16e\n"
    thermo = f"thermo 1\nthermo_style custom step temp pe ke {run.thermo}\nthermo_modify format float %.15g norm no\n"
    return f"units {metadata['units']}\natom_style atomic\n{place}\nneighbor 2.0 bin\n{head}{dump}{thermo}run {rest}"


def outcome(run: Run) -> dict[str, Any]:
    """What is kept of a run."""
    metadata = metadata_of(ROOT / "potentials" / run.model)
    with tempfile.TemporaryDirectory() as name, mock.patch.dict(os.environ, VITRIFY_SIMD=SIMD):
        folder = Path(name)
        cell, positions, types, velocities = structure(metadata)
        masses = tuple(metadata.get("masses", [1.0] * len(metadata["species"])))
        Configuration(cell, positions, velocities, types, masses).write_data(folder / "data.test")
        done = run_lammps(script(run), folder)
        found: dict[str, Any] = {"status": done.status, "lines": _lines(done.output)}
        if done.status == 0:
            found["thermo"] = {name: values.tolist() for name, values in done.thermo().items() if name != "CPU"}
            frame = (folder / "out.dump").read_text().rpartition("ITEM: ATOMS")[2].splitlines()
            rows = np.array([[float(word) for word in line.split()] for line in frame[1:]])
            found["dump"] = {"columns": frame[0].split(), **summary(rows[:, 1:])}
    return found


def _lines(output: str) -> list[str]:
    kept = []
    for line in output.splitlines():
        if line.startswith(_KEPT):
            kept.append(_SECONDS.sub("... seconds", _SOURCE.sub("", line.strip())))
    return kept


def everything() -> dict[str, Any]:
    """The outcomes of all runs."""
    return {name: outcome(run) for name, run in RUNS.items()}
