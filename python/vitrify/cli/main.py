"""The command line. Every command imports what it needs when it runs, so that --help is instant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vitrify import __version__
from vitrify.cli.artn import artn_command
from vitrify.cli.data import data
from vitrify.cli.generate import generate_command
from vitrify.core.errors import VitrifyError


class _Commands(typer.core.TyperGroup):
    """Commands whose errors that the user can mend are one line on stderr and exit status 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except VitrifyError as error:
            typer.echo(f"vitrify: {error}", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Machine-learned models of glasses, for LAMMPS and ASE.",
)
app.add_typer(data, name="data")
app.command("generate")(generate_command)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"vitrify {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    pass


@app.command("train")
def train_command(
    config: Annotated[Path, typer.Argument(help="YAML configuration")],
    out: Annotated[Path | None, typer.Option(help="folder of the run; default: runs/NAME of the configuration")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="forget what the folder holds and start again")] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="change a setting, as in training.max_time=00:10:00")
    ] = None,
) -> None:
    """Train a model. Started again, an interrupted run goes on where it stopped; torchrun starts many."""
    from vitrify.training.run import train

    folder = out or Path("runs") / config.stem
    finished = train(config, folder, resume=not restart, overrides=overrides or [])
    if not finished:
        typer.echo("stopped; the same command continues the run", err=True)
        raise typer.Exit(130)
    typer.echo(f"{folder}")


@app.command("export")
def export_command(
    run: Annotated[Path, typer.Argument(help="folder of a training run, finished or interrupted")],
    out: Annotated[Path, typer.Option("--out", "-o", help="model file to write, as in model.ogn.pt")],
    dtype: Annotated[
        str | None, typer.Option(help="float32 or float64; default: the precision of the training")
    ] = None,
    response: Annotated[
        list[str] | None,
        typer.Option(
            help="amshortcut: NAME=INTERCEPT,SLOPE of a property that comes out over what is asked for, as `vitrify "
            "evaluate --property` finds it: the file then asks for what brings the target"
        ),
    ] = None,
) -> None:
    """Write the best model of a run as a file for LAMMPS and ASE, and check that it computes the same."""
    from vitrify.export.from_run import export_run

    loaded = export_run(run, out, dtype, response or [])
    typer.echo(f"{loaded.path}")


@app.command("info")
def info_command(
    model: Annotated[str, typer.Argument(help="model file, or name of a shipped model")],
    json: Annotated[bool, typer.Option("--json", help="print the metadata as JSON")] = False,
) -> None:
    """Say what a model file holds."""
    from vitrify.cli.info import describe, table
    from vitrify.modelfile.archive import find_model, read_metadata

    path = find_model(model)
    metadata = read_metadata(path)
    typer.echo(metadata.to_json() if json else table(describe(metadata, path)))


@app.command("doctor")
def doctor_command(
    models: Annotated[list[str] | None, typer.Argument(help="model files to check beside the shipped ones")] = None,
) -> None:
    """Check the installation and the models; says what is broken and the command that mends it."""
    from vitrify.cli.doctor import diagnose

    broken = 0
    for finding in diagnose(models or []):
        typer.echo(str(finding))
        broken += not finding.ok
    if broken:
        typer.echo(f"{broken} broken", err=True)
        raise typer.Exit(1)


@app.command("evaluate")
def evaluate_command(
    model: Annotated[str, typer.Argument(help="model file, or name of a shipped model")],
    data: Annotated[list[Path], typer.Option(help="what the model was not trained on: trajectories, or structures")],
    out: Annotated[Path | None, typer.Option(help="folder to write; default: out/MODEL.evaluate")] = None,
    pairs: Annotated[int, typer.Option(help="starts of the one-step errors")] = 200,
    starts: Annotated[int, typer.Option(help="starts of the roll-outs and of time reversal")] = 10,
    horizon: Annotated[int, typer.Option(help="MD steps of a roll-out")] = 200,
    reversal: Annotated[
        str, typer.Option(help="predictions forward, and back, of time reversal; or none")
    ] = "1,2,5,10",
    transfer: Annotated[
        str, typer.Option(help="other states to try, any of size,temperature,density; or none")
    ] = "size,temperature,density",
    steps: Annotated[int, typer.Option(help="MD steps that the long runs span; 0: none")] = 20_000,
    md_steps: Annotated[int, typer.Option(help="the same for MD; 0: as many")] = 0,
    md_substeps: Annotated[
        int, typer.Option(help="MD steps of the model's base step in one step of that MD; 0: what is accurate")
    ] = 0,
    md_bath: Annotated[
        bool, typer.Option("--md-bath", help="that MD under fix temp/csvr: for glasses, which age and heat up alone")
    ] = False,
    relax: Annotated[int, typer.Option(help="MD steps that equilibrate the start of the long runs")] = 5000,
    atoms: Annotated[int, typer.Option(help="atoms of the long runs, at least")] = 1000,
    seeds: Annotated[str, typer.Option(help="seeds of the long runs, as in 1,2,3")] = "1",
    controls: Annotated[str, typer.Option(help="long runs: any of none,rescale,csvr,langevin")] = "none,rescale,csvr",
    engine: Annotated[str, typer.Option(help="what runs the model: auto, native or torch in lmp, or python")] = "auto",
    ranks: Annotated[int | None, typer.Option(help="MPI processes of the LAMMPS runs; default: all cores")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="folder that keeps MD for other models; default: inside the folder written")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda:N")] = "cpu",
    label: Annotated[str | None, typer.Option(help="symgnn: name of the labels; default: the model's property")] = None,
    label_species: Annotated[
        str | None, typer.Option(help="symgnn: species whose labels count, as in A,B; default: all")
    ] = None,
    ceiling: Annotated[
        float | None, typer.Option(help="symgnn: correlation that a perfect model would reach, as labels are noisy")
    ] = None,
    samples: Annotated[int, typer.Option(help="amshortcut: structures of each run")] = 100,
    sampling_steps: Annotated[str, typer.Option(help="amshortcut: one run for each, as in 1,5,10,50")] = "1,5,10,50",
    potential: Annotated[
        str | None,
        typer.Option(help="amshortcut: LAMMPS commands with ';' between, or a file: corrector, energies and plain MD"),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="amshortcut: of plain MD from a random start and the corrector's MD, in K")
    ] = None,
    final_temperature: Annotated[
        float | None, typer.Option(help="amshortcut: where that temperature goes to, in K; default: it stays")
    ] = None,
    corrector_steps: Annotated[int, typer.Option(help="amshortcut: MD steps of the corrector")] = 25,
    corrector_iterations: Annotated[
        int, typer.Option(help="amshortcut: iterations of its minimisation; glasses at rest want 30")
    ] = 10,
    condition: Annotated[
        list[str] | None, typer.Option(help="amshortcut: ask all structures for it, as in log10_cooling_rate=13")
    ] = None,
    timestep: Annotated[
        float | None, typer.Option(help="amshortcut: of that MD, in ps; default: 0.002, with oxygen or hydrogen 0.001")
    ] = None,
    training: Annotated[
        list[Path] | None, typer.Option(help="amshortcut: training structures, to tell how new generated ones are")
    ] = None,
    measured: Annotated[
        str, typer.Option(help="amshortcut: samples of a run minimised, searched for rings, compared with --training")
    ] = "20,10,50",
    property_name: Annotated[
        str | None, typer.Option("--property", help="amshortcut: property to ask for, as in shear_modulus")
    ] = None,
    targets: Annotated[str | None, typer.Option(help="amshortcut: its values, low:high:number")] = None,
    churn: Annotated[float, typer.Option(help="amshortcut: noise put back before each step but the first")] = 0.0,
    seed: Annotated[int, typer.Option(help="amshortcut, glassvae: seed of all random numbers")] = 1,
    decode: Annotated[
        int, typer.Option(help="glassvae: structures decoded from z, and with --potential generated, of each kind")
    ] = 20,
) -> None:
    """Compare a model with what is true: an integrator (ogn) with Verlet and MD, barriers (symgnn) with their labels,
    generated structures (amshortcut) with simulated ones, a latent model (glassvae) with its potential.

    Writes metrics.json, figures and one report.html. Options that name no kind are those of ogn, but for engine,
    which all have, and device, which symgnn and glassvae have too. glassvae takes --data several times (the test, then
    external ones), --training for baselines, --potential for energies at rest, and the first of --sampling-steps.
    """
    from vitrify.modelfile.archive import read_metadata

    kind = read_metadata(model).kind
    if kind == "amshortcut":
        from vitrify.amshortcut.evaluate.evaluate import evaluate_generator
        from vitrify.amshortcut.evaluate.settings import generator_settings_from

        chosen_settings = generator_settings_from(
            samples=samples, sampling_steps=sampling_steps, seed=seed, potential=potential, temperature=temperature,
            final_temperature=final_temperature, corrector_steps=corrector_steps,
            corrector_iterations=corrector_iterations, timestep=timestep,
            training=training, condition=condition, target=property_name,
            targets=targets, engine=engine, churn=churn, measured=measured,
        )  # fmt: skip
        typer.echo(f"{evaluate_generator(model, data, out, chosen_settings)}")
        return
    if kind == "glassvae":
        from vitrify.glassvae.evaluate.evaluate import evaluate_glassvae
        from vitrify.glassvae.evaluate.structures import structure_settings_from

        made = structure_settings_from(decode, sampling_steps=sampling_steps, potential=potential, seed=seed)
        typer.echo(f"{evaluate_glassvae(model, data, out, training=training or [], structures=made, device=device)}")
        return
    if kind == "symgnn":
        from vitrify.symgnn.evaluate.evaluate import evaluate_structures

        chosen: Any = None if engine == "auto" else engine
        counted = label_species.split(",") if label_species else None
        report = evaluate_structures(
            model, data, out, label=label, label_species=counted, ceiling=ceiling, engine=chosen, device=device
        )
        typer.echo(f"{report}")
        return
    if len(data) > 1:
        raise VitrifyError(f"--data was given {len(data)} times: an ogn model is evaluated on one file of trajectories")
    from vitrify.ogn.evaluate.evaluate import evaluate
    from vitrify.ogn.evaluate.settings import settings_from

    settings = settings_from(
        pairs=pairs, starts=starts, horizon=horizon, reversal=reversal, transfer=transfer, steps=steps,
        md_steps=md_steps, md_substeps=md_substeps, md_bath=md_bath, relax=relax, atoms=atoms, seeds=seeds,
        controls=controls, engine=engine, device=device, ranks=ranks, reference=reference,
    )  # fmt: skip
    typer.echo(f"{evaluate(model, data[0], out, settings)}")


app.command("artn")(artn_command)


@app.command("explain")
def explain_command(
    model: Annotated[str, typer.Argument(help="model file of kind symgnn, or name of a shipped model")],
    structure: Annotated[Path, typer.Argument(help="structure: extxyz, LAMMPS data or dump, npz; its last frame")],
    atoms: Annotated[str | None, typer.Option(help="atoms to explain, counted from 1, as in 1,5,9")] = None,
    number: Annotated[int, typer.Option(help="how many atoms to draw, without --atoms")] = 20,
    seed: Annotated[int, typer.Option(help="seed of all random numbers")] = 1,
    out: Annotated[Path | None, typer.Option(help="folder to write; default: out/MODEL.explain")] = None,
    baseline: Annotated[
        str | None, typer.Option(help="a second model, explained for the same atoms, such as a SchNet")
    ] = None,
    importance: Annotated[
        str,
        typer.Option(
            help="what makes a bond important: effect (how far the prediction moves without it, to first order: "
            "seconds an atom) or mask (GNNExplainer's, as the paper has it: --epochs times as long)"
        ),
    ] = "effect",
    epochs: Annotated[int, typer.Option(help="with --importance mask: optimiser steps for one atom")] = 100,
    top: Annotated[int, typer.Option(help="bonds of one atom that count as important")] = 50,
    permutations: Annotated[int, typer.Option(help="permutations of each null")] = 1000,
    topology: Annotated[
        bool, typer.Option("--topology/--no-topology", help="persistent homology, which needs homcloud")
    ] = True,
) -> None:
    """Say which edges the predictions for some atoms need; writes report.html, pictures and files for OVITO.

    Started again, an interrupted run goes on where it stopped.
    """
    from vitrify.symgnn.explain.run import explain
    from vitrify.symgnn.explain.settings import settings_from

    settings = settings_from(
        atoms,
        number=number,
        seed=seed,
        importance=importance,
        epochs=epochs,
        top=top,
        permutations=permutations,
        topology=topology,
    )
    typer.echo(f"{explain(model, structure, out, settings, baseline)}")
