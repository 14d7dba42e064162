"""The description of SymGNN for the shared layers."""

from vitrify.kinds import Kind

KIND = Kind(
    name="symgnn",
    title="SymGNN",
    package="vitrify.symgnn",
    purpose="predicts a property of each atom: run it with GlassCalc(barriers=...), or compute symgnn/atom in LAMMPS",
    methods=("start", "layer", "finish", "forward"),
    inputs=("types", "edge_index", "edge_vectors"),
    optional=("native", "evaluate", "explain", "impossible"),
    exported=("property",),
    argument="barriers",
    properties=("barriers", "barriers_std", "barriers_outside"),
    attach="vitrify.hosts.lammps.driven:attach_barriers",
    styles=("compute symgnn/atom",),
    citation=(
        "H. Li, S. Zhang et al., Predicting and interpreting energy barriers of metallic glasses with graph neural "
        "networks, ICML (2024)"
    ),
)
