"""Neighbour lists, and the graphs that networks read."""
