"""GlassVAE: a model of a glass with one latent vector, which gives energies, forces and new structures."""
