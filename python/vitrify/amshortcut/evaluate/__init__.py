"""`vitrify evaluate` for amshortcut."""
