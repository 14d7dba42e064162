"""Training configurations: YAML files that become frozen, fully checked objects, or one clear error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.modelfile.archive import SymGNNMetadata, find_model, read_metadata, wrong_kind


class Section(BaseModel):
    """Base of every part of a configuration: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Parsed = TypeVar("Parsed", bound=BaseModel)


def _seconds(value: Any) -> Any:
    """ "H:M:S", "M:S" or a number of seconds -> seconds (YAML itself reads an unquoted 1:00:00 as 3600)."""
    if isinstance(value, str) and re.fullmatch(r"\d+(:[0-5]?\d){1,2}", value):
        total = 0
        for part in value.split(":"):
            total = 60 * total + int(part)
        return total
    return value


Duration = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]


class DataConfig(Section):
    """Trajectory files and how pairs (configuration now, configuration one stride later) are drawn from them.

    stride: base steps between the two configurations of a pair.
    time_reversal: use every pair backwards too, (r', -v') -> (r, -v).
    augmentation: "cube" turns each sample by one of the 48 symmetries of a cube (paper, section 4.4 vii).
    validation_pairs: validate on this many pairs, evenly spread over the validation trajectories.
    """

    train: tuple[Path, ...] = Field(min_length=1)
    validation: tuple[Path, ...] = Field(min_length=1)
    stride: int = Field(ge=1)
    time_reversal: bool = True
    augmentation: Literal["none", "cube"] = "none"
    validation_pairs: int = Field(64, ge=1)

    @model_validator(mode="after")
    def _split_by_file(self) -> Self:
        shared = set(self.train) & set(self.validation)
        if shared:
            raise ValueError(
                f"{shared.pop().name} is in both train and validation; give validation its own trajectories"
            )
        return self


class StructuresConfig(Section):
    """Structures at rest with a label for each atom, as `vitrify.data.structures.load_structures` reads them.

    species: names in the order of the files' type ids, or the elements. label: the name of the labels in the files,
    unit: their unit, property: what the model file calls it (default: the label). label_species: labels of other
    species do not count. units: LAMMPS's unit system, which gives lengths theirs. potential: file of the potential that
    the labels belong to, for a model with stiffness (`vitrify.data.potentials`). Without `validation`, an ensemble is
    judged on the training structures that a member has not seen, another model on those that it has. pieces: train on
    pieces of the structures, so many edges from their centre to their border; 0: on whole structures.
    """

    train: tuple[Path, ...] = Field(min_length=1)
    validation: tuple[Path, ...] = ()
    species: tuple[str, ...] = Field(min_length=1)
    label: str
    unit: str
    property: str | None = None
    units: Literal["lj", "metal"] = "metal"
    label_species: tuple[str, ...] | None = None
    potential: Path | None = None
    pieces: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _split_by_file(self) -> Self:
        shared = set(self.train) & set(self.validation)
        if shared:
            raise ValueError(f"{shared.pop().name} is in both train and validation; keep it in one of the two")
        return self


class TrainingConfig(Section):
    """How a model is fitted. Of `max_steps` and `max_time`, the first to be reached ends the run.

    schedule: the learning rate falls from `learning_rate` to `final_learning_rate` with the fraction of the
    run that is done (steps or time, whichever is further). The paper: exponential, 1e-4 to 1e-6 in 2e7 steps.
    ema: decay of the averaged weights that are validated and exported; 0 switches averaging off.
    noise: size of noise on the start of each pair, relative to the spread of the velocities; positions get
    that times the timestep. The end of the pair stays, so that the model learns to correct itself.
    validate_every: steps between validations; after `patience` of them without progress the run ends.
    save_every: seconds between checkpoints. workers: processes that prepare batches (0: none of their own).
    compile: fuse the model's operations with torch.compile; it needs a C++ compiler and a minute to start,
    and is about twice as fast for the pair variant on a CPU.
    balance: when the run is finished, scale the predicted velocity changes by a factor close to 1, so that
    the mean kinetic energy is right after a stride (`vitrify.ogn.training.kinetic_energy_correction`).
    """

    seed: int = Field(1, ge=0)
    precision: Literal[32, 64] = 32
    max_steps: int | None = Field(None, ge=1)
    max_time: Duration | None = None
    batch_size: int = Field(4, ge=1)
    optimizer: Literal["adam", "adamw"] = "adam"
    amsgrad: bool = False
    learning_rate: float = Field(1e-3, gt=0)
    final_learning_rate: float = Field(1e-6, ge=0)
    schedule: Literal["cosine", "exponential"] = "cosine"
    weight_decay: float = Field(0.0, ge=0)
    clip: float | None = Field(1.0, gt=0)
    ema: float = Field(0.999, ge=0, lt=1)
    noise: float = Field(0.0, ge=0)
    validate_every: int = Field(500, ge=1)
    patience: int | None = Field(None, ge=1)
    save_every: Duration = 120.0
    device: Literal["cpu", "cuda", "auto"] = "auto"
    threads: int = Field(1, ge=1)
    workers: int = Field(0, ge=0)
    compile: bool = False
    balance: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.max_steps is None and self.max_time is None:
            raise ValueError("give max_steps or max_time, or the run would never end")
        if self.final_learning_rate > self.learning_rate:
            raise ValueError("final_learning_rate is above learning_rate")
        if self.schedule == "exponential" and self.final_learning_rate == 0:
            raise ValueError("an exponential schedule cannot end at 0; give a positive final_learning_rate")
        return self


class Config(Section):
    """What configurations of every kind share; `model` is checked by the config class of the variant it names."""

    kind: str
    model: dict[str, Any]
    training: TrainingConfig


class OGNConfig(Config):
    """The configuration of a learned integrator."""

    data: DataConfig


class StartConfig(Section):
    """The model file that is fine-tuned: its path, or the name of a shipped model.

    adapt: what a few labels may change, as `vitrify.symgnn.training.fine_tune` says: the output alone (offsets and a
    gain), or the weights too.
    """

    model: str
    adapt: Literal["output", "weights"] = "weights"


class SymGNNConfig(Config):
    """The configuration of a model of a property of each atom.

    start: fine-tunes a model file; what the file says (variant and hyperparameters, species, units, property and its
    unit, precision) need not be given, and cannot be changed. Atoms of the training structures may lack a label.
    """

    data: StructuresConfig
    start: StartConfig | None = None


class SamplesConfig(Section):
    """Whole structures with properties of each, as `vitrify.data.samples.load_samples` reads them.

    species: in the order of the model's types. properties: names in the files that the model is conditioned on. units:
    LAMMPS's unit system, which gives lengths theirs. masses: of species that are no elements. charges: formal ones, for
    compositions that must be neutral. times: a structure with its noise is shown at so many times. held_out: without
    `validation`, this share of the simulations is kept for it. validation_samples: validate on this many structures.
    """

    train: tuple[Path, ...] = Field(min_length=1)
    validation: tuple[Path, ...] = ()
    species: tuple[str, ...] = Field(min_length=1)
    properties: tuple[str, ...] = ()
    units: Literal["lj", "metal"] = "metal"
    masses: dict[str, Annotated[float, Field(gt=0)]] | None = None
    charges: dict[str, float] | None = None
    times: int = Field(1, ge=1)
    held_out: float = Field(0.1, gt=0, lt=1)
    validation_samples: int = Field(32, ge=1)

    @model_validator(mode="after")
    def _split_by_file(self) -> Self:
        shared = set(self.train) & set(self.validation)
        if shared:
            raise ValueError(f"{shared.pop().name} is in both train and validation; keep it in one of the two")
        for given in (self.masses, self.charges):
            if given is not None and set(given) != set(self.species):
                raise ValueError(f"masses and charges must name each of the species {', '.join(self.species)}")
        return self


class AMShortcutConfig(Config):
    """The configuration of a generator."""

    data: SamplesConfig


class FramesConfig(Section):
    """Structures with energy, forces and stress, as `vitrify.data.frames.load_frames` reads them.

    species: in the order of the model's types. units: LAMMPS's unit system. masses: of species that are no elements.
    times: positions are decoded from so many noisy structures for each structure. held_out: without `validation`, this
    share of the simulations is kept for it. validation_samples: validate on this many structures.
    """

    train: tuple[Path, ...] = Field(min_length=1)
    validation: tuple[Path, ...] = ()
    species: tuple[str, ...] = Field(min_length=1)
    units: Literal["lj", "metal"] = "metal"
    masses: dict[str, Annotated[float, Field(gt=0)]] | None = None
    times: int = Field(1, ge=1)
    held_out: float = Field(0.15, gt=0, lt=1)
    validation_samples: int = Field(32, ge=1)

    @model_validator(mode="after")
    def _split_by_file(self) -> Self:
        shared = set(self.train) & set(self.validation)
        if shared:
            raise ValueError(f"{shared.pop().name} is in both train and validation; keep it in one of the two")
        if self.masses is not None and set(self.masses) != set(self.species):
            raise ValueError(f"masses must name each of the species {', '.join(self.species)}")
        return self


class LossConfig(Section):
    """Weights of the parts of GlassVAE's loss, each of which is 1 for a model that has learned nothing but means.

    node: species from positions and z; edge: positions from z; energy, forces, stress: of the potential, forces and
    stress where the data have them; kl: divergence of the latent vectors from N(0, 1); rdf: partial g(r) from z;
    latent: energy and inherent energy from z alone. The paper's: 1, 100, 300, -, -, 1e-4, 10, -.
    """

    node: float = Field(default=1.0, ge=0)
    edge: float = Field(default=100.0, ge=0)
    energy: float = Field(default=300.0, ge=0)
    forces: float = Field(default=300.0, ge=0)
    stress: float = Field(default=30.0, ge=0)
    kl: float = Field(default=1e-4, ge=0)
    rdf: float = Field(default=10.0, ge=0)
    latent: float = Field(default=10.0, ge=0)


class GlassVAEConfig(Config):
    """The configuration of a latent model with energies."""

    data: FramesConfig
    loss: LossConfig = Field(default_factory=LossConfig)


AnyConfig = OGNConfig | SymGNNConfig | AMShortcutConfig | GlassVAEConfig
CONFIGS: dict[str, type[AnyConfig]] = {
    "ogn": OGNConfig,
    "symgnn": SymGNNConfig,
    "amshortcut": AMShortcutConfig,
    "glassvae": GlassVAEConfig,
}


def parse(section: type[Parsed], values: Any, place: str) -> Parsed:
    """Checks `values` against `section`; `place` ("config.yaml: model") starts the error message.

    Raises:
        VitrifyError: names the first wrong key, what it holds, what is wanted.
    """
    if not isinstance(values, Mapping):
        raise VitrifyError(f"{place}: got {values!r}, wanted keys and values")
    try:
        return section.model_validate(dict(values))
    except ValidationError as error:
        raise VitrifyError(f"{place}: {_explain(section, error)}") from None


def load_config(path: str | Path, overrides: Iterable[str] = ()) -> AnyConfig:
    """Reads a configuration file; paths in it are relative to it.

    overrides: "training.max_time=00:10:00" and the like, applied on top.

    Raises:
        VitrifyError: no such file, not YAML, an unknown key, a wrong value.
    """
    path = Path(path)
    if not path.is_file():
        raise VitrifyError(f"{path}: no such file; give the path of a training configuration (YAML)")
    try:
        text = path.read_text()
        values, repeated = yaml.safe_load(text), _repeated_key(yaml.compose(text, yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise VitrifyError(f"{path}: not a YAML file: {' '.join(str(error).split())}") from None
    if repeated:
        raise VitrifyError(f"{path}: {repeated}; keep one of the two")
    if not isinstance(values, dict):
        raise VitrifyError(f"{path}: wanted the keys {', '.join(OGNConfig.model_fields)}, got no keys at all")
    for override in overrides:
        _override(values, override)
    kind = str(values.get("kind", "ogn"))
    if kind not in CONFIGS:
        raise VitrifyError(
            f"{path}: kind {kind!r} is unknown{did_you_mean(kind, CONFIGS)}: use one of {', '.join(CONFIGS)}"
        )
    base = path.resolve().parent
    if kind == "symgnn" and values.get("start") is not None:
        values = _with_start(values, path)
    config = parse(CONFIGS[kind], values, str(path))
    found: dict[str, Any] = {
        name: tuple(base / file for file in getattr(config.data, name)) for name in ("train", "validation")
    }
    if isinstance(config, SymGNNConfig) and config.data.potential:
        found["potential"] = base / config.data.potential
    return config.model_copy(update={"data": config.data.model_copy(update=found)})


def _with_start(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """The values of the configuration `path` with all that its start file says; what disagrees with it is an error."""
    start = parse(StartConfig, values["start"], f"{path}: start")
    beside = path.resolve().parent / start.model
    file = beside if beside.is_file() else find_model(start.model).resolve()
    metadata = read_metadata(file)
    if not isinstance(metadata, SymGNNMetadata):
        raise wrong_kind(file, metadata.kind, "symgnn")
    model = metadata.provenance.config.get("model")
    if not isinstance(model, dict):
        raise VitrifyError(
            f"{file} does not say how its model was made (no configuration in its provenance), so that it cannot be "
            "fine-tuned: give a file that vitrify export has made of a run"
        )
    name, unit = metadata.property.name, metadata.property.unit
    data = {"species": list(metadata.species), "units": metadata.units, "unit": unit, "property": name}
    given = {section: values.get(section, {}) for section in ("model", "data", "training")}
    for section, found in given.items():
        if not isinstance(found, Mapping):
            raise VitrifyError(f"{path}: {section}: got {found!r}, wanted keys and values")
    if given["data"].get("potential"):
        raise VitrifyError(f"{path}: {file.name} holds its potential, or needs none: leave data.potential out")
    fixed = {"model": {"variant": metadata.variant, **model}, "data": data}
    fixed["training"] = {"precision": 64 if metadata.dtype == "float64" else 32}
    for section, known in fixed.items():
        for key, value in known.items():
            if key in given[section] and given[section][key] != value:
                raise VitrifyError(
                    f"{path}: {section}.{key} is {given[section][key]}, but {file.name} has {value}: leave it out, or "
                    "start from another file"
                )
    data["label"] = name
    full = {section: {**known, **given[section]} for section, known in fixed.items()}
    full["training"].setdefault("max_steps", 1)  # solved in closed form
    return {**values, **full, "start": start.model_copy(update={"model": str(file)}).model_dump()}


def differences(old: Mapping[str, Any], new: Mapping[str, Any], place: str = "") -> list[str]:
    """The keys that two dumped configurations do not agree on: ["model.width: 24, now 32", ...]."""
    found = []
    for key in sorted({*old, *new}):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{place}{key}.")
        elif a != b:
            found.append(f"{place}{key}: {a}, now {b}")
    return found


def _override(values: dict[str, Any], override: str) -> None:
    name, separator, text = override.partition("=")
    if not separator or not name:
        raise VitrifyError(f"--set {override!r}: wanted KEY=VALUE, as in training.max_steps=1000")
    *sections, key = name.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise VitrifyError(f"--set {override!r}: {section!r} is a value, not a section")
    values[key] = yaml.safe_load(text)


def _repeated_key(node: Any) -> str | None:
    """Names a key that a mapping holds twice, which YAML forbids and PyYAML lets pass."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                return f"the key {key.value!r} is given twice, again in line {key.start_mark.line + 1}"
            seen.add(key.value)
        return next(filter(None, (_repeated_key(value) for _, value in node.value)), None)
    return None


def _explain(section: type[BaseModel], error: ValidationError) -> str:
    # An unknown key comes before the missing one that it was meant for.
    first, *others = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    location, name = first["loc"], ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _keys(section, location[:-1])
        key = str(location[-1])
        hint = did_you_mean(key, known)
        message = f"unknown key {name!r}{hint}" if hint else f"unknown key {name!r}; known: {', '.join(known)}"
    elif first["type"] == "missing":
        message = f"the key {name!r} is missing"
    elif first["type"] == "value_error":
        message = f"{name}: {first['ctx']['error']}" if name else str(first["ctx"]["error"])
    else:
        message = f"{name}: got {first['input']!r}; {first['msg'][0].lower()}{first['msg'][1:]}"
    return message + (f" (and {len(others)} more)" if others else "")


def _keys(section: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys known at a place inside a section."""
    for part in location:
        annotation = section.model_fields[str(part)].annotation
        section = next(
            kind
            for kind in (annotation, *get_args(annotation))
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        )
    return list(section.model_fields)
