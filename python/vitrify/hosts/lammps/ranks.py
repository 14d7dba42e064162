"""Lets the ranks of a LAMMPS agree on errors, since a rank that stops alone leaves the others waiting."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from ctypes import byref, c_char, c_int, c_void_p
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn, TypeAlias, TypeVar

from vitrify.core.errors import VitrifyError
from vitrify.hosts.lammps.library import Library

Result = TypeVar("Result")


class Ranks:
    """The ranks of one LAMMPS, which communicate through the MPI library that LAMMPS itself uses.

    Raises VitrifyError on several ranks if this MPI library is not supported.
    """

    def __init__(self, library: Library) -> None:
        self.rank, self.size = max(library.setting("world_rank"), 0), max(library.setting("world_size"), 1)
        self._mpi = _Mpi.of(library) if self.size > 1 else None
        if library.embedded:
            _report_on_first_rank(self.rank)

    def together(self, action: Callable[[], Result]) -> Result:
        """The result of `action`; if it fails on some ranks, all ranks raise the error of the first of these.

        Every rank must call this. Communication inside `action` must come before steps that can fail on single ranks.
        """
        error: Exception | None = None
        try:
            result = action()
        except Exception as found:
            error = found
        self.agree(error)
        return result

    def agree(self, error: Exception | None) -> None:
        """Raises the error of the first rank that has one, on all ranks."""
        if self._mpi is None:
            if error is not None:
                raise error
            return
        first = self._mpi.least(self.size if error is None else self.rank)
        if first == self.size:
            return
        message = self._mpi.share(b"" if error is None else _message_of(error).encode(), first).decode()
        if first == self.rank and error is not None:
            raise error
        raise Elsewhere(message)

    def total(self, number: int) -> int:
        """The sum of a number over all ranks."""
        return number if self._mpi is None else self._mpi.sum(number)

    def end(self, message: str) -> NoReturn:
        """Ends the whole program with a message, where an exception cannot be raised."""
        if self.rank == 0:
            print(f"ERROR: {message}", file=sys.stderr, flush=True)
        sys.stdout.flush()
        ctypes.CDLL(None).fflush(None)  # what LAMMPS has written
        if self._mpi is not None:
            self._mpi.abort()
        os._exit(1)


class Elsewhere(VitrifyError):
    """The error of another rank, which reports it."""


Hook: TypeAlias = Callable[[type[BaseException], BaseException, TracebackType | None], Any]


def _report_on_first_rank(rank: int) -> None:
    """Makes the first rank print a VitrifyError as one line; LAMMPS prints exceptions by `sys.excepthook`."""
    before: Hook = getattr(sys.excepthook, "before", sys.excepthook)

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not isinstance(error, VitrifyError):
            before(kind, error, trace)
        elif rank == 0:
            print(f"ERROR: {error}", file=sys.stderr, flush=True)

    hook.before = before  # type: ignore[attr-defined]
    sys.excepthook = hook


def _message_of(error: Exception) -> str:
    return str(error) if isinstance(error, VitrifyError) else f"{type(error).__name__}: {error}"


@dataclass(frozen=True)
class _Mpi:
    """Some functions of an MPI library; handles are addresses in Open MPI, and numbers in MPICH and its relatives."""

    symbols: ctypes.CDLL
    comm: Any
    integer: Any
    byte: Any
    minimum: Any
    addition: Any

    @classmethod
    def of(cls, library: Library) -> _Mpi:
        """The MPI library of a LAMMPS; VitrifyError for a library whose handles are unknown."""
        symbols = ctypes.CDLL(library.symbols._name)
        text, length = ctypes.create_string_buffer(8192), c_int()
        symbols.MPI_Get_library_version(text, byref(length))
        version = text.value.decode(errors="replace")
        comm = library.call("get_mpi_comm")
        if version.startswith("Open MPI"):
            symbols.MPI_Comm_f2c.restype = c_void_p
            names = ("ompi_mpi_int", "ompi_mpi_byte", "ompi_mpi_op_min", "ompi_mpi_op_sum")
            handles = [c_void_p(ctypes.addressof(c_char.in_dll(symbols, name))) for name in names]
            return cls(symbols, c_void_p(symbols.MPI_Comm_f2c(comm)), *handles)
        if any(name in version for name in ("MPICH", "Intel", "MVAPICH", "CRAY")):
            # The numbers of MPICH's ABI, which its relatives share.
            return cls(symbols, *(c_int(n) for n in (comm, 0x4C000405, 0x4C00010D, 0x58000002, 0x58000003)))
        raise VitrifyError(f"more than one rank is not supported with this MPI ({version[:60]}): use one rank")

    def least(self, number: int) -> int:
        """The smallest number of all ranks."""
        return self._reduce(number, self.minimum)

    def sum(self, number: int) -> int:
        """The sum of the numbers of all ranks."""
        return self._reduce(number, self.addition)

    def _reduce(self, number: int, operation: Any) -> int:
        mine, all_ = c_int(number), c_int()
        self.symbols.MPI_Allreduce(byref(mine), byref(all_), 1, self.integer, operation, self.comm)
        return all_.value

    def share(self, data: bytes, root: int) -> bytes:
        """The data of the rank `root`, on all ranks."""
        size = c_int(len(data))
        self.symbols.MPI_Bcast(byref(size), 1, self.integer, root, self.comm)
        buffer = ctypes.create_string_buffer(data[: size.value], size.value + 1)
        self.symbols.MPI_Bcast(buffer, size.value, self.byte, root, self.comm)
        return buffer.raw[: size.value]

    def abort(self) -> None:
        """Ends the program on all ranks."""
        self.symbols.MPI_Abort(self.comm, 1)
