"""The virial of a running LAMMPS, integrated over time."""

from __future__ import annotations

import numpy as np

from vitrify.core.units import get_units
from vitrify.lammps_library.session import LammpsSession


class VirialIntegral:
    """The time integral of the virial, by the trapezoidal rule over every MD step.

    The virial is the potential part of LAMMPS's pressure times the volume: sum of r f, in the order xx, yy, zz, xy, xz,
    yz, in the unit of energy. The cell of the session is fixed.

    steps: MD steps between two calls of `advanced`. timestep: of these steps, in the unit of time.
    """

    def __init__(self, session: LammpsSession, units: str, steps: int, timestep: float) -> None:
        self._session, self._steps, self._timestep = session, steps, timestep
        self._factor = abs(np.linalg.det(session.cell)) / get_units(units).nktv2p
        # `fix ave/time` gives the mean of the steps after the frame before, up to and with that of the new frame.
        session.run_commands(
            "compute virial all pressure NULL virial",
            f"fix virial all ave/time 1 {steps} {steps} c_virial[*]",
        )
        self.value = self._last = np.zeros(6)

    def begin(self) -> None:
        """Starts the integral at zero, after a `run 0`."""
        self._last = self._now()

    def _now(self) -> np.ndarray:
        """The virial of the last step."""
        found = self._session.lmp.extract_compute("virial", 0, 1)
        virial: np.ndarray = self._factor * np.array([found[k] for k in range(6)])
        return virial

    def advanced(self) -> np.ndarray:
        """The integral (6,) from the beginning to now, after a `run` of `steps` MD steps."""
        mean = self._factor * np.array([self._session.lmp.extract_fix("virial", 0, 1, k) for k in range(6)])
        now = self._now()
        self.value = self.value + self._timestep * (self._steps * mean + 0.5 * (self._last - now))
        self._last = now
        return self.value
