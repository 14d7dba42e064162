"""Machine-learned models of glasses, run inside LAMMPS and ASE."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# An editable install keeps compiled parts in site-packages. A Python inside LAMMPS gets both folders by PYTHONPATH, but
# does not read the .pth file there that joins them.
if len(__path__) == 1:
    _places = [os.path.join(entry, "vitrify") for entry in sys.path if entry]
    __path__ += [place for place in _places if place not in __path__ and os.path.isdir(place)]

# Public names are resolved on first use, so that `import vitrify` (which every `lmp` start-up pays for) stays cheap.
_LAZY = {
    "GlassCalc": "vitrify.hosts.ase_calculator",
    "OGNDynamics": "vitrify.ogn.ase_dynamics",
    "VitrifyError": "vitrify.core.errors",
    "VitrifyWarning": "vitrify.core.errors",
    "generate": "vitrify.generation.generate",
    "load_frames": "vitrify.data.frames",
    "load_model": "vitrify.engines.load",
    "load_samples": "vitrify.data.samples",
    "load_structures": "vitrify.data.structures",
    "open_model": "vitrify.engines.open",
    "read_metadata": "vitrify.modelfile.archive",
}
__all__ = [
    "GlassCalc",
    "OGNDynamics",
    "VitrifyError",
    "VitrifyWarning",
    "__version__",
    "generate",
    "load_frames",
    "load_model",
    "load_samples",
    "load_structures",
    "open_model",
    "read_metadata",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
