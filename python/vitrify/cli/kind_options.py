"""Commands whose options are declared by the kinds of models."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any

import typer

from vitrify.core.options import Option, options_of, strictly_from_options
from vitrify.kinds import KINDS, Kind


class KindCommand:
    """A function as a command that has its own parameters and the options that kinds declare, in their order.

    field: part of a `vitrify.kinds.Kind`, "evaluate" or "explain"; its object has a settings class with the options.
    The function gets, as `given`, the options that were typed; the others have the defaults of the kind's settings.
    An option that several kinds declare has the type and the default that the first of them declares; its help names
    the kinds that take it, unless all do. `settings_of` refuses the options that a kind does not take. after: the
    option of kinds behind which the function's own optional ones are shown; by default they come first. Typer reads the
    signature when the command line is parsed, so that kinds registered by then count.
    """

    def __init__(self, run: Callable[..., None], field: str, after: str = "") -> None:
        self.run, self.field, self.after = run, field, after
        self.__name__, self.__doc__ = run.__name__, run.__doc__

    def options(self) -> dict[str, Option]:
        """The options of all kinds, by name."""
        declared: dict[str, dict[str, Option]] = {}
        kinds = [kind for kind in KINDS.values() if kind.has(self.field)]
        for kind in kinds:
            for option in options_of(kind.load(self.field).settings):
                declared.setdefault(option.name, {})[kind.name] = option
        return {
            name: replace(next(iter(options.values())), help=_help(options, len(kinds)))
            for name, options in declared.items()
        }

    @property
    def __signature__(self) -> inspect.Signature:
        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in inspect.signature(self.run, eval_str=True).parameters.values()
            if parameter.name != "given"
        ]
        declared = [_parameter(option) for option in self.options().values()]
        place = [parameter.name for parameter in declared].index(self.after) + 1 if self.after else 0
        needed = [parameter for parameter in own if parameter.default is inspect.Parameter.empty]
        optional = [parameter for parameter in own if parameter.default is not inspect.Parameter.empty]
        return inspect.Signature([context, *needed, *declared[:place], *optional, *declared[place:]])

    @property
    def __annotations__(self) -> dict[str, Any]:  # type: ignore[override]
        return {name: parameter.annotation for name, parameter in self.__signature__.parameters.items()}

    def __call__(self, *, context: typer.Context, **values: Any) -> None:
        options = self.options()
        own = {name: value for name, value in values.items() if name not in options}
        self.run(**own, given={name: values[name] for name in options if _typed(context, name)})


def settings_of(kind: Kind, field: str, given: Mapping[str, Any]) -> Any:
    """The settings of a kind for its part `field`, from what was typed; VitrifyError for options of other kinds."""
    return strictly_from_options(kind.load(field).settings, given, f"{field} for models of kind {kind.name}")


def _help(options: Mapping[str, Option], of: int) -> str:
    """The help of an option that some of so many kinds declare: "ogn, symgnn: what it is; glassvae: what else"."""
    kinds: dict[str, list[str]] = {}
    for kind, option in options.items():
        kinds.setdefault(option.help, []).append(kind)
    if len(kinds) == 1 and len(options) == of:
        return next(iter(kinds))
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in kinds.items())


def _typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _parameter(option: Option) -> inspect.Parameter:
    shown = typer.Option(option.flags, help=option.help)
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=option.default,
        annotation=Annotated[option.type, shown],
    )
