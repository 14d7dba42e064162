"""The description of SymGNN for the shared layers."""

from __future__ import annotations

from vitrify.kinds import CalculatorPart, Kind

KIND = Kind(
    name="symgnn",
    title="SymGNN",
    purpose="predicts a property of each atom: run it with GlassCalc(barriers=...), or compute symgnn/atom in LAMMPS",
    metadata="vitrify.symgnn.metadata:SymGNNMetadata",
    variants="vitrify.symgnn.models:VARIANTS",
    config="vitrify.symgnn.training.config:SymGNNConfig",
    prepare="vitrify.symgnn.training.prepare:prepare",
    methods=("start", "layer", "finish", "forward"),
    inputs=("types", "edge_index", "edge_vectors"),
    native="vitrify.symgnn.native:NativeSymGNN",
    torch="vitrify.symgnn.torchscript:TorchSymGNN",
    own_metadata="vitrify.symgnn.export:own_metadata",
    exported=("property",),
    replay="vitrify.symgnn.replay:replay",
    evaluate="vitrify.symgnn.evaluate:EVALUATION",
    explain="vitrify.symgnn.explain.run:explain",
    calculator=CalculatorPart(
        argument="barriers",
        properties=("barriers", "barriers_std", "barriers_outside"),
        results="vitrify.symgnn.calculator:results",
        quantity="vitrify.symgnn.calculator:quantity",
    ),
    attach="vitrify.hosts.lammps.driven:attach_barriers",
    styles=("compute symgnn/atom",),
    citation=(
        "H. Li, S. Zhang et al., Predicting and interpreting energy barriers of metallic glasses with graph neural "
        "networks, ICML (2024)"
    ),
)
