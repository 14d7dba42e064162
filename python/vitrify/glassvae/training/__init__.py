"""Training of a latent model of kind glassvae."""
