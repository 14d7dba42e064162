"""`vitrify._core`, the compiled part: what Python shares with LAMMPS, the model file and the native engines."""

from vitrify.core.errors import VitrifyError

try:
    from vitrify import _core as _core
except ImportError as missing:
    raise VitrifyError(f"vitrify's compiled part is missing ({missing}): build it with pip install .") from None
