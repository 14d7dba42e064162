"""Training glassvae."""
