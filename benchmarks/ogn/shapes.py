"""Network shapes of the OGN that are compared, and the data of each system that they learn from and are tested on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from benchmarks.common import paths
from vitrify.datagen.trajectories.systems import System, get_system

TRAIN, VALIDATION, TEST = "train", "validation", "test"


@dataclass(frozen=True)
class Part:
    """Trajectories of one state. use: TRAIN, VALIDATION or TEST. state: the recipe, and the name of the state in the
    results. temperature: default: that of the recipe. seed: of its own for each part."""

    use: str
    state: str
    trajectories: int
    seed: int
    temperature: float | None = None

    @property
    def name(self) -> str:
        return f"{self.use}-{self.state}" + (f"-{self.temperature:g}" if self.temperature else "")


@dataclass(frozen=True)
class Shape:
    """Changes to the shipped network of a system.

    stride: base steps; default: the shipped one. model: settings of the network that differ from the shipped ones, as
    they would be at the shipped stride: `network` widens the reach, and with it the cutoffs, in proportion to the
    stride, because atoms come from further away in a longer one.
    """

    stride: int | None = None
    model: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        changes = [f"{self.stride} steps"] if self.stride else []
        changes += [f"{key} {_plain(value)}" for key, value in self.model.items()]
        return ", ".join(changes) or "shipped"


def _plain(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


@dataclass(frozen=True)
class Target:
    """A system of the comparison.

    example: folder in examples/ whose config.yaml has the shipped network. parts: the data. atoms: of a trajectory.
    every: base steps between its frames, which divides all strides. frames: of a trajectory. md_timestep: step of the
    integration, which is finer than the errors of a model need. commands: of another potential than the recipe's;
    None until `located`.
    """

    name: str
    example: str
    parts: tuple[Part, ...]
    atoms: int
    every: int
    frames: int
    md_timestep: float
    shapes: tuple[Shape, ...]
    title: str
    commands: tuple[str, ...] | None = ()

    def located(self, potential: Path | None) -> Target | None:
        """The target with its potential file; None where it needs one that is not given."""
        if self.commands is not None:
            return self
        if potential is None:
            return None
        commands = ("pair_style eam/fs", f'pair_coeff * * "{potential.resolve()}" Cu Zr')
        return replace(self, commands=commands)

    def system(self, state: str) -> System:
        """The recipe of a state with the potential of this target."""
        recipe = get_system(state)
        return replace(recipe, name=f"{self.name}-{state}", commands=self.commands) if self.commands else recipe

    @property
    def states(self) -> tuple[str, ...]:
        """The states that a shape is tested in."""
        return tuple(part.state for part in self.parts if part.use == TEST)

    def config(self) -> dict[str, Any]:
        """The configuration of the shipped model."""
        text = (paths.EXAMPLES / self.example / "config.yaml").read_text()
        found: dict[str, Any] = yaml.safe_load(text)
        return found

    def stride(self, shape: Shape) -> int:
        """The stride of a shape in base steps."""
        return shape.stride or int(self.config()["data"]["stride"])

    def network(self, shape: Shape) -> dict[str, Any]:
        """The settings of the network of a shape."""
        config = self.config()
        found = {**config["model"], **shape.model}
        further = found["reach"] * (self.stride(shape) / config["data"]["stride"] - 1)
        for key in ("reach", "cutoff", "inner"):
            if key in found:
                found[key] = round(found[key] + further, 6)
        return found


def _copper_zirconium() -> tuple[Part, ...]:
    """Liquid, hot liquid and glass: the shipped model serves them all."""
    return (
        Part(TRAIN, "cuzr", 3, 1),
        Part(TRAIN, "cuzr", 1, 4, 2200.0),
        Part(TRAIN, "cuzr-glass", 2, 1),
        Part(VALIDATION, "cuzr", 1, 2),
        Part(TEST, "cuzr", 1, 3),
        Part(TEST, "cuzr-glass", 1, 3),
    )


_ONE_FAR: dict[str, Any] = {"far": (3,)}
TARGETS = {
    target.name: target
    for target in (
        Target(
            "cuzr", "cuzr", _copper_zirconium(), 128, 20, 200, 0.001, title="Cu64.5Zr35.5, CuZr_mm (2007)",
            shapes=(
                Shape(),
                Shape(60),
                Shape(80),
                Shape(100),
                Shape(model=_ONE_FAR),
                Shape(model={"inner": 4.6}),
                Shape(model={"layers": 5}),
                Shape(model={"cutoff": 6.8}),
                Shape(60, _ONE_FAR | {"inner": 4.6}),
                Shape(80, _ONE_FAR | {"inner": 4.6}),
                Shape(80, {"layers": 7, "far": (0, 4)}),
            ),
        ),
        Target(
            "cuzr-2009", "cuzr", _copper_zirconium(), 128, 20, 200, 0.001, commands=None,
            title="Cu64.5Zr35.5, Cu-Zr_2 (2009)",
            shapes=(Shape(), Shape(60), Shape(80), Shape(80, {"layers": 7, "far": (0, 4)}), Shape(80, _ONE_FAR)),
        ),
        Target(
            "si", "si", (Part(TRAIN, "si", 6, 1), Part(TRAIN, "si", 1, 4, 2400.0), Part(VALIDATION, "si", 1, 2),
            Part(TEST, "si", 2, 3)), 128, 10, 400, 0.0005, title="silicon, Stillinger-Weber",
            shapes=(Shape(), Shape(30), Shape(40), Shape(model={"layers": 4})),
        ),
        Target(
            "sio2", "sio2", (Part(TRAIN, "sio2", 3, 1), Part(VALIDATION, "sio2", 1, 2), Part(TEST, "sio2", 1, 3)),
            120, 5, 400, 0.0005, title="silica, Buckingham",
            shapes=(Shape(), Shape(15), Shape(20), Shape(model={"cutoff": 7.0})),
        ),
        Target(
            "kalj", "kalj", (Part(TRAIN, "kalj", 8, 1), Part(TRAIN, "kalj", 1, 4, 3.6), Part(VALIDATION, "kalj", 1, 2),
            Part(TEST, "kalj", 2, 3)), 128, 5, 400, 0.00125, title="Kob-Andersen Lennard-Jones liquid",
            shapes=(Shape(), Shape(15), Shape(20), Shape(model={"inner": 1.7})),
        ),
    )
}  # fmt: skip
