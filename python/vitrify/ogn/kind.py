"""The description of OGN for the shared layers."""

from vitrify.kinds import Kind

KIND = Kind(
    name="ogn",
    title="OGN",
    package="vitrify.ogn",
    purpose="moves atoms: run it with OGNDynamics, or fix ogn in LAMMPS",
    methods=("start", "layer", "finish", "forward"),
    inputs=("types", "velocities", "edge_index", "edge_vectors"),
    optional=("native", "evaluate", "stress"),
    exported=("masses", "base_timestep", "stride"),
    attach="vitrify.hosts.lammps.driven:attach_ogn",
    styles=("fix ogn",),
    citation=(
        "H. Liu et al., Learning molecular dynamics: predicting the dynamics of glasses by a machine learning "
        "simulator, Mater. Horiz. (2023), doi:10.1039/D3MH00028A"
    ),
)
