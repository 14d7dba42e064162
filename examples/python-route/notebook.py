"""A glass in a notebook: make it, advance it with a graph network, bring it to rest, mark its atoms, draw them.

Every `# %%` begins a cell: open this file in Jupyter (with jupytext), VS Code or Spyder, or run it: python notebook.py
It writes barriers.png.
"""

# %% A LAMMPS that Python drives; it is silent, and its errors are exceptions
import matplotlib

matplotlib.use("Agg")  # in a notebook, leave this line out to see the figure
import matplotlib.pyplot as plt
import numpy as np

from vitrify.lammps import attach, lammps
from vitrify.lammps_library.session import potential_file

lmp = lammps()
lmp.commands_string(f"""
units        metal
lattice      fcc 4.07
region       box block 0 4 0 4 0 4
create_box   2 box
create_atoms 1 box
set          group all type/ratio 2 0.355 7
mass         1 63.546
mass         2 91.224
pair_style   eam/fs
pair_coeff   * * "{potential_file("CuZr_mm.eam.fs")}" Cu Zr
neigh_modify every 1 delay 0 check yes
""")

# %% A liquid at 1500 K, by plain MD
lmp.commands_string("""
minimize     0 1e-2 100 1000
velocity     all create 3000 7 mom yes
fix          1 all nve
fix          2 all temp/csvr 2000 1500 0.1 7
timestep     0.002
run          2000
unfix        1
unfix        2
""")
print(f"liquid: {lmp.get_thermo('temp'):.0f} K, {lmp.get_thermo('pe') / lmp.get_natoms():.3f} eV/atom")

# %% 8 ps with the network, in strides of 40 fs; thermostats of LAMMPS go on working
lmp.commands_string("""
timestep     0.040
fix          2 all temp/csvr 1500 1500 0.04 7
""")
ogn = attach(lmp, "cuzr.ogn.pt", ["Cu", "Zr"])
ogn.run(200)
lmp.command("unfix 2")
print(f"after 200 strides: {lmp.get_thermo('temp'):.0f} K, {lmp.get_thermo('pe') / lmp.get_natoms():.3f} eV/atom")

# %% Its minimum, where barriers belong, at the density of the glasses that their model has seen
lmp.commands_string("""
change_box   all x scale 0.983 y scale 0.983 z scale 0.983 remap
minimize     0 1e-4 2000 20000
""")
print(f"at rest: {lmp.get_thermo('pe') / lmp.get_natoms():.3f} eV/atom")

# %% The energy barrier of each atom: numpy arrays that are LAMMPS's own memory, which dump reads as d_barrier
# The labels belong to Cu-Zr_2.eam.fs and slower quenches: `force` shows what the model would refuse to give.
barriers = attach(lmp, "Cu64Zr36.symgnn.pt", ["Cu", "Zr"], force=True)
barriers.update()
lmp.command("write_dump all custom barriers.lammpstrj id type x y z d_barrier d_barrier_std modify sort id")
print(f"barriers: {barriers.values.mean():.2f} eV on average, {barriers.values.std():.2f} eV apart")

# %% Where they are
positions = lmp.numpy.extract_atom("x")[: len(barriers.values)]
types = lmp.numpy.extract_atom("type")[: len(barriers.values)]
figure, (place, spread) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
points = place.scatter(*positions[:, :2].T, c=barriers.values, s=np.where(types == 2, 60, 35), cmap="viridis")
place.set(xlabel="x (Å)", ylabel="y (Å)", aspect="equal")
figure.colorbar(points, ax=place, label="barrier (eV)")
for number, name in ((1, "Cu"), (2, "Zr")):
    spread.hist(barriers.values[types == number], bins=20, alpha=0.6, label=name)
spread.set(xlabel="barrier (eV)", ylabel="atoms")
spread.legend()
figure.savefig("barriers.png", dpi=120)
