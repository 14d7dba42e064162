"""The description of GlassVAE for the shared layers."""

from vitrify.kinds import Kind

KIND = Kind(
    name="glassvae",
    title="GlassVAE",
    package="vitrify.glassvae",
    purpose="gives energies and structures: run it with GlassCalc(MODEL), pair_style glassvae or create_glass",
    methods=("atoms", "head", "energies", "forward"),
    inputs=("types", "edge_index", "edge_vectors"),
    optional=("native", "evaluate", "generate"),
    exported=("masses", "latent_energy"),
    argument="model",
    properties=("energy", "free_energy", "energies", "forces", "stress", "stresses", "latent"),
    styles=("pair_style glassvae", "compute glassvae/latent"),
    citation=(
        "Q. Chen, A. Annamareddy, Y.-F. Li, D. Morgan, B. Wang, Physical-regularized hierarchical generative model for "
        "metallic glass structural generation and energy prediction (2025)"
    ),
)
