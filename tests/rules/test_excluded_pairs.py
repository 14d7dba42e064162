"""Pairs that neigh_modify exclude leaves out: styles that find pairs of their own refuse them in the same words."""

from __future__ import annotations

from pathlib import Path

import pytest

from lammps_runner import run_lammps, run_ok

pytestmark = pytest.mark.lmp

BOX = """\
units metal
atom_style molecular
lattice fcc 4.7
region b block 0 3 0 3 0 3
create_box 2 b
create_atoms 1 box
set group all type/subset 2 54 7
set atom * mol 1
mass 1 63.546
mass 2 91.224
group out id 3 7 20
group rest subtract all out
{style}
fix 1 all nve
timestep 1e-4
thermo 1
"""
ZERO = "pair_style zero 5.0\npair_coeff * *\n"
STYLES = {
    "pair_style glassvae": "pair_style glassvae\npair_coeff * * Cu50Zr50.glassvae.pt Cu Zr",
    "compute symgnn/atom": ZERO
    + "compute b all symgnn/atom Cu64Zr36.symgnn.pt Cu Zr force yes\ncompute m all reduce max c_b[1]\n"
    + "thermo_style custom step c_m",
    "compute glassvae/latent": ZERO
    + "compute z all glassvae/latent Cu50Zr50.glassvae.pt Cu Zr\nthermo_style custom step c_z[1]",
}
PAIRS = {
    "type": "exclude type 1 1",
    "group": "exclude group out out",
    "two groups": "exclude group out rest",
    "molecule": "exclude molecule/intra all",
    "molecules": "exclude molecule/inter out",
    "after others": "exclude group out all exclude type 1 2",
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("pairs", PAIRS)
def test_excluded_pairs_are_refused(style: str, pairs: str, tmp_path: Path) -> None:
    script = BOX.format(style=STYLES[style]) + f"neigh_modify {PAIRS[pairs]}\nrun 0\n"
    wanted = "the model cannot leave out pairs: use neigh_modify exclude none, or exclude group ID all"
    assert f"{style}: {wanted}" in run_lammps(script, tmp_path).error()


@pytest.mark.parametrize("style", STYLES)
def test_pairs_that_are_excluded_within_a_run_are_refused(style: str, tmp_path: Path) -> None:
    """Without the beginning of a run, and by a command between its steps; and what was refused can be undone."""
    box = BOX.format(style=STYLES[style])
    for later in ("run 1 pre no", "run 2 every 1 NULL"):
        script = box + f"run 0\nneigh_modify exclude type 1 2\n{later}\n"
        assert "the model cannot leave out pairs" in run_lammps(script, tmp_path, 2).error()
    run_ok(box + "neigh_modify exclude type 1 2\nneigh_modify exclude none exclude group out all\nrun 1\n", tmp_path)
