"""The reference case of a model file: a small configuration and the output that every engine must give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vitrify.core.errors import VitrifyError
from vitrify.core.units import get_units
from vitrify.engines.predictions import EnergyPrediction as EnergyPrediction
from vitrify.graphs.neighbours import build_graph, build_structure_graph
from vitrify.modelfile.archive import (
    REFERENCE_TOLERANCE,
    AMShortcutMetadata,
    AMShortcutReference,
    GlassVAEMetadata,
    GlassVAEReference,
    OGNMetadata,
    OGNReference,
    SymGNNMetadata,
    SymGNNReference,
    Target,
    Validity,
)

if TYPE_CHECKING:
    import torch


class MotionPredictor(Protocol):
    """A model of motion in an engine: `vitrify.engines.native.NativeOGN` or `vitrify.export.write.TorchOGN`."""

    @property
    def path(self) -> Path: ...

    @property
    def metadata(self) -> OGNMetadata: ...

    @property
    def runs_on(self) -> str:
        """The engine and what it runs on, for messages."""
        ...

    def predict(
        self, positions: Any, velocities: Any, cell: Any, types: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """dr, dv (N, 3) of one stride; positions, velocities (N, 3), cell (3, 3) rows, types (N,) 0-based."""
        ...


class PropertyPredictor(Protocol):
    """A model of structures in an engine: `vitrify.engines.native.NativeSymGNN` or
    `vitrify.export.write.TorchSymGNN`."""

    @property
    def path(self) -> Path: ...

    @property
    def metadata(self) -> SymGNNMetadata: ...

    @property
    def runs_on(self) -> str:
        """The engine and what it runs on, for messages."""
        ...

    def predict(self, positions: Any, cell: Any, types: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The property and its standard deviation (N,); positions (N, 3), cell (3, 3) rows, types (N,) 0-based."""
        ...


class FlowPredictor(Protocol):
    """A generator's network in an engine: `vitrify.engines.native.NativeAMShortcut` or
    `vitrify.export.write.TorchAMShortcut`."""

    @property
    def path(self) -> Path: ...

    @property
    def metadata(self) -> AMShortcutMetadata: ...

    @property
    def runs_on(self) -> str:
        """The engine and what it runs on, for messages."""
        ...

    def answer(
        self, positions: Any, cell: Any, elements: Any, time: float, step: float, properties: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The network's outputs (N, 3), (N, kinds); elements (N, kinds); properties (P,), NaN where none is asked."""
        ...


class EnergyPredictor(Protocol):
    """A latent model in an engine: `vitrify.engines.native.NativeGlassVAE` or `vitrify.export.write.TorchGlassVAE`."""

    @property
    def path(self) -> Path: ...

    @property
    def metadata(self) -> GlassVAEMetadata: ...

    @property
    def runs_on(self) -> str:
        """The engine and what it runs on, for messages."""
        ...

    def predict(self, positions: Any, cell: Any, types: Any) -> EnergyPrediction:
        """Energies, forces, stress and z; positions (N, 3), cell (3, 3) rows, types (N,) 0-based."""
        ...


@runtime_checkable
class DecodingPredictor(Protocol):
    """A latent model whose decoder its engine runs, too, as both of the above do."""

    def decode(
        self, positions: Any, cell: Any, elements: Any, time: float, step: float, z: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What the decoder of positions answers, (N, 3) and (N, kinds), to one-hot elements (N, kinds) and z (L,)."""
        ...


AnyPredictor = MotionPredictor | PropertyPredictor | FlowPredictor | EnergyPredictor

_FCC = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]])
# Tilted and unequal edges, in units of the cube root of the volume (the diagonal's product is 1).
_CELL = np.array([[1.04, 0.0, 0.0], [0.12, 0.97, 0.0], [-0.09, 0.14, 1.0 / (1.04 * 0.97)]])


def reference_configuration(
    species: tuple[str, ...], masses: tuple[float, ...], units: str, validity: Validity, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """`reference_structure` with velocities: Maxwell's in the middle of the temperatures, without total momentum.

    Returns:
        cell (3, 3) rows, positions (32, 3), velocities (32, 3), types (32,) 0-based; every species occurs.
    """
    if validity.temperature is None:
        raise VitrifyError("the validity range has no temperature: a model that moves atoms needs one")
    rng = np.random.default_rng(seed)
    cell, positions, types = reference_structure(species, validity, rng)
    mass = np.asarray(masses)[types]
    sigma = get_units(units).thermal_velocity(mass, float(np.mean(validity.temperature)))
    velocities = sigma[:, None] * rng.standard_normal(positions.shape)
    velocities -= mass @ velocities / mass.sum()
    return cell, positions, velocities, types


def reference_structure(
    species: tuple[str, ...], validity: Validity, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """A jittered fcc lattice of 32 atoms in a triclinic cell, in the middle of the model's validity range.

    Its cell is smaller than twice the cutoff of any dense system's model, so that atoms meet several images
    of one another.

    Returns:
        cell (3, 3) rows, positions (32, 3), types (32,) 0-based; every species occurs.
    """
    grid = np.array(np.meshgrid(*[range(2)] * 3, indexing="ij")).reshape(3, -1).T
    sites = 0.5 * (grid[:, None] + _FCC[None]).reshape(-1, 3)
    n = len(sites)
    cell = _CELL * (n / np.mean(validity.number_density)) ** (1 / 3)
    spacing = np.cbrt(np.linalg.det(cell) / n)
    positions = sites @ cell + 0.05 * spacing * rng.standard_normal((n, 3))
    return cell, positions, rng.permutation(_type_counts(species, validity.composition, n))


def _type_counts(species: tuple[str, ...], composition: Mapping[str, tuple[float, float]], n: int) -> NDArray[np.int64]:
    """n type indices in the middle of the composition ranges, at least one of each species."""
    share = np.array([np.mean(composition.get(name, (0.0, 1.0))) for name in species])
    counts = np.maximum(1, np.floor(n * share / max(share.sum(), 1e-12))).astype(int)
    counts[np.argmax(counts)] += n - counts.sum()
    return np.repeat(np.arange(len(species)), counts)


def make_ogn_reference(
    module: torch.nn.Module,
    species: tuple[str, ...],
    masses: tuple[float, ...],
    units: str,
    cutoff: float,
    validity: Validity,
    dtype: str,
) -> OGNReference:
    """The reference case of an eager OGN `module` that computes in `dtype` ("float32" or "float64").

    The expected output is the eager module's own; another host may differ by the order of its sums alone.
    """
    import torch

    cell, positions, velocities, types = reference_configuration(species, masses, units, validity)
    graph = build_graph(positions, velocities, cell, types, cutoff, getattr(torch, dtype))
    with torch.no_grad():
        dr, dv = module(*graph)
    return OGNReference.model_validate(
        {
            "cell": cell.tolist(),
            "positions": positions.tolist(),
            "velocities": velocities.tolist(),
            "species": [species[t] for t in types],
            "dr": dr.tolist(),
            "dv": dv.tolist(),
            "tolerance": REFERENCE_TOLERANCE[dtype],
        }
    )


def make_symgnn_reference(
    module: torch.nn.Module, species: tuple[str, ...], cutoff: float, validity: Validity, dtype: str
) -> SymGNNReference:
    """The reference case of an eager SymGNN `module` that computes in `dtype`, as `make_ogn_reference` for OGN."""
    import torch

    cell, positions, types = reference_structure(species, validity, np.random.default_rng(0))
    graph = build_structure_graph(positions, cell, types, cutoff, getattr(torch, dtype))
    with torch.no_grad():
        values, deviations = module(*graph)
    return SymGNNReference.model_validate(
        {
            "cell": cell.tolist(),
            "positions": positions.tolist(),
            "species": [species[t] for t in types],
            "values": values.tolist(),
            "deviations": deviations.tolist(),
            "tolerance": REFERENCE_TOLERANCE[dtype],
        }
    )


def make_amshortcut_reference(
    module: Any, species: tuple[str, ...], cutoff: float, validity: Validity, targets: Sequence[Target], dtype: str
) -> AMShortcutReference:
    """The reference case of an eager generator that computes in `dtype`: half-way, with half the properties."""
    import torch

    cell, positions, types = reference_structure(species, validity, np.random.default_rng(0))
    # What is embedded at random gives no case that can be checked.
    left_out = range(1, len(targets), 2) if not module.condition.random else ()
    values = [None if number in left_out else float(np.mean(target.range)) for number, target in enumerate(targets)]
    graph = build_structure_graph(positions, cell, types, cutoff, getattr(torch, dtype))
    time, step = 0.5, 0.25
    vectors = _answer(module, graph, time, step, values)
    return AMShortcutReference.model_validate(
        {
            "cell": cell.tolist(),
            "positions": positions.tolist(),
            "species": [species[t] for t in types],
            "time": time,
            "step": step,
            "properties": values,
            "vectors": vectors.tolist(),
            "tolerance": REFERENCE_TOLERANCE[dtype],
        }
    )


def _answer(module: Any, graph: Any, time: float, step: float, values: Sequence[float | None]) -> torch.Tensor:
    """Displacements (N, 3) of an eager generator for a periodic graph; values: of its properties, None: not asked."""
    import torch

    real = graph.edge_vectors.dtype
    asked = torch.tensor([[value or 0.0 for value in values]], dtype=real).reshape(1, len(values))
    known = torch.tensor([[float(value is not None) for value in values]], dtype=real).reshape(1, len(values))
    elements = torch.eye(module.kinds, dtype=real)[graph.types]
    moments = (torch.tensor([x], dtype=real) for x in (time, step))
    with torch.no_grad():
        vectors: torch.Tensor = module(
            elements, torch.zeros_like(graph.types), graph.edge_index, graph.edge_vectors, *moments, asked, known
        )[0]
    return vectors


def energy_prediction(module: Any, cell: Any, graph: Any) -> EnergyPrediction:
    """What a latent model, eager or TorchScript, says of a periodic graph (`vitrify.graphs.graph.StructureGraph`)."""
    import torch

    vectors = graph.edge_vectors.detach().requires_grad_()
    with torch.enable_grad():
        energies, latent = module(graph.types, graph.edge_index, vectors)
        (by_edge,) = torch.autograd.grad(energies.double().sum(), vectors)
    centres, neighbours = graph.edge_index
    zero = torch.zeros([len(graph.types), 3], dtype=torch.float64, device=vectors.device)
    by_edge = by_edge.double()
    forces = zero.index_add(0, centres, by_edge).index_add(0, neighbours, -by_edge)
    virial = vectors.detach().double().T @ by_edge
    stress = 0.5 * (virial + virial.T) / abs(float(np.linalg.det(cell)))
    found = (tensor.detach().double().cpu().numpy() for tensor in (energies, forces, stress, latent))
    return EnergyPrediction(*found)


def make_glassvae_reference(
    module: Any, species: tuple[str, ...], cutoff: float, validity: Validity, dtype: str, decodes: bool = False
) -> GlassVAEReference:
    """The reference case of an eager latent model that computes in `dtype`, as `make_ogn_reference` for OGN.

    decodes: whether it makes structures.
    """
    import torch

    cell, positions, types = reference_structure(species, validity, np.random.default_rng(0))
    real = getattr(torch, dtype)
    found = energy_prediction(module, cell, build_structure_graph(positions, cell, types, cutoff, real))
    decoded = None
    if decodes:
        graph = build_structure_graph(positions, cell, types, module.decoder.cutoff, real)
        time, step = 0.5, 0.25
        vectors = _answer(module.decoder, graph, time, step, found.latent.tolist())
        decoded = {"time": time, "step": step, "vectors": vectors.tolist()}
    return GlassVAEReference.model_validate(
        {
            "cell": cell.tolist(),
            "positions": positions.tolist(),
            "species": [species[t] for t in types],
            "energy": found.energy,
            "forces": found.forces.tolist(),
            "stress": found.stress.tolist(),
            "latent": found.latent.tolist(),
            "decoded": decoded,
            "tolerance": REFERENCE_TOLERANCE[dtype],
        }
    )


def check_reference(model: AnyPredictor) -> float:
    """Replays the reference case: the largest deviation of either output over the rms of what is expected."""
    metadata = model.metadata
    case = metadata.reference
    types = [metadata.species.index(name) for name in case.species]
    expected: tuple[NDArray[np.float64], ...]
    got: tuple[NDArray[np.float64], ...]
    if isinstance(case, AMShortcutReference):
        network = cast(FlowPredictor, model)
        elements = np.eye(len(metadata.species) + (network.metadata.process != "flow"))[types]
        values = np.array([np.nan if value is None else value for value in case.properties])
        got = network.answer(case.positions, case.cell, elements, case.time, case.step, values)[:1]
        expected = (np.array(case.vectors),)
    elif isinstance(case, GlassVAEReference):
        found = cast(EnergyPredictor, model).predict(case.positions, case.cell, types)
        got = np.array([found.energy]), found.forces, found.stress, found.latent
        expected = np.array([case.energy]), np.array(case.forces), np.array(case.stress), np.array(case.latent)
        if case.decoded is not None and isinstance(model, DecodingPredictor):
            elements = np.eye(len(metadata.species))[types]
            told = case.decoded.time, case.decoded.step, np.array(case.latent)
            got = *got, model.decode(case.positions, case.cell, elements, *told)[0]
            expected = *expected, np.array(case.decoded.vectors)
    elif isinstance(case, SymGNNReference):
        got = cast(PropertyPredictor, model).predict(case.positions, case.cell, types)
        expected = np.array(case.values), np.array(case.deviations)
    else:
        got = cast(MotionPredictor, model).predict(case.positions, case.velocities, case.cell, types)
        expected = np.array(case.dr), np.array(case.dv)
    return max(relative_error(g, e) for g, e in zip(got, expected, strict=True))


def require_reference(model: AnyPredictor) -> float:
    """`check_reference`, raising VitrifyError if the deviation exceeds the model's tolerance."""
    error, tolerance = check_reference(model), model.metadata.reference.tolerance
    if not error <= tolerance:
        raise VitrifyError(
            f"{model.path}: the reference case is off by {error:.1e} of the output's rms, {tolerance:.0e} is allowed: "
            f"the model computes wrongly here on {model.runs_on}; run vitrify doctor"
        )
    return error


def relative_error(got: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """Largest deviation over the root mean square of what was expected; infinite if anything is NaN."""
    deviation = float(np.max(np.abs(got - expected), initial=0.0))
    scale = float(np.sqrt(np.mean(np.square(expected)))) or 1.0
    return deviation / scale if np.isfinite(deviation) else float("inf")
