"""`vitrify evaluate` for symgnn."""
