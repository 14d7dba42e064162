"""The training task of a SymGNN: structures with a label for each atom, the loss, and scores of the predictions.

An ensemble is bagged by structures: member m does not learn from the groups m, m + members, ... (copies of a structure
are one group). So the members differ, and every structure is new to one of them. Without validation files, the figures
of a run and the standard deviation that its model states come from members that have not seen the structure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vitrify.core.errors import VitrifyError
from vitrify.data.potentials import effective_pair_functions
from vitrify.data.splits import duplicate_groups
from vitrify.data.structures import LabelledStructure, load_structures
from vitrify.graphs.graph import StructureGraph
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.models import ModelConfig, System, build_model
from vitrify.symgnn.models.base import SymGNN
from vitrify.symgnn.models.exact import ExactSymGNN
from vitrify.symgnn.models.ridge import RidgeSymGNN
from vitrify.symgnn.models.stiffness import KNOTS
from vitrify.symgnn.training.config import SymGNNConfig
from vitrify.symgnn.training.subgraphs import k_hop_subgraph
from vitrify.training.checkpoint import BEST, load_checkpoint, save_checkpoint
from vitrify.training.info import data_files, describe
from vitrify.training.task import Prepared, Task
from vitrify.training.validity import structure_validity

UNUSUAL = 0.01  # share of the training atoms whose standard deviation is above the limit in the validity range


class Sample(NamedTuple):
    """A training or validation sample.

    labels: (N,) in their unit, NaN where there is none. prepared: the result of `SymGNN.prepare`. trains: (members,),
    True for the members that learn from the structure. judges: (members,), True for the members that are validated on
    it.
    """

    graph: StructureGraph
    labels: Tensor
    prepared: Any
    trains: Tensor
    judges: Tensor


class Structures(Dataset[Sample]):
    """A data set of whole structures, whose samples are made once and kept, or of subgraphs of them.

    groups: the group of each training structure; None for structures that no member has seen. hops: size of the
    subgraphs, whose centres are drawn by the seed of a key (`vitrify.symgnn.training.subgraphs`); 0: whole structures.
    """

    def __init__(
        self,
        model: SymGNN,
        graphs: Sequence[StructureGraph],
        labels: Sequence[Tensor],
        groups: Sequence[int] | None = None,
        hops: int = 0,
    ) -> None:
        self.hops = hops
        every = torch.arange(model.members)
        self.samples = []
        for index, (graph, label) in enumerate(zip(graphs, labels, strict=True)):
            unseen = every < 0
            if groups is not None and model.members > 1:
                unseen = every == groups[index] % model.members
            judges = unseen if unseen.any() else every >= 0
            with torch.no_grad():
                self.samples.append(Sample(graph, label, model.prepare(graph), ~unseen, judges))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        sample = self.samples[key[0]]
        if self.hops == 0:
            return sample
        labelled = (~sample.labels.isnan()).nonzero().flatten()  # a subgraph without a label would be useless
        centre = int(labelled[np.random.default_rng(key[1]).integers(len(labelled))])
        graph, atoms, complete = k_hop_subgraph(sample.graph, centre, self.hops)
        labels = torch.where(complete, sample.labels[atoms], torch.nan)
        return sample._replace(graph=graph, labels=labels)


class SymGNNTask(Task):
    """A SymGNN with its loss, the mean squared standardised error of the labelled atoms, and its figures."""

    model: SymGNN
    n_statistics = 7

    def __init__(self, model: SymGNN) -> None:
        super().__init__()
        self.model = model

    @staticmethod
    def collate(samples: Sequence[Sample]) -> list[Sample]:
        """A batch is the list of structures."""
        return list(samples)

    def forward(self, batch: list[Sample]) -> Tensor:
        """The loss, dimensionless; each member of an ensemble has its own error, so that members stay different."""
        losses = []
        for sample in batch:
            found, wanted, known = self.standardised(sample)
            losses.append((found[:, sample.trains][known] - wanted[known].unsqueeze(1)).square().mean())
        return torch.stack(losses).mean()

    @torch.no_grad()
    def statistics(self, batch: list[Sample]) -> Tensor:
        """Means of [error^2, p, p^2, y, y^2, p y], and the correlation of p and y within a structure: (7,).

        p: predictions. y: labels. Both are in units of label_scale.
        """
        rows = []
        for sample in batch:
            found, wanted, known = self.standardised(sample)
            found = found[:, sample.judges]
            means = self.model.label_mean[sample.graph.types] / self.model.label_scale
            p, y = ((x + means)[known].double() for x in (found.mean(1), wanted))
            within = torch.corrcoef(torch.stack([p, y]))[0, 1].nan_to_num(0.0)
            moments = [(p - y).square(), p, p * p, y, y * y, p * y]
            rows.append(torch.stack([*(x.mean() for x in moments), within]))
        return torch.stack(rows).mean(0)

    def metrics(self, means: Tensor) -> dict[str, float]:
        """val_loss, root mean square error in the unit of the label, correlation over all atoms and in a structure."""
        loss, p, pp, y, yy, py, within = means.tolist()
        variances = max(pp - p * p, 0.0) * max(yy - y * y, 0.0)
        return {
            "val_loss": loss,
            "rmse": loss**0.5 * float(self.model.label_scale),
            "pearson": (py - p * y) / variances**0.5 if variances > 0.0 else 0.0,
            "pearson_within": within,
        }

    def standardised(self, sample: Sample) -> tuple[Tensor, Tensor, Tensor]:
        """Standardised predictions (N, members), standardised labels (N,), and True (N,) for atoms that have one."""
        found = self.model.standard_members(sample.graph, sample.prepared)
        wanted = (sample.labels - self.model.label_mean[sample.graph.types]) / self.model.label_scale
        return found, wanted, ~sample.labels.isnan()


def prepare(config: SymGNNConfig, model_config: ModelConfig) -> Prepared:
    """The task and data of a configuration without `start`; VitrifyError for wrong files or settings."""
    data = config.data
    train = load_labelled(config, data.train)
    held_out = load_labelled(config, data.validation) if data.validation else []
    dtype = torch.float64 if config.training.precision == 64 else torch.float32
    model: SymGNN = build_model(config.kind, model_config, System(data.species, (), data.units, 0.0))
    model = model.to(dtype)
    graphs, labels = graphs_of(train, model.cutoff, dtype)
    types = torch.cat([graph.types for graph in graphs])
    every = torch.cat(labels)
    _use_potential(config, model, graphs)
    with torch.no_grad():
        model.calibrate(types[~every.isnan()], every[~every.isnan()])
        model.observe_structures(graphs)
        if isinstance(model, RidgeSymGNN):
            model.solve(graphs, labels)
    task = SymGNNTask(model)
    groups = duplicate_groups(train)
    whole = Structures(model, graphs, labels, groups)
    samples = Structures(model, graphs, labels, groups, data.pieces) if data.pieces else whole
    if data.pieces and samples.samples[0].prepared is not None:
        raise VitrifyError(
            f"data.pieces is {data.pieces}, but variant {config.model['variant']} computes its descriptors once, for "
            "whole structures: leave data.pieces out"
        )
    validation = Structures(model, *graphs_of(held_out, model.cutoff, dtype)) if held_out else whole

    def finish(folder: Path) -> None:
        measure_residual(folder, task.cpu(), validation)

    info = describe_run(config, train, model.cutoff)
    return Prepared(task, samples, validation, list(range(len(validation))), info, finish)


def _use_potential(config: SymGNNConfig, model: SymGNN, graphs: Sequence[StructureGraph]) -> None:
    """Sets the pair functions of data.potential in a model with stiffness.

    Raises VitrifyError for a potential without such a model, or such a model without a potential.
    """
    wanted, path = isinstance(model, ExactSymGNN) and model.stiffness, config.data.potential
    if bool(path) != wanted:
        raise VitrifyError(
            "model.stiffness needs data.potential, the file of the potential that the labels belong to"
            if wanted
            else f"data.potential is {path}, but the model does not use it: set model.stiffness to true (variant exact)"
        )
    if isinstance(model, ExactSymGNN) and path:
        distances = np.linspace(model.core, model.cutoff, KNOTS)
        with torch.no_grad():
            functions = effective_pair_functions(path, config.data.species, graphs, distances)
            model.use_potential(torch.from_numpy(functions))
            # Stiffnesses are then in units of their mean.
            model.use_potential(model.pair_table / model.mean_stiffness(graphs))


@torch.no_grad()
def measure_residual(folder: Path, task: SymGNNTask, data: Structures) -> None:
    """Sets the stated standard deviation of the best model of a finished run, from its errors in the validation.

    For an ensemble, the validity range gets the standard deviation that all atoms but a fraction UNUSUAL stay below; an
    atom with a larger one is unlike the training data. Without an ensemble, all standard deviations are equal.
    """
    progress, content = load_checkpoint(folder / BEST)
    task.load_state_dict(content["averaged"])
    task.eval()
    model, rows = task.model, []
    for sample in data.samples:
        found, wanted, known = task.standardised(sample)
        error = found[:, sample.judges].mean(1) - wanted
        # A member that is far from the others is wrong more often; it is left out of the spread that is compared with
        # its error, which would otherwise seem to predict the error.
        others = ~sample.judges if int((~sample.judges).sum()) > 1 else sample.judges
        columns = [error.square(), found[:, others].var(1, correction=0), found.var(1, correction=0)]
        rows.append(torch.stack(columns)[:, known].double())
    squares, of_others, spreads = torch.cat(rows, 1)
    # The error is at least as large as the disagreement of the members.
    gain = fit_variance(squares, of_others)[1].clamp_min(1.0)
    variance = (squares.mean() - gain * spreads.mean()).clamp_min(1e-4)
    model.residual.copy_(variance**0.5)
    model.spread_gain.copy_(gain)
    info = json.loads(content["info"])
    if model.members > 1:
        usual = spreads.quantile(1.0 - UNUSUAL)
        info["validity"]["max_deviation"] = float((variance + gain * usual) ** 0.5 * model.label_scale)
    save_checkpoint(folder / BEST, progress, {"averaged": task.state_dict()}, json.dumps(info))


def fit_variance(squares: Tensor, spreads: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest a > 0 and b >= 0 in the variance a + b `spreads` (n,) of errors with these `squares` (n,).

    Errors are assumed to be normally distributed. The likelihood is maximised by Fisher scoring: iterated least squares
    with weights 1 / variance^2.
    """
    least = 1e-8
    mean = squares.mean().clamp_min(least)
    variance, gain = mean, torch.zeros_like(mean)
    if float(spreads.std(correction=0)) < 1e-6 * float(mean):
        return variance, gain
    rows = torch.stack([torch.ones_like(spreads), spreads], 1)
    for _ in range(20):
        weights = (rows @ torch.stack([variance, gain])).square().reciprocal()
        normal = rows.T @ (weights.unsqueeze(1) * rows)
        variance, gain = torch.linalg.solve(normal, rows.T @ (weights * squares))
        if gain <= 0.0:
            return mean, torch.zeros_like(mean)
        variance = variance.clamp_min(least)
    return variance, gain


def load_labelled(config: SymGNNConfig, paths: Sequence[Path]) -> list[LabelledStructure]:
    """The structures of some files; atoms may lack a label if a model file is fine-tuned."""
    data, missing = config.data, config.start is not None
    return load_structures(
        paths, data.species, data.label, label_species=data.label_species, allow_missing=missing, units=data.units,
        atom_style=data.atom_style,
    )  # fmt: skip


def graphs_of(
    structures: Sequence[LabelledStructure], cutoff: float, dtype: torch.dtype
) -> tuple[list[StructureGraph], list[Tensor]]:
    """The graphs of structures, and their labels (N,), NaN where there is none."""
    graphs = [build_structure_graph(s.positions, s.cell, s.types, cutoff, dtype) for s in structures]
    return graphs, [torch.as_tensor(s.labels, dtype=dtype) for s in structures]


def describe_run(config: SymGNNConfig, structures: Sequence[LabelledStructure], cutoff: float) -> str:
    """The info of a checkpoint, as `vitrify.training.info.describe` gives it."""
    data = config.data
    labels = np.concatenate([s.labels[s.labelled] for s in structures])
    return describe(
        config,
        data.species,
        data.units,
        structure_validity(data.species, structures, cutoff),
        data_files(data.train),
        property={"name": data.property or data.label, "unit": data.unit},
        label_range=[float(labels.min()), float(labels.max())],
        potential=data.potential.name if data.potential else None,
    )
