"""Zip archives that two readers could read in two ways, or that hold what no model file needs."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

Entries = dict[str, bytes]


@dataclass(frozen=True)
class Entry:
    """An entry of a zip archive with every number that a header or the directory states of it."""

    name: bytes
    content: bytes
    flags: int = 0
    method: int = 0
    attributes: int = 0o600 << 16
    local: dict[str, object] = field(default_factory=dict)  # what the local header says differently
    central: dict[str, object] = field(default_factory=dict)  # what the directory says differently
    before: bytes = b""  # between the entry before and the header
    after: bytes = b""  # behind the content

    def header(self) -> bytes:
        v = self._values(self.local)
        name, extra = bytes(v["name"]), bytes(v["extra"])  # type: ignore[call-overload]
        numbers = (20, v["flags"], v["method"], 0, 33, v["crc"], v["packed"], v["size"], len(name), len(extra))
        return b"PK\3\4" + struct.pack("<HHHHHLLLHH", *numbers) + name + extra

    def directory(self, offset: int) -> bytes:
        v = self._values({"offset": offset, **self.central})
        name, extra, comment = bytes(v["name"]), bytes(v["extra"]), bytes(v["comment"])  # type: ignore[call-overload]
        numbers = (
            *(20, 20, v["flags"], v["method"], 0, 33, v["crc"], v["packed"], v["size"]),
            *(len(name), len(extra), len(comment), v["disk"], 0, self.attributes, v["offset"]),
        )
        return b"PK\1\2" + struct.pack("<HHHHHHLLLHHHHHLL", *numbers) + name + extra + comment

    def _values(self, changes: dict[str, object]) -> dict[str, object]:
        size, crc = len(self.content), zlib.crc32(self.content)
        known: dict[str, object] = {
            "name": self.name, "flags": self.flags, "method": self.method, "crc": crc, "packed": size, "size": size,
            "extra": b"", "comment": b"", "disk": 0,
        }  # fmt: skip
        return {**known, **changes}


def entries_of(good: Entries) -> list[Entry]:
    return [Entry(name.encode(), content) for name, content in good.items()]


def packed(entries: list[Entry], comment: bytes = b"", **end: int) -> bytes:
    """The archive; `end`: numbers of the end record that differ (count, here, size, offset, disk)."""
    body, directory, n = b"", b"", 0
    for entry in entries:
        body += entry.before
        directory += entry.directory(len(body))
        body += entry.header() + entry.content + entry.after
        n += 1
    v = {"disk": 0, "here": n, "count": n, "size": len(directory), "offset": len(body), **end}
    numbers = (v["disk"], 0, v["here"], v["count"], v["size"], v["offset"], len(comment))
    return body + directory + b"PK\5\6" + struct.pack("<HHHHLLH", *numbers) + comment


def _first(good: Entries, **changes: object) -> bytes:
    first, *rest = entries_of(good)
    return packed([replace(first, **changes), *rest])  # type: ignore[arg-type]


def _added(good: Entries, name: bytes, content: bytes = b"x", **changes: object) -> bytes:
    return packed([*entries_of(good), replace(Entry(name, content), **changes)])  # type: ignore[arg-type]


def _deflated(good: Entries) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in good.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _streamed(good: Entries) -> bytes:
    class Pipe(io.RawIOBase):
        content = b""

        def writable(self) -> bool:
            return True

        def write(self, piece: bytes) -> int:  # type: ignore[override]
            self.content += bytes(piece)
            return len(piece)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:  # type: ignore[arg-type]
        for name, content in good.items():
            archive.writestr(name, content)
    return pipe.content


def _zip64(good: Entries) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in good.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as entry:
                entry.write(content)
    return buffer.getvalue()


def _other_directory(good: Entries) -> bytes:
    """A second archive behind the first: some readers start from the front, others from the back."""
    other = {name: content.replace(b"forward", b"backward") for name, content in good.items()}
    return packed(entries_of(other)) + packed(entries_of(good))


def _fake_end(good: Entries) -> bytes:
    """A comment that holds the end record of a directory without entries."""
    return packed(entries_of(good), comment=b"PK\5\6" + bytes(18))


def _overlapping(good: Entries) -> bytes:
    """Two entries whose contents are one."""
    first, *rest = entries_of(good)
    double = replace(first, name=first.name + b"2", central={"name": first.name + b"2", "offset": 0})
    body = packed([first, *rest])
    start = body.index(b"PK\1\2", len(first.header()) + len(first.content))
    end = len(body) - 22
    directory = body[start:end] + double.directory(0)
    n = len(rest) + 2
    return body[:start] + directory + b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, n, n, len(directory), start, 0)


def _local_zip64(good: Entries) -> bytes:
    first, *_ = entries_of(good)
    extra = struct.pack("<HHQQ", 1, 16, len(first.content), len(first.content))
    return _first(good, local={"packed": 0xFFFFFFFF, "size": 0xFFFFFFFF, "extra": extra})


CONTAINERS: dict[str, Callable[[Entries], bytes]] = {
    "compressed": _deflated,
    "streamed, with data descriptors": _streamed,
    "zip64 entries": _zip64,
    "zip64 in one local header": _local_zip64,
    "a second archive in front": _other_directory,
    "prepended bytes": lambda good: b"MZ" + bytes(62) + packed(entries_of(good)),
    "appended bytes": lambda good: packed(entries_of(good)) + b"tail",
    "a comment": lambda good: packed(entries_of(good), comment=b"hello"),
    "a comment with a fake end record": _fake_end,
    "a comment of an entry": lambda good: _first(good, central={"comment": b"hello"}),
    "an encrypted flag": lambda good: _first(good, flags=1),
    "a strong encryption flag": lambda good: _first(good, flags=0x41),
    "flags that differ": lambda good: _first(good, local={"flags": 0x800}),
    "methods that differ": lambda good: _first(good, local={"method": 8}),
    "names that differ": lambda good: _first(good, local={"name": next(iter(good)).encode()[:-1] + b"_"}),
    "sizes that differ": lambda good: _first(good, local={"size": 1}),
    "checksums that differ": lambda good: _first(good, local={"crc": 0}),
    "a wrong checksum": lambda good: _first(good, local={"crc": 1}, central={"crc": 1}),
    "a size beyond the file": lambda good: _first(
        good, local={"size": 2**31, "packed": 2**31}, central={"size": 2**31, "packed": 2**31}
    ),
    "an offset beyond the file": lambda good: _first(good, central={"offset": 2**31}),
    "an extra field": lambda good: _first(good, local={"extra": b"FB\1\0x"}),
    "a unicode path field": lambda good: _first(good, central={"extra": b"up\5\0" + b"\1" + bytes(4)}),
    "bytes between entries": lambda good: packed([replace(entry, after=b"gap") for entry in entries_of(good)]),
    "overlapping entries": _overlapping,
    "another disk": lambda good: packed(entries_of(good), disk=1),
    "too many entries claimed": lambda good: packed(entries_of(good), count=65535, here=65535),
    "fewer entries than there are": lambda good: packed(entries_of(good), count=3, here=3),
    "a directory of another size": lambda good: packed(entries_of(good), size=46),
    "an entry twice": lambda good: packed([*entries_of(good), entries_of(good)[0]]),
    "an entry in another case": lambda good: _added(good, next(iter(good)).upper().encode().replace(b"ARCH", b"arch")),
    "a folder in another case": lambda good: _added(good, b"archive/CODE/x.py"),
    "DATA.PKL": lambda good: _added(good, b"archive/DATA.PKL"),
    "a symbolic link": lambda good: _added(good, b"archive/link", b"/etc/passwd", attributes=0o120777 << 16),
    "a device": lambda good: _added(good, b"archive/device", b"", attributes=0o020666 << 16),
    "a folder": lambda good: _added(good, b"archive/folder/", b"", attributes=0o040755 << 16 | 0x10),
    "a folder by its attribute": lambda good: _added(good, b"archive/folder", b"", attributes=0x10),
    "an absolute name": lambda good: _added(good, b"/etc/passwd"),
    "a name with two dots": lambda good: _added(good, b"archive/../../evil"),
    "a name with one dot": lambda good: _added(good, b"archive/./data.pkl"),
    "a name with a drive": lambda good: _added(good, b"C:/evil"),
    "a name with a backslash": lambda good: _added(good, b"archive\\data.pkl"),
    "a name with a NUL": lambda good: _added(good, b"archive/data.pkl\0.txt"),
    "a name with a line break": lambda good: _added(good, b"archive/data\n.pkl"),
    "a name with an escape sequence": lambda good: _added(good, b"archive/\x1b[2Jdata"),
    "a name that is no UTF-8": lambda good: _added(good, b"archive/\xff\xfe"),
    "a name with letters that look alike": lambda good: _added(good, "archive/d\u0430ta.pkl".encode(), flags=0x800),
    "a name of 60,000 bytes": lambda good: _added(good, b"archive/" + b"x" * 60000),
    "an empty name": lambda good: _added(good, b""),
    "another top folder": lambda good: _added(good, b"other/extra/vitrify.json"),
    "no folder": lambda good: _added(good, b"vitrify.json"),
}
