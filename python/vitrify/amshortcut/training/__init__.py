"""Training of a generator of kind amshortcut."""
