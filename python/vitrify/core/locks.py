"""One lock for everything that is written: no two processes write the same file, or into the same folder.

A lock is a file that its holder has locked (`flock`) and that says who it is: `.NAME.lock` beside a file, and
`.vitrify.lock` in a folder. It goes with its holder's end. One that a killed process has left is free, and the next
process takes it over. Where the file system has no locks, what the file says counts.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vitrify.core.errors import VitrifyError
from vitrify.core.files import is_running, make_folder, require_file, require_other, writing
from vitrify.core.signals import deferred, undone

_FOLDER_LOCK = ".vitrify.lock"
_PAUSE = 0.5  # seconds between two looks at a lock that is waited for
_UNSAID = 60.0  # seconds after which a lock that names nobody is a left-over, on file systems without locks
_held: set[int] = set()  # descriptors of the locks of this process


@contextmanager
def claim_file(path: str | Path, command: str, inputs: Iterable[str | Path] = ()) -> Iterator[None]:
    """Keeps the file `path` for this process, which is going to write it; makes the folders above it.

    command: what this process does, for the message that others get. inputs: files that `path` must not be.

    Raises:
        VitrifyError: another process writes `path`, or nobody can, with the reason.
    """
    final = Path(path)
    with writing(final):
        require_file(final)
        require_other(final, inputs)
        place = Path(os.path.realpath(final)) if final.is_symlink() else final
    name = f".{place.name}.lock"
    if len(os.fsencode(name)) > 200:
        name = f".{hashlib.sha256(os.fsencode(place.name)).hexdigest()[:16]}.lock"
    with _claimed(place.with_name(name), final, command):
        yield


@contextmanager
def claim_folder(folder: str | Path, command: str, wait: bool = False) -> Iterator[None]:
    """Keeps a folder for this process, which is going to fill it; makes the folder, and removes it if it stays empty.

    wait: until another process has finished there, and say once on stderr what is waited for, instead of an error. The
    other arguments and errors are those of `claim_file`.
    """
    path = Path(folder)
    with _claimed(path / _FOLDER_LOCK, path, command, wait):
        yield


@contextmanager
def _claimed(lock: Path, output: Path, command: str, wait: bool = False) -> Iterator[None]:
    made = make_folder(lock.parent, output)
    holder, descriptor, told = os.getpid(), None, False
    try:
        while descriptor is None:
            try:
                with deferred(), writing(output):
                    make_folder(lock.parent, output)  # its last holder may have removed it
                    descriptor = _taken(lock, output)
                    _sign(descriptor, command)
            except InUse as error:
                if not wait:
                    raise
                if not told:
                    print(f"{error.fact}: waiting until it has finished", file=sys.stderr, flush=True)
                told = True
                time.sleep(_PAUSE)
        with undone(lock.unlink):
            yield
    finally:
        if os.getpid() == holder:  # and not a forked child
            with deferred():
                if descriptor is not None:
                    _free(descriptor, lock)
                for folder in reversed(made):
                    with suppress(OSError):
                        folder.rmdir()


def _free(descriptor: int, lock: Path) -> None:
    _held.discard(descriptor)
    with suppress(OSError):
        lock.unlink()
    os.close(descriptor)


def _taken(lock: Path, output: Path) -> int:
    """The descriptor of the lock, held by this process alone; VitrifyError if another has it."""
    while True:
        try:
            descriptor, fresh = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), True
        except FileExistsError:
            try:
                descriptor, fresh = os.open(lock, os.O_RDWR), False
            except FileNotFoundError:  # its holder has just removed it
                continue
        holder: dict[str, Any] | None = {}
        try:
            holder = _holder(descriptor, fresh)
            # The one that held the lock may have removed the file in between.
            with suppress(FileNotFoundError):
                if holder is None and os.path.samestat(os.fstat(descriptor), os.stat(lock)):
                    _held.add(descriptor)
                    return descriptor
        finally:
            if descriptor not in _held:
                os.close(descriptor)
        if holder is not None:
            raise _in_use(output, lock, holder)


def _holder(descriptor: int, fresh: bool) -> dict[str, Any] | None:
    """Locks the file, or says what holds it. fresh: this process has just made it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return None
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return _read(descriptor)
    # A file system without locks: who made the file holds it, while it runs.
    holder = _read(descriptor)
    if fresh or (not holder and time.time() - os.fstat(descriptor).st_mtime > _UNSAID):
        return None
    return None if holder and holder["host"] == socket.gethostname() and not is_running(holder["pid"]) else holder


def _sign(descriptor: int, command: str) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    who = {"pid": os.getpid(), "host": socket.gethostname(), "command": command, "since": since}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, (json.dumps(who) + "\n").encode(), 0)


def _read(descriptor: int) -> dict[str, Any]:
    """What the holder of a lock says of itself; nothing if it has not said it yet."""
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
        return {"pid": int(found["pid"]), **{key: str(found[key]) for key in ("host", "command", "since")}}
    except (ValueError, KeyError, TypeError):
        return {}


class InUse(VitrifyError):
    """Another process has the lock. fact: the message without the remedy."""

    def __init__(self, fact: str, remedy: str) -> None:
        super().__init__(f"{fact}: {remedy}")
        self.fact = fact


def _in_use(output: Path, lock: Path, holder: dict[str, Any]) -> InUse:
    if not holder:
        return InUse(f"{output} is in use by another process", "wait until it has finished, or give another --out")
    remedy = "wait until it has finished, stop it, or give another --out"
    if holder["host"] != socket.gethostname():
        remedy += f" (remove {lock} if it is known to be dead)"
    who = f"process {holder['pid']} on {holder['host']} ({holder['command']}, since {holder['since']})"
    return InUse(f"{output} is in use by {who}", remedy)


def _forget() -> None:
    """A forked child has the descriptors too, and would hold the locks beyond the end of its parent."""
    for descriptor in _held:
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget)
