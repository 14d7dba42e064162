"""What the shared layers of vitrify must know of the toy."""

from __future__ import annotations

from vitrify.kinds import CalculatorPart, Kind

KIND = Kind(
    name="toy",
    title="Toy",
    purpose="counts neighbours: run it with GlassCalc(MODEL)",
    metadata="toy_kind.metadata:ToyMetadata",
    variants="toy_kind.model:VARIANTS",
    config="toy_kind.training:ToyTrainingConfig",
    prepare="toy_kind.training:prepare",
    methods=("forward",),
    inputs=("types", "edge_index", "edge_vectors"),
    torch="toy_kind.engine:TorchToy",
    own_metadata="toy_kind.export:own_metadata",
    exported=("quantity",),
    replay="toy_kind.engine:replay",
    evaluate="toy_kind.evaluate:EVALUATION",
    calculator=CalculatorPart(
        argument="model",
        properties=("coordination",),
        results="toy_kind.engine:results",
        quantity="toy_kind.engine:quantity",
    ),
    citation="nobody",
)
