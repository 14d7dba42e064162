"""Errors, files, units and validation of input, on which every other package builds; no torch."""
