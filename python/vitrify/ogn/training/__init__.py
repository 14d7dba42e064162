"""Training ogn."""
