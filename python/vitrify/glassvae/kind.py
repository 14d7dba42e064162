"""What the shared layers must know of GlassVAE."""

from __future__ import annotations

from vitrify.kinds import CalculatorPart, Kind

KIND = Kind(
    name="glassvae",
    title="GlassVAE",
    purpose="gives energies and structures: run it with GlassCalc(MODEL), pair_style glassvae or create_glass",
    metadata="vitrify.glassvae.metadata:GlassVAEMetadata",
    variants="vitrify.glassvae.models:VARIANTS",
    config="vitrify.glassvae.training.config:GlassVAEConfig",
    prepare="vitrify.glassvae.training.prepare:prepare",
    methods=("atoms", "head", "energies", "forward"),
    inputs=("types", "edge_index", "edge_vectors"),
    native="vitrify.glassvae.native:NativeGlassVAE",
    torch="vitrify.glassvae.torchscript:TorchGlassVAE",
    own_metadata="vitrify.glassvae.export:own_metadata",
    exported=("masses", "latent_energy"),
    replay="vitrify.glassvae.replay:replay",
    evaluate="vitrify.glassvae.evaluate:EVALUATION",
    generate="vitrify.glassvae.generate:structures",
    calculator=CalculatorPart(
        argument="model",
        properties=("energy", "free_energy", "energies", "forces", "stress", "latent"),
        results="vitrify.glassvae.calculator:results",
        quantity="vitrify.glassvae.calculator:quantity",
    ),
    styles=("pair_style glassvae", "compute glassvae/latent"),
    citation=(
        "Q. Chen, A. Annamareddy, Y.-F. Li, D. Morgan, B. Wang, Physical-regularized hierarchical generative model for "
        "metallic glass structural generation and energy prediction (2025)"
    ),
)
