"""GlassVAE: a latent model of a glass; energies, forces and new structures."""
