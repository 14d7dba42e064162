"""Options of the command line, declared where they are used: as fields of a settings class.

    @dataclass(frozen=True)
    class Settings:
        pairs: int = option(200, "starts of the one-step errors")        # --pairs INTEGER
        folder: Path | None = option(None, "folder that is kept")       # --folder PATH

Fields made in another way are settings for Python alone. Lists and the like are text on the command line: `parse`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeVar, get_type_hints

from vitrify.core.errors import VitrifyError

_S = TypeVar("_S")
_KEY = "vitrify option"


@dataclass(frozen=True)
class Option:
    """An option of the command line.

    name: as Python has it, for --a-name a_name. type, default: of the value on the command line. field: the field of
    the settings that it fills. parse: turns the value on the command line into that of the field. needs: the name of
    an option without which this one does nothing.
    """

    name: str
    type: Any
    default: Any
    help: str
    field: str
    parse: Callable[[Any], Any] | None = None
    needs: str = ""

    @property
    def flag(self) -> str:
        """The flag on the command line: --a-name."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def flags(self) -> str:
        """The flags on the command line: --a-name; also --no-a-name for an option that is on by default."""
        return f"{self.flag}/--no-{self.flag[2:]}" if self.default is True else self.flag


def option(
    default: Any = MISSING, help: str = "", *, name: str = "", factory: Callable[[], Any] | None = None,
    type: Any = None, shown: Any = MISSING, parse: Callable[[Any], Any] | None = None, needs: str = "",
) -> Any:  # fmt: skip
    """A field of a settings class that is an option of the command line, too.

    Args:
        default: of the field, or `factory`, which makes it.
        name: of the option, where it is not that of the field.
        type: of the value on the command line; by default the field's, or text where it is parsed.
        shown: default on the command line; by default the field's, as text where it is parsed.
        parse: turns the value on the command line into that of the field.
        needs: name of an option without which this one does nothing, and is refused.
    """
    details = {"name": name, "help": help, "type": type, "shown": shown, "parse": parse, "needs": needs}
    if factory is not None:
        return field(default_factory=factory, metadata={_KEY: details})
    return field(default=default, metadata={_KEY: details})


def options_of(settings: type[Any]) -> list[Option]:
    """The options that a settings class declares, in the order of its fields."""
    hints = get_type_hints(settings)
    return [_option(each, hints[each.name]) for each in fields(settings) if _KEY in each.metadata]


def _option(declared: Field[Any], hint: Any) -> Option:
    details = declared.metadata[_KEY]
    parse, typed = details["parse"], details["type"]
    default = None if declared.default is MISSING else declared.default
    if parse is not None and typed is None:
        typed, default = str, _text(default)
    if details["shown"] is not MISSING:
        default = details["shown"]
    typed = typed or hint
    return Option(
        name=details["name"] or declared.name,
        type=typed | None if default is None else typed,
        default=default,
        help=details["help"],
        field=declared.name,
        parse=parse,
        needs=details["needs"],
    )


def _text(value: Any) -> str | None:
    """The default of a list as it would be typed; None for an empty one."""
    return ",".join(map(str, value)) if isinstance(value, tuple) and value else None


def from_options(settings: type[_S], given: Mapping[str, Any]) -> _S:
    """Settings from the options that were given on the command line, by name; options of other classes are ignored."""
    values = {}
    for each in options_of(settings):
        value = given.get(each.name)
        if value is not None:
            values[each.field] = value if each.parse is None else each.parse(value)
    return settings(**values)


def strictly_from_options(settings: type[_S], given: Mapping[str, Any], owner: str) -> _S:
    """Settings from the options that were given; owner: what has the settings, for messages.

    Raises VitrifyError for options that the settings do not have, and for those that do nothing without another one.
    """
    known = {each.name: each for each in options_of(settings)}
    others = [f"--{name.replace('_', '-')}" for name in given if name not in known]
    if others:
        flags = ", ".join(each.flag for each in known.values())
        verb = "is no option" if len(others) == 1 else "are no options"
        raise VitrifyError(f"{', '.join(others)} {verb} of {owner}: leave out, or use {flags}")
    found = from_options(settings, given)
    for each in known.values():
        if each.name in given and each.needs and each.needs not in given:
            raise VitrifyError(f"{each.flag} does nothing without {known[each.needs].flag}: give both, or none")
    return found


def integers(error: str) -> Callable[[str], tuple[int, ...]]:
    """A parser of texts such as "1,2,3". error: message of its VitrifyError, with {!r} for the text."""

    def parse(text: str) -> tuple[int, ...]:
        try:
            return tuple(int(part) for part in text.split(","))
        except ValueError:
            raise VitrifyError(error.format(text)) from None

    return parse


def comma_separated(text: str) -> tuple[str, ...]:
    """The parts of "a,b,c"."""
    return tuple(text.split(","))
