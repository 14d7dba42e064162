"""A small equivariant GlassVAE with random weights and a density, and structures for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write as write_atoms

from vitrify.engines.predictions import EnergyPrediction
from vitrify.export.write import export_model
from vitrify.glassvae.differentiate import energy_prediction
from vitrify.glassvae.models.equivariant import EquivariantGlassVAE
from vitrify.glassvae.torchscript import TorchGlassVAE
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.modelfile.metadata import Validity
from vitrify.models import System, build_model

SYSTEM = System(("Cu", "Au"), (63.546, 196.967), "metal", 0.0)
SPECIES = list(SYSTEM.species)
VALIDITY = Validity(
    number_density=(0.06, 0.09), composition={"Cu": (0.2, 0.8), "Au": (0.2, 0.8)}, min_distance=(1.9, 2.0, 2.1)
)
SMALL = {"width": 8, "layers": 2, "cutoff": 4.0, "condition": 8, "spread": 0.2}
CONFIG: dict[str, Any] = {
    "variant": "equivariant", "cutoff": 4.5, "splines": 12, "width": 8, "hidden": 16, "latent": 4, "summary": 4,
    "bins": 20, "components": 2, "decoder": SMALL,
}  # fmt: skip


def make(
    dtype: torch.dtype = torch.float64, density: bool = True, system: System = SYSTEM, seed: int = 0
) -> EquivariantGlassVAE:
    """Eager, with every part of the energy alive, in units where forces are of the order of 1 eV/A."""
    torch.manual_seed(seed)
    model = build_model("glassvae", CONFIG, system)
    with torch.no_grad():
        model.reference.copy_(torch.tensor([-3.5, -3.8]))
        model.invariants.scale.fill_(0.5)
        model.pooled_scale.fill_(2.0)
        model.fusion.out.weight.normal_(0.0, 0.3)
        model.energy.latent.weight.mul_(10.0)
        model.least.copy_(torch.tensor([[1.9, 2.0], [2.0, 2.1]]))
        model.decoder.gate.weight.mul_(0.1)
        if density:
            model.density_weight.copy_(torch.tensor([0.5, 0.5]))
            model.density_mean[:, -1] = torch.tensor([-3.6, -3.5])
            model.density_covariance.copy_(0.01 * torch.eye(5))
            model.state_mean[:3] = torch.tensor([0.075, 0.5, 0.5])
            model.state_covariance.copy_(0.01 * torch.eye(7))
            model.state_covariance[0, 0] = 1e-6
    return model.to(dtype).eval()


def make_joint(dtype: torch.dtype = torch.float64) -> EquivariantGlassVAE:
    """The same with Gaussians in which z goes with the energy, and with statistics in which the cell goes with z."""
    model, random = make(dtype), np.random.default_rng(5)
    roots = [0.4 * np.tril(random.normal(size=(5, 5))) for _ in range(2)]
    for root in roots:
        root[-1] *= 0.03 / np.linalg.norm(root[-1])  # standard deviation of the energy
    cell = random.normal(size=(7, 9)) / 3.0
    cell[:3] *= np.array([[0.002], [0.05], [0.05]])
    cell[2] = -cell[1]
    with torch.no_grad():
        model.density_weight.copy_(torch.tensor([0.7, 0.3]))
        model.density_mean.copy_(torch.tensor(random.normal(size=(2, 5))))
        model.density_mean[:, -1] = torch.tensor([-3.58, -3.5])
        model.density_covariance.copy_(torch.tensor(np.array([root @ root.T for root in roots])))
        model.state_covariance.copy_(torch.tensor(cell @ cell.T))
        model.decoder.gate.weight.mul_(4.0)
    return model


def write(
    path: Path, dtype: str = "float64", model: EquivariantGlassVAE | None = None, system: System = SYSTEM,
    validity: Validity = VALIDITY, **options: Any,
) -> TorchGlassVAE:  # fmt: skip
    """The file of a model, by default of `make(system=system, **options)`."""
    pairs = dict(zip(system.species, validity.composition.values(), strict=True))
    opened = export_model(
        model or make(getattr(torch, dtype), system=system, **options), path, kind="glassvae", variant="equivariant",
        species=system.species, units=system.units, validity=validity.model_copy(update={"composition": pairs}),
        dtype=dtype, masses=system.masses, latent_energy="inherent_energy",
    )  # fmt: skip
    assert isinstance(opened, TorchGlassVAE)
    return opened


def glass(n: int = 3, tilt: float = 0.2, seed: int = 0, scale: float = 1.0) -> Atoms:
    """4 n^3 atoms of CuAu on a rattled fcc lattice in a skewed cell, whose edges may be shorter than the cutoff."""
    random = np.random.default_rng(seed)
    sites = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    grid = np.array(np.meshgrid(*[range(n)] * 3, indexing="ij")).reshape(3, -1).T
    fractions = ((grid[:, None] + sites).reshape(-1, 3)) / n
    cell = 3.75 * scale * n * np.array([[1.0, 0, 0], [tilt, 1.0, 0], [-tilt / 2, tilt / 3, 1.02]])
    positions = fractions @ cell + 0.12 * random.normal(size=(4 * n**3, 3))
    symbols = ["Cu"] * (2 * n**3) + ["Au"] * (2 * n**3)
    return Atoms(random.permutation(symbols), positions, cell=cell, pbc=True)


def write_frames(path: Path, groups: int = 4, frames: int = 4, forces: bool = True) -> Path:
    """Labelled structures of EMT, several for each simulation, of different volumes and disorder."""
    found = []
    for group in range(groups):
        for frame in range(frames):
            atoms = glass(2, 0.0, seed=100 * group + frame, scale=1.0 + 0.01 * (frame % 3))
            atoms.calc = EMT()
            results = {"energy": atoms.get_potential_energy(), "stress": atoms.get_stress()}
            if forces:
                results["forces"] = atoms.get_forces()
            atoms.calc = SinglePointCalculator(atoms, **results)
            atoms.info.update(sample=group, temperature=300.0 * (1 + frame % 2), segment="300K")
            atoms.info["inherent_energy"] = results["energy"] / len(atoms) - 0.1
            found.append(atoms)
    write_atoms(path, found, format="extxyz")
    return path


class WithCore(torch.nn.Module):
    """An eager model with the repulsion that engines add to pairs closer than any in the training data."""

    def __init__(self, model: Any, min_distance: tuple[float, ...] = VALIDITY.min_distance or ()) -> None:
        super().__init__()
        self.model, self.min_distance = model, min_distance
        self.cutoff = getattr(model, "cutoff", None)

    def forward(self, types: Any, edge_index: Any, edge_vectors: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """The energies of the atoms and the latent vector."""
        energies, latent = self.model(types, edge_index, edge_vectors)
        low, high = types[edge_index].sort(0).values
        outer = torch.tensor(self.min_distance, dtype=torch.float64)[high * (high + 1) // 2 + low]
        depth = torch.relu(1.0 - edge_vectors.double().norm(dim=1) / outer.clamp_min(1e-6))
        core = torch.zeros(len(types), dtype=torch.float64).index_add(0, edge_index[0], 2500.0 * depth**3)
        return energies + core.to(energies.dtype), latent


def types_of(atoms: Atoms) -> np.ndarray:
    return np.array([SPECIES.index(symbol) for symbol in atoms.symbols])


def predict(model: Any, atoms: Atoms) -> EnergyPrediction:
    graph = build_structure_graph(atoms.positions, atoms.cell[:], types_of(atoms), model.cutoff, torch.float64)
    return energy_prediction(model, atoms.cell[:], graph)


def derivative(energy: Callable[[float], float], step: float = 1e-3) -> float:
    """Of a function at 0, to the fourth order."""
    return (8 * (energy(step) - energy(-step)) - energy(2 * step) + energy(-2 * step)) / (12 * step)
