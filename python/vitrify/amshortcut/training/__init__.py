"""Training amshortcut."""
