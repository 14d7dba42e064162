"""The families of hostile inputs. Each makes the files of one input and returns what is done with them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz import archives, commands, faults, texts

Make = Callable[[random.Random, Path], Callable[[], Any]]

FAMILIES: dict[str, Make] = {
    "metadata": archives.metadata,
    "weights": archives.weights,
    "archives": archives.archive,
    "programs": archives.program,
    "structures": texts.structures,
    "configurations": texts.configuration,
    "command lines": commands.command_line,
    "lammps": commands.lammps,
    "faults": faults.fault,
}
COMMANDS = (commands.command_line, commands.lammps)
# Of all inputs: what costs more gets less.
SHARES = {
    "metadata": 20, "weights": 15, "archives": 15, "programs": 5, "structures": 20, "configurations": 15,
    "command lines": 6, "lammps": 4,
}  # fmt: skip
