"""How much an evaluation does, and of what."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.core.lmp_process import available_cores
from vitrify.core.options import comma_separated, integers, option
from vitrify.core.seeds import check_seed

ENGINES = {
    "auto": "lmp, with the engine that fix ogn takes by itself",
    "native": "lmp, fix ogn with engine native",
    "torch": "lmp, fix ogn with engine torch",
    "python": "this process, with the engine that ASE takes by itself",
}
CONTROLS = {
    "none": "OGN, free",
    "rescale": "OGN, energy rescale",
    "csvr": "OGN, fix temp/csvr",
    "langevin": "OGN, langevin",
}
TRANSFERS = ("size", "temperature", "density")


_seeds = integers("seeds {!r} are not integers separated by commas: give for example 1,2,3")
_counts = integers("reversal {!r} are not integers separated by commas: give for example 1,2,3")


def _counts_or_none(text: str) -> tuple[int, ...]:
    return () if text == "none" else _counts(text)


def _states_or_none(text: str) -> tuple[str, ...]:
    return () if text == "none" else comma_separated(text)


@dataclass(frozen=True)
class Settings:
    """How much an evaluation does; lengths of runs in base steps (MD steps of the training data).

    pairs, starts: how many one-step pairs and roll-outs. horizon: length of the roll-outs. reversal: predictions
    forward, and back again, of the test of time reversal. transfer: which of TRANSFERS to try.

    steps, md_steps: lengths of the long runs of the model (0: none) and of MD (0: as long as the model's), relax:
    of the MD before them. md_substeps: base steps in one step of that MD; 0: chosen by `reference.substeps_of`.
    md_bath: MD under fix temp/csvr, which a glass needs beside runs that have it: left alone, it ages and heats up.
    atoms: of the long runs, at least. seeds: one long run of each kind for each. controls: of the energy, see
    CONTROLS. engine: see ENGINES. device: cpu or cuda:N. ranks: MPI processes of every `lmp`. reference: folder
    where starts, MD runs and test data of other states are kept, for other models too; by default beside the runs
    of the model.
    """

    pairs: int = option(200, "starts of the one-step errors")
    starts: int = option(10, "starts of the roll-outs and of time reversal")
    horizon: int = option(200, "MD steps of a roll-out")
    reversal: tuple[int, ...] = option(
        (1, 2, 5, 10), "predictions forward, and back, of time reversal; or none", parse=_counts_or_none
    )
    transfer: tuple[str, ...] = option(
        TRANSFERS, "other states to try, any of size,temperature,density; or none", parse=_states_or_none
    )
    steps: int = option(20_000, "MD steps that the long runs span; 0: none")
    md_steps: int = option(0, "the same for MD; 0: as many")
    md_substeps: int = option(0, "MD steps of the model's base step in one step of that MD; 0: what is accurate")
    md_bath: bool = option(False, "that MD under fix temp/csvr: for glasses, which age and heat up alone")
    relax: int = option(5000, "MD steps that equilibrate the start of the long runs")
    atoms: int = option(1000, "atoms of the long runs, at least")
    seeds: tuple[int, ...] = option((1,), "seeds of the long runs, as in 1,2,3", parse=_seeds)
    controls: tuple[str, ...] = option(
        ("none", "rescale", "csvr"), "long runs: any of none,rescale,csvr,langevin", parse=comma_separated
    )
    engine: str = option("auto", "what runs the model: auto, native or torch in lmp, or python")
    ranks: int = option(factory=available_cores, help="MPI processes of the LAMMPS runs; default: all cores")
    reference: Path | None = option(None, "folder that keeps MD for other models; default: inside the folder written")
    device: str = option("cpu", "cpu or cuda:N")

    def __post_init__(self) -> None:
        """Raises VitrifyError for numbers that make no sense and names that there are not."""
        for name in ("pairs", "starts", "horizon", "atoms", "ranks"):
            if getattr(self, name) < 1:
                raise VitrifyError(f"{name} is {getattr(self, name)}, but must be at least 1")
        for name in ("steps", "md_steps", "md_substeps", "relax"):
            if getattr(self, name) < 0:
                raise VitrifyError(f"{name} is {getattr(self, name)}, but must not be negative")
        if min(self.reversal, default=1) < 1 or not self.seeds:
            raise VitrifyError(f"reversal {self.reversal} must be positive, and seeds {self.seeds} must not be empty")
        for seed in self.seeds:
            check_seed(seed)
        if self.reference is not None and os.path.exists(self.reference) and not os.path.isdir(self.reference):
            raise VitrifyError(f"reference {self.reference} is not a folder: name one, it is made if it is not there")
        _known("engine", (self.engine,), ENGINES)
        _known("control", self.controls, CONTROLS)
        _known("transfer", self.transfer, TRANSFERS)
        others = [name for name in self.controls if name in ("csvr", "langevin")]
        if self.engine == "python" and others:
            raise VitrifyError(
                f"the control {others[0]} runs in LAMMPS: use another --engine, or --controls none,rescale"
            )
        if not self.md_steps:
            object.__setattr__(self, "md_steps", self.steps)


def _known(what: str, names: Sequence[str], choices: Sequence[str] | dict[str, str]) -> None:
    for name in names:
        if name not in choices:
            raise VitrifyError(
                f"{what} {name!r} is unknown{did_you_mean(name, choices)}: choose from {', '.join(choices)}"
            )
