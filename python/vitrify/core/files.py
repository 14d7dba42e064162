"""Files that are written as a whole or not at all, what keeps a file from being written, and checksums."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import re
import resource
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vitrify.core.errors import VitrifyError, one_line
from vitrify.core.signals import undone

# Errors of what is read, of pipes and sockets, and of other processes.
_NOT_OF_WRITING = (gzip.BadGzipFile, ConnectionError, ChildProcessError, ProcessLookupError)
_PROBE = 1 << 16  # bytes that must fit into a folder where a program writes
_LONGEST = 100  # bytes of a file's name that the name of its unfinished copy has; file systems take 255


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yields a path beside `path` to write to; renames it to `path` on success and removes it on failure.

    What a killed process has left there is removed. A link is followed.

    Raises:
        VitrifyError: `path` cannot be written, with the reason.
    """
    final = Path(path)
    with writing(final):
        require_file(final)
        place = Path(os.path.realpath(final)) if final.is_symlink() else final
        make_folder(place.parent, final)
        _remove_left_over(place)
    work = _unfinished(place, os.getpid())
    try:
        with writing(final), undone(work.unlink):
            yield work
            os.replace(work, place)
    finally:
        with suppress(OSError):
            work.unlink()


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turns what goes wrong while the file or folder `path` is written into one VitrifyError with the reason.

    Errors of other files, such as one that is read meanwhile, and of a closed pipe stay what they are.
    """
    try:
        yield
    except OSError as error:
        if _is_of_another(error, Path(path)):
            raise
        raise cannot_write(path, error) from None
    except RuntimeError as error:  # of HDF5, where a file is closed
        if _number(error) is None or _is_of_another(error, Path(path)):
            raise
        raise cannot_write(path, error) from None


def cannot_write(path: str | Path, reason: BaseException | int | str) -> VitrifyError:
    """The error for an output that cannot be written. reason: the exception, the number of the error, or a text."""
    if isinstance(reason, BaseException):
        reason = _number(reason) or " ".join(str(reason).split()) or type(reason).__name__
    return VitrifyError(f"cannot write {path}: {os.strerror(reason) if isinstance(reason, int) else reason}")


def make_folder(folder: str | Path, output: str | Path | None = None) -> list[Path]:
    """Makes a folder with those above it; returns the ones that were not there, the outermost first.

    output: what is to be written there, for the error; by default the folder itself. Raises VitrifyError.
    """
    path, named = Path(folder), folder if output is None else output
    made: list[Path] = []
    missing = path
    while not os.path.lexists(missing) and missing != missing.parent:
        made.insert(0, missing)
        missing = missing.parent
    with writing(named):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise cannot_write(named, _dangling(path) or errno.ENOTDIR) from None
    return made


@contextmanager
def own_content(path: str | Path, what: str) -> Iterator[None]:
    """Turns what goes wrong while the content of a file is taken apart into one VitrifyError with the file's name.

    what: the file should be, such as "the journal of vitrify artn". Errors that are told already stay what they are.
    """
    try:
        yield
    except (VitrifyError, MemoryError):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(str(error))[:80]}"
        raise VitrifyError(
            f"{path}: not {what}, or damaged ({reason}): give another folder or file, or remove this one"
        ) from None


def require_file(path: Path) -> None:
    """VitrifyError if `path` is there and no file, or a link to where none can be made."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        reason = _dangling(path)
        if reason and not Path(os.path.realpath(path)).parent.is_dir():
            raise cannot_write(path, reason) from None
        return
    except OSError as error:
        raise cannot_write(path, error) from None
    if stat.S_ISDIR(mode):
        raise cannot_write(path, errno.EISDIR)
    if not stat.S_ISREG(mode):
        raise cannot_write(path, "it is no regular file")


def require_other(output: str | Path, inputs: Iterable[str | Path]) -> None:
    """VitrifyError if the output is one of the inputs, by whatever name."""
    for given in inputs:
        with suppress(OSError):
            if os.path.samefile(output, given):
                raise cannot_write(output, f"it is the input {given}, which would be lost; give another name")


def append(descriptor: int, data: bytes, path: str | Path) -> None:
    """Adds data to an open file, to be on disk when this returns, or not at all. path: its name for the error.

    Raises VitrifyError if it cannot be written.
    """
    end = os.lseek(descriptor, 0, os.SEEK_END)
    with writing(path):
        try:
            done = 0
            while done < len(data):
                done += os.write(descriptor, data[done:])
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, end)
            raise


def keeps_from_writing(folder: Path) -> int | None:
    """The number of the error that other programs meet now if they write into the folder; None if they can.

    LAMMPS, for one, goes on without a word where the disk is full.
    """
    probe = _unfinished(folder / "probe", os.getpid())
    try:
        with open(probe, "wb", buffering=0) as file:
            file.write(bytes(_PROBE))
            os.fsync(file.fileno())
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        if limit != resource.RLIM_INFINITY and any(entry.stat().st_size >= limit for entry in os.scandir(folder)):
            return errno.EFBIG
    except OSError as error:
        return error.errno
    finally:
        with suppress(OSError):
            probe.unlink()
    return None


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_running(pid: int) -> bool:
    """Whether this machine has a process of that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _unfinished(final: Path, pid: int | str) -> Path:
    """Where a process writes what becomes `final`."""
    # The suffix stays last, because writers such as matplotlib and ASE choose the format by it.
    stem, suffix = final.stem, final.suffix
    if len(os.fsencode(final.name)) > _LONGEST:
        stem, suffix = hashlib.sha256(os.fsencode(final.name)).hexdigest()[:16], suffix[:20]
    return final.with_name(f".{stem}.{pid}.partial{suffix}")


def _remove_left_over(final: Path) -> None:
    """Removes unfinished copies of processes that run no more."""
    pattern = re.escape(_unfinished(final, "PID").name).replace("PID", r"(\d+)")
    with suppress(OSError):
        for entry in os.scandir(final.parent):
            found = re.fullmatch(pattern, entry.name)
            if found and not is_running(int(found[1])):
                os.unlink(entry.path)


def is_of_writing(error: OSError | RuntimeError) -> bool:
    """Whether only writing meets such an error: whatever file it names, it is an output."""
    return _number(error) in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


def _dangling(path: Path) -> str | None:
    """Says so if `path` is a link to something that is not there."""
    if not path.is_symlink() or path.exists():
        return None
    return f"it is a link to {os.path.realpath(path)}, which is not there"


def _name_in(error: BaseException) -> str | bytes | None:
    """The file that a system error names; HDF5 does so in its text alone."""
    name = getattr(error, "filename", None)
    if name is None and (found := re.search(r"\bname = '([^']+)'", str(error))):
        name = found[1]
    return name if isinstance(name, str | bytes) else None


def _number(error: BaseException) -> int | None:
    """The number of a system error; HDF5 tells it in its text alone."""
    number = getattr(error, "errno", None)
    if number is None and (found := re.search(r"errno = (\d+)", str(error))):
        number = int(found[1])
    return number if isinstance(number, int) else None


def _is_of_another(error: OSError | RuntimeError, path: Path) -> bool:
    """Whether the error is of a file that has nothing to do with the output `path`, or of none."""
    if isinstance(error, _NOT_OF_WRITING) or "read failed" in str(error):
        return True
    name = _name_in(error)
    if name is None or is_of_writing(error):
        return False
    named, output = (Path(os.path.realpath(os.fsdecode(each))) for each in (name, path))
    if named == output or named in output.parents or output in named.parents:
        return False
    return not (named.parent == output.parent and re.search(r"^\..*(\.partial|\.lock$)", named.name))
