"""How much an evaluation does, and of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.core.lmp_process import available_cores

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


@dataclass(frozen=True)
class Settings:
    """How much an evaluation does; lengths in base steps.

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

    pairs: int = 200
    starts: int = 10
    horizon: int = 200
    reversal: tuple[int, ...] = (1, 2, 5, 10)
    transfer: tuple[str, ...] = TRANSFERS
    steps: int = 20_000
    md_steps: int = 0
    md_substeps: int = 0
    md_bath: bool = False
    relax: int = 5000
    atoms: int = 1000
    seeds: tuple[int, ...] = (1,)
    controls: tuple[str, ...] = ("none", "rescale", "csvr")
    engine: str = "auto"
    device: str = "cpu"
    ranks: int = field(default_factory=available_cores)
    reference: Path | None = None

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
        if self.reference is not None and self.reference.exists() and not self.reference.is_dir():
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


def settings_from(**options: Any) -> Settings:
    """Settings from a command line, where lists are text separated by commas ("none": empty, but for controls, of
    which that is one) and None is the default."""
    values = {name: value for name, value in options.items() if value is not None}
    for name in ("seeds", "reversal"):
        values[name] = _integers(name, values.get(name, ",".join(map(str, getattr(Settings, name)))))
    for name in ("controls", "transfer"):
        if name in values:
            values[name] = tuple(values[name].split(","))
    if values.get("transfer") == ("none",):
        values["transfer"] = ()
    return Settings(**values)


def _integers(name: str, text: str) -> tuple[int, ...]:
    if text == "none":
        return ()
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise VitrifyError(f"{name} {text!r} are not integers separated by commas: give for example 1,2,3") from None
