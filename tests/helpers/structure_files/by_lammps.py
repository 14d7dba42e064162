"""Has one `lmp` write structures in many forms, and say, as a plain dump, what it reads of each data file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lammps_runner import run_ok
from structure_files.by_hand import BY_HAND

# Atom styles, with the units and the further commands that they need. Three atoms in a tilted box.
STYLES = {
    "atomic": "metal", "charge": "metal", "molecular": "metal", "full": "metal", "bond": "metal", "angle": "metal",
    "amoeba": "metal", "dipole": "metal", "spin": "metal", "dielectric": "metal", "dpd": "lj", "edpd": "lj",
    "mdpd": "lj", "tdpd 2": "lj", "sph": "lj", "smd": "lj", "rheo": "lj", "rheo/thermal": "lj", "sphere": "lj",
    "ellipsoid": "lj", "bpm/sphere": "lj", "tri": "lj", "hybrid sphere dipole": "lj", "hybrid charge spin": "metal",
    "hybrid full sphere": "metal",
}  # fmt: skip
_MORE = {"dpd": "set group all dpd/theta 1.5"}
_NO_TYPE_MASS = ("sphere", "ellipsoid", "bpm/sphere", "tri")
_ATOMS = ((1, 1.0625, 2.5, 3.75), (2, 4.1, 5.2, 6.3), (2, 5.0, 9.0, 8.25))
DUMPS = {
    "custom": ("id type x y z", ""),
    "scaled": ("type id xs ys zs", ""),
    "unwrapped": ("id type xu yu zu vx", ""),
    "scaled_unwrapped": ("id type xsu ysu zsu", ""),
    "elements": ("id element x y z", "element Si O"),
    "label_column": ("id typelabel x y z", ""),
    "units_and_time": ("id type x y z", "units yes time yes"),
    "unsorted": ("z y x type id", "sort -3"),
    "packed": ("id type x y z ix iy iz", ""),
    "general": ("id type x y z", "triclinic/general yes"),
}


def name_of(style: str) -> str:
    """The name of the files of an atom style."""
    return style.replace(" ", "_").replace("/", "_")


def write_all(folder: Path) -> None:
    """Writes NAME.data for STYLES and BY_HAND, NAME.dump for DUMPS, and NAME.truth for each of them."""
    for name, (_, content) in BY_HAND.items():
        (folder / f"{name}.data").write_bytes(content if isinstance(content, bytes) else content.encode())
    parts = [_made(style, units) for style, units in STYLES.items()]
    read = {name_of(style): (style, units) for style, units in STYLES.items()}
    read |= {name: (style, "lj" if style.startswith("hybrid") or "sphere" in style else "metal")
             for name, (style, _) in BY_HAND.items()}  # fmt: skip
    parts += [_told(name, style, units) for name, (style, units) in read.items()]
    parts += [_dumped(name, columns, modify) for name, (columns, modify) in DUMPS.items()]
    run_ok("\n".join(parts), folder)


def truth(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cell (3, 3), types (N,) from 1 and positions (N, 3) that LAMMPS has, sorted by id; the cell as columns cell."""
    lines = path.read_text().splitlines()
    box = [[float(word) for word in line.split()] for line in lines[:3]]
    table = np.loadtxt(lines[3:], ndmin=2)
    table = table[np.argsort(table[:, 0])]
    return np.array(box), table[:, 1].astype(int), table[:, 2:]


def _made(style: str, units: str) -> str:
    mass = "" if style in _NO_TYPE_MASS else "mass * 3.0"
    made = "\n".join(f"create_atoms {t} single {x} {y} {z} units box" for t, x, y, z in _ATOMS)
    return f"""
clear
units {units}
atom_style {style}
atom_modify map array
region b prism 0 10 0 11 0 12 2 -1.5 3
create_box 2 b
{made}
{mass}
{_MORE.get(style, "")}
write_data {name_of(style)}.data
"""


def _told(name: str, style: str, units: str) -> str:
    return f"""
clear
units {units}
atom_style {style}
read_data {name}.data
{_TRUTH.format(name=name)}
"""


_TRUTH = """
variable ax equal xhi-xlo
variable by equal yhi-ylo
variable cz equal zhi-zlo
print "$(v_ax:%.17g) 0 0" file {name}.truth screen no
print "$(xy:%.17g) $(v_by:%.17g) 0" append {name}.truth screen no
print "$(xz:%.17g) $(yz:%.17g) $(v_cz:%.17g)" append {name}.truth screen no
write_dump all custom {name}.rows id type x y z modify format float %.17g
shell sed 1,9d {name}.rows >> {name}.truth
"""


def _dumped(name: str, columns: str, modify: str) -> str:
    general = "triclinic/general" in modify
    lattice = "lattice custom 1.0 a1 10 1 0 a2 -2 11 1 a3 1 0.5 12 basis 0 0 0 triclinic/general"
    box = (
        f"{lattice}\ncreate_box 2 NULL 0 1 0 1 0 1"
        if general
        else "region b prism -1 9 0 11 0 12 2 -1.5 3\ncreate_box 2 b"
    )
    return f"""
clear
units metal
atom_modify map array
{box}
labelmap atom 1 Si 2 O
create_atoms 1 single 1.0625 2.5 3.75 units box
create_atoms 2 single 4.1 5.2 6.3 units box
create_atoms 2 single 5 9 8.25 units box
mass 1 28.0855
mass 2 15.999
pair_style zero 3.0
pair_coeff * *
velocity all create 300 1 loop geom
dump d all custom 1 {name}.dump{".gz" if name == "packed" else ""} {columns}
dump_modify d format float %.17g {modify}
fix f all nve
run 2
undump d
{_TRUTH.format(name=name)}
"""
