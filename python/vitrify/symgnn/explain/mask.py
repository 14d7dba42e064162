"""A model file whose edges have weights: w = 1 is the model as it is, w = 0 the same as leaving the edge out.

Edges act on atoms through one operation alone, the sum over the edges of a centre
(`vitrify.graphs.graph.sum_over_centres`, an `index_add` into rows made from `edge_index[0]`). So the terms of every
such sum are multiplied by the weights of their edges, in the TorchScript program of the model file itself. That is
f(M * G) of the paper's eq. 7, it is exact at both ends for every variant, attention included (the weight enters
numerator and denominator of the softmax), and it needs no source code of the model. Moving a neighbour out to the
cutoff instead would change angles, and give short edges another price than long ones; torch-geometric's explainers
set masks on its own MessagePassing modules, which no variant is made of.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.jit._fuser import optimized_execution

from vitrify.core.errors import VitrifyError
from vitrify.engines.load import load_model
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.modelfile.archive import find_model
from vitrify.symgnn.metadata import SymGNNMetadata
from vitrify.symgnn.torchscript import TorchSymGNN

_SUMS = ("aten::index_add", "aten::index_add_")
_LEAST = 1e-30  # least argument of a square root: below rounding, and above 0, where the slope is infinite
_TOLERANCE = {"float32": 1e-4, "float64": 1e-9}


class Stage(NamedTuple):
    """Input of a layer, or of `finish`: the first nodes of a graph, and the edges of the first `owned` of them.

    kept: indices of these edges among the edges of the stage before; None: all.
    """

    types: Tensor
    edge_index: Tensor
    edge_vectors: Tensor
    owned: int
    kept: Tensor | None

    def carry(self, nodes: Tensor, memory: Tensor, edges: int) -> tuple[Tensor, Tensor]:
        """The rows of nodes and memory that this stage needs, of those of the stage before, which had `edges` edges."""
        if self.kept is None:
            return nodes, memory
        if memory.shape[0] == edges:
            memory = memory[self.kept]
        elif memory.shape[0] == len(nodes):
            memory = memory[: self.owned]
        return nodes[: len(self.types)], memory


class Started(NamedTuple):
    """A graph, prepared for any weights: the input of each layer and of `finish`.

    first: nodes and memory that `start` makes, or None where weights enter there. edge_index: (3, E), with the numbers
    of the edges as third row: where a model sorts or selects edges, the numbers go along.
    """

    types: Tensor
    edge_index: Tensor
    edge_vectors: Tensor
    stages: list[Stage]
    first: tuple[Tensor, Tensor] | None


class MaskedModel:
    """A SymGNN model file with a weight on each edge; checked on the reference case of the file when it is made."""

    def __init__(self, opened: TorchSymGNN) -> None:
        self.opened = opened
        self._start, self._layer, self._finish = _with_weights(opened.module)
        self._narrows = False
        self._check()

    @property
    def path(self) -> Path:
        """The model file."""
        return self.opened.path

    @property
    def metadata(self) -> SymGNNMetadata:
        """The metadata of the model file."""
        return self.opened.metadata

    @property
    def most_hops(self) -> int:
        """One more than the largest number of hops from an atom to the centre of an edge that its prediction uses."""
        return self.opened.metadata.layers + (self._start.sums > 0) + (self._finish.sums > 0)

    def start(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, hops: Tensor | None = None) -> Started:
        """The work that does not depend on the weights, done once: for the paper's variant, most of it.

        hops: (N,) of each node from the first one, in rising order, where only the first is predicted. A layer then
        treats only the nodes whose features reach the first one, if the memory of the model can be cut so.
        """
        numbers = torch.arange(len(edge_vectors)).unsqueeze(0)
        graph = (types, torch.cat([edge_index, numbers]), edge_vectors)
        stages = self._stages(*graph, hops)
        if self._start.sums:
            return Started(*graph, stages, None)
        with torch.no_grad(), optimized_execution(False):
            return Started(*graph, stages, self._start.function(*graph, edge_vectors.new_ones([len(edge_vectors)])))

    def _stages(self, types: Tensor, edge_index: Tensor, edge_vectors: Tensor, hops: Tensor | None) -> list[Stage]:
        """One for each layer, and the end."""
        layers = self.opened.metadata.layers
        if hops is None or not self._narrows:
            return [Stage(types, edge_index, edge_vectors, len(types), None)] * (layers + 1)
        found: list[Stage] = []
        for index in range(layers + 1):
            # `finish` treats the first node, the layer before it the neighbours too if `finish` sums over them, ...
            far = 0 if index == layers else layers - 1 - index + (self._finish.sums > 0)
            owned, nodes = (int((hops <= limit).sum()) for limit in (far, far + 1))
            kept = (edge_index[0] < owned).nonzero().flatten()
            types, edge_index, edge_vectors = types[:nodes], edge_index[:, kept], edge_vectors[kept]
            found.append(Stage(types, edge_index, edge_vectors, owned, kept))
        return found

    def __call__(self, started: Started, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Value and deviation (N,) of the graph whose edges count with `weights` (E,), or of its first node alone;
        differentiable in them."""
        with optimized_execution(False):
            nodes, memory = started.first or self._start.function(*started[:3], weights)
            edges = len(weights)
            for index, stage in enumerate(started.stages):
                nodes, memory = stage.carry(nodes, memory, edges)
                if index < self.opened.metadata.layers:
                    nodes, memory = self._layer.function(index, nodes, memory, *stage[:4], weights)
                edges = stage.edge_index.shape[1]
            value, deviation = self._finish.function(nodes, memory, *stage[:4], weights)
        return value, deviation

    def _check(self) -> None:
        """Proves on the reference case that ones change nothing and that zeros leave edges out, or refuses."""
        meta = self.opened.metadata
        case = meta.reference
        types = [meta.species.index(name) for name in case.species]
        graph = build_structure_graph(case.positions, case.cell, types, meta.cutoff, self.opened.dtype)
        kept = torch.rand(graph.edge_index.shape[1], generator=torch.Generator().manual_seed(1)) < 0.7
        weights = kept.to(graph.edge_vectors.dtype)
        with torch.no_grad(), optimized_execution(False):
            whole = self.opened.module(*graph)[0]
            less = self.opened.module(graph.types, graph.edge_index[:, kept], graph.edge_vectors[kept])[0]
            try:
                ones, zeros = (self(self.start(*graph), each)[0] for each in (torch.ones_like(weights), weights))
            except RuntimeError:
                raise VitrifyError(self._unfit("does something to its edges that no weight can follow")) from None
        limit = _TOLERANCE[meta.dtype] * float(whole.square().mean().sqrt())
        if not (float((ones - whole).abs().max()) <= limit and float((zeros - less).abs().max()) <= limit):
            raise VitrifyError(self._unfit("uses its edges outside of sums over the edges of a centre"))
        hops = _hops(graph.edge_index, len(types))
        order = hops.argsort(stable=True)
        place = order.argsort()
        self._narrows = True
        try:
            with torch.no_grad():
                started = self.start(graph.types[order], place[graph.edge_index], graph.edge_vectors, hops[order])
                first = self(started, weights)[0][0]
            self._narrows = float((first - less[0]).abs()) <= limit
        except RuntimeError:  # a memory that is neither one of edges nor one of nodes
            self._narrows = False

    def _unfit(self, why: str) -> str:
        return (
            f"{self.opened.path} (variant {self.opened.metadata.variant}) {why}, so its edges cannot be weighed: "
            "explain a model that aggregates with vitrify.graphs.graph.sum_over_centres"
        )


def _hops(edge_index: Tensor, nodes: int) -> Tensor:
    """(nodes,) hops of each node from the first one; `nodes` for nodes out of reach."""
    hops = torch.full([nodes], nodes)
    hops[0] = 0
    for step in range(1, nodes):
        reached = edge_index[1, hops[edge_index[0]] == step - 1]
        hops[reached] = hops[reached].clamp(max=step)
    return hops


def open_masked(name: str) -> MaskedModel:
    """The model file called `name`, on the CPU; VitrifyError for a model of another kind."""
    path = find_model(name)
    opened = load_model(path)
    if not isinstance(opened, TorchSymGNN):
        raise VitrifyError(
            f"{path} is a model of kind {opened.metadata.kind!r}, but explanations are of kind 'symgnn': "
            "give a model of a property of each atom"
        )
    return MaskedModel(opened)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch: the operations on a subgraph are small, and threads that wait for a busy core cost far more
    than they give; sums also come out the same on any machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Weighted(NamedTuple):
    """A method of a model with one more input, the weights (E,) of the edges; the number of sums that they enter."""

    function: Any
    sums: int


def _with_weights(module: torch.jit.ScriptModule) -> list[_Weighted]:
    """`start`, `layer` and `finish` of the module as functions of their arguments and of weights."""
    names = {"start": 2, "layer": 5, "finish": 4}  # and the place of edge_index among the arguments, self included
    with warnings.catch_warnings():  # users can do nothing about the deprecation of TorchScript
        warnings.simplefilter("ignore", DeprecationWarning)
        frozen: Any = torch.jit.freeze(module.eval(), preserved_attrs=list(names), optimize_numerics=False)
    made = []
    for name, place in names.items():
        graph = getattr(frozen, name).graph.copy()
        torch._C._jit_pass_inline(graph)
        _guard_roots(graph, graph)
        edge_index = list(graph.inputs())[place].unique()
        weights = graph.addInput("edge_weights")
        weights.setType(torch._C.TensorType.get())
        sums = _weigh_sums(graph, graph, weights, edge_index)
        graph.eraseInput(0)  # the module itself, whose weights are constants by now
        made.append(_Weighted(torch._C._create_function_from_graph(f"{name}_weighted", graph), sums))
    return made


def _guard_roots(graph: Any, block: Any) -> None:
    """Keeps the arguments of all square roots above 0, so that their slopes are finite.

    A density to which no edge adds is 0. The slope of its root times the terms of its edges, which are 0, would be NaN.
    """
    for node in list(block.nodes()):
        for inner in node.blocks():
            _guard_roots(graph, inner)
        if node.kind() == "aten::sqrt" and next(iter(node.inputs())).type().kind() == "TensorType":
            least = graph.insertConstant(_LEAST)
            least.node().moveBefore(node)
            above = graph.create("aten::clamp_min", [next(iter(node.inputs())), least], 1)
            above.insertBefore(node)
            node.replaceInput(0, above.output())


def _weigh_sums(graph: Any, block: Any, weights: Any, edge_index: int) -> int:
    """Multiplies the terms of every sum over edges by the weights of their edges; returns how many sums there are.

    edge_index: the number of that value. Sums into other rows, such as those of the atoms of a species, stay.
    """
    sums = 0
    for node in list(block.nodes()):
        sums += sum(_weigh_sums(graph, inner, weights, edge_index) for inner in node.blocks())
        if node.kind() in _SUMS:
            edges = _edges_of(list(node.inputs())[2], edge_index)
            if edges is not None:
                _weigh(graph, node, weights, edges)
                sums += 1
    return sums


def _edges_of(rows: Any, edge_index: int) -> Any:
    """The edges, `edge_index` or a part of it, from whose centres the rows of a sum are made; None if from none."""
    # A sum behind an if can use the outputs of the if only, not the values inside of it.
    for value in _sources(rows, within=False).values():
        node = value.node()
        if node.kind() == "aten::select" and [each.toIValue() for each in list(node.inputs())[1:]] == [0, 0]:
            edges = next(iter(node.inputs()))
            if edge_index in _sources(edges, within=True):
                return edges
    return None


def _sources(value: Any, within: bool) -> dict[int, Any]:
    """A value and all values that it is computed from, by number, nearest first.

    within: follow the outputs of an if into its branches, where a part of the edges may be selected.
    """
    found: dict[int, Any] = {}
    waiting = [value]
    while waiting:
        at = waiting.pop(0)
        if at.unique() in found:
            continue
        found[at.unique()] = at
        node = at.node()
        blocks = list(node.blocks())
        if not blocks:
            waiting += list(node.inputs())
        elif within and node.kind() == "prim::If":
            place = [each.unique() for each in node.outputs()].index(at.unique())
            waiting += [list(block.outputs())[place] for block in blocks]
    return found


def _weigh(graph: Any, node: Any, weights: Any, edges: Any) -> None:
    """`source * weights[edges[2]]`, along the first dimension, in the place of the source of a sum."""

    def insert(kind: str, inputs: list[Any]) -> Any:
        made = graph.create(kind, inputs, 1)
        made.insertBefore(node)
        return made.output()

    def constant(value: int) -> Any:
        made = graph.insertConstant(value)
        made.node().moveBefore(node)
        return made

    first, last = constant(0), constant(-1)
    numbers = insert("aten::select", [edges, first, constant(2)])
    mine = insert("aten::index_select", [weights, first, numbers])
    # Multiplying along the last dimension, which broadcasts, serves sources of any rank.
    turned = insert("aten::transpose", [list(node.inputs())[3], first, last])
    node.replaceInput(3, insert("aten::transpose", [insert("aten::mul", [turned, mine]), first, last]))
