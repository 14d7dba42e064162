"""Where models run: ASE, and LAMMPS without the plugin."""
