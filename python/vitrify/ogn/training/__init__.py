"""Training of an OGN."""
