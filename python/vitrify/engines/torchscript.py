"""The base class of models in the TorchScript engine; arrays go in and come out as numpy's."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch.jit._fuser import optimized_execution

from vitrify.core.errors import VitrifyError
from vitrify.engines.forks import predicting
from vitrify.kinds import load
from vitrify.modelfile.metadata import Metadata

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@contextmanager
def quiet_torchscript() -> Iterator[None]:
    """Silences TorchScript's deprecation warnings, about which users can do nothing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=FutureWarning)
        yield


@dataclass(frozen=True)
class TorchModel:
    """A model file as TorchScript, with its metadata, on a device.

    It never changes, so that it is a copy of itself. A pickled model holds the path and the hash of its file, and opens
    it again.

    sha256: of the file, in hexadecimal digits; place: its absolute path; both empty for a program that is not written
    yet, which cannot be pickled. trust: its program runs on the user's word.
    """

    path: Path
    metadata: Metadata
    module: torch.jit.ScriptModule
    device: torch.device
    sha256: str = ""
    place: str = ""
    trust: bool = False

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.sha256:
            raise VitrifyError(f"{self.path} is not written yet, and a pickle holds its path: export it first")
        return load("vitrify.engines.reopen:reopen"), (self.place, "torch", str(self.device), self.sha256, self.trust)

    @property
    def runs_on(self) -> str:
        """The engine and the device, for messages."""
        return f"torch ({self.device})"

    @property
    def dtype(self) -> torch.dtype:
        """The precision that the module computes in."""
        return DTYPES[self.metadata.dtype]

    def tensor(self, array: Any) -> torch.Tensor:
        """An array of numbers as a tensor on the device, in the precision of the module."""
        return torch.as_tensor(np.asarray(array)).to(self.device, self.dtype)

    def has_method(self, name: str) -> bool:
        """Whether the program has a method of this name."""
        return name in self.module._c._method_names()

    def run(self, graph: tuple[torch.Tensor, ...], *rows: tuple[int, ...]) -> tuple[np.ndarray, ...]:
        """The outputs of the program for the tensors of a graph, as float64 arrays.

        rows: for each output, the shape of the row of an atom.
        """
        shapes = [(len(graph[0]), *row) for row in rows]
        with self.running(), torch.inference_mode():
            return tuple(tensor.double().cpu().numpy() for tensor in self.checked(self.module(*graph), *shapes))

    def checked(self, results: Any, *shapes: tuple[int, ...]) -> tuple[torch.Tensor, ...]:
        """The results of the program; VitrifyError unless they are tensors of real numbers in these shapes."""
        found = results if isinstance(results, tuple) else (results,)
        good = len(found) == len(shapes) and all(map(self._is_good, found, shapes))
        if not good:
            got = ", ".join(str(tuple(getattr(tensor, "shape", (type(tensor).__name__,)))) for tensor in found)
            wanted = ", ".join(map(str, shapes))
            raise VitrifyError(f"{self.path}: its program returns {got}, not numbers {wanted}: export the model again")
        return found

    def _is_good(self, tensor: Any, shape: tuple[int, ...]) -> bool:
        return (
            isinstance(tensor, torch.Tensor)
            and tensor.layout == torch.strided
            and tensor.dtype in DTYPES.values()
            and tensor.device.type == self.device.type
            and tuple(tensor.shape) == shape
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Goes around each call of the program: as a whole, since forks wait for it, and as it stands.

        The profiling executor would specialise on shapes, and the number of edges changes at every step. Turns errors
        of torch into VitrifyError with one line.
        """
        try:
            with predicting(self.device), optimized_execution(False):
                yield
        except VitrifyError:
            raise
        # RuntimeError, torch.jit.Error and whatever else a program may raise
        except Exception as error:
            raise VitrifyError(f"{self.path}: its program failed in torch: {first_line(error)}") from None


def first_line(error: Exception) -> str:
    """What an error of torch says, without the source and the stack that follow or precede it."""
    text = str(error).rpartition("RuntimeError: ")[2].strip()
    return text.partition("\n")[0] or type(error).__name__
