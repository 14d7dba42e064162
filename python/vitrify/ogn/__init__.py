"""OGN: a graph network that moves atoms many MD steps in one prediction."""
