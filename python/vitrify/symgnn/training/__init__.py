"""Training symgnn."""
