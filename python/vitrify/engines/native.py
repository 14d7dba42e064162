"""The parts of the native engine that all kinds share: compiled loops on a file's plain weights, without torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from vitrify.core.compiled import _core as _core
from vitrify.core.compiled import core_errors as core_errors
from vitrify.core.errors import VitrifyError
from vitrify.kinds import load
from vitrify.modelfile.archive import find_model, read_metadata, wrong_kind
from vitrify.modelfile.metadata import Metadata

Array = NDArray[np.float64]


class NativeBase:
    """Base of the models in the native engine, ready to run on OMP_NUM_THREADS threads (default 1).

    A deep copy has an engine of its own, so that it runs beside this one in another thread. A pickled model holds the
    path and the hash of its file, and opens it again. In a forked child a model runs in one thread.

    Raises VitrifyError for a file that is damaged, is of another kind, or has no weights for this engine.
    """

    kind: ClassVar[str]
    compiled: ClassVar[str]  # name of the class in vitrify._core
    metadata: Metadata

    def __init__(self, name: str | Path) -> None:
        self.path: Path = find_model(name)
        self.metadata = read_metadata(self.path)
        if self.metadata.kind != self.kind:
            raise wrong_kind(self.path, self.metadata.kind, self.kind)
        if not has_native_weights(self.path):
            raise VitrifyError(
                f"{self.path} (variant {self.metadata.variant}) has no weights for the native engine: use engine torch"
            )
        self.runs_on = f"the native engine ({instruction_set()})"
        with core_errors():
            self._model: Any = getattr(_core, self.compiled)(os.fsencode(self.path))
        self._place = str(self.path.absolute())  # working directories change

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the file as it was when it was opened, in hexadecimal digits."""
        return hashlib.sha256(self._model.file_bytes).hexdigest()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__, _model=self._model.copy())
        return copy

    def __reduce__(self) -> tuple[Any, ...]:
        return load("vitrify.engines.reopen:reopen"), (self._place, "native", "cpu", self.sha256)


class MeasuredNativeBase(NativeBase):
    """A model in the native engine that reports the closest pairs, the time and the memory of its last prediction."""

    def closest(self) -> list[float]:
        """Smallest distance of each pair of species a >= b in the last prediction, at index a (a + 1) / 2 + b."""
        return list(self._model.closest())

    @property
    def seconds(self) -> tuple[float, float]:
        """Wall time (s) of the last prediction: of making the periodic images, and of the engine itself."""
        images, engine = self._model.seconds
        return float(images), float(engine)

    @property
    def bytes(self) -> int:
        """Memory (bytes) that the engine holds for the largest system so far."""
        return int(self._model.bytes)


def flow_velocity(
    network: Any, positions: Any, cell: Any, elements: Any, time: float, step: float, properties: Any
) -> tuple[Array, Array]:
    """The mean velocity (N, 3) over a step, from a compiled flow network, and zeros (N, kinds).

    positions: (N, 3). cell: (3, 3) rows. elements: (N, kinds), one-hot. time, step: in [0, 1]. properties: (P,) in
    their units, NaN where none is requested.
    """
    kinds = np.asarray(elements, float)
    values = np.asarray(properties, float)
    known = (~np.isnan(values)).astype(float)
    types = kinds.argmax(1).astype(np.int32)
    with core_errors():
        found = network.velocity(cell, positions, types, time, step, np.nan_to_num(values), known)
    return np.asarray(found), np.zeros_like(kinds)


def make_generator(path: Path) -> Any:
    """The compiled sampler (`_core.Generator`) of a model file of a generator or a latent model."""
    with core_errors():
        return _core.Generator(os.fsencode(path))


def has_native_weights(name: str | Path) -> bool:
    """True if the native engine can run the model file, found as `find_model` does."""
    path = find_model(name)
    metadata = read_metadata(path)
    # Only this engine reads hyperparameters; a variant that it cannot run has none.
    return bool(metadata.hyperparameters) and bool(_core.has_native_weights(os.fsencode(path)))


def usable_instruction_sets() -> tuple[str, ...]:
    """The instruction sets that the native engine can use on this machine, the widest last."""
    return tuple(_core.usable_instruction_sets())


@contextmanager
def forced_instruction_set(name: str) -> Iterator[None]:
    """Models that are opened inside use this instruction set; "" leaves the choice as it is."""
    before = os.environ.get("VITRIFY_SIMD")
    if name:
        os.environ["VITRIFY_SIMD"] = name
    try:
        yield
    finally:
        if name and before is None:
            del os.environ["VITRIFY_SIMD"]
        elif name:
            os.environ["VITRIFY_SIMD"] = str(before)


def instruction_set() -> str:
    """The instruction set that the native engine uses: default, avx2 or avx512 (VITRIFY_SIMD forces one)."""
    return str(_core.native_instruction_set())
