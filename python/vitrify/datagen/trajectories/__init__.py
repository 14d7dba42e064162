"""MD trajectories for integrators."""
