"""Hosts of the models: ASE, and LAMMPS without the plugin."""
