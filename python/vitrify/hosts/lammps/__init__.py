"""Runs models without the plugin, in a LAMMPS that Python drives or that has Python inside (docs/routes.md).

LAMMPS's own Python module has the name of this package; `import lammps` still gives that module.
"""

from __future__ import annotations

from vitrify.hosts.lammps.driven import attach, lammps
from vitrify.hosts.lammps.embedded import OGN, Barriers, python_path
from vitrify.hosts.lammps.glass import create_glass

__all__ = ["OGN", "Barriers", "attach", "create_glass", "lammps", "python_path"]
