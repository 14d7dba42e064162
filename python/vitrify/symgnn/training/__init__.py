"""Training of a model of kind symgnn."""
