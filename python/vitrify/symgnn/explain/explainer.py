"""The importance of bonds for the prediction of an atom: a score for each bond, by one of two methods.

Masks are GNNExplainer's for regression (SymGNN paper, eq. 7): the smallest set of bonds that keeps a prediction. A
prediction is one number, which many sets keep; and Adam moves the logits of all bonds by about the same step, so that a
score tells the sign of the influence of a bond rather than its size. Which bonds come first therefore depends on where
the optimiser starts. Effects have neither fault: an effect is the slope of the prediction with the weight of a bond,
which is, to first order, the change when the bond is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vitrify.core.errors import VitrifyError
from vitrify.symgnn.explain.mask import MaskedModel
from vitrify.symgnn.explain.nulls import bins_of, matched_sample, strata_of
from vitrify.symgnn.explain.settings import Settings
from vitrify.symgnn.explain.subgraph import Edges, Subgraph, k_hop_subgraph

_DRAWS = 10  # sets of bonds as long as the important ones, whose removal the removal of those is compared with


@dataclass(frozen=True)
class Explanation:
    """The importance of bonds for the prediction of an atom; numbers in the unit of the property, atoms from 0.

    atoms (n,): indices of the atoms that the model sees, the centre first; hops (n,), displacements (n, 3) from the
    centre. bonds (b, 2): indices into `atoms`, of bonds with any influence; vectors (b, 3) from the first to the second
    atom. scores (b,): the mask, 0 to 1, or the size of the effect. prediction, deviation: by the model as it is.
    Predictions with weights: masked: the mask, NaN if there is none; kept: the top bonds alone; removed: all but the
    top bonds; matched (d,): all but as many random bonds of the same lengths.
    """

    centre: int
    prediction: float
    deviation: float
    masked: float
    kept: float
    removed: float
    matched: np.ndarray
    atoms: np.ndarray
    hops: np.ndarray
    displacements: np.ndarray
    bonds: np.ndarray
    vectors: np.ndarray
    scores: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """(b,) lengths of the bonds."""
        return np.asarray(np.linalg.norm(self.vectors, axis=1))

    @property
    def distances(self) -> np.ndarray:
        """(n,) distances of the atoms from the centre."""
        return np.asarray(np.linalg.norm(self.displacements, axis=1))

    @property
    def global_bonds(self) -> np.ndarray:
        """(b, 2) the bonds as pairs of atoms of the structure."""
        return np.asarray(self.atoms[self.bonds])

    def top(self, count: int) -> np.ndarray:
        """Indices of the `count` bonds with the highest scores, the highest first."""
        return np.argsort(-self.scores, kind="stable")[:count]

    def importance(self) -> np.ndarray:
        """(n,) importance of the atoms: the sum of the scores of their bonds."""
        ends = self.bonds.reshape(-1)
        return np.bincount(ends, weights=np.repeat(self.scores, 2), minlength=len(self.atoms))


class _SubgraphModel:
    """A model on a subgraph, as a function of the weights of its bonds."""

    def __init__(self, model: MaskedModel, part: Subgraph, types: np.ndarray) -> None:
        self.model, self.bond = model, torch.as_tensor(part.bond)
        self.started = model.start(
            torch.as_tensor(types[part.atoms]),
            torch.as_tensor(part.pairs),
            torch.as_tensor(part.vectors).to(model.opened.dtype),
            torch.as_tensor(part.hops),
        )

    def __call__(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Value and deviation (scalars) of the centre with weights (b,) of the bonds."""
        value, deviation = self.model(self.started, weights[self.bond])
        return value[0], deviation[0]

    def with_weights(self, bonds: int, chosen: np.ndarray, inside: float, outside: float) -> float:
        """The prediction where the chosen bonds have the weight `inside`, and the others of all `bonds` `outside`."""
        weights = torch.full([bonds], outside, dtype=self.model.opened.dtype)
        weights[torch.as_tensor(chosen)] = inside
        with torch.no_grad():
            return float(self(weights)[0])


def explain_atom(
    model: MaskedModel,
    edges: Edges,
    types: np.ndarray,
    centre: int,
    spread: float,
    width: float,
    settings: Settings,
    reach: int | None = None,
) -> Explanation:
    """Gives a score to each bond that the prediction for `centre` can see, of the kind `settings.importance`.

    The loss of masks is ((f(sigmoid(M) * G) - f(G)) / spread)^2 + size mean(m) + entropy mean(H(m)), with
    m = sigmoid(M) and H the binary entropy. spread: of the predictions over the structure. width: of the bins of equal
    lengths. reach: hops beyond which the model is known to see nothing, see `reach_of`.
    """
    part, local, slopes = _receptive_field(model, edges, types, centre, reach)
    live = np.flatnonzero(slopes)
    ones = torch.ones(len(part.first), dtype=model.opened.dtype)
    with torch.no_grad():
        full, deviation = local(ones)
    if settings.importance == "effect":
        scores, masked = np.abs(slopes[live]), float("nan")
    else:
        scores, masked = _learn_mask(local, ones, live, float(full), spread, settings, centre)

    bonds, vectors = part.pairs[:, part.first[live]].T, part.vectors[part.first[live]]
    top = np.argsort(-scores, kind="stable")[: settings.top]
    strata = strata_of(bins_of(np.linalg.norm(vectors, axis=1), width), types[part.atoms[bonds]].sum(1))
    rng = np.random.default_rng((settings.seed, centre))

    def predicted(chosen: np.ndarray, inside: float, outside: float) -> float:
        return local.with_weights(len(ones), live[chosen], inside, outside)

    return Explanation(
        centre=centre,
        prediction=float(full),
        deviation=float(deviation),
        masked=masked,
        kept=predicted(top, 1.0, 0.0),
        removed=predicted(top, 0.0, 1.0),
        matched=np.array([predicted(matched_sample(top, strata, rng), 0.0, 1.0) for _ in range(_DRAWS)]),
        atoms=part.atoms,
        hops=part.hops,
        displacements=part.displacements,
        bonds=bonds,
        vectors=vectors,
        scores=scores,
    )


def reach_of(model: MaskedModel, edges: Edges, types: np.ndarray, centre: int) -> int:
    """How many hops a model sees from `centre`."""
    return int(_receptive_field(model, edges, types, centre, None)[0].hops.max())


def _receptive_field(
    model: MaskedModel, edges: Edges, types: np.ndarray, centre: int, reach: int | None
) -> tuple[Subgraph, _SubgraphModel, np.ndarray]:
    """The subgraph that the prediction for `centre` depends on, the model on it, and the slopes of the prediction with
    the weights of the bonds (b,), which are 0 for bonds without an effect."""
    reach = reach or model.most_hops
    while True:
        part = k_hop_subgraph(edges, centre, reach)
        local = _SubgraphModel(model, part, types)
        weights = torch.ones(len(part.first), dtype=model.opened.dtype, requires_grad=True)
        (gradient,) = torch.autograd.grad(local(weights)[0], weights, allow_unused=True)
        slopes = np.zeros(len(part.first)) if gradient is None else gradient.double().numpy()
        if not np.isfinite(slopes).all():
            raise VitrifyError(
                f"the prediction of {model.path} for atom {centre + 1} has no finite slope with the weights of "
                "its edges: explain a model that is smooth where a sum over edges is 0"
            )
        inner = part.hops[part.pairs].min(0)[(slopes != 0)[part.bond]]
        needed = int(inner.max()) + 1 if len(inner) else 1
        if needed >= reach:
            return part, local, slopes
        reach = needed


def _learn_mask(
    local: _SubgraphModel,
    ones: Tensor,
    live: np.ndarray,
    full: float,
    spread: float,
    settings: Settings,
    centre: int,
) -> tuple[np.ndarray, float]:
    """The mask (l,) of the bonds `live` (l,), and the prediction with it."""
    places = torch.as_tensor(live)
    drawn = np.random.default_rng((settings.seed, centre, 1)).normal(scale=settings.start, size=len(live))
    logits = torch.as_tensor(drawn).to(ones.dtype).requires_grad_()
    if len(live) == 0:
        return np.zeros(0), full
    optimiser = torch.optim.Adam([logits], lr=settings.rate)
    for _ in range(settings.epochs):
        mask = torch.sigmoid(logits)
        value, _ = local(ones.index_put((places,), mask))
        # Of logits, because the logarithm of a saturated mask is not finite.
        entropy = binary_entropy(logits)
        loss = ((value - full) / spread).square() + settings.size * mask.mean() + settings.entropy * entropy.mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        mask = torch.sigmoid(logits)
        return mask.double().numpy(), float(local(ones.index_put((places,), mask))[0])


def binary_entropy(logits: Tensor) -> Tensor:
    """Entropy (l,), in nats, of independent bits that are 1 with probability sigmoid(logits)."""
    mask = torch.sigmoid(logits)
    return torch.nn.functional.softplus(logits) - logits * mask
