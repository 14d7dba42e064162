"""What the shared layers must know of AMShortcut."""

from __future__ import annotations

from vitrify.kinds import Kind

KIND = Kind(
    name="amshortcut",
    title="AMShortcut",
    purpose="makes structures: run it with vitrify generate, or create_glass in LAMMPS",
    metadata="vitrify.amshortcut.metadata:AMShortcutMetadata",
    variants="vitrify.amshortcut.models:VARIANTS",
    config="vitrify.amshortcut.training.config:AMShortcutConfig",
    prepare="vitrify.amshortcut.training.task:prepare",
    methods=("forward",),
    inputs=("elements", "sample", "edge_index", "edge_vectors", "time", "step", "properties", "known"),
    native="vitrify.amshortcut.native:NativeAMShortcut",
    torch="vitrify.amshortcut.torchscript:TorchAMShortcut",
    own_metadata="vitrify.amshortcut.export:own_metadata",
    exported=("masses", "properties", "statistics", "charges"),
    replay="vitrify.amshortcut.replay:replay",
    evaluate="vitrify.amshortcut.evaluate:EVALUATION",
    generate="vitrify.amshortcut.generate:structures",
    adjust="vitrify.amshortcut.training.responses:adjust",
    styles=("create_glass",),
    citation=(
        "AMShortcut: an inference- and training-efficient probabilistic generative model for amorphous materials (2026)"
    ),
)
