"""Model files in the native engine: compiled loops on their plain weights, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vitrify.core.errors import VitrifyError
from vitrify.engines.predictions import EnergyPrediction
from vitrify.modelfile.archive import (
    AMShortcutMetadata,
    GlassVAEMetadata,
    Metadata,
    OGNMetadata,
    SymGNNMetadata,
    find_model,
    read_metadata,
    wrong_kind,
)

try:
    from vitrify import _core
except ImportError as missing:
    raise VitrifyError(f"vitrify's compiled part is missing ({missing}): build it with pip install .") from None

Array = NDArray[np.float64]
_M = TypeVar("_M", bound=Metadata)


@contextmanager
def core_errors() -> Iterator[None]:
    """Turns errors of the compiled part into VitrifyError."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        if isinstance(error, VitrifyError):
            raise
        raise VitrifyError(str(error)) from None


def _found(name: str | Path, kind_of_metadata: type[_M], kind: str) -> tuple[Path, _M]:
    """The file of a model and its metadata; VitrifyError for another kind, or a file without native weights."""
    path = find_model(name)
    metadata = read_metadata(path)
    if not isinstance(metadata, kind_of_metadata):
        raise wrong_kind(path, metadata.kind, kind)
    if not has_native_weights(path):
        raise VitrifyError(
            f"{path} (variant {metadata.variant}) has no weights for the native engine: use engine torch"
        )
    return path, metadata


class NativeAMShortcut:
    """The network of a generator of variant flow, ready to run on OMP_NUM_THREADS threads (default 1).

    Raises VitrifyError for a file that is damaged, of another kind, or has no weights for this engine.
    """

    def __init__(self, name: str | Path) -> None:
        self.path: Path
        self.metadata: AMShortcutMetadata
        self.path, self.metadata = _found(name, AMShortcutMetadata, "amshortcut")
        self.runs_on = f"the native engine ({instruction_set()})"
        with core_errors():
            self._network = _core.NativeFlowNetwork(str(self.path))

    def answer(
        self, positions: Any, cell: Any, elements: Any, time: float, step: float, properties: Any
    ) -> tuple[Array, Array]:
        """The mean velocity (N, 3) over a step, and zeros (N, kinds), for one-hot elements (N, kinds).

        properties: (P,) in their units, NaN where a property is not asked for. Any cell.
        """
        return _answer(self._network, positions, cell, elements, time, step, properties)


def _answer(
    network: Any, positions: Any, cell: Any, elements: Any, time: float, step: float, properties: Any
) -> tuple[Array, Array]:
    kinds = np.asarray(elements, float)
    values = np.asarray(properties, float)
    known = (~np.isnan(values)).astype(float)
    types = kinds.argmax(1).astype(np.int32)
    with core_errors():
        found = network.velocity(cell, positions, types, time, step, np.nan_to_num(values), known)
    return np.asarray(found), np.zeros_like(kinds)


def make_generator(path: Path) -> Any:
    """The compiled sampler of the file of a generator or a latent model (`_core.Generator`)."""
    with core_errors():
        return _core.Generator(str(path))


def push_apart(cell: Any, positions: Any, types: Any, min_distance: Sequence[float]) -> Array:
    """Wrapped positions (N, 3) after pairs that were too close have been moved apart."""
    moved, _ = _core.push_apart(cell, positions, types, list(min_distance))
    return np.asarray(moved)


def has_native_weights(name: str | Path) -> bool:
    """True if the native engine can run the model file, found as `find_model` does."""
    path = find_model(name)
    metadata = read_metadata(path)
    # Hyperparameters are there for this engine alone; a variant that it cannot run has none.
    return bool(metadata.hyperparameters) and bool(_core.has_native_weights(str(path)))


def instruction_set() -> str:
    """The instructions that the native engine uses here: default, avx2 or avx512 (VITRIFY_SIMD forces one)."""
    return str(_core.native_instruction_set())


class NativeOGN:
    """An OGN of variant pair, ready to run on OMP_NUM_THREADS threads (default 1).

    Raises VitrifyError for a file that is damaged, of another kind, or has no weights for this engine.
    """

    def __init__(self, name: str | Path) -> None:
        self.path: Path = find_model(name)
        metadata = read_metadata(self.path)
        if not isinstance(metadata, OGNMetadata):
            raise wrong_kind(self.path, metadata.kind, "ogn")
        self.metadata: OGNMetadata = metadata
        self.runs_on = f"the native engine ({instruction_set()})"
        self._model = _core.NativeOGN(str(self.path))

    def predict(self, positions: Any, velocities: Any, cell: Any, types: Any) -> tuple[Array, Array]:
        """dr, dv (N, 3) float64 of one stride; positions, velocities (N, 3), cell (3, 3) rows, types (N,).

        Any cell: triclinic, or smaller than the cutoff. Threads may share the model; they take turns.
        """
        dr, dv = self._model.predict(positions, velocities, cell, types)
        return dr, dv

    def closest(self) -> list[float]:
        """Smallest distance in the last prediction of each pair of species a >= b, at a (a + 1) / 2 + b."""
        return list(self._model.closest())

    @property
    def seconds(self) -> tuple[float, float]:
        """Wall time of the last prediction: making the periodic images, and the engine itself."""
        images, engine = self._model.seconds
        return float(images), float(engine)

    @property
    def bytes(self) -> int:
        """Bytes that the engine holds for the largest system so far."""
        return int(self._model.bytes)


class NativeSymGNN:
    """A SymGNN in the native engine, ready to run on OMP_NUM_THREADS threads (default 1).

    Raises VitrifyError for a file that is damaged, of another kind, or has no weights for this engine.
    """

    def __init__(self, name: str | Path) -> None:
        self.path: Path
        self.metadata: SymGNNMetadata
        self.path, self.metadata = _found(name, SymGNNMetadata, "symgnn")
        self.runs_on = f"the native engine ({instruction_set()})"
        self._model = _core.NativeSymGNN(str(self.path))

    def predict(self, positions: Any, cell: Any, types: Any) -> tuple[Array, Array]:
        """The property and its standard deviation, (N,) float64 each, in the unit of `metadata.property`.

        positions (N, 3), cell (3, 3) rows, any cell; types (N,) 0-based. Threads may share the model; they take turns.
        """
        values, deviations = self._model.predict(positions, cell, types)
        return values, deviations


class NativeGlassVAE:
    """A latent model of variant equivariant, ready to run on OMP_NUM_THREADS threads (default 1).

    Raises VitrifyError for a file that is damaged, of another kind, or has no weights for this engine.
    """

    def __init__(self, name: str | Path) -> None:
        self.path: Path
        self.metadata: GlassVAEMetadata
        self.path, self.metadata = _found(name, GlassVAEMetadata, "glassvae")
        self.runs_on = f"the native engine ({instruction_set()})"
        self._model = _core.NativeGlassVAE(str(self.path))

    def predict(self, positions: Any, cell: Any, types: Any) -> EnergyPrediction:
        """Energies of the atoms, forces, stress and latent vector, float64, in the model's units.

        positions (N, 3), cell (3, 3) rows, any cell; types (N,) 0-based. Threads may share the model; they take turns.
        """
        energies, forces, virial, latent = self._model.predict(positions, cell, types)
        xx, yy, zz, xy, xz, yz = -virial / abs(float(np.linalg.det(cell)))
        return EnergyPrediction(energies, forces, np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]), latent)

    def decode(self, positions: Any, cell: Any, elements: Any, time: float, step: float, z: Any) -> tuple[Array, Array]:
        """The decoder's mean velocity (N, 3) over a step, and zeros (N, kinds), for one-hot elements and z (L,).

        Each call reads the file anew: what makes structures is `make_generator`.
        """
        with core_errors():
            decoder = _core.NativeFlowNetwork(str(self.path))
        return _answer(decoder, positions, cell, elements, time, step, z)

    def closest(self) -> list[float]:
        """Smallest distance in the last prediction of each pair of species a >= b, at a (a + 1) / 2 + b."""
        return list(self._model.closest())

    @property
    def seconds(self) -> tuple[float, float]:
        """Wall time of the last prediction: making the periodic images, and the engine itself."""
        images, engine = self._model.seconds
        return float(images), float(engine)

    @property
    def bytes(self) -> int:
        """Bytes that the engine holds for the largest system so far."""
        return int(self._model.bytes)
