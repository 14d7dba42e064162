"""What the shared layers must know of OGN."""

from __future__ import annotations

from vitrify.kinds import Kind

KIND = Kind(
    name="ogn",
    title="OGN",
    purpose="moves atoms: run it with OGNDynamics, or fix ogn in LAMMPS",
    metadata="vitrify.ogn.metadata:OGNMetadata",
    variants="vitrify.ogn.models:VARIANTS",
    config="vitrify.ogn.training.config:OGNConfig",
    prepare="vitrify.ogn.training.task:prepare",
    methods=("start", "layer", "finish", "forward"),
    inputs=("types", "velocities", "edge_index", "edge_vectors"),
    native="vitrify.ogn.native:NativeOGN",
    torch="vitrify.ogn.torchscript:TorchOGN",
    own_metadata="vitrify.ogn.export:own_metadata",
    exported=("masses", "base_timestep", "stride"),
    replay="vitrify.ogn.replay:replay",
    evaluate="vitrify.ogn.evaluate:EVALUATION",
    attach="vitrify.hosts.lammps.driven:attach_ogn",
    styles=("fix ogn",),
    citation=(
        "H. Liu et al., Learning molecular dynamics: predicting the dynamics of glasses by a machine learning "
        "simulator, Mater. Horiz. (2023), doi:10.1039/D3MH00028A"
    ),
)
