"""The kinds of models that vitrify knows: `KINDS`, the only list of them.

Everything that the shared layers ask of a kind (its metadata, engines, export, training, evaluation, styles in LAMMPS)
stands in its `Kind`, as import paths in text, "module:attribute", which are loaded when they are used. So nothing heavy
is imported to look a kind up, and no shared module names a kind.

A kind from outside joins by an entry point of the group "vitrify.kinds", whose value is its `Kind`, or by
`KINDS.register`.
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
    """What a kind of model gives in `GlassCalc`.

    argument: of GlassCalc that takes the model, "model" or "barriers". properties: names of ASE's, or of our own.
    results: "module:function" of (model, positions (N, 3), cell (3, 3), types (N,)) -> {property: value}. quantity:
    "module:function" of the metadata -> what is predicted, in a word, for warnings.
    """

    argument: str
    properties: tuple[str, ...]
    results: str
    quantity: str


@dataclass(frozen=True)
class Kind:
    """One kind of model. Fields that are text with a colon are import paths: `load` gives what they stand for.

    name: in model files, configurations and file names (NAME.ogn.pt). title: as papers write it. purpose: what it is
    for and what runs it, after "kind NAME ...".
    metadata: class of `vitrify.json`, a `vitrify.modelfile.metadata.Metadata`.
    variants: {name: (config class, module class)}, the default first.
    config, prepare: class of a training configuration, a `vitrify.training.config.Config`; and the function of it and
    the model's config that makes the task and its data, a `vitrify.training.task.Prepared`.
    methods, inputs: of the TorchScript program, and of its `forward`. torch: class of the loaded program, a
    `vitrify.engines.torchscript.TorchModel`. native: class of the native engine, made of a file's path, or None.
    own_metadata: function (module, `vitrify.export.write.Exported`, **given) -> the metadata that only this kind has,
    with the reference case. exported: names in the info of a run that it is given.
    replay: function (model in any engine) -> outputs of the reference case, got and expected.
    evaluate, explain: what `vitrify evaluate` and `vitrify explain` run. generate: function that makes structures.
    adjust: function (run, values of --response) that export calls before it writes. None where there is no such thing.
    attach: function (lmp, model, elements, options) behind `vitrify.lammps.attach`, for models that are no energies.
    calculator: its part of `GlassCalc`. styles: in LAMMPS, the first of which replays the reference case.
    citation: of the paper.
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
        """What the import path in `field` stands for; VitrifyError if this kind has none."""
        path = getattr(self, field)
        if path is None:
            raise VitrifyError(f"a model of kind {self.name} has no {field}; kind {self.name} {self.purpose}")
        return load(path)


def load(path: str) -> Any:
    """The object that an import path "module:attribute" stands for."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


class Kinds(Mapping[str, Kind]):
    """The kinds by name: those of vitrify, then registered ones, then those of installed packages."""

    def __init__(self, modules: tuple[str, ...]) -> None:
        self._kinds: dict[str, Kind] = {}
        self._installed = False
        for module in modules:
            self.register(load(f"{module}:KIND"))

    def register(self, kind: Kind) -> None:
        """Adds a kind; VitrifyError if its name is taken by another one."""
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
