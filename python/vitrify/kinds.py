"""The kinds of models that vitrify knows: `KINDS`, the only list of them.

The `Kind` of a system, together with its package, gives the shared layers everything that they need to know of it. The
parts have equal names in all packages (`PARTS`), and are loaded when they are used. So looking up a kind imports
nothing heavy, and no shared module names a kind.

A package from outside adds its `Kind` by an entry point of the group "vitrify.kinds", or by `KINDS.register`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from vitrify.core.errors import VitrifyError, did_you_mean

_BUILT_IN = ("vitrify.ogn.kind", "vitrify.symgnn.kind", "vitrify.amshortcut.kind", "vitrify.glassvae.kind")

# The name of each part -> its place in the package of a kind, "module:attribute".
PARTS = {
    # Class of vitrify.json, a `vitrify.modelfile.metadata.Metadata`.
    "metadata": "metadata:{title}Metadata",
    # Dictionary of name -> (config class, module class), the default first.
    "variants": "models:VARIANTS",
    # Class of a training configuration, a `vitrify.training.config.Config`.
    "config": "training.config:{title}Config",
    # Function (training config, model config) -> task and data, a `vitrify.training.task.Prepared`.
    "prepare": "training.prepare:prepare",
    # Function (module, `vitrify.export.write.Exported`, **given) -> the metadata that only this kind has, with the
    # reference case.
    "own_metadata": "export:own_metadata",
    # Function (model in any engine) -> outputs of the reference case, got and expected.
    "replay": "replay:replay",
    # Class of the loaded TorchScript program, a `vitrify.engines.torchscript.TorchModel`.
    "torch": "torchscript:Torch{title}",
    # The parts below are optional; see `Kind.optional`. Class of a model in the native engine, a
    # `vitrify.engines.native.NativeBase`.
    "native": "native:Native{title}",
    # Objects behind the commands `vitrify evaluate` and `vitrify explain`.
    "evaluate": "evaluate:EVALUATION",
    "explain": "explain:EXPLANATION",
    # Function (path, metadata, `vitrify.generation.request.Request`) -> iterator over structures.
    "generate": "generate:structures",
    # Function (run, values of --response) that export calls before it writes the file.
    "adjust": "training.responses:adjust",
    # Function behind `vitrify stress`: (model file, files, held-out files, output, settings) -> verdicts.
    "stress": "training.stress_file:give_stress",
    # Function (metadata, properties of GlassCalc) -> why they are impossible, or "".
    "impossible": "calculator:impossible",
    # Function behind GlassCalc: (model, positions (N, 3), cell (3, 3), types (N,)) -> {property: value}.
    "results": "calculator:results",
}
_OPTIONAL = ("native", "evaluate", "explain", "generate", "adjust", "stress", "impossible")


@dataclass(frozen=True)
class Kind:
    """One kind of model.

    name: the kind in model files, configurations and file names (NAME.ogn.pt).
    title: the name in papers and classes.
    package: the Python package with the parts.
    purpose: purpose and hosts, as the end of the sentence "kind NAME ...".
    methods, inputs: names of the methods of the TorchScript program, and of the arguments of its `forward`.
    optional: names of the optional parts that the kind has: native, evaluate, explain, generate, adjust, stress,
        impossible.
    exported: names of the entries in the info of a run that `own_metadata` takes as arguments.
    argument: the argument of GlassCalc that takes the model, "model" or "barriers", or None.
    properties: the names of its properties in GlassCalc, ASE's or our own.
    attach: import path of a function (lmp, model, elements, options) behind `vitrify.lammps.attach`, for models without
        energies, or None.
    styles: names of styles in LAMMPS; the first one replays the reference case.
    citation: the paper.
    """

    name: str
    title: str
    package: str
    purpose: str
    methods: tuple[str, ...]
    inputs: tuple[str, ...]
    optional: tuple[str, ...] = ()
    exported: tuple[str, ...] = ()
    argument: str | None = None
    properties: tuple[str, ...] = ()
    attach: str | None = None
    styles: tuple[str, ...] = ()
    citation: str = ""

    def has(self, part: str) -> bool:
        """Whether the kind has a part; every kind has the parts that are not optional."""
        return part not in _OPTIONAL or part in self.optional

    def load(self, part: str) -> Any:
        """The object that a part, one of PARTS, names; VitrifyError if this kind does not have it."""
        if not self.has(part):
            raise VitrifyError(f"a model of kind {self.name} has no {part}; kind {self.name} {self.purpose}")
        return load(f"{self.package}.{PARTS[part].format(title=self.title)}")


def load(path: str) -> Any:
    """The object that an import path "module:attribute" names."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


class Kinds(Mapping[str, Kind]):
    """The kinds by name: first vitrify's own, then registered ones, then those of installed packages."""

    def __init__(self, modules: tuple[str, ...]) -> None:
        self._kinds: dict[str, Kind] = {}
        self._modules = modules
        self._installed = False

    def register(self, kind: Kind) -> None:
        """Adds a kind; VitrifyError if another kind has its name."""
        self._load_own()
        if self._kinds.setdefault(kind.name, kind) != kind:
            raise VitrifyError(f"there is a kind {kind.name} already: give yours another name")

    def _load_own(self) -> None:
        """Not before somebody asks, as the modules of kinds import this one."""
        modules, self._modules = self._modules, ()
        for module in modules:
            kind = load(f"{module}:KIND")
            self._kinds[kind.name] = kind

    def _load_installed(self) -> None:
        self._load_own()
        if not self._installed:
            self._installed = True
            for entry in entry_points(group="vitrify.kinds"):
                self.register(entry.load())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name)

    def __getitem__(self, name: str) -> Kind:
        self._load_own()
        if name not in self._kinds:
            self._load_installed()
        return self._kinds[name]

    def __iter__(self) -> Iterator[str]:
        self._load_installed()
        return iter(self._kinds)

    def __len__(self) -> int:
        self._load_installed()
        return len(self._kinds)

    def find(self, name: str) -> Kind:
        """The kind called `name`; VitrifyError, with the nearest name, if there is none."""
        if name not in self:
            raise VitrifyError(f"kind {name!r} is unknown{did_you_mean(name, self)}: use one of {', '.join(self)}")
        return self[name]


KINDS = Kinds(_BUILT_IN)
