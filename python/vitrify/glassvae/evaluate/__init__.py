"""`vitrify evaluate` for glassvae."""
