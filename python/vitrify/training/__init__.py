"""Training of a model of any kind: the configuration, the loop, and the folder of a run."""
