"""`vitrify evaluate`: a model against unseen trajectories, Verlet and MD; a folder of numbers, figures and
a report."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

import vitrify
from vitrify.data.trajectories import TrajectoryFile, TrajectoryMeta
from vitrify.errors import VitrifyError
from vitrify.evaluate.lammps_run import available_cores
from vitrify.evaluate.long_run import Observed, average, check_controls, compare, long_run
from vitrify.evaluate.one_step import OneStep, one_step
from vitrify.evaluate.rollout import Rollout, rollout
from vitrify.evaluate.sampling import longest, paths
from vitrify.evaluate.steppers import Ballistic, ModelStepper, Stepper, Verlet
from vitrify.export import LoadedModel, load_model
from vitrify.files import atomic_path, sha256

MARK = 100  # base steps after which the paper states errors
LOST = 0.9  # of v_std: a velocity error beyond it says that nothing is known about the velocities


@dataclass(frozen=True)
class Settings:
    """How much an evaluation does.

    pairs, starts: how many one-step pairs and roll-outs. horizon, steps, relax: lengths of the roll-outs, of the long
    runs (0: none) and of the relaxation before them, in base steps. atoms: of the long runs, at least. seeds: one long
    run of each kind for each. controls: of the energy, see `long_run.CONTROLS`. engine: lammps or python.
    ranks: MPI processes of a model in LAMMPS.
    """

    pairs: int = 200
    starts: int = 10
    horizon: int = 200
    steps: int = 20_000
    atoms: int = 1000
    seeds: tuple[int, ...] = (1,)
    controls: tuple[str, ...] = ("none", "rescale", "csvr")
    engine: str = "lammps"
    ranks: int = field(default_factory=available_cores)
    relax: int = 2000


def settings_from(seeds: str, controls: str, **others: Any) -> Settings:
    """Settings from a command line, where lists are separated by commas."""
    try:
        numbers = tuple(int(seed) for seed in seeds.split(","))
    except ValueError:
        raise VitrifyError(f"seeds {seeds!r} are not integers separated by commas: give for example 1,2,3") from None
    settings = Settings(seeds=numbers, controls=tuple(controls.split(",")), **others)
    for name in ("pairs", "starts", "horizon", "atoms", "ranks"):
        if getattr(settings, name) < 1:
            raise VitrifyError(f"{name} is {getattr(settings, name)}, but must be at least 1")
    check_controls(settings.controls, settings.engine)
    return settings


@dataclass(frozen=True)
class Evaluation:
    """Everything that an evaluation found. long_runs: one dictionary of runs for each seed."""

    loaded: LoadedModel
    meta: TrajectoryMeta
    settings: Settings
    one_step: OneStep
    rollout: Rollout
    long_runs: list[dict[str, Observed]]
    metrics: dict[str, Any]


def evaluate(
    model: str | Path | LoadedModel,
    data: str | Path,
    out: str | Path | None = None,
    settings: Settings | None = None,
    device: str = "cpu",
    progress: bool = True,
) -> Path:
    """Evaluates a model on a file of trajectories it has not seen, writes `out` and returns the path of its
    report.

    Raises VitrifyError for data that do not fit the model or were used to train it.
    """
    from vitrify.evaluate.pages import write_pages  # matplotlib takes a while to load

    settings = settings or Settings()
    check_controls(settings.controls, settings.engine)
    loaded = load_model(model, device) if isinstance(model, str | Path) else model
    folder = Path(out) if out else Path("out") / f"{loaded.path.name.removesuffix('.pt')}.evaluate"
    folder.mkdir(parents=True, exist_ok=True)
    with TrajectoryFile(data) as file:
        digest = check_data(loaded, file)
        result = _measure(loaded, file, digest, settings, folder, progress)
    with atomic_path(folder / "metrics.json") as work:
        work.write_text(json.dumps(_without_nan(result.metrics), indent=1) + "\n")
    return write_pages(result, folder, data)


def check_data(loaded: LoadedModel, file: TrajectoryFile) -> str:
    """Refuses data of another system, and data that the model has seen; returns their SHA-256."""
    model, meta = loaded.metadata, file.meta
    unknown = [name for name in meta.species if name not in model.species]
    if unknown:
        raise VitrifyError(
            f"{file.path} has the species {', '.join(meta.species)}, the model {', '.join(model.species)}: "
            "evaluate it on data of its own system"
        )
    masses = tuple(model.masses[model.species.index(name)] for name in meta.species)
    for name, wanted, got in (
        ("units", model.units, meta.units),
        ("base timestep", model.base_timestep, meta.base_timestep),
        ("masses", masses, meta.masses),
    ):
        if wanted != got:
            raise VitrifyError(
                f"{file.path} has the {name} {got}, the model {wanted}: evaluate it on data of its own system"
            )
    digest = sha256(file.path)
    if digest in (entry.get("sha256") for entry in model.provenance.data):
        raise VitrifyError(
            f"{file.path} was used to train this model, so it says nothing about it: make other trajectories "
            f"(vitrify data trajectories {meta.system} --seed {meta.seed + 1} ...)"
        )
    return digest


def methods(loaded: LoadedModel, meta: TrajectoryMeta) -> dict[str, Stepper]:
    """The model and what it is compared with over one stride, by the names that metrics.json uses."""
    stride, timestep = loaded.metadata.stride, loaded.metadata.timestep
    return {
        "model": ModelStepper(loaded, meta.species),
        "ballistic": Ballistic(timestep),
        "verlet_stride": Verlet(meta, timestep),
        "verlet_half_stride": Verlet(meta, timestep / 2, 2),
        "verlet_base_step": Verlet(meta, meta.base_timestep, stride),
    }


def _measure(
    loaded: LoadedModel, file: TrajectoryFile, digest: str, settings: Settings, folder: Path, progress: bool
) -> Evaluation:
    meta, stride = file.meta, loaded.metadata.stride
    steppers = methods(loaded, meta)

    bar = _bar("one step", settings.pairs, "pair", progress)
    one = one_step(steppers, paths(file, stride, 1, settings.pairs), meta.species, meta.masses, lambda: bar(1))
    bar.close()

    # The exact dynamics, from starts that the model's one-step error displaces: what chaos alone makes of it.
    kicked = "md_kicked"
    steppers[kicked] = Verlet(meta, meta.md_timestep, round(stride * meta.base_timestep / meta.md_timestep))
    kick = {kicked: (one.metrics["model"]["x_rmse"], one.metrics["model"]["v_rmse"])}
    strides = min(max(1, settings.horizon // stride), longest(file, stride))
    bar = _bar("roll-out", settings.starts, "path", progress)
    timestep = loaded.metadata.timestep
    rolled = rollout(steppers, paths(file, stride, strides, settings.starts), timestep, kick, tick=lambda: bar(1))
    bar.close()

    runs = _long_runs(loaded, file, settings, folder, progress) if settings.steps else []
    metrics = {
        "model": _model_card(loaded),
        "data": {"name": file.path.name, "sha256": digest, **asdict(meta), "trajectories": len(file)},
        "settings": asdict(settings),
        "versions": {"vitrify": vitrify.__version__, **meta.versions},
        "one_step": {"pairs": one.pairs, "v_std": one.v_std, "methods": one.metrics, "verdict": verdict(one)},
        "rollout": _rollout_numbers(rolled, MARK * meta.base_timestep),
        "long_run": average([compare(run, meta, stride, settings.steps) for run in runs]) if runs else {},
    }
    return Evaluation(loaded, meta, settings, one, rolled, runs, metrics)


def _long_runs(
    loaded: LoadedModel, file: TrajectoryFile, settings: Settings, folder: Path, progress: bool
) -> list[dict[str, Observed]]:
    each = 2 * settings.relax + (2 + len(settings.controls)) * settings.steps
    bar = _bar("long runs", each * len(settings.seeds), "step", progress)
    runs = [
        long_run(
            loaded, file.meta, file.load(number % len(file)), steps=settings.steps, atoms=settings.atoms,
            seed=seed, controls=settings.controls, engine=settings.engine, ranks=settings.ranks,
            folder=folder / f"runs/seed_{seed}", relax=settings.relax, tick=bar,
        )
        for number, seed in enumerate(settings.seeds)
    ]  # fmt: skip
    bar.close()
    return runs


def verdict(one: OneStep) -> dict[str, Any]:
    """Model over Verlet, with exact forces, over one stride: below 1 the model is better.

    Where Verlet has lost the velocities (error beyond 0.9 v_std, or no finite numbers), there is no ratio
    for them.
    """
    model, found = one.metrics["model"], {}
    for name in ("verlet_stride", "verlet_half_stride"):
        other = one.metrics[name]
        lost = bool(other["lost"]) or not other["v_rmse_over_v_std"] <= LOST
        found[name] = {
            "x_ratio": model["x_rmse"] / other["x_rmse"],
            "v_ratio": None if lost else model["v_rmse"] / other["v_rmse"],
            "verlet_lost": lost,
        }
    return found


def _rollout_numbers(rolled: Rollout, mark: float) -> dict[str, Any]:
    return {
        "starts": rolled.starts,
        "v_std": rolled.v_std,
        "at_100_base_steps": rolled.at(mark),
        "times": rolled.times.tolist(),
        "x_rmse": {name: values.tolist() for name, values in rolled.x.items()},
        "v_rmse": {name: values.tolist() for name, values in rolled.v.items()},
    }


def _model_card(loaded: LoadedModel) -> dict[str, Any]:
    model = loaded.metadata
    return {
        "name": loaded.path.name,
        "sha256": sha256(loaded.path),
        **model.model_dump(by_alias=True, exclude={"reference", "metrics"}, mode="json"),
    }


class _bar:
    """A progress bar that is called with what was done."""

    def __init__(self, name: str, total: int, unit: str, show: bool) -> None:
        self.tqdm = tqdm(total=total, desc=name, unit=unit, unit_scale=unit == "step", disable=not show)

    def __call__(self, done: int) -> None:
        self.tqdm.update(done)

    def close(self) -> None:
        self.tqdm.close()


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: what was lost is null."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and not -1e300 < value < 1e300:
        return None
    return value
