"""YAML of people: plain values, sections and lists, or one clear error with the line.

What YAML has beyond that is refused, because a configuration needs none of it and each is a trap: aliases (a text of
forty lines can stand for 2^39 values), several documents, tags that make Python objects, deep nesting.
"""

from __future__ import annotations

import codecs
import os
from pathlib import Path
from typing import Any

import yaml

from vitrify.core.errors import VitrifyError, one_line, shown

LARGEST = 1_000_000  # bytes of a file
DEEPEST = 20  # sections and lists in each other


class _Refused(Exception):
    """What is wrong with a text: `args` are the message and the line, counted from 1."""


def read_yaml(path: Path) -> Any:
    """The value that a YAML file holds, None for an empty one.

    Raises:
        VitrifyError: no such file, a file that is too large or no text, and what `_value` refuses, with the line.
    """
    text = _text(path)
    try:
        return _value(text)
    except _Refused as refused:
        message, line = refused.args
        raise VitrifyError(f"{path}: line {line}: {message}") from None


def parse_yaml(text: str, place: str) -> Any:
    """The value that a short text holds, such as that of an option; `place` starts the message of its VitrifyError."""
    try:
        return _value(text)
    except _Refused as refused:
        raise VitrifyError(f"{place}: {refused.args[0]}") from None


def _text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 if it begins with the mark of it."""
    try:
        if os.path.isdir(path):
            raise VitrifyError(f"{path} is a folder: give the path of a training configuration (YAML)")
        if not os.path.isfile(path):
            raise VitrifyError(f"{path}: no such file; give the path of a training configuration (YAML)")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise VitrifyError(f"{path}: cannot be read ({error.strerror}); give a training configuration") from None
    if len(content) > LARGEST:
        raise VitrifyError(f"{path}: larger than {LARGEST // 1000} kB; give a training configuration (YAML)")
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if utf16 else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise VitrifyError(f"{path}: line {line}: not a YAML file: bytes that are no text; save it as UTF-8") from None


def _value(text: str) -> Any:
    try:
        loader = _Loader(text)
        return loader.get_single_data()
    except yaml.reader.ReaderError as error:
        code = f"the character {error.character:#x}" if isinstance(error.character, int) else "a wrong character"
        line = text.count("\n", 0, error.position) + 1
        raise _Refused(f"not a YAML file: {code} does not belong in a text; delete it", line) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _Refused(_explain(error), mark.line + 1 if mark else 1) from None


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = one_line(str(error.problem))
    if "another document" in problem:
        return "not a YAML file: a second document begins here; keep one of them"
    if "constructor for the tag" in problem:
        return f"{problem}; write the value without a tag"
    if "'\\t'" in problem:
        return "not a YAML file: a tab where YAML takes spaces alone; indent with spaces"
    where = f" {one_line(error.context)}" if error.context else ""
    return f"not a YAML file:{where}: {problem}; mend the brackets, quotes or indentation here or above"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """PyYAML's safe loader without aliases, with texts as keys, and with the line of every value it cannot make."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(
                f"*{event.anchor} is an alias, which a configuration may not have; write out what it stands for",
                event.start_mark.line + 1,
            )
        if self.depth == DEEPEST:
            raise _Refused(f"more than {DEEPEST} sections or lists in each other", event.start_mark.line + 1)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (yaml.YAMLError, _Refused):
            raise
        # PyYAML lets out what int(), float(), date() and the like raise.
        except Exception:
            kind = str(node.tag).rpartition(":")[2]
            raise _Refused(
                f"{shown(node.value)} is no {kind}, though it looks like one or is marked so; mend it or put quotes "
                "around it",
                node.start_mark.line + 1,
            ) from None

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise _Refused("a list or section is no key; give a word", line)
            if key.value in found:
                again = f"the key {shown(key.value)} is given twice, again in line {line}; keep one of the two"
                raise _Refused(again, line)
            found[key.value] = self.construct_object(value, deep=True)
        return found
