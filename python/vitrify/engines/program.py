"""Compares two TorchScript programs as they stand in archives, without running either.

Names of classes and files differ between processes and versions of vitrify; a program is the same if one renaming, of
each name to one other, makes all of its text, its objects, its constants and its tensors equal.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Iterator

Entries = dict[str, bytes]

_NAME = re.compile(r"__torch__(?:\.[A-Za-z_]\w*)+")
_ANY = "\N{SNOWMAN}"  # in the place of a name; no program has it, as its text is ASCII
_HEAD = re.compile(r"(class|def) ([A-Za-z_]\w*)")
_FINAL = re.compile(r"(?:^  \w+ : Final\[.*\n)+", re.MULTILINE)
# Entries that torch writes, and reads without running anything.
_NOTES = ("version", "byteorder", ".format_version", ".storage_alignment")
_SERIAL = ".data/serialization_id"
_EXTRA = ("extra/vitrify.json", "extra/weights.safetensors")


class _Differs(Exception):
    """Where two programs differ, in words."""


def difference(one: Entries, other: Entries) -> str:
    """The first difference of the programs in two archives, entry -> bytes, in words; empty if there is none.

    one: may hold anything. other: written by torch in this process.
    """
    try:
        _compare(_without_folder(one), _without_folder(other))
    except _Differs as found:
        return str(found)
    return ""


def _without_folder(entries: Entries) -> Entries:
    """The entries by their names in the one folder of the archive."""
    found = {name.partition("/")[2]: content for name, content in entries.items()}
    return {name: content for name, content in found.items() if name not in _EXTRA}


def _compare(one: Entries, other: Entries) -> None:
    for name in sorted({*one, *other}):
        if name == _SERIAL:
            if len(one.get(name, b"")) > 64:
                raise _Differs(f"{name} is too long")
        elif name in _NOTES:
            if (name in one and one[name] != other.get(name)) or (name == "version" and name not in one):
                raise _Differs(f"{name} is another")
        elif not name.startswith("code/"):
            if name not in one or name not in other:
                raise _Differs(f"{name} is in one of them only")
            if not name.endswith(".pkl") and one[name] != other[name]:
                raise _Differs(f"the numbers in {name} are others")
    renaming = _Renaming(_blocks(one), _blocks(other))
    for name in ("constants.pkl", "data.pkl"):
        _compare_objects(name, one[name], other[name], renaming)
    renaming.follow()


def _blocks(entries: Entries) -> dict[str, str]:
    """The text of each class and function, by its full name; its own name in the first line is left out."""
    found: dict[str, str] = {}
    for name, content in entries.items():
        if not name.startswith("code/"):
            continue
        try:
            text = content.decode("ascii")
        except UnicodeDecodeError:
            raise _Differs(f"{name} is no plain text") from None
        module = name[len("code/") : -len(".py")].replace("/", ".")
        pieces = re.split(r"(?m)^(?=class |def )", text)
        if not name.endswith(".py") or pieces[0]:
            raise _Differs(f"{name} holds something else than classes and functions")
        for piece in pieces[1:]:
            head = _HEAD.match(piece)
            if head is None:
                raise _Differs(f"{name} is no program")
            full = f"{module}.{head[2]}"
            if full in found:
                raise _Differs(f"{full} stands in it twice")
            # Torch writes constants in no fixed order.
            body = _FINAL.sub(lambda run: "".join(sorted(run[0].splitlines(True))), piece[head.end() :])
            found[full] = f"{head[1]} {body.rstrip()}"
    return found


class _Renaming:
    """Names in one program -> names in the other, each to one; grows as the programs are compared."""

    def __init__(self, one: dict[str, str], other: dict[str, str]) -> None:
        self.one, self.other = one, other
        self.forward: dict[str, str] = {}
        self.back: dict[str, str] = {}
        self.open: list[tuple[str, str]] = []

    def add(self, name: str, counterpart: str) -> None:
        """Notes that the two names stand in one place; raises _Differs if they do not elsewhere."""
        if name not in self.forward and counterpart not in self.back:
            self.forward[name], self.back[counterpart] = counterpart, name
            self.open.append((name, counterpart))
        if self.forward.get(name) != counterpart or self.back.get(counterpart) != name:
            raise _Differs(f"{name} stands where {counterpart} should")

    def follow(self) -> None:
        """Compares the text behind all names that were met, and behind the names in it; nothing may be left over."""
        while self.open:
            name, counterpart = self.open.pop()
            if name not in self.one or counterpart not in self.other:
                raise _Differs(f"{name} is not defined in it")
            mine, its = self.one[name], self.other[counterpart]
            if _NAME.sub(_ANY, mine) != _NAME.sub(_ANY, its):
                raise _Differs(f"the code of {name} is another")
            for pair in zip(_NAME.findall(mine), _NAME.findall(its), strict=True):
                self.add(*pair)
        for name in self.one:
            if name not in self.forward:
                raise _Differs(f"nothing uses {name}")


def _compare_objects(entry: str, one: bytes, other: bytes, renaming: _Renaming) -> None:
    """Compares two pickles, instruction by instruction, without running them."""
    mine, its = _instructions(entry, one), _instructions(entry, other)
    while True:
        a, b = next(mine, None), next(its, None)
        if a is None or b is None:
            if a is not b:
                raise _Differs(f"{entry} is of another length")
            return
        names = _class_name(a), _class_name(b)
        if names[0] and names[1]:
            renaming.add(names[0], names[1])
        elif a != b:
            raise _Differs(f"the objects in {entry} are others")


def _instructions(entry: str, content: bytes) -> Iterator[tuple[str, object]]:
    position = 0
    try:
        for operation, argument, place in pickletools.genops(content):
            position = place or 0
            yield operation.name, argument
    except Exception as error:  # of its many kinds for damaged text
        raise _Differs(f"{entry} is no pickle ({type(error).__name__})") from None
    if content[position:] != b".":
        raise _Differs(f"{entry} goes on behind its end")


def _class_name(instruction: tuple[str, object]) -> str:
    """The name of the class that an instruction loads, if it is one of a program."""
    name, argument = instruction
    if name != "GLOBAL" or not isinstance(argument, str):
        return ""
    full = argument.replace(" ", ".", 1)
    return full if _NAME.fullmatch(full) else ""
