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

    sha256: of the file, in hexadecimal digits. place: its absolute path.
    """

    path: Path
    metadata: Metadata
    module: torch.jit.ScriptModule
    device: torch.device
    sha256: str
    place: str

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return load("vitrify.engines.reopen:reopen"), (self.place, "torch", str(self.device), self.sha256)

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

    @contextmanager
    def running(self) -> Iterator[None]:
        """Goes around each call of the program: as a whole, since forks wait for it, and as it stands.

        The profiling executor would specialise on shapes, and the number of edges changes at every step.
        """
        with predicting(self.device), optimized_execution(False):
            yield

    def run(self, graph: tuple[torch.Tensor, ...]) -> tuple[np.ndarray, np.ndarray]:
        """The two outputs of the program for the tensors of a graph, as float64 arrays."""
        with self.running(), torch.inference_mode():
            first, second = self.module(*graph)
        return first.double().cpu().numpy(), second.double().cpu().numpy()
