"""Training configurations: YAML files that become frozen, validated objects, or one clear error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from vitrify.core.errors import VitrifyError, did_you_mean, shown
from vitrify.core.seeds import Seed
from vitrify.data.readers.formats import files_of
from vitrify.kinds import KINDS
from vitrify.training.yaml_text import parse_yaml, read_yaml


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


class FilesConfig(Section):
    """Base of the `data` section.

    train: files to train on. validation: files to validate on; no file may be in both. Names may begin with ~, and be
    patterns (run*.extxyz) or folders.
    """

    train: tuple[Path, ...] = Field(min_length=1)
    validation: tuple[Path, ...] = ()

    @model_validator(mode="after")
    def _split_by_file(self) -> Self:
        shared = set(self.train) & set(self.validation)
        if shared:
            raise ValueError(f"{shared.pop().name} is in both train and validation; {self._remedy()}")
        return self

    @staticmethod
    def _remedy() -> str:
        return "keep it in one of the two"

    def located(self, base: Path) -> Self:
        """The section with its files relative to the folder `base`, where patterns and folders become files.

        Raises VitrifyError if then a file is in both.
        """
        found = {name: tuple(files_of(list(getattr(self, name)), base)) for name in ("train", "validation")}
        shared = set(found["train"]) & set(found["validation"])
        if shared:
            raise VitrifyError(f"data: {shared.pop()} is in both train and validation; {self._remedy()}")
        return self.model_copy(update=found)


class TrainingConfig(Section):
    """Settings of the optimisation. The run ends at `max_steps` or `max_time`, whichever comes first.

    seed: of weights, batches and noise. precision: bits of a number, 32 or 64.
    max_steps: number of steps. max_time: seconds, or "H:M:S". clock: what max_time counts, wall time, or cpu: the
        processor time of the process, which other programs on the machine hardly change. batch_size: samples in a
        batch, for each process.
    optimizer: adam or adamw, with amsgrad or without. weight_decay: of the optimizer, dimensionless.
    learning_rate, final_learning_rate: at the start and at the end of the run, dimensionless. schedule: its fall with
        the fraction of the run that is done, by steps or time, whichever is further. The OGN paper: exponential, 1e-4
        to 1e-6 in 2e7 steps.
    clip: largest norm of the gradient, in units of the loss; none switches clipping off.
    ema: decay of the averaged weights that are validated and exported, 0 to 1; 0 switches averaging off.
    noise: size of the noise on the start of each pair of an OGN, relative to the spread of the velocities; positions
        get that times the timestep. The end of the pair stays, so that the model learns to correct its own errors.
    validate_every: steps between validations. patience: number of validations without progress that end the run.
    save_every: seconds between checkpoints, or "H:M:S".
    device: cpu, cuda, or auto, which takes cuda where there is a GPU. threads: of torch, for each process. workers:
        number of processes that prepare batches; 0: the training process does.
    compile: fuse the model's operations with torch.compile; it needs a C++ compiler and a minute to start, and is about
        twice as fast for the pair variant on a CPU.
    balance: when the run of an OGN is finished, scale the predicted velocity changes by a factor close to 1, so that
        the mean kinetic energy is right after a stride (`vitrify.ogn.training.kinetic_energy_correction`).
    """

    seed: Seed = 1
    precision: Literal[32, 64] = 32
    max_steps: int | None = Field(None, ge=1, le=10**15)
    max_time: Duration | None = None
    clock: Literal["wall", "cpu"] = "wall"
    batch_size: int = Field(4, ge=1, le=10**6)
    optimizer: Literal["adam", "adamw"] = "adam"
    amsgrad: bool = False
    learning_rate: float = Field(1e-3, gt=0)
    final_learning_rate: float = Field(1e-6, ge=0)
    schedule: Literal["cosine", "exponential"] = "cosine"
    weight_decay: float = Field(0.0, ge=0)
    clip: float | None = Field(1.0, gt=0)
    ema: float = Field(0.999, ge=0, lt=1)
    noise: float = Field(0.0, ge=0)
    validate_every: int = Field(500, ge=1, le=10**15)
    patience: int | None = Field(None, ge=1, le=10**15)
    save_every: Duration = 120.0
    device: Literal["cpu", "cuda", "auto"] = "auto"
    threads: int = Field(1, ge=1, le=1024)
    workers: int = Field(0, ge=0, le=256)
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
    """Base of the configurations of all kinds.

    kind: name of the kind. model: hyperparameters, validated by the config class of the variant that it names.
    """

    kind: str
    model: dict[str, Any]
    training: TrainingConfig
    data: FilesConfig

    @classmethod
    def completed(cls, values: dict[str, Any], path: Path) -> dict[str, Any]:
        """The values of the configuration file `path`, completed; a kind may add values from other files."""
        return values


def parse(section: type[Parsed], values: Any, place: str) -> Parsed:
    """The object of class `section` with these `values`; `place` ("config.yaml: model") starts the error message.

    Raises:
        VitrifyError: a wrong key or value; the message names the first one, its value, and the values allowed.
    """
    if not isinstance(values, Mapping):
        raise VitrifyError(f"{place}: got {shown(values)}, wanted keys and values")
    try:
        return section.model_validate(dict(values))
    except ValidationError as error:
        raise VitrifyError(f"{place}: {_explain(section, error)}") from None


def load_config(path: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Reads a configuration file; paths in it are relative to it.

    overrides: "training.max_time=00:10:00" and the like, applied on top.

    Raises:
        VitrifyError: no such file, not YAML, an unknown key, a wrong value.
    """
    path = Path(path)
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise VitrifyError(f"{path}: wanted the keys {', '.join(Config.model_fields)}, got no keys at all")
    _override_all(values, overrides)
    kind = str(values.get("kind", next(iter(KINDS))))
    if kind not in KINDS:
        raise VitrifyError(
            f"{path}: kind {shown(kind)} is unknown{did_you_mean(kind, KINDS)}: use one of {', '.join(KINDS)}"
        )
    config_class: type[Config] = KINDS[kind].load("config")
    config = parse(config_class, config_class.completed(values, path), str(path))
    return config.model_copy(update={"data": config.data.located(path.resolve().parent)})


def differences(old: Mapping[str, Any], new: Mapping[str, Any], place: str = "") -> list[str]:
    """The keys in which two dumped configurations differ: ["model.width: 24, now 32", ...]."""
    found = []
    for key in sorted({*old, *new}):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{place}{key}.")
        elif a != b:
            found.append(f"{place}{key}: {a}, now {b}")
    return found


def _override_all(values: dict[str, Any], overrides: Iterable[str]) -> None:
    """Applies texts such as "training.max_steps=1000" to the values."""
    given: set[str] = set()
    for override in overrides:
        name, separator, text = override.partition("=")
        place = f"--set {shown(override)}"
        if not separator or not all(name.split(".")):
            raise VitrifyError(f"{place}: wanted KEY=VALUE, as in training.max_steps=1000")
        if name in given:
            raise VitrifyError(f"{place}: {name} is given twice; keep one of the two")
        given.add(name)
        _override(values, name.split("."), parse_yaml(text, place), place)


def _override(values: dict[str, Any], keys: list[str], value: Any, place: str) -> None:
    *sections, key = keys
    for section in sections:
        if values.get(section) is None:
            values[section] = {}
        values = values[section]
        if not isinstance(values, dict):
            raise VitrifyError(f"{place}: {section!r} is a value, not a section")
    values[key] = value


def _explain(section: type[BaseModel], error: ValidationError) -> str:
    # An unknown key comes before the missing one that it was meant for.
    first, *others = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    location, name = first["loc"], ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _keys(section, location[:-1])
        key = str(location[-1])
        hint = did_you_mean(key, known)
        message = f"unknown key {shown(name)}{hint or '; known: ' + ', '.join(known)}"
    elif first["type"] == "missing":
        message = f"the key {name!r} is missing"
    elif first["type"] == "value_error":
        message = f"{name}: {first['ctx']['error']}" if name else str(first["ctx"]["error"])
    else:
        message = f"{name}: got {shown(first['input'])}; {first['msg'][0].lower()}{first['msg'][1:]}"
    return message + (f" (and {len(others)} more)" if others else "")


def _keys(section: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that a section allows at a location inside it."""
    for part in location:
        annotation = section.model_fields[str(part)].annotation
        section = next(
            kind
            for kind in (annotation, *get_args(annotation))
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        )
    return list(section.model_fields)
