"""The models in a LAMMPS that has Python inside, or that Python drives; no plugin is needed (docs/routes.md).

`fix python/move vitrify.lammps.OGN` names this module. It is called as LAMMPS's own Python module is, which it does not
replace: `import lammps` gives that one.
"""

from __future__ import annotations

from vitrify.hosts.lammps import OGN
from vitrify.hosts.lammps.driven import attach, lammps
from vitrify.hosts.lammps.embedded import Barriers, python_path
from vitrify.hosts.lammps.glass import create_glass

__all__ = ["OGN", "Barriers", "attach", "create_glass", "lammps", "python_path"]
