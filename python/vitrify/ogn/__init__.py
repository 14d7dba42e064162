"""OGN: a graph network that moves atoms by many MD steps in one prediction."""
