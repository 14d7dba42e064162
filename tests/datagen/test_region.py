"""Energy and forces of a region against the whole glass, and against finite differences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import toy_glassvae
from lj_glass import COMMANDS, lj_glass
from vitrify.core.errors import VitrifyError
from vitrify.datagen.barriers.region import Box, Boxes, Glass, Region, minimise_glass, potential_range
from vitrify.lammps_library.commands import split_commands
from vitrify.models import System


def displaced(region: Region, size: float, seed: int = 1) -> np.ndarray:
    """Displacements of the free atoms, the larger the nearer to the centre."""
    rng = np.random.default_rng(seed)
    near = np.exp(-np.linalg.norm(region.offsets, axis=1)[:, None])
    return size * near * rng.normal(size=(len(region.free), 3))


@pytest.mark.parametrize(("n", "tilt", "radius", "cluster"), [
    (60, 0.0, np.inf, False), (60, 0.2, 1.5, False), (1000, 0.0, 1.6, True),
    pytest.param(1400, 0.15, 1.6, True, marks=pytest.mark.slow),
])  # fmt: skip
def test_forces_are_the_derivatives_of_the_energy(n: int, tilt: float, radius: float, cluster: bool) -> None:
    boxes = Boxes(lj_glass(n, tilt), radius, 0.01)
    assert boxes.cluster == cluster
    region = Region(boxes, 7)
    u, v = displaced(region, 0.1), displaced(region, 1.0, 2)
    step = 1e-5
    slope = (region(u + step * v)[0] - region(u - step * v)[0]) / (2 * step)
    assert slope == pytest.approx(-float(np.vdot(region(u)[1], v)), rel=1e-6, abs=1e-6)
    energy, forces = region(np.zeros_like(u))
    assert energy == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(forces, boxes.forces[region.free], atol=1e-9)
    boxes.close()


def test_a_cluster_in_vacuum_gives_what_the_whole_glass_gives() -> None:
    glass = lj_glass(1000)
    few, all_ = Boxes(glass, 1.6, 0.01), Boxes(glass, np.inf, 0.01)
    part, whole = Region(few, 7), Region(all_, 7)
    u = displaced(part, 0.15)
    everywhere = np.zeros((len(glass), 3))
    everywhere[part.free] = u
    energy, forces = part(u)
    wanted, wanted_forces = whole(everywhere)
    assert wanted > 1.0
    assert energy == pytest.approx(wanted, rel=1e-6)
    np.testing.assert_allclose(forces, wanted_forces[part.free], atol=1e-6)
    few.close()
    all_.close()


def test_what_a_region_costs_does_not_depend_on_the_size_of_the_glass() -> None:
    glass = lj_glass(1000)
    side = glass.cell[0, 0]
    images = np.stack(np.meshgrid(*[[0.0, side]] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    positions, types = (glass.positions + images).reshape(-1, 3), np.tile(glass.types, 8)
    large = Glass(positions, 2.0 * glass.cell, types, glass.masses, "lj", COMMANDS)
    found = []
    for one in (glass, large):
        boxes = Boxes(one, 1.6, 0.01)
        region = Region(boxes, 7)
        order = np.lexsort(region.offsets.round(6).T)
        u = np.zeros_like(region.offsets)
        u[order] = displaced(region, 0.1)
        found.append((len(region.start), region(u)[0]))
        boxes.close()
    assert found[0][0] == found[1][0] < 500
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-9)


def test_atoms_that_cross_the_cell_keep_their_forces() -> None:
    """Positions are unwrapped, while LAMMPS wraps those that it holds."""
    glass = lj_glass(60, 0.2)
    away = replace(glass, positions=glass.positions + np.array([3, -2, 5]) @ glass.cell)
    one, other = (Region(Boxes(g, np.inf, 0.01), 7) for g in (glass, away))
    u = np.random.default_rng(1).normal(size=(60, 3)) * 0.05
    shift = np.array([0.7, 0.4, -0.9]) * glass.cell[0, 0]  # all atoms together: costs nothing, crosses the border
    for part in np.linspace(0.0, 1.0, 8):
        energy, forces = one(u + part * shift)
        assert energy == pytest.approx(one(u)[0], rel=1e-9)
        assert other(u + part * shift)[0] == pytest.approx(energy, rel=1e-9)
        np.testing.assert_allclose(forces, other(u)[1], atol=1e-8)


def test_a_restarted_region_gives_the_same_bits() -> None:
    region = Region(Boxes(lj_glass(1000), 1.6, 0.01), 7)
    u = displaced(region, 0.1)
    region.restart()
    first = region(u)
    for part in (5.0, -3.0, 1.0):
        region(part * u)
    region.restart()
    again = region(u)
    assert first[0] == again[0] and (first[1] == again[1]).all()


@pytest.mark.slow
def test_minimisation_reaches_the_force_that_is_asked_for() -> None:
    rng = np.random.default_rng(1)
    glass = lj_glass(60)
    shaken = replace(glass, positions=glass.positions + 0.003 * rng.normal(size=(60, 3)))
    with pytest.raises(VitrifyError, match="not at an energy minimum"):
        Boxes(shaken, np.inf, 0.01)
    boxes = Boxes(minimise_glass(shaken, 1e-4), np.inf, 1e-4)
    np.testing.assert_allclose(boxes.glass.positions, glass.positions, atol=0.05)


def test_potentials_that_are_none() -> None:
    with pytest.raises(VitrifyError, match="has no pair_style"):
        split_commands("pair_coeff * * 1 1")
    assert split_commands("pair_style a ; # nothing\n pair_coeff 1 1") == ("pair_style a", "pair_coeff 1 1")
    glass = lj_glass(60)
    with pytest.raises(VitrifyError, match="Unrecognized pair style 'nonesuch'"):
        Boxes(replace(glass, commands=("pair_style nonesuch",)), np.inf, 0.01)
    twice = replace(glass, positions=np.concatenate([glass.positions[:1], glass.positions[:-1]]))
    with pytest.raises(VitrifyError, match="no numbers"):
        Boxes(twice, np.inf, 0.01)


@pytest.mark.parametrize(
    ("commands", "cutoff"),
    [
        (COMMANDS, 2.5),
        (("pair_style zero 3.1", "pair_coeff * *"), 3.1),
        (("pair_style hybrid/overlay lj/cut 1.7 zero 3.3", "pair_coeff * * lj/cut 1 1", "pair_coeff * * zero"), 3.3),
        (("pair_style lj/cut 2.0", "pair_coeff * * 1 1", "comm_modify cutoff 2.1"), 2.0),
    ],
)
def test_the_range_is_that_of_the_pair_style(commands: tuple[str, ...], cutoff: float) -> None:
    glass = replace(lj_glass(60), commands=commands)
    box = Box(glass, None)
    assert potential_range(box, glass) == pytest.approx(cutoff)
    box.close()


def test_a_potential_without_a_range_is_refused() -> None:
    with pytest.raises(VitrifyError, match=r"has no cutoff: give a pair_style with a range; .* pair_style zero RANGE"):
        Boxes(replace(lj_glass(60), commands=("pair_style none",)), np.inf, 0.01)


@pytest.mark.parametrize("style", ["glassvae", "hybrid/overlay glassvae zero 1.0"])
def test_a_latent_model_has_a_range_and_sees_the_whole_cell(tmp_path: Path, style: str) -> None:
    """Its energy depends on all atoms, so that no part of the cell stands for it."""
    system = System(("A", "B"), (1.0, 1.0), "lj", 0.0)
    toy_glassvae.write(tmp_path / "toy.pt", system=system)
    sub = "glassvae " if "hybrid" in style else ""
    commands = (f"pair_style {style}", f"pair_coeff * * {sub}{tmp_path}/toy.pt A B")
    commands += ("pair_coeff * * zero",) if sub else ()
    glass = lj_glass(1000)
    # stretched to the lengths of the toy
    large = replace(glass, positions=2.4 * glass.positions, cell=2.4 * glass.cell, commands=commands)
    boxes = Boxes(large, 1.6, 1e9)
    assert not boxes.cluster and boxes.shell >= 4.5
    region = Region(boxes, 7)
    step, v = 1e-4, displaced(region, 1.0)
    u = np.zeros_like(v)
    slope = (region(step * v)[0] - region(-step * v)[0]) / (2 * step)
    assert slope == pytest.approx(-float(np.vdot(region(u)[1], v)), rel=1e-5)
    boxes.close()
