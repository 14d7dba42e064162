"""The kinds of models that vitrify knows: `KINDS`, the only list of them.

Everything that the shared layers ask of a kind stands in its `Kind`, or in its package, where the same parts have the
same names in each (`PARTS`). They are loaded when they are used. So nothing heavy is imported to look a kind up, and no
shared module names a kind.

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

# Where the package of a kind keeps its parts, "module:attribute", and what each of them is.
PARTS = {
    # Class of vitrify.json, a `vitrify.modelfile.metadata.Metadata`.
    "metadata": "metadata:{title}Metadata",
    # {name: (config class, module class)}, the default first.
    "variants": "models:VARIANTS",
    # Class of a training configuration, a `vitrify.training.config.Config`.
    "config": "training.config:{title}Config",
    # Function of a configuration and the model's, which makes the task and its data (`vitrify.training.task.Prepared`).
    "prepare": "training.prepare:prepare",
    # Function (module, `vitrify.export.write.Exported`, **given) -> what only this kind's metadata hold, with the
    # reference case.
    "own_metadata": "export:own_metadata",
    # Function (model in any engine) -> outputs of the reference case, got and expected.
    "replay": "replay:replay",
    # Class of the TorchScript program, a `vitrify.engines.torchscript.TorchModel`.
    "torch": "torchscript:Torch{title}",
    # The rest as far as a kind has them, see `Kind.optional`. Class of the native engine, made of a file's path.
    "native": "native:Native{title}",
    # What `vitrify evaluate` runs, and what `vitrify explain` does.
    "evaluate": "evaluate:EVALUATION",
    "explain": "explain:EXPLANATION",
    # Function (path, metadata, `vitrify.generation.request.Request`) -> structures.
    "generate": "generate:structures",
    # Function (run, values of --response) that export calls before it writes.
    "adjust": "training.responses:adjust",
    # Functions behind GlassCalc: (model, positions (N, 3), cell (3, 3), types (N,)) -> {property: value}; and metadata
    # -> what is predicted, in a word, for warnings.
    "results": "calculator:results",
    "quantity": "calculator:quantity",
}
_OPTIONAL = ("native", "evaluate", "explain", "generate", "adjust")


@dataclass(frozen=True)
class Kind:
    """One kind of model.

    name: in model files, configurations and file names (NAME.ogn.pt). title: as papers and classes write it.
    package: where its parts are. purpose: what it is for and what runs it, after "kind NAME ...".
    methods, inputs: of the TorchScript program, and of its `forward`.
    optional: those of "native", "evaluate", "explain", "generate" and "adjust" that it has.
    exported: names in the info of a run that `own_metadata` is given.
    argument, properties: of GlassCalc, "model" or "barriers", and the names of what it gives there; or none.
    attach: "module:function" (lmp, model, elements, options) behind `vitrify.lammps.attach`, for what is no energy.
    styles: in LAMMPS, the first of which replays the reference case. citation: of the paper.
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
        """Whether the kind has a part; all have those that are not optional."""
        return part not in _OPTIONAL or part in self.optional

    def load(self, part: str) -> Any:
        """The part of this name, one of PARTS; VitrifyError if this kind has none."""
        if not self.has(part):
            raise VitrifyError(f"a model of kind {self.name} has no {part}; kind {self.name} {self.purpose}")
        return load(f"{self.package}.{PARTS[part].format(title=self.title)}")


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
