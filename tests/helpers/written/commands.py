"""Every command of vitrify that writes, with inputs so small that it takes a second or two."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import labelled_glass
import lj_glass
import toy_generators
import toy_glassvae
import toy_trajectories
from evaluation_data import small_model, write_kalj
from toy_symgnn import glass, write_toy
from vitrify.export.from_run import export_run
from vitrify.training.run import train

TRAINING = {"max_steps": 4, "batch_size": 1, "validate_every": 2, "device": "cpu"}


@dataclass(frozen=True)
class Command:
    """A command that writes.

    words: without the output, given the folder of the inputs. out: the name of the output, a folder if it has no
    suffix; option: that gives it. needs: makes the inputs in a folder. journals: what may stay beside the output after
    an error, for the next run.
    """

    words: Callable[[Path], list[Any]]
    out: str
    needs: tuple[Callable[[Path], None], ...]
    option: str = "--out"
    journals: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        return "".join(Path(self.out).suffixes)

    @property
    def is_folder(self) -> bool:
        return not self.suffix

    def arguments(self, folder: Path, out: Path) -> list[str]:
        """The command line; its inputs are made if they are not there."""
        for make in self.needs:
            make(folder)
        return [*map(str, self.words(folder)), self.option, str(out)]


def _config(folder: Path, name: str, kind: str, **sections: Any) -> None:
    sections = {"kind": kind, "training": TRAINING, **sections}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(sections))


@cache
def _generators(folder: Path) -> None:
    toy_generators.silicon(folder / "si.amshortcut.pt")
    toy_glassvae.write(folder / "cuau.glassvae.pt", "float32")
    toy_glassvae.write_frames(folder / "cuau.extxyz", 3, 3)


@cache
def _trajectories(folder: Path) -> None:
    for name, seeds in (("train", range(2)), ("validation", range(5, 6))):
        toy_trajectories.write(folder / f"{name}.h5", seeds)
    model = {"variant": "pair", "cutoff": 1.5, "layers": 2, "scalars": 4, "hidden": 8, "basis": 4}
    data = {"train": ["train.h5"], "validation": ["validation.h5"], "stride": 4, "validation_pairs": 3}
    _config(folder, "ogn", "ogn", model=model, data=data)
    train(folder / "ogn.yaml", folder / "run")


@cache
def _labelled(folder: Path) -> None:
    for seed, name in enumerate(("a", "b")):
        labelled_glass.glass(folder / f"{name}.npz", seed, 60)
    model = {"variant": "exact", "cutoff": 4.0, "inner": 4.0, "core": 1.5, "basis": 2, "degree": 1, "shells": 1}
    data = {"train": ["a.npz", "b.npz"], "species": ["Cu", "Zr"], "label": "barrier", "unit": "eV"}
    _config(folder, "symgnn", "symgnn", model=model, data=data)
    train(folder / "symgnn.yaml", folder / "start")
    export_run(folder / "start", folder / "start.symgnn.pt")
    start = {"model": "start.symgnn.pt", "adapt": "output"}
    (folder / "tune.yaml").write_text(yaml.safe_dump({"kind": "symgnn", "start": start, "data": {"train": ["a.npz"]}}))


@cache
def _frames(folder: Path) -> None:
    _generators(folder)
    data = {"train": ["cuau.extxyz"], "species": ["Cu", "Au"], "held_out": 0.34}
    _config(folder, "glassvae", "glassvae", model=toy_glassvae.CONFIG, data=data)
    _config(folder, "amshortcut", "amshortcut", model={"variant": "flow", **toy_glassvae.SMALL}, data=data)


@cache
def _generator(folder: Path) -> None:
    _frames(folder)
    train(folder / "amshortcut.yaml", folder / "generator")
    export_run(folder / "generator", folder / "cuau.amshortcut.pt")


@cache
def _explained(folder: Path) -> None:
    write_toy(folder / "toy.symgnn.pt")
    c = glass(counts=(6, 6, 6))
    np.savez(folder / "toy.npz", positions=c.positions, cell=c.cell, types=c.types + 1)
    np.savez(folder / "seen.npz", positions=c.positions, cell=c.cell, types=c.types + 1, barrier=np.arange(216.0))


@cache
def _lj(folder: Path) -> None:
    """A crystal with a hole, so that atoms have somewhere to go."""
    sites = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    positions = ((np.array(list(np.ndindex(3, 3, 3)))[:, None] + sites) * 1.55).reshape(-1, 3)[1:]
    np.savez(folder / "lj.npz", positions=positions, cell=4.65 * np.eye(3), types=np.ones(len(positions), int))


@cache
def _kalj(folder: Path) -> None:
    small_model(folder / "kalj.ogn.pt")
    write_kalj(folder / "kalj.h5", 1, 9)
    shutil.copy(folder / "kalj.h5", folder / "kalj-other.h5")


ARTN = [
    "--minimize",
    "--species",
    "A,B",
    "--units",
    "lj",
    "--radius",
    1.8,
    "--ids",
    "1:2",
    "--searches",
    2,
    "--workers",
    1,
]
SI = ["--atoms", 24, "--count", 2, "--rate", 2e16, "--melt-time", 0.1, "--workers", 1]
QUICK = ["--pairs", 4, "--starts", 1, "--horizon", 20, "--reversal", 1, "--transfer", "none"]
QUENCH = (
    "spin_up=0.1", "melt_time=0.1", "fast=0.02", "slow=0.02", "cool=0.1", "every=0.02", "molten_frames=1",
    "cold_frames=1", "strained=2", "still=2",
)  # fmt: skip
COMMANDS = {
    "generate": Command(
        lambda f: ["generate", f / "si.amshortcut.pt", "--steps", 1, "--atoms", 64], "g.extxyz", (_generators,)
    ),
    "generate LAMMPS": Command(
        lambda f: ["generate", f / "si.amshortcut.pt", "--steps", 1, "--atoms", 64, "--count", 2], "g.data",
        (_generators,),
    ),
    "generate latent": Command(
        lambda f: ["generate", f / "cuau.glassvae.pt", "--steps", 1, "--atoms", 32], "g.xyz", (_generators,)
    ),
    "train ogn": Command(lambda f: ["train", f / "ogn.yaml"], "out", (_trajectories,)),
    "train symgnn": Command(lambda f: ["train", f / "symgnn.yaml"], "out", (_labelled,)),
    "fine-tune": Command(lambda f: ["train", f / "tune.yaml"], "out", (_labelled,)),
    "train amshortcut": Command(lambda f: ["train", f / "amshortcut.yaml"], "out", (_frames,)),
    "train glassvae": Command(lambda f: ["train", f / "glassvae.yaml"], "out", (_frames,)),
    "export": Command(lambda f: ["export", f / "run"], "m.ogn.pt", (_trajectories,)),
    "stress": Command(
        lambda f: ["stress", f / "kalj.ogn.pt", f / "kalj.h5", "--validation", f / "kalj-other.h5"], "m.ogn.pt",
        (_kalj,),
    ),
    "evaluate symgnn": Command(
        lambda f: ["evaluate", f / "toy.symgnn.pt", "--data", f / "seen.npz"], "out", (_explained,)
    ),
    "evaluate amshortcut": Command(
        lambda f: [
            "evaluate", f / "cuau.amshortcut.pt", "--data", f / "cuau.extxyz",
            "--samples", 4, "--sampling-steps", 1, "--measured", "2,2,2",
        ], "out", (_generator,),
    ),
    "evaluate glassvae": Command(
        lambda f: [
            "evaluate", f / "cuau.glassvae.pt", "--data", f / "cuau.extxyz", "--decode", 1, "--sampling-steps", 1,
        ], "out", (_generators,),
    ),
    "evaluate ogn": Command(
        lambda f: [
            "evaluate", f / "kalj.ogn.pt", "--data", f / "kalj.h5",
            *QUICK, "--steps", 0,
        ], "out", (_kalj,),
    ),
    "evaluate ogn in lmp": Command(
        lambda f: [
            "evaluate", f / "kalj.ogn.pt", "--data", f / "kalj.h5",
            *QUICK, "--steps", 40, "--relax", 20, "--atoms", 200, "--ranks", 1,
        ], "out", (_kalj,),
    ),
    "explain": Command(
        lambda f: [
            "explain", f / "toy.symgnn.pt", f / "toy.npz", "--atoms", "3,100", "--importance", "mask",
            "--epochs", 2, "--top", 8,
            "--permutations", 20, "--no-topology",
        ], "out", (_explained,),
    ),
    "artn": Command(
        lambda f: ["artn", f / "lj.npz", "--potential", lj_glass.POTENTIAL, *ARTN, "--workers", 1], "labels.h5", (_lj,),
        journals=("labels.h5.part",),
    ),
    "trajectories": Command(
        lambda f: [
            "data", "trajectories", "kalj", "--trajectories", 2, "--atoms", 200, "--frames", 2, "--workers", 1,
        ], "t.h5", (), journals=("t.h5.parts",),
    ),
    "quench": Command(
        lambda f: [
            "data", "trajectories", "CuZr-ladder", "--trajectories", 1, "--atoms", 32, "--frames", 2, "--workers", 1,
            *(f"--set={name}" for name in QUENCH),
        ], "q.extxyz", (), journals=("q.extxyz.part",),
    ),
    "glass": Command(
        lambda f: ["data", "glass", "Si", "--atoms", 32, "--rate", 1e16, "--melt-time", 0.5, "--ranks", 1],
        "si.data", (), journals=("si.data.parts", "si.in", "si.extxyz", "si.history.csv", "si.png"),
    ),
    "structures": Command(
        lambda f: ["data", "structures", "si-glass", *SI, "--set", "hold=0.1"], "s.extxyz.gz", (),
        journals=("s.extxyz.gz.part",),
    ),
}  # fmt: skip
