"""How good a learned integrator is: against unseen trajectories, Verlet at its stride, and long MD."""
