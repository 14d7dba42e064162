"""TorchScript archives whose program or objects do more than compute, or break what torch trusts in.

Each is a change of the entries of a good model file of kind ogn, variant pair; MARK is the file that their code makes.
"""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable

Entries = dict[str, bytes]

MARK = "MARK"
CODE = "archive/code/__torch__/vitrify/ogn/models/pair.py"
MODULE = "__torch__.vitrify.ogn.models.pair"
SELF = f"self: {MODULE}.PairOGN"
FILE = f'ops.aten.from_file("{MARK}", True, 16)'


def _source(good: Entries) -> str:
    return good[CODE].decode()


def method(good: Entries, text: str, **more: bytes) -> Entries:
    """One more method."""
    source = _source(good)
    at = source.index("  def start(")
    return {**good, CODE: (source[:at] + text + source[at:]).encode(), **more}


def lines(good: Entries, code: list[str], attribute: str = "", tail: str = "") -> Entries:
    """More lines at the begin of forward, an attribute, and text behind the classes."""
    source = _source(good)
    start = source.index("  def forward(")
    begin = source.index(":\n", source.index("->", start)) + 2
    source = source[:begin] + "".join(f"    {line}\n" for line in code) + source[begin:]
    source = source.replace("  stages : ", attribute + "  stages : ", 1)
    return {**good, CODE: (source + tail).encode()}


def text(value: str) -> bytes:
    """A text in a pickle."""
    return b"X" + struct.pack("<L", len(value)) + value.encode()


def attribute(entries: Entries, pickled: bytes) -> Entries:
    """One more attribute of the module in data.pkl."""
    data = entries["archive/data.pkl"]
    at = data.rindex(b"ub")
    return {**entries, "archive/data.pkl": data[:at] + pickled + data[at:]}


def objects(good: Entries, change: Callable[[bytes], bytes]) -> Entries:
    changed = change(good["archive/data.pkl"])
    assert changed != good["archive/data.pkl"]
    return {**good, "archive/data.pkl": changed}


def _wrong_class(good: Entries) -> Entries:
    wide = "class Wide:\n" + "".join(f"  p{i} : int\n" for i in range(400)) + "  last : Tensor\n"
    changed = lines(
        good, ["i = self.wide", "t = i.last"], f"  wide : {MODULE}.Wide\n", wide + "class Thin:\n  b : int\n"
    )
    return attribute(changed, text("wide") + f"c{MODULE}\nThin\n".encode() + b")\x81}(" + text("b") + b"K\x01ub")


def _interface(good: Entries) -> Entries:
    tail = (
        f"class Gate(Interface):\n  def go(self: {MODULE}.Gate,\n    x: Tensor) -> Tensor:\n    pass\n"
        f"class Behind:\n  def go(self: {MODULE}.Behind,\n    x: Tensor) -> Tensor:\n    a = {FILE}\n"
        "    return torch.add(x, torch.sum(a))\n"
    )
    changed = lines(good, ["i = self.gate", "y = (i).go(velocities, )"], f"  gate : {MODULE}.Gate\n", tail)
    return attribute(changed, text("gate") + f"c{MODULE}\nBehind\n".encode() + b")\x81}b")


def _state(good: Entries) -> Entries:
    return method(
        good,
        f"  def __getstate__({SELF}) -> Dict[str, Any]:\n    return {{}}\n"
        f"  def __setstate__({SELF},\n    state: Dict[str, Any]) -> NoneType:\n    a = {FILE}\n    return None\n",
    )


def _tensor(good: Entries, count: bytes, offset: bytes = b"K\x00", shape: bytes = b"", stride: bytes = b"") -> Entries:
    """The first tensor of data.pkl with other numbers: of values in its storage, offset, shape, stride."""
    data = good["archive/data.pkl"]
    end = data.index(b"tQ")  # end of the persistent id: ..., 'cpu', count
    place = data.rindex(b"cpu", 0, end)
    begin = place + 3 + (2 if data[place + 3 : place + 4] == b"q" else 0)
    after = data.index(b"K\x00", end)  # the offset of a tensor of one storage is 0
    changed = data[:begin] + count + data[end:after] + offset + shape + stride + data[after + 2 :]
    return {**good, "archive/data.pkl": changed}


def _pickled_call(good: Entries) -> Entries:
    class Call:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            import os

            return os.system, (f"touch {MARK}",)

    return {**good, "archive/data.pkl": pickle.dumps(Call(), 2)}


def _weight(good: Entries) -> Entries:
    name = next(name for name in good if name.startswith("archive/data/"))
    return {**good, name: bytes([good[name][0] ^ 1]) + good[name][1:]}


def _plain_weight(good: Entries) -> Entries:
    """A value of the plain weights that the program does not have."""
    name = "archive/extra/weights.safetensors"
    return {**good, name: good[name][:-1] + bytes([good[name][-1] ^ 1])}


def _settings(good: Entries) -> Entries:
    name = "archive/extra/vitrify.json"
    metadata = json.loads(good[name])
    metadata["network"]["reach"] += 0.01
    metadata["hyperparameters"]["reach"] += 0.01
    return {**good, name: json.dumps(metadata).encode()}


def _cycle(good: Entries) -> Entries:
    return attribute(good, text("loop") + b"]q\xf0h\xf0a")


PROGRAMS: dict[str, Callable[[Entries], Entries]] = {
    "a default argument": lambda good: method(
        good, f"  def extra({SELF},\n    x: Tensor={FILE}) -> Tensor:\n    return x\n"
    ),
    "a default argument of a function": lambda good: {
        **good, CODE: (_source(good) + f"def extra(x: Tensor={FILE}) -> Tensor:\n  return x\n").encode()
    },
    "__setstate__": _state,
    "a pre-forward hook": lambda good: lines(
        good, [], "  __forward_pre_hooks__ = [\"extra\", ]\n",
        f"def extra(self: {MODULE}.PairOGN) -> NoneType:\n  a = {FILE}\n  return None\n",
    ),
    "an operator that opens files": lambda good: lines(good, [f"a = {FILE}"]),
    "an operator that prints": lambda good: lines(good, ['print("hello")']),
    "an operator that saves": lambda good: lines(good, [f'ops.aten.save(velocities, "{MARK}")']),
    "an operator of unchecked memory": lambda good: lines(
        good, ["a = torch.as_strided(velocities, [1000000], [1000])", "b = torch.fill_(a, 1.)"]
    ),
    "a loop without end": lambda good: lines(good, ["while True:", "  pass"]),
    "a custom class": lambda good: lines(
        good, ["c = __torch__.torch.classes.profiling._ScriptProfile.__new__"
               "(__torch__.torch.classes.profiling._ScriptProfile)"]
    ),
    "a custom class hidden by a space": lambda good: lines(
        good, ["c = __torch__.torch . classes.profiling._ScriptProfile.__new__"
               "(__torch__.torch . classes.profiling._ScriptProfile)", "z = (c).__init__()", "y = (c).enable()"]
    ),
    "a custom class in the objects": lambda good: attribute(
        good, text("x") + b"c__torch__.torch.classes._nnapi\nCompilation\n)\x81}b"
    ),
    "an interface": _interface,
    "an object of another class": _wrong_class,
    "a class that nothing uses": lambda good: {**good, CODE: good[CODE] + b"class Unused(Module):\n  x : int\n"},
    "a file of code that nothing uses": lambda good: {
        **good, "archive/code/__torch__/more.py": f"def f(x: Tensor={FILE}) -> Tensor:\n  return x\n".encode()
    },
    "code outside of classes": lambda good: {**good, CODE: f"a = {FILE}\n".encode() + good[CODE]},
    "code that is no text": lambda good: {**good, CODE: good[CODE] + b"\xff\x00"},
    "another operator": lambda good: {**good, CODE: good[CODE].replace(b"torch.mul(", b"torch.add(", 1)},
    "200,000 parentheses": lambda good: method(
        good, f"  def extra({SELF},\n    x: Tensor) -> Tensor:\n    y = {'(' * 200000}1{')' * 200000}\n    return x\n"
    ),
    "500,000 nested tuples": lambda good: attribute(good, text("deep") + b")" + b"\x85" * 500000),
    "a storage of 2^28 numbers": lambda good: _tensor(good, b"J\x00\x00\x00\x10"),
    "a storage of negative size": lambda good: _tensor(good, b"J\xff\xff\xff\xff"),
    "a storage offset beyond the end": lambda good: _tensor(good, b"K\x08", b"J\xff\xff\xff\x7f"),
    "a negative storage offset": lambda good: _tensor(good, b"K\x08", b"J\x00\xff\xff\xff"),
    "a call of os.system": _pickled_call,
    "a call in an attribute": lambda good: attribute(
        good, text("x") + b"cposix\nsystem\n(" + text(f"touch {MARK}") + b"tR"
    ),
    "a list that holds itself": _cycle,
    "a number of 255 bytes": lambda good: attribute(good, text("big") + b"\x8a\xff" + b"\x7f" * 255),
    "a memo of 2^31": lambda good: attribute(good, text("m") + b"K\x01r\xff\xff\xff\x7f"),
    "objects cut short": lambda good: objects(good, lambda data: data[: len(data) // 2]),
    "objects that go on": lambda good: objects(good, lambda data: data + b"cposix\nsystem\n."),
    "objects that are no pickle": lambda good: objects(good, lambda data: b"hello"),
    "no objects": lambda good: {n: c for n, c in good.items() if n != "archive/data.pkl"},
    "other constants": lambda good: {**good, "archive/constants.pkl": b"\x80\x02cposix\nsystem\n."},
    "no constants": lambda good: {n: c for n, c in good.items() if n != "archive/constants.pkl"},
    "no code": lambda good: {n: c for n, c in good.items() if "/code/" not in n},
    "another version of the format": lambda good: {**good, "archive/version": b"99999999999999999999\n"},
    "another byte order": lambda good: {**good, "archive/byteorder": b"big"},
    "one more tensor": lambda good: {**good, "archive/data/9999": b"\0" * 64},
    "one more pickle": lambda good: {**good, "archive/attributes.pkl": pickle.dumps([1], 2)},
    "a tensor cut short": lambda good: {**good, "archive/data/0": good["archive/data/0"][:-4]},
    "one other weight": _weight,
    "one other plain weight": _plain_weight,
    "other settings": _settings,
}  # fmt: skip
