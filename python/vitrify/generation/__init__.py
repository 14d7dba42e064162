"""Making structures from noise, with a model of any kind: processes, samplers, relaxation, annealing."""
