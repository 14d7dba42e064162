"""The kinds of models that vitrify knows: `KINDS`, the only list of them.

The `Kind` of a system holds everything that the shared layers need to know of it: metadata, engines, export, training,
evaluation, styles in LAMMPS. Code is named by import paths in text, "module:attribute", and loaded when it is used. So
looking a kind up imports nothing heavy, and no shared module names a kind.

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


@dataclass(frozen=True)
class CalculatorPart:
    """The properties that a kind of model has in `GlassCalc`.

    argument: the argument of GlassCalc that takes the model, "model" or "barriers". properties: their names, ASE's or
    our own. results: import path of a function (model, positions (N, 3), cell (3, 3), types (N,)) -> {property: value}.
    quantity: import path of a function of the metadata -> the name of the predicted quantity, for warnings.
    """

    argument: str
    properties: tuple[str, ...]
    results: str
    quantity: str


@dataclass(frozen=True)
class Kind:
    """One kind of model. Text with a colon is an import path, which `load` imports; None: the kind has no such part.

    name: the kind in model files, configurations and file names (NAME.ogn.pt).
    title: the name that papers use.
    purpose: purpose and hosts, as the end of the sentence "kind NAME ...".
    metadata: class of `vitrify.json`, a `vitrify.modelfile.metadata.Metadata`.
    variants: dictionary of name -> (config class, module class), the default first.
    config: class of a training configuration, a `vitrify.training.config.Config`.
    prepare: function (training config, model config) -> task and data, a `vitrify.training.task.Prepared`.
    methods, inputs: names of the methods of the TorchScript program, and of the arguments of its `forward`.
    torch: class of the loaded TorchScript program, a `vitrify.engines.torchscript.TorchModel`.
    own_metadata: function (module, `vitrify.export.write.Exported`, **given) -> the metadata that only this kind has,
        with the reference case.
    replay: function (model in any engine) -> outputs of the reference case, got and expected.
    native: class of a model in the native engine, a `vitrify.engines.native.NativeBase`.
    exported: names of the entries in the info of a run that `own_metadata` takes as arguments.
    evaluate, explain: objects behind the commands `vitrify evaluate` and `vitrify explain`.
    generate: function (path, metadata, `vitrify.generation.request.Request`) -> iterator over structures.
    adjust: function (run, values of --response) that export calls before it writes the file.
    attach: function (lmp, model, elements, options) behind `vitrify.lammps.attach`, for models without energies.
    calculator: the properties in `GlassCalc`.
    styles: names of styles in LAMMPS; the first one replays the reference case.
    citation: the paper.
    """

    name: str
    title: str
    purpose: str
    metadata: str
    variants: str
    config: str
    prepare: str
    methods: tuple[str, ...]
    inputs: tuple[str, ...]
    torch: str
    own_metadata: str
    replay: str
    native: str | None = None
    exported: tuple[str, ...] = ()
    evaluate: str | None = None
    explain: str | None = None
    generate: str | None = None
    adjust: str | None = None
    attach: str | None = None
    calculator: CalculatorPart | None = None
    styles: tuple[str, ...] = ()
    citation: str = ""

    def load(self, field: str) -> Any:
        """The object that the import path in `field` names; VitrifyError if this kind has none."""
        path = getattr(self, field)
        if path is None:
            raise VitrifyError(f"a model of kind {self.name} has no {field}; kind {self.name} {self.purpose}")
        return load(path)


def load(path: str) -> Any:
    """The object that an import path "module:attribute" names."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


class Kinds(Mapping[str, Kind]):
    """The kinds by name: first vitrify's own, then registered ones, then those of installed packages."""

    def __init__(self, modules: tuple[str, ...]) -> None:
        self._kinds: dict[str, Kind] = {}
        self._installed = False
        for module in modules:
            self.register(load(f"{module}:KIND"))

    def register(self, kind: Kind) -> None:
        """Adds a kind; VitrifyError if another kind has its name."""
        if self._kinds.setdefault(kind.name, kind) != kind:
            raise VitrifyError(f"there is a kind {kind.name} already: give yours another name")

    def _load_installed(self) -> None:
        if not self._installed:
            self._installed = True
            for entry in entry_points(group="vitrify.kinds"):
                self.register(entry.load())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name)

    def __getitem__(self, name: str) -> Kind:
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
