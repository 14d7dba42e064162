"""What a LAMMPS with Python inside calls: a class for `fix python/move`, and functions for `fix python/invoke`.

The environment variable PYTHONPATH tells that Python where vitrify is: see `python_path`.
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


def python_path() -> str:
    """The folders that PYTHONPATH must name, so that a Python inside LAMMPS has this vitrify and what it needs."""
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

    The variable holds the words that would follow `fix 1 all ogn`: MODEL El1 El2 ... and the keywords engine, device,
    energy, langevin, guard and check; fallback needs the plugin. A class of one's own may name them instead:

        python   Liquid here \"\"\"
        from vitrify.lammps import OGN
        class Liquid(OGN): words = "kalj.ogn.pt A B"
        \"\"\"
        fix      1 all python/move Liquid

    `energy rescale` reads the energy that thermo prints: use thermo 1, and a thermo_style with pe.

    Every rank predicts the strides of all atoms and moves those that it owns, so that the answer does not depend on the
    number of ranks, and neither does the time.

    Raises:
        VitrifyError: what `Mover` refuses, a second integrator, and run_style respa.
    """

    words: str | None = None
    style = "vitrify.lammps.OGN"

    def __init__(self, lmp: Any, *_: Any) -> None:
        library = Library(lmp)
        Ranks(library)  # whose first rank speaks for all
        text = self.words or library.variable("ogn")
        if not text:
            raise VitrifyError(
                f'{self.style}: no model is named: use variable ogn string "kalj.ogn.pt A B" before the fix'
            )
        words = read_arguments(self.style, text, library.setting("ntypes"), _OGN_KEYWORDS)
        options = options_of(self.style, words)
        try:
            control = Control(**{name: options.pop(name) for name in _OGN_KEYWORDS if name in options})
        except VitrifyError as error:
            raise VitrifyError(f"{self.style}: {error}") from None
        self.mover = Mover(lmp, words.model, words.elements, style=self.style, control=control, **options)
        self.library, self.ranks = self.mover.library, self.mover.ranks
        self._watch: Watch | None = None
        if control.energy == "rescale" and not library.has("compute", _ENERGY):
            # Beside thermo's own, which gives the energy of the start in the first step, and would give it twice.
            library.command(f"compute {_ENERGY} all pe")
        if self.ranks.rank == 0:
            print(self.mover.describe(), flush=True)

    def init(self) -> None:
        """Before each run, and each minimisation, which moves atoms without this class."""
        self._watch = Watch(self.mover.system)

    def initial_integrate(self, vflag: int) -> None:
        """Moves the atoms."""
        if self._watch is not None:
            self.ranks.together(self.mover.start_run)
            self._watch.compare()
        if self.mover.needs_energy:
            self.mover.set_energy(self.library.scalar("thermo_pe"))
        self.mover.move(self.library.step)
        if self._watch is not None:
            self._watch.remember()

    def final_integrate(self) -> None:
        """Holds the energy, which is known for the new positions."""
        if self._watch is not None:
            self.mover.check_box()
            self._watch.compare()
            self._watch = None
        if self.mover.control.energy == "rescale":
            self.mover.hold_energy(self.library.scalar(_ENERGY))

    def initial_integrate_respa(self, *_: Any) -> None:
        """Refuses run_style respa."""
        raise self.mover.system.error("run_style respa is not supported: use run_style verlet")

    def final_integrate_respa(self, *_: Any) -> None:
        """Never called, but LAMMPS wants it."""

    def reset_dt(self) -> None:
        """The timestep is looked at in every step."""


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

    words: those of `compute ID all symgnn/atom`: MODEL El1 El2 ... and engine, device, check.

    Raises VitrifyError for what `BarrierField` refuses, when it is called.
    """

    style = "vitrify.lammps.Barriers"

    def __init__(self, words: str) -> None:
        self.words = words
        self._fields: dict[int, BarrierField] = {}

    def __call__(self, lmp: Any, *_: Any) -> None:
        library = Library(lmp)
        if library.handle not in self._fields:
            words = read_arguments(self.style, self.words, library.setting("ntypes"), {})
            field = BarrierField(lmp, words.model, words.elements, style=self.style, **options_of(self.style, words))
            self._fields[library.handle] = field
        self._fields[library.handle].update()
