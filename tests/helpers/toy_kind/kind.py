"""What the shared layers of vitrify must know of the toy."""

from vitrify.kinds import Kind

KIND = Kind(
    name="toy",
    title="Toy",
    package="toy_kind",
    purpose="counts neighbours: run it with GlassCalc(MODEL)",
    methods=("forward",),
    inputs=("types", "edge_index", "edge_vectors"),
    optional=("evaluate",),
    exported=("quantity",),
    argument="model",
    properties=("coordination",),
    citation="nobody",
)
