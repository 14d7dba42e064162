"""`vitrify evaluate` for ogn."""
