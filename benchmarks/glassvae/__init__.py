"""GlassVAE: cost, energy conservation, variants and generated structures."""
