"""What styles of LAMMPS say at the end of a run: the structures of this run alone, whatever ends it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lammps_runner import run_ok
from python_lmp import needs_python_lmp, python_ok

BOX = """\
units {units}
lattice fcc {lattice}
region b block 0 3 0 3 0 3
create_box 2 b
create_atoms 1 box
set group all type/subset 2 {second} 7
mass 1 {masses[0]}
mass 2 {masses[1]}
neigh_modify every 1 delay 0 check yes
thermo 1
"""
METAL = BOX.format(units="metal", lattice=4.7, second="{second}", masses=(63.546, 91.224))
GLASSVAE = METAL.format(second=54) + (
    "pair_style glassvae\npair_coeff * * Cu50Zr50.glassvae.pt Cu Zr\n"
    "compute p all pair glassvae\nthermo_style custom step c_p[1]\nfix 1 all nve\ntimestep 1e-4\n"
)
SYMGNN = METAL.format(second=39) + (
    "pair_style zero 5.0\npair_coeff * *\ncompute b all symgnn/atom Cu64Zr36.symgnn.pt Cu Zr force yes\n"
    "compute m all reduce max c_b[1]\nthermo_style custom step c_m c_b\nfix 1 all nve\ntimestep 1e-4\n"
)
LATENT = METAL.format(second=54) + (
    "pair_style zero 5.0\npair_coeff * *\ncompute z all glassvae/latent Cu50Zr50.glassvae.pt Cu Zr\n"
    "thermo_style custom step c_z[1] c_z\nfix 1 all nve\ntimestep 1e-4\n"
)
OGN = BOX.format(units="lj", lattice=1.1, second=22, masses=(1.0, 1.0)) + (
    "pair_style zero 2.5\npair_coeff * *\nvelocity all create 3.3 7\nfix 1 all ogn kalj.ogn.pt A B guard no\n"
    "timestep 0.05\nthermo_style custom step f_1[9]\n"
)
HALT = "reset_timestep 0\nvariable s equal step\nfix h all halt 1 v_s > 2 error continue\nrun 50\nunfix h\n"
# A step before the first one is looked at, too, in each run but those with "pre no".
RUNS = [
    ("run 4\n", 5),
    ("run 3 pre no\n", 3),
    ("run 2 pre no post no\n", 2),
    ("run 2\n", 3),
    ("minimize 0 0 2 100\n", 3),
    (HALT, 4),
    ("run 3 every 1 NULL\n", None),
]
STYLES = {
    "pair_style glassvae": (GLASSVAE, "steps"),
    "compute symgnn/atom": (SYMGNN, "evaluations"),
    "compute glassvae/latent": (LATENT, "steps"),
}


@pytest.mark.lmp
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_each_run_counts_its_own_structures(style: str, ranks: int, tmp_path: Path) -> None:
    box, what = STYLES[style]
    runs = [(command, count) for command, count in RUNS if style == "pair_style glassvae" or "minimize" not in command]
    done = run_ok(box + "".join(command for command, _ in runs), tmp_path, ranks)
    said = re.findall(rf"^{style}: (\d+) of (\d+) {what} were unlike .*density (\d+)\)$", done.output, re.MULTILINE)
    wanted = [str(count) for _, count in runs if count]
    assert [found[0] for found in said[: len(wanted)]] == wanted
    assert all(outside == of == density for outside, of, density in said)
    total = sum(int(found[0]) for found in said)
    assert [values[-1] for name, values in done.thermo().items() if name in ("c_p[1]", "c_b", "c_z")] == [total]


@pytest.mark.lmp
def test_strides_are_counted_by_run(tmp_path: Path) -> None:
    runs = "run 3\nrun 2 pre no\nminimize 0 0 2 10\nrun 4\n" + HALT
    done = run_ok(OGN + runs, tmp_path)
    said = re.findall(r"^fix ogn: (\d+) of (\d+) strides were", done.output, re.MULTILINE)
    assert said == [("3", "3"), ("2", "2"), ("4", "4"), ("3", "3")]


@pytest.mark.lmp
@needs_python_lmp
@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_strides_of_python_move_are_counted_by_run(ranks: int, tmp_path: Path) -> None:
    """As those of fix ogn are, in the same input."""
    runs = "run 3\nrun 2 pre no\nminimize 0 0 2 10\nrun 4 every 2 NULL\n" + HALT
    counts = []
    for fix in (
        "fix 1 all ogn kalj.ogn.pt A B guard no",
        'variable ogn string "kalj.ogn.pt A B guard no"\nfix 1 all python/move vitrify.lammps.OGN',
    ):
        box = OGN.replace("fix 1 all ogn kalj.ogn.pt A B guard no", fix).replace(" f_1[9]", "")
        done = run_ok(box + runs, tmp_path) if "python" not in fix else python_ok(box + runs, tmp_path, ranks)
        counts.append(re.findall(r": (\d+) of (\d+) strides were", done.output))
    assert counts[0] == counts[1] == [("3", "3"), ("2", "2"), ("2", "2"), ("2", "2"), ("3", "3")]


@pytest.mark.lmp
@pytest.mark.parametrize("style", STYLES)
def test_what_speaks_up_goes_with_its_style(style: str, tmp_path: Path) -> None:
    """No fix is left behind by another pair style, an unfixed compute or `clear`."""
    box, _ = STYLES[style]
    end = {
        "pair_style glassvae": "uncompute p\npair_style zero 5.0\npair_coeff * *",
        "compute symgnn/atom": "uncompute m\nuncompute b",
        "compute glassvae/latent": "uncompute z",
    }[style]
    text = f"{box}run 1\nthermo_style one\n{end}\ninfo fixes\nrun 1\nclear\n{box}run 1\ninfo fixes\nclear\n"
    done = run_ok(text, tmp_path)
    first, second = re.findall(r"^Fix information:\n(.*?)^Info", done.output + "Info", re.MULTILINE | re.DOTALL)[:2]
    assert "vitrify" not in first.lower() and second.lower().count("vitrify_end_of_run_") == 1


def row_above_the_loop_time(text: str, folder: Path) -> tuple[str, list[str]]:
    """The line above the first loop time, where scripts look for the last row; and the lines above it."""
    lines = run_ok(text, folder).output.splitlines()
    end = next(i for i, line in enumerate(lines) if line.startswith("Loop time"))
    return lines[end - 1], lines[: end - 1]


PAIR = "pair_style lj/cut 2.5\npair_coeff * * 1.0 1.0"
# All that fix ogn sums up: strides outside, of the pair style, validated, and taken by MD.
SUMMED = OGN.replace("guard no", "guard no validate 1").replace("pair_style zero 2.5\npair_coeff * *", PAIR)
ROWS = {
    "pair_style glassvae": (GLASSVAE, "of 5 steps were unlike"),
    "compute symgnn/atom": (SYMGNN, "of 5 evaluations were unlike"),
    "compute glassvae/latent": (LATENT, "of 5 steps were unlike"),
    "fix ogn": (OGN, "of 4 strides were unlike"),
    "fix ogn validate": (SUMMED, "4 strides were validated"),
    "fix ogn fallback": (
        OGN.replace("guard no", "guard yes fallback 10")
        .replace("pair_style zero 2.5\npair_coeff * *", PAIR)
        .replace("3.3", "30"),
        "4 strides of this run were taken by velocity Verlet",
    ),
}


@pytest.mark.lmp
@pytest.mark.parametrize("style", ROWS)
def test_the_last_row_of_thermo_output_stands_above_the_loop_time(style: str, tmp_path: Path) -> None:
    """Where scripts look for it; and the evaluations for this very row are counted."""
    box, said = ROWS[style]
    row, above = row_above_the_loop_time(box + "run 4\n", tmp_path)
    assert row.split()[0] == "4" and any(said in line for line in above), above


@pytest.mark.lmp
@pytest.mark.parametrize(
    ("reader", "count"),
    [
        ("thermo 2\ndump 1 all custom 3 out.dump id c_b[1]", 2),  # at steps 0 and 3, and not at the last one
        ("thermo 5\ndump 1 all custom 5 out.dump id c_b[1]", 2),
        ("thermo 10\nfix m all ave/time 1 1 2 c_m", 3),
    ],
)
def test_computes_that_thermo_output_does_not_read(reader: str, count: int, tmp_path: Path) -> None:
    """All evaluations are counted, also those that come after the last row, as of dumps."""
    box = SYMGNN.replace("thermo_style custom step c_m c_b\n", f"thermo_style custom step\n{reader}\n")
    row, above = row_above_the_loop_time(box + "run 5\n", tmp_path)
    assert any(f"{count} of {count} evaluations were unlike" in line for line in [*above, row])
    assert row.split()[0] == "5" or "thermo 2" not in reader


@pytest.mark.lmp
def test_sums_of_strides_begin_anew_in_each_run(tmp_path: Path) -> None:
    """Of the strides that MD validates, and of those with the pair style, in runs without setup, too."""
    box = SUMMED.replace("thermo 1", "thermo 100")
    output = run_ok(box + "run 6\nrun 4 pre no\nrun 2\n", tmp_path).output
    assert re.findall(r"^fix ogn: (\d+) strides were validated", output, re.MULTILINE) == ["6", "4", "2"]
    computed = re.findall(r"^fix ogn: the pair style was computed in (\d+) of (\d+) strides", output, re.MULTILINE)
    assert computed == [("1", "6"), ("1", "4"), ("1", "2")]
