"""What a user of vitrify can name: Python, the command line, configurations, hyperparameters, metadata.

Each function returns plain values for JSON. Nothing here names a module that may move: classes are found by what they
are, so that the same lines describe an older or a newer vitrify.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import tomllib
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
import typer.main
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import vitrify

# The repository whose vitrify is imported here.
ROOT = Path(vitrify.__file__).parents[2]
KINDS = ("ogn", "symgnn", "amshortcut", "glassvae")
_IMPORT = re.compile(r"from (vitrify[\w.]*) import (?:\(([^)]*)\)|([^#\n]*))")


def signature(thing: Any) -> list[str]:
    """The parameters of a function or class as they are written, "*" before those that must be named."""
    found, named = [], False
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not named:
            found.append("*")
        named = named or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        text = str(parameter.replace(annotation=parameter.empty))
        found.append(re.sub(r"<function (\S+) at 0x\w+>", r"<function \1>", text))
    return found


def methods(cls: type) -> dict[str, list[str] | str]:
    """Public methods and properties that a class of vitrify defines or inherits from another class of vitrify."""
    found: dict[str, list[str] | str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.split(".")[0] == "vitrify":
            for name, value in vars(base).items():
                if name == "__init__" or not name.startswith("_"):
                    found[name] = signature(value) if callable(value) else type(value).__name__
    return dict(sorted(found.items()))


def described(thing: Any) -> dict[str, Any]:
    """A function by its signature, a class by its methods too, anything else by its type."""
    if inspect.isclass(thing):
        bases = [
            base.__name__ for base in thing.__mro__ if base.__module__.split(".")[0] not in ("vitrify", "builtins")
        ]
        return {"bases": bases[:1], "methods": methods(thing)}
    return {"signature": signature(thing)} if callable(thing) else {"type": type(thing).__name__}


def python_names() -> dict[str, Any]:
    """Public names of `vitrify` and `vitrify.lammps`, and the options of `generate`."""
    found: dict[str, Any] = {}
    for place in ("vitrify", "vitrify.lammps"):
        module = importlib.import_module(place)
        found[place] = {"__all__": sorted(module.__all__)}
        found[place] |= {name: _public(module, name) for name in sorted(module.__all__)}
    # Where the options of `vitrify.generate` stand.
    many = inspect.getmodule(vitrify.generate).generate_many  # type: ignore[union-attr]
    found["options of vitrify.generate"] = signature(many)
    return found


def _public(module: types.ModuleType, name: str) -> Any:
    try:
        return described(getattr(module, name))
    except (ImportError, AttributeError) as error:
        return f"cannot be imported: {error}"


def calculator_properties() -> dict[str, list[str]]:
    """Properties of GlassCalc with a shipped model of each kind that it takes."""
    energies, barriers = shipped("glassvae")[0], shipped("symgnn")[0]
    return {
        "glassvae": sorted(vitrify.GlassCalc(energies).implemented_properties),
        "symgnn": sorted(vitrify.GlassCalc(barriers=barriers).implemented_properties),
    }


def shipped(kind: str = "*") -> list[Path]:
    """The model files in `potentials`."""
    return sorted((ROOT / "potentials").glob(f"*.{kind}.pt"))


def documented_imports() -> dict[str, dict[str, list[str]]]:
    """What README, docs and examples import from vitrify: file -> module -> names."""
    files = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*")]
    found: dict[str, dict[str, list[str]]] = {}
    for file in sorted(file for file in files if file.suffix in (".md", ".py") or file.name.startswith("in.")):
        for module, bracketed, plain in _IMPORT.findall(file.read_text()):
            names = [name.strip() for name in (bracketed or plain).split(",") if name.strip()]
            known = found.setdefault(file.relative_to(ROOT).as_posix(), {}).setdefault(module, [])
            known += [name for name in names if name not in known]
    return found


def documented_names() -> dict[str, Any]:
    """The description of everything in `documented_imports` that is not in `python_names`, by its bare name."""
    found: dict[str, Any] = {}
    for modules in documented_imports().values():
        for module, names in modules.items():
            if module not in ("vitrify", "vitrify.lammps"):
                for name in names:
                    thing = getattr(importlib.import_module(module), name, None)
                    found[name] = _internal(thing or importlib.import_module(f"{module}.{name}"))
    return dict(sorted(found.items()))


def _internal(thing: Any) -> Any:
    """Values by their type; what examples use of classes is their fields."""
    if inspect.ismodule(thing):
        return "module"
    if inspect.isclass(thing) and issubclass(thing, BaseModel):
        return sorted(_fields(thing))
    return signature(thing) if callable(thing) else type(thing).__name__


def app() -> typer.Typer:
    """The command line as the project file names it."""
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["vitrify"]
    module, name = script.split(":")
    found: typer.Typer = getattr(importlib.import_module(module), name)
    return found


def command_tree() -> dict[str, Any]:
    """Commands with help; parameters with types, defaults and help; what is false or empty is left out."""
    return _command(typer.main.get_command(app()))


def _command(command: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"help": inspect.cleandoc(command.help or "")}
    # Arguments by the name in the usage, options by what is typed.
    found["order"] = [parameter.opts[0] for parameter in command.params]
    found["parameters"] = {parameter.opts[0]: _parameter(parameter) for parameter in command.params}
    commands = getattr(command, "commands", None)
    if commands is not None:
        found["commands"] = {name: _command(commands[name]) for name in sorted(commands)}
    return found


def _parameter(parameter: Any) -> dict[str, Any]:
    default = parameter.default
    plain = default is None or isinstance(default, bool | int | float | str | list | tuple)
    found = {
        "kind": parameter.param_type_name,
        "names": [*parameter.opts, *parameter.secondary_opts],
        "type": _type(parameter.type_descriptor.annotation),
        "default": default if plain else str(default),
        "required": parameter.required,
        "several": parameter.multiple or parameter.nargs != 1,
        "flag": bool(getattr(parameter, "is_flag", False)),
        "hidden": parameter.hidden,
        "help": parameter.help,
    }
    return {name: value for name, value in found.items() if value not in (None, False) or name == "default"}


def _models() -> Iterator[type[BaseModel]]:
    """Pydantic classes of all modules of vitrify that hold configurations, models or metadata."""
    importlib.import_module("vitrify.models")
    for module in pkgutil.walk_packages(vitrify.__path__, "vitrify."):
        if re.search(r"config|metadata|models|reference_case|kind", module.name):
            importlib.import_module(module.name)
    waiting, seen = list(BaseModel.__subclasses__()), set()
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if cls.__module__.split(".")[0] == "vitrify" and cls not in seen:
            seen.add(cls)
            yield cls


def _fields(cls: type[BaseModel], prefix: str = "") -> dict[str, str]:
    """Keys in YAML or JSON, those of sections inside as "section.key" -> "type = default [limits]"."""
    found: dict[str, str] = {}
    for name, field in cls.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        sections = [part for part in _parts(field.annotation) if inspect.isclass(part) and issubclass(part, BaseModel)]
        default = field.default if field.default_factory is None else field.get_default(call_default_factory=True)
        text = _type(field.annotation)
        if isinstance(default, BaseModel):
            text += " = its own defaults"
        elif default is not PydanticUndefined:
            text += f" = {default!r}"
        limits = [str(limit) for limit in field.metadata if re.match(r"(Ge|Gt|Le|Lt|MinLen|MaxLen)\(", repr(limit))]
        found[key] = " ".join([text, *limits])
        for section in sections:
            found |= _fields(section, f"{key}.")
    return found


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in typing.get_args(annotation):
        yield from _parts(part)


def _type(annotation: Any) -> str:
    """A type as text, without the names of vitrify's own classes and modules."""
    if inspect.isclass(annotation) and not typing.get_args(annotation):
        if issubclass(annotation, BaseModel):
            return "section"
        return "None" if annotation is type(None) else annotation.__name__
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        limits = [repr(part) for part in parts[1:] if re.match(r"(Ge|Gt|Le|Lt|MinLen|MaxLen)\(", repr(part))]
        return " ".join([_type(parts[0]), *limits])
    if origin is typing.Literal:
        return " or ".join(map(repr, parts))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(part) for part in parts)
    if origin is None:
        return str(annotation).removeprefix("typing.")
    return f"{origin.__name__}[{', '.join('...' if part is Ellipsis else _type(part) for part in parts)}]"


def _kind_of(cls: type[BaseModel]) -> str | None:
    """The kind that a class belongs to, by its module or its name."""
    return next((kind for kind in KINDS if kind in f"{cls.__module__}.{cls.__name__}".lower()), None)


def configurations() -> dict[str, dict[str, str]]:
    """Keys of the YAML configuration of each kind."""
    found = {}
    for cls in _models():
        if {"kind", "model", "training", "data"} <= set(cls.model_fields) and (kind := _kind_of(cls)):
            found[kind] = _fields(cls)
    return dict(sorted(found.items()))


def hyperparameters() -> dict[str, dict[str, str]]:
    """Keys of the section `model:` of each variant, "kind/variant" -> key -> type and default."""
    found = {}
    for cls in _models():
        field = cls.model_fields.get("variant")
        if field is not None and "kind" not in cls.model_fields and isinstance(field.default, str):
            found[f"{_kind_of(cls)}/{field.default}"] = _fields(cls)
    return dict(sorted(found.items()))


def metadata_keys() -> dict[str, dict[str, str]]:
    """Keys of `vitrify.json` of each kind."""
    found = {}
    for cls in _models():
        field = cls.model_fields.get("kind")
        if field is not None and "schema_version" in cls.model_fields and typing.get_args(field.annotation):
            found[typing.get_args(field.annotation)[0]] = _fields(cls)
    return dict(sorted(found.items()))


def python() -> dict[str, Any]:
    """Everything about Python."""
    return {
        "names": python_names(),
        "calculator": calculator_properties(),
        "imports": documented_imports(),
        "documented": documented_names(),
    }
