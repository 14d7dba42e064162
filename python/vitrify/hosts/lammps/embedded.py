"""Classes for a LAMMPS with Python inside: `OGN` for `fix python/move`, and `Barriers` for `fix python/invoke`.

That Python finds vitrify by the environment variable PYTHONPATH; see `python_path`.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vitrify.core.errors import VitrifyError
from vitrify.hosts.lammps.arguments import options_of, read_arguments
from vitrify.hosts.lammps.barriers import BarrierField
from vitrify.hosts.lammps.library import Library
from vitrify.hosts.lammps.ogn import Control, Mover, Watch
from vitrify.hosts.lammps.ranks import Ranks

_ENERGY = "vitrify_energy"
_OGN_KEYWORDS = {"energy": 1, "langevin": 3, "guard": 1}
_BARRIER_KEYWORDS = {"force": 1}


def python_path() -> str:
    """The value of PYTHONPATH with which a Python inside LAMMPS finds this vitrify and its dependencies."""
    found: list[str] = []
    for package in ("numpy", "vitrify"):
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or []) if spec else []:
            folder = str(Path(place).parent)
            if folder not in found:
                found.append(folder)
    return os.pathsep.join(found)


class OGN:
    """`fix ogn` in a LAMMPS that has the package PYTHON, and no plugin.

        variable ogn string "kalj.ogn.pt A B langevin 3.0 0.5 7"
        fix      1 all python/move vitrify.lammps.OGN

    The variable holds the arguments of `fix 1 all ogn`: MODEL El1 El2 ... and the keywords engine, device, trust,
    energy, langevin, guard and check (fallback needs the plugin). A subclass may hold them in the attribute `words`
    instead:

        python   Liquid here \"\"\"
        from vitrify.lammps import OGN
        class Liquid(OGN): words = "kalj.ogn.pt A B"
        \"\"\"
        fix      1 all python/move Liquid

    `energy rescale` reads the energy that thermo prints: use thermo 1, and a thermo_style with pe.

    Every rank predicts the strides of all atoms and moves the atoms that it owns, so that neither result nor time
    depend on the number of ranks.

    Raises:
        VitrifyError: as `Mover`; for a second integrator; for run_style respa.
    """

    words: str | None = None
    style = "vitrify.lammps.OGN"

    def __init__(self, lmp: Any, *_: Any) -> None:
        library = Library(lmp)
        Ranks(library)  # so that only the first rank reports errors
        text = self.words or library.variable("ogn")
        if not text:
            raise VitrifyError(
                f'{self.style}: no model is named: use variable ogn string "kalj.ogn.pt A B" before the fix'
            )
        arguments = read_arguments(self.style, text, library.setting("ntypes"), _OGN_KEYWORDS)
        options = options_of(self.style, arguments)
        try:
            control = Control(**{name: options.pop(name) for name in _OGN_KEYWORDS if name in options})
        except VitrifyError as error:
            raise VitrifyError(f"{self.style}: {error}") from None
        self.mover = Mover(lmp, arguments.model, arguments.elements, style=self.style, control=control, **options)
        self.library, self.ranks = self.mover.library, self.mover.ranks
        self._watch: Watch | None = None
        if control.energy == "rescale" and not library.has("compute", _ENERGY):
            # thermo's own compute gives the energy of the start in the first step, and would give it a second time.
            library.command(f"compute {_ENERGY} all pe")
        if self.ranks.rank == 0:
            print(self.mover.describe(), flush=True)

    def init(self) -> None:
        """LAMMPS calls this before each run, and before each minimisation, which moves atoms without this class."""
        self._watch = Watch(self.mover.system)

    def initial_integrate(self, vflag: int) -> None:
        """Moves the atoms; LAMMPS calls this at the start of each step."""
        if self._watch is not None:
            self.ranks.together(self.mover.start_run)
            self._watch.compare()
        if self.library.elapsed == 1:  # also of a run without init (pre no)
            self._end_run()  # the one before
        if self._watch is not None:
            self.mover.begin_run()
        if self.mover.needs_energy:
            self.mover.set_energy(self.library.scalar("thermo_pe"))
        self.mover.move(self.library.step)
        if self._watch is not None:
            self._watch.remember()

    def final_integrate(self) -> None:
        """Rescales velocities to the total energy; LAMMPS calls this when the forces of the new positions are known."""
        if self._watch is not None:
            self.mover.check_box()
            self._watch.compare()
            self._watch = None
        if self.mover.control.energy == "rescale":
            self.mover.hold_energy(self.library.scalar(_ENERGY))

    def initial_integrate_respa(self, *_: Any) -> None:
        """Raises VitrifyError: run_style respa is not supported."""
        raise self.mover.system.error("run_style respa is not supported: use run_style verlet")

    def final_integrate_respa(self, *_: Any) -> None:
        """LAMMPS requires this method, but never calls it."""

    def _end_run(self) -> None:
        """Says how many strides of a run were outside of the training data, as fix ogn does, in each run."""
        text = self.mover.end_run()
        if text and self.ranks.rank == 0:
            print(text, flush=True)

    def __del__(self) -> None:
        """Ends the last run, after which no callback is called."""
        if hasattr(self, "mover"):
            self._end_run()

    def reset_dt(self) -> None:
        """Does nothing, since the timestep is checked in every step."""


class Barriers:
    """A function for `fix python/invoke` and `python NAME invoke` that writes barriers into per-atom vectors.

        fix      eb all property/atom d_barrier d_barrier_std d_barrier_outside
        python   barriers input 1 SELF format p here \"\"\"
        from vitrify.lammps import Barriers
        barriers = Barriers("Cu64Zr36.symgnn.pt Cu Zr")
        \"\"\"
        python   barriers invoke                                   # now, outside of a run
        fix      1 all python/invoke 100 end_of_step barriers      # in every 100th step of a run
        dump     1 all custom 100 out.dump id type x y z d_barrier d_barrier_std

    words: the arguments of `compute ID all symgnn/atom`: MODEL El1 El2 ... and the keywords engine, device, trust,
    force and check.

    A call raises VitrifyError as `BarrierField`.
    """

    style = "vitrify.lammps.Barriers"

    def __init__(self, words: str) -> None:
        self.words = words
        self._fields: dict[int, BarrierField] = {}

    def __call__(self, lmp: Any, *_: Any) -> None:
        library = Library(lmp)
        if library.handle not in self._fields:
            arguments = read_arguments(self.style, self.words, library.setting("ntypes"), _BARRIER_KEYWORDS)
            options = options_of(self.style, arguments)
            field = BarrierField(lmp, arguments.model, arguments.elements, style=self.style, **options)
            self._fields[library.handle] = field
        self._fields[library.handle].update()
