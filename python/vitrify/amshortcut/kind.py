"""The description of AMShortcut for the shared layers."""

from vitrify.kinds import Kind

KIND = Kind(
    name="amshortcut",
    title="AMShortcut",
    package="vitrify.amshortcut",
    purpose="makes structures: run it with vitrify generate, or create_glass in LAMMPS",
    methods=("forward",),
    inputs=("elements", "sample", "edge_index", "edge_vectors", "time", "step", "properties", "known"),
    optional=("native", "evaluate", "generate", "adjust"),
    exported=("masses", "properties", "statistics", "charges"),
    styles=("create_glass",),
    citation=(
        "AMShortcut: an inference- and training-efficient probabilistic generative model for amorphous materials (2026)"
    ),
)
