"""What a program returns is checked where it is called: shapes, types and number of its results, and its errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import toy_symgnn
from vitrify.core.errors import VitrifyError
from vitrify.engines.load import load_model
from vitrify.symgnn.torchscript import TorchSymGNN

SIGNATURE = "def forward(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor)"
BODIES = {
    "one row more": ("-> tuple[Tensor, Tensor]", "x = torch.zeros([len(types) + 1]); return x, x"),
    "one row less": ("-> tuple[Tensor, Tensor]", "x = torch.zeros([len(types) - 1]); return x, x"),
    "a column more": ("-> tuple[Tensor, Tensor]", "x = torch.zeros([len(types), 2]); return x, x"),
    "one number": ("-> tuple[Tensor, Tensor]", "x = torch.zeros([]); return x, x"),
    "whole numbers": ("-> tuple[Tensor, Tensor]", "return types, types"),
    "truth values": ("-> tuple[Tensor, Tensor]", "x = types > 0; return x, x"),
    "complex numbers": ("-> tuple[Tensor, Tensor]", "x = torch.zeros([len(types)]) + 0j; return x, x"),
    "a sparse tensor": ("-> tuple[Tensor, Tensor]", "x = torch.zeros([len(types)]).to_sparse(); return x, x"),
    "one result": ("-> Tensor", "return torch.zeros([len(types)])"),
    "three results": ("-> tuple[Tensor, Tensor, Tensor]", "x = torch.zeros([len(types)]); return x, x, x"),
    "a list": ("-> list[Tensor]", "x = torch.zeros([len(types)]); return [x, x]"),
    "nothing": ("-> None", "return None"),
    "an error": ("-> tuple[Tensor, Tensor]", "x = edge_vectors @ edge_vectors; return x, x"),
    "an exception": ("-> tuple[Tensor, Tensor]", "raise Exception('a line\\nand another')"),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> TorchSymGNN:
    opened = load_model(toy_symgnn.write_toy(tmp_path_factory.mktemp("toy") / "toy.symgnn.pt"))
    assert isinstance(opened, TorchSymGNN)
    return opened


def module(folder: Path, returns: str, body: str) -> torch.jit.ScriptModule:
    """A scripted module whose `forward` has this body; TorchScript reads sources from files."""
    lines = "\n        ".join(body.split("; "))
    head = "import torch\nfrom torch import Tensor, nn\n\n\nclass Odd(nn.Module):\n"
    source = f"{head}    {SIGNATURE} {returns}:\n        {lines}\n"
    path = folder / "odd.py"
    path.write_text(source)
    names: dict[str, type[nn.Module]] = {}
    exec(compile(source, str(path), "exec"), names)
    scripted: torch.jit.ScriptModule = torch.jit.script(names["Odd"]())
    return scripted


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.filterwarnings("ignore:.*torch.jit", "ignore:.*[Ss]parse")
def test_odd_results_are_one_line(name: str, good: TorchSymGNN, tmp_path: Path) -> None:
    odd = TorchSymGNN(good.path, good.metadata, module(tmp_path, *BODIES[name]), good.device)
    c = toy_symgnn.glass(counts=(3, 3, 3))
    with pytest.raises(VitrifyError, match=r"toy\.symgnn\.pt: its program (returns|failed in torch)") as caught:
        odd.predict(c.positions, c.cell, c.types)
    assert str(caught.value).isprintable()
    assert np.isfinite(good.predict(c.positions, c.cell, c.types)).all()
