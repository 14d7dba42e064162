"""The stress of a stride: the virial of the pair variant, averaged over the stride as MD would average it.

Each stage (see `pair.py`) knows where the atoms stand at its time, and its filters f, of forces and densities, tell
what pairs do there. The virial is a weighted sum over the pairs of all stages:

    W = -1/2 sum_lij |d| e e^T sum_k f_lk(|d|) w_lkij,   w_lkij = w_lk0 + sum_c w_lkc (g_ic + g_jc),   e = d / |d|

with weights w for each pair of species. With moments, the angular forces F of a pair, weighted in the same way, add
-1/2 (d F^T + F d^T) / 2.

W is LAMMPS's virial, sum of r f in the unit of energy: positive under compression, and W / volume is the potential part
of the pressure. It is linear in its weights, so that a trained network, which stays as it is, gets its stress by least
squares (`vitrify.ogn.training.stress`). The terms of a pair are shared equally by its atoms, so that sums over the
atoms of several ranks are exact.
"""

# No postponed annotations here: TorchScript must see the real types.

import torch
from torch import Tensor, nn

from vitrify.graphs.graph import sum_over_centres
from vitrify.models.base import System
from vitrify.ogn.models.pair import PairConfig, PairOGN, pairs_of


class StageVirial(nn.Module):
    """The virial of one stage; symbols as in the module's docstring. Its weights are zero until they are fitted.

    weights: (pairs of species, C + F + 4 C moments, 1 + C), for the filters of C forces, F densities and the angular
    forces, in the order of the filters, times 1 and the C sums of gates. kinds: pairs of species.
    """

    def __init__(self, config: PairConfig, kinds: int, cutoff: float) -> None:
        super().__init__()
        self.channels, self.central, self.cutoff = config.channels, config.channels + config.scalars, cutoff
        self.moments = config.moments
        rows = self.central + 4 * config.channels * config.moments
        self.weights = nn.Parameter(torch.zeros(kinds, rows, 1 + config.channels))

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_vectors: Tensor, kinds: Tensor, n_owned: int, values: Tensor
    ) -> Tensor:
        """Virial (n_owned, 6) float64 of each owned atom: xx, yy, zz, xy, xz, yz.

        x: (M, 3 + C + 9 moments) as in `Stage.sums`. Of each edge: kinds (E,), the pair of species; values (E, any),
        the filters with their envelope. The edges are those within the cutoff of the stage.
        """
        c = self.channels
        i, j = edge_index[0], edge_index[1]
        xi, xj = x.index_select(0, i), x.index_select(0, j)
        d = edge_vectors + (xj[:, :3] - xi[:, :3])
        distances = (d * d).sum(1, keepdim=True).clamp_min(1e-12).sqrt()
        e = d / distances
        weights = self.weights.index_select(0, kinds)
        gates = (xi[:, 3 : 3 + c] + xj[:, 3 : 3 + c]).unsqueeze(1)
        factors = weights[:, :, 0] + (weights[:, :, 1:] * gates).sum(2)
        forces = (values[:, : self.central] * factors[:, : self.central]).sum(1, keepdim=True) * e
        if self.moments > 0:
            vector = xi[:, 3 + c : 6 + c] - xj[:, 3 + c : 6 + c]
            t = xi[:, 6 + c :] + xj[:, 6 + c :]
            tensor = t[:, [0, 3, 4, 3, 1, 5, 4, 5, 2]].view(-1, 3, 3)
            bent = (tensor * e.unsqueeze(1)).sum(2)
            size = (values[:, self.central + 2 :] * factors[:, self.central :]).view(-1, 4, c).sum(2)
            along = size[:, 2:3] * (vector * e).sum(1, keepdim=True) + size[:, 3:4] * (bent * e).sum(1, keepdim=True)
            forces = forces + size[:, 0:1] * vector + size[:, 1:2] * bent + along * e
        first, second = [0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]
        products = d[:, first] * forces[:, second] + d[:, second] * forces[:, first]
        return sum_over_centres((-0.25 * products).double(), i, n_owned)


def pair_network(config: PairConfig, system: System) -> PairOGN:
    """The pair variant, with the stress if the configuration has it."""
    return StressedPairOGN(config, system) if config.stress > 0 else PairOGN(config, system)


class StressedPairOGN(PairOGN):
    """The pair variant with the stress of a stride. Its motion is that of the network without.

    A host that wants the virial calls `virial(l, ...)` right before `layer(l, ...)`, with the nodes that this layer
    gets, and adds up what it returns for all layers and all owned atoms.
    """

    def __init__(self, config: PairConfig, system: System) -> None:
        super().__init__(config, system)
        kinds = self.n_species * (self.n_species + 1) // 2
        self.stress = nn.ModuleList([StageVirial(config, kinds, cutoff) for cutoff in config.cutoffs])

    @torch.jit.export
    def virial(
        self, index: int, nodes: Tensor, types: Tensor, velocities: Tensor, edge_index: Tensor, edge_vectors: Tensor,
        n_owned: int,
    ) -> Tensor:  # fmt: skip
        """The part of stage `index` in the virial (n_owned, 6) float64 of each owned atom: xx, yy, zz, xy, xz, yz.

        Arguments as those of `layer`. In the unit of energy, positive under compression.
        """
        x = torch.cat([nodes[:, :3] + (self.timestep * self.times[index]) * velocities, nodes[:, 3:]], dim=1)
        start = edge_vectors.square().sum(1).sqrt()
        virial = torch.zeros([n_owned, 6], dtype=torch.float64, device=nodes.device)
        # TorchScript can neither index a ModuleList with a variable nor zip strictly.
        for number, (stage, part) in enumerate(zip(self.stages, self.stress)):  # noqa: B905
            if number == index:
                seen = torch.nonzero(start < part.cutoff).squeeze(1)  # type: ignore[operator]
                edges, vectors = edge_index.index_select(1, seen), edge_vectors.index_select(0, seen)
                d = vectors + (x[edges[1], :3] - x[edges[0], :3])
                kinds = pairs_of(types, edges[0], edges[1])
                distances = (d * d).sum(1).clamp_min(1e-12).sqrt()
                envelope = stage.envelope(start.index_select(0, seen)).unsqueeze(1)  # type: ignore[operator]
                values = stage.filters(distances, kinds) * envelope  # type: ignore[operator]
                virial = part(x, edges, vectors, kinds, n_owned, values)
        return virial

    @torch.jit.export
    def forward_with_virial(
        self, types: Tensor, velocities: Tensor, edge_index: Tensor, edge_vectors: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """dr, dv (N, 3) and the virial (N, 6) of one stride of a system whose every node is owned."""
        n = types.shape[0]
        nodes, memory = self.start(types, velocities, edge_index, edge_vectors)
        virial = torch.zeros([n, 6], dtype=torch.float64, device=velocities.device)
        for index in range(self.layers):
            virial = virial + self.virial(index, nodes, types, velocities, edge_index, edge_vectors, n)
            nodes, memory = self.layer(index, nodes, memory, types, velocities, edge_index, edge_vectors, n)
        dr, dv = self.finish(nodes, memory, types, velocities, edge_index, edge_vectors, n)
        return dr, dv, virial
