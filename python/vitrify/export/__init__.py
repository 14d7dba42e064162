"""Writes model files, from a module or from the folder of a training run."""
