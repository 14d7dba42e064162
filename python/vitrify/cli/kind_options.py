"""Commands whose options are declared by the kinds of models: the same command, other options for another kind."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Protocol

import click
import typer

from vitrify.core.options import Option, options_of


class HasSettings(Protocol):
    """Whatever does the work of a command for one kind, with the settings that declare its options."""

    @property
    def settings(self) -> type[Any]: ...


class KindCommand:
    """A function as a command that has its own parameters and the options that kinds declare, in their order.

    The function gets, as `given`, the options that were typed; the others have the defaults of the kind's settings.
    An option that several kinds declare is shown as the first of them declares it. Typer reads the signature when the
    command line is parsed, so that kinds registered by then count.
    """

    def __init__(self, run: Callable[..., None], kinds: Callable[[], Mapping[str, HasSettings]]) -> None:
        self.run, self.kinds = run, kinds
        self.__name__, self.__doc__ = run.__name__, run.__doc__

    def options(self) -> dict[str, Option]:
        """The options of all kinds, by name."""
        found: dict[str, Option] = {}
        for kind in self.kinds().values():
            for option in options_of(kind.settings):
                found.setdefault(option.name, option)
        return found

    @property
    def __signature__(self) -> inspect.Signature:
        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in inspect.signature(self.run, eval_str=True).parameters.values()
            if parameter.name != "given"
        ]
        return inspect.Signature([context, *own, *map(_parameter, self.options().values())])

    @property
    def __annotations__(self) -> dict[str, Any]:  # type: ignore[override]
        return {name: parameter.annotation for name, parameter in self.__signature__.parameters.items()}

    def __call__(self, *, context: typer.Context, **values: Any) -> None:
        options = self.options()
        own = {name: value for name, value in values.items() if name not in options}
        typed = click.core.ParameterSource.COMMANDLINE
        given = {name: values[name] for name in options if context.get_parameter_source(name) is typed}
        self.run(**own, given=given)


def _parameter(option: Option) -> inspect.Parameter:
    shown = typer.Option(option.flags, help=option.help)
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=option.default,
        annotation=Annotated[option.type, shown],
    )
