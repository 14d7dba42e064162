"""Fine-tuning: changes a model file by a few labels of another glass, solved in closed form.

Labels y and predictions p of the file's model (the start) are standardised as in the file. The model of the label of an
atom of species s is

    y = p + a + d_s + g p + f + noise

`adapt: output` fits the offset a, its differences d_s between species, and the gain g. `adapt: weights` also fits f,
the effect of a change of the fields' weights to first order (exact without a hidden layer). Its prior is equal for all
weights in coordinates in which the descriptors of the new structures are white. All priors are normal distributions
around zero, which is the start. Their widths, in units of the standard deviation of the noise, are on the grids below
and equally probable beforehand; the solutions are averaged with their evidence as weight. So a few labels that agree
with the start change almost nothing, and a large shift is followed as soon as it is evident.

The variance of the noise has an inverse-gamma prior around the variance in the file, worth NOISE_LABELS labels. The
residual of the new file is a mean with the same weights: of the file's, and of the errors of the new labels, each left
out in turn. The standardisation of descriptors and the potential's pair functions are not changed.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitrify.core.errors import VitrifyError
from vitrify.core.files import sha256
from vitrify.engines.load import load_model
from vitrify.graphs.graph import StructureGraph
from vitrify.modelfile.archive import read_metadata
from vitrify.models import ModelConfig, System, build_model
from vitrify.symgnn.metadata import SymGNNMetadata
from vitrify.symgnn.models.base import SymGNN
from vitrify.symgnn.models.exact import ExactSymGNN
from vitrify.symgnn.training.config import SymGNNConfig
from vitrify.symgnn.training.task import UNUSUAL, Structures, SymGNNTask, describe_run, graphs_of, load_labelled
from vitrify.training.task import Prepared

Array = NDArray[np.float64]

# Widths of the priors. Wider ones for species and gain would cost more where nothing has shifted than they would gain.
OFFSETS = (0.0, 0.1, 0.3, 1.0, 3.0)
OFFSETS_OF_SPECIES = (0.0, 0.1)
GAINS = (0.0, 0.1, 0.3)
# Mean variance of f over the labelled atoms, in units of the variance of the noise.
STRENGTHS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
NOISE_LABELS = 20.0
# Largest number of labels that change the weights, drawn at random, since the kernel of more would be too large.
MOST = 3000
LOWEST_FACTOR = 0.1


@dataclass(frozen=True)
class OutputFit:
    """The fit of offsets and gain. change: a, d_s of each species, g, standardised. scales: likeliest prior widths."""

    change: Array
    scales: Array

    @property
    def offsets(self) -> Array:
        """The offset a + d_s of each species (n_species,), in units of label_scale."""
        return np.asarray(self.change[0] + self.change[1:-1])

    @property
    def factor(self) -> float:
        """The factor 1 + g on the predictions, at least LOWEST_FACTOR."""
        return max(1.0 + float(self.change[-1]), LOWEST_FACTOR)


@dataclass(frozen=True)
class WeightsFit:
    """The fit f = kernel @ dual of the weights.

    dual: (n,). strength: the likeliest one of STRENGTHS. values (n,), vectors (n, n): eigenvalues and eigenvectors of
    the kernel.
    """

    dual: Array
    strength: float
    values: Array
    vectors: Array


def prepare(config: SymGNNConfig, model_config: ModelConfig) -> Prepared:
    """The task of a configuration with `start`, whose model is already fine-tuned and has nothing left to be trained.

    Raises:
        VitrifyError: a model that cannot be fine-tuned, or structures without any label.
    """
    assert config.start is not None
    path = Path(config.start.model)
    metadata = read_metadata(path)
    assert isinstance(metadata, SymGNNMetadata)
    model = load_start(path, model_config)
    if config.start.adapt == "weights" and not isinstance(model, ExactSymGNN):
        raise VitrifyError(f"start.adapt weights is for variant exact, {path.name} is {metadata.variant}: use output")
    structures = load_labelled(config, config.data.train)
    dtype = model.label_scale.dtype
    limit = metadata.validity.max_deviation
    graphs, labels = graphs_of(structures, model.cutoff, dtype)
    with torch.no_grad():
        ready = [model.prepare(graph) for graph in graphs]
    metrics, limit = adapt(model, graphs, labels, ready, config.start.adapt, config.training.seed, limit)
    metrics |= {f"offset_{name}": metrics.pop(f"offset_{s}") for s, name in enumerate(metadata.species)}
    task = SymGNNTask(model.requires_grad_(False)).eval()
    validation: Any = []
    if config.data.validation:
        validation = Structures(model, *graphs_of(load_labelled(config, config.data.validation), model.cutoff, dtype))
        rows = [task.statistics([sample]) for sample in validation.samples]
        metrics |= task.metrics(torch.stack(rows).mean(0))
    info = json.loads(describe_run(config, structures, model.cutoff))
    digest = sha256(path)
    info["config"]["start"]["sha256"] = digest
    info["data"] = [*metadata.provenance.data, {"name": path.name, "sha256": digest}, *info["data"]]
    info["validity"] = union(metadata.validity.model_dump(exclude_none=True), info["validity"])
    if limit is not None:
        info["validity"]["max_deviation"] = limit
    return Prepared(task, [], validation, [], json.dumps(info), metrics=metrics)


def load_start(path: Path, model_config: ModelConfig) -> SymGNN:
    """The eager model of a file, with its weights, in its precision and in evaluation mode.

    Raises:
        VitrifyError: a file that cannot be loaded, or whose weights do not fit the configuration.
    """
    scripted = load_model(path)
    metadata = scripted.metadata
    system = System(metadata.species, (), metadata.units, 0.0)
    model: SymGNN = build_model(metadata.kind, model_config, system)
    model = model.to(scripted.dtype)
    model.take_file_form()
    try:
        model.load_state_dict(scripted.module.state_dict())
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise VitrifyError(
            f"{path} cannot be fine-tuned, its weights do not fit variant {metadata.variant} ({reason}): train a new "
            "model"
        ) from None
    return model.eval()


@torch.no_grad()
def adapt(
    model: SymGNN, graphs: Sequence[StructureGraph], labels: Sequence[Tensor], ready: Sequence[Any],
    how: str = "weights", seed: int = 1, limit: float | None = None,
) -> tuple[dict[str, float], float | None]:  # fmt: skip
    """Changes a model by the labels of some structures.

    labels: (N,) for each structure, NaN where there is none. ready: results of `model.prepare` for the structures. how:
    "output" or "weights". seed: for the choice of labels, where there are more than MOST. limit: standard deviation
    above which atoms are unlike the training data, in the unit of the label.

    Returns:
        Figures by name, and the new limit. The figures are root mean square error and correlation for labels left out
        in turn, the errors of the start for them (in the unit of the label), the number of labels, and the changes.
    """
    known = [~label.isnan() for label in labels]
    types = torch.cat([graph.types[k] for graph, k in zip(graphs, known, strict=True)])
    base, spread = _members(model, graphs, ready, known)
    scale = float(model.label_scale)
    every = torch.cat([label[k] for label, k in zip(labels, known, strict=True)])
    wanted = ((every - model.label_mean[types]) / scale).double().numpy()
    stated = float(model.residual.square() + model.spread_gain * spread.mean())
    inputs = np.concatenate([np.ones((len(types), 1)), np.eye(model.n_species)[types], base[:, None]], 1)
    output = fit_output(inputs, wanted - base, stated)
    chosen, weights = np.arange(len(types)), None
    if how == "weights":
        assert isinstance(model, ExactSymGNN)
        chosen = _at_most(MOST, len(types), seed)
        rest = wanted - base - inputs @ output.change
        # The factor also multiplies the effect of the weights.
        weights = _change_weights(model, graphs, ready, known, chosen, rest[chosen], stated, output.factor)
    errors = left_out((wanted - base)[chosen], inputs[chosen], output, weights)
    unusual = None if limit is None else ((limit / scale) ** 2 - model.residual.square()) / model.spread_gain
    _change_output(model, output)
    spread = _members(model, graphs, ready, known)[1]
    variance = (NOISE_LABELS * stated + float(np.square(errors).sum())) / (NOISE_LABELS + len(errors))
    variance = variance / output.factor**2 - float(model.spread_gain * spread.mean())
    model.residual.fill_(max(variance, 1e-4) ** 0.5)
    if unusual is not None:
        largest = torch.maximum(unusual, spread.quantile(1.0 - UNUSUAL))
        limit = float((model.residual.square() + model.spread_gain * largest).sqrt() * model.label_scale)
    figures = _figures(wanted[chosen], base[chosen], errors, scale)
    changes = {"gain": output.factor, "strength": weights.strength if weights else 0.0}
    changes |= {f"offset_{s}": scale * float(value) for s, value in enumerate(output.offsets)}
    return {**figures, "labels": float(len(types)), **changes}, limit


def fit_output(inputs: Array, errors: Array, variance: float) -> OutputFit:
    """Offsets and gain from the errors (n,) of the start, whose stated variance is `variance`.

    inputs: (n, 2 + n_species): a column of ones, one-hot species, predictions of the start.
    """
    n_species = inputs.shape[1] - 2
    gram, moment, square = inputs.T @ inputs, inputs.T @ errors, float(errors @ errors)
    found, evidences, widths = [], [], []
    for offset, of_species, gain in itertools.product(OFFSETS, OFFSETS_OF_SPECIES, GAINS):
        scales = np.array([offset, *[of_species] * n_species, gain])
        matrix = np.eye(len(scales)) + scales[:, None] * gram * scales
        solution = np.linalg.solve(matrix, scales * moment)
        rest = square - float(np.dot(scales * moment, solution))
        evidences.append(_evidence(float(np.linalg.slogdet(matrix)[1]), rest, len(errors), variance))
        found.append(scales * solution)
        widths.append(scales)
    return OutputFit(_weights_of(evidences) @ np.array(found), widths[int(np.argmax(evidences))])


def fit_weights(errors: Array, kernel: Array, variance: float) -> WeightsFit:
    """The change of the weights, from the errors (n,) after offsets and gain, and the kernel (n, n) of the features."""
    values, vectors = np.linalg.eigh(kernel)
    values = values.clip(0.0)
    turned = vectors.T @ errors
    found, evidences = [], []
    for strength in STRENGTHS:
        shrunk = turned / (1.0 + strength * values)
        logarithm = float(np.log1p(strength * values).sum())
        evidences.append(_evidence(logarithm, float(np.dot(turned, shrunk)), len(errors), variance))
        found.append(strength * shrunk)
    dual = vectors @ (_weights_of(evidences) @ np.array(found))
    return WeightsFit(dual, STRENGTHS[int(np.argmax(evidences))], values, vectors)


def left_out(errors: Array, inputs: Array, output: OutputFit, weights: WeightsFit | None) -> Array:
    """The error (n,) of each prediction if its label is left out of the fit, for the likeliest widths of the priors."""
    if weights is None:
        vectors, inverse = None, np.ones(len(errors))
        diagonal = inverse
        solved, of_inputs = errors, inputs
    else:
        vectors, inverse = weights.vectors, 1.0 / (1.0 + weights.strength * weights.values)
        diagonal = np.square(vectors) @ inverse
        solved, of_inputs = (vectors @ (inverse * (vectors.T @ x).T).T for x in (errors, inputs))
    s = output.scales
    middle = s[:, None] * np.linalg.solve(np.eye(len(s)) + s[:, None] * (inputs.T @ of_inputs) * s, np.diag(s))
    solved = solved - of_inputs @ (middle @ (inputs.T @ solved))
    return np.asarray(solved / (diagonal - ((of_inputs @ middle) * of_inputs).sum(1)))


def union(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The smallest validity range that contains the range of a file and that of other structures."""

    def both(a: Sequence[float], b: Sequence[float]) -> list[float]:
        return [min(a[0], b[0]), max(a[1], b[1])]

    found = {
        **one,
        "number_density": both(one["number_density"], other["number_density"]),
        "composition": {
            name: both(one["composition"].get(name, span), span) for name, span in other["composition"].items()
        },
    }
    if "min_distance" in one:
        found["min_distance"] = np.minimum(one["min_distance"], other["min_distance"]).tolist()
    return found


def _change_output(model: SymGNN, output: OutputFit) -> None:
    model.label_mean += model.label_scale * torch.from_numpy(output.offsets).to(model.label_mean)
    model.label_scale *= output.factor


def _figures(wanted: Array, base: Array, errors: Array, scale: float) -> dict[str, float]:
    of_start = wanted - base
    varies = len(wanted) > 2 and float(np.std(wanted)) > 0.0 and float(np.std(wanted - errors)) > 0.0
    return {
        "val_loss": float(np.mean(errors**2)),
        "rmse": scale * float(np.sqrt(np.mean(errors**2))),
        "pearson": float(np.corrcoef(wanted - errors, wanted)[0, 1]) if varies else 0.0,
        "rmse_of_start": scale * float(np.sqrt(np.mean(of_start**2))),
        "bias_of_start": -scale * float(np.mean(of_start)),
    }


def _members(
    model: SymGNN, graphs: Sequence[StructureGraph], ready: Sequence[Any], known: Sequence[Tensor]
) -> tuple[Array, Tensor]:
    """Mean (n,) and variance (n,) of the members' standardised predictions for the labelled atoms."""
    found = [model.standard_members(g, r)[k] for g, r, k in zip(graphs, ready, known, strict=True)]
    every = torch.cat(found).double()
    return every.mean(1).numpy(), every.var(1, correction=0)


def _change_weights(
    model: ExactSymGNN, graphs: Sequence[StructureGraph], ready: Sequence[Any], known: Sequence[Tensor],
    chosen: NDArray[np.int64], errors: Array, variance: float, factor: float,
) -> WeightsFit:  # fmt: skip
    """Fits the errors of the `chosen` labelled atoms, and adds the fit over `factor` to the weights of the fields."""
    whiten = model.whitening(torch.cat([described for described, *_ in ready]).double())
    rows = [features(model, *each, whiten) for each in zip(graphs, ready, known, strict=True)]
    every = torch.cat(rows)[torch.from_numpy(chosen)]
    size = every.square().sum(1).mean().sqrt().clamp_min(1e-12)
    every /= size
    fit = fit_weights(errors, (every @ every.T).double().numpy(), variance)
    white = (every.T @ torch.from_numpy(fit.dual).to(every)).double() / (size * factor)
    change = whiten @ white.view(model.n_species, len(whiten), -1)
    model.field_weight.copy_(model.field_weight + change.view(model.field_weight.shape))
    return fit


def features(model: ExactSymGNN, graph: StructureGraph, ready: Any, known: Tensor, whiten: Tensor) -> Tensor:
    """Derivatives (n, species D members (fields + 1)) of the mean predictions with respect to the fields' weights.

    known: (N,), True for the n atoms whose predictions are differentiated. The weights act on descriptors that are
    whitened by `whiten` (D, D).
    """
    with torch.enable_grad():
        own, sums, direct = (part[known].detach().requires_grad_() for part in model.gather(graph, ready))
        mean = model.predict_members(own, sums, direct, graph.types[known]).mean(1).sum()
        of_own, of_sums, of_direct = torch.autograd.grad(mean, [own, sums, direct])
    slopes = torch.cat([of_own.unsqueeze(1), of_sums], 1)  # (n, shells + 1, members, fields)
    last = torch.zeros_like(slopes[..., :1])
    last[:, 0, :, 0] = of_direct
    slopes = torch.cat([slopes, last], 3)
    white = ready[0] @ whiten.to(ready[0])
    of_species = torch.nn.functional.one_hot(graph.types, model.n_species).to(white)
    split = (of_species.unsqueeze(2) * white.unsqueeze(1)).flatten(1)
    shells = (ready[1] @ split).view(model.shells, len(white), -1)[:, known]
    seen = torch.cat([split[known].unsqueeze(0), shells])
    seen = seen.view(model.shells + 1, -1, model.n_species, white.shape[1])
    return torch.einsum("nkmc,knsd->nsdmc", slopes, seen).flatten(1)


def _evidence(logarithm: float, rest: float, n: int, variance: float) -> float:
    """The logarithm of the evidence, from the logarithm of the determinant and the squared errors in its metric."""
    return -0.5 * logarithm - 0.5 * (NOISE_LABELS + n) * float(np.log(NOISE_LABELS * variance + max(rest, 0.0)))


def _weights_of(evidences: Sequence[float]) -> Array:
    """Normalised probabilities, from logarithms of the evidence."""
    found = np.exp(np.array(evidences) - max(evidences))
    return np.asarray(found / found.sum())


def _at_most(most: int, n: int, seed: int) -> NDArray[np.int64]:
    """`most` of the numbers 0 to n - 1, drawn at random, in rising order; all if there are no more than that."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).permutation(n)[:most])
