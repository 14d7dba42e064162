"""Writes the cards of the shipped models, potentials/NAME.KIND.md, from what the files and their evaluations say.

    python -m benchmarks.model_cards            # rewrites the cards
    python -m benchmarks.model_cards --check    # fails if a card does not hold what the results say

Numbers come from the model file (`vitrify info`), its configuration, and benchmarks/results/*/metrics.json, which
`vitrify evaluate` has written. What no number says stands in NOTES, BARRIERS, GENERATORS and LATENT_MODELS
below.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import cards, paths
from benchmarks.glassvae.card import glassvae_card
from vitrify.amshortcut.metadata import AMShortcutMetadata
from vitrify.core.units import get_units
from vitrify.modelfile.archive import read_metadata
from vitrify.ogn.metadata import OGNMetadata, StressAccuracy
from vitrify.symgnn.metadata import SymGNNMetadata
from vitrify.symgnn.models.stiffness import HOPS

POTENTIALS = paths.POTENTIALS


@dataclass(frozen=True)
class Note:
    """What a card says in words. results: folders of benchmarks/results; config: folder of examples."""

    title: str
    use: str
    not_for: str
    results: tuple[str, ...]
    config: str
    remarks: str = ""


NOTES = {
    "kalj": Note(
        "the Kob-Andersen Lennard-Jones liquid, A80B20 at number density 1.204, T = 3.0",
        "`fix temp/csvr` with a damping time of one stride, or `energy rescale`",
        "the glass (see kalj-glass.ogn.pt), walls, other masses",
        ("kalj",),
        "kalj",
    ),
    "kalj-glass": Note(
        "the Kob-Andersen Lennard-Jones glass, A80B20 at number density 1.204, T = 0.5",
        "`fix temp/csvr` with a damping time of one stride",
        "the liquid (see kalj.ogn.pt), other masses",
        ("kalj-glass",),
        "kalj-glass",
    ),
    "si": Note(
        "liquid silicon with the forces of the Stillinger-Weber potential, 2000 K",
        "`fix temp/csvr` with a damping time of one stride",
        "the crystal, surfaces, free volume",
        ("si",),
        "si",
    ),
    "si-snap": Note(
        "liquid silicon with the forces of a spectral neighbour analysis potential (SNAP), 2000 K",
        "`fix temp/csvr` with a damping time of one stride",
        "the crystal, surfaces, free volume",
        ("si-snap",),
        "si-snap",
        "Vectors and tensors of rank 2 are all the angles that this network sees; SNAP has higher ones. Its errors are "
        "those of the forces, did not fall with more stages, channels or scalars, and are the largest of all models.",
    ),
    "sio2": Note(
        "liquid silica with the forces of a Buckingham potential and damped shifted-force Coulomb, 3600 K",
        "`fix temp/csvr` with a damping time of one stride",
        "the glass at room temperature, other silicates",
        ("sio2",),
        "sio2",
    ),
    "cuzr": Note(
        "Cu64.5Zr35.5 with the forces of an embedded-atom potential: the liquid at 1500 K and the glass at 500 K",
        "`fix temp/csvr` with a damping time of one stride",
        "other compositions, crystals, temperatures between the two that were trained (they were not tried)",
        ("cuzr", "cuzr-glass"),
        "cuzr",
    ),
}

BARRIERS = {
    "Cu64Zr36": Note(
        "Cu64Zr36 glasses: the mean energy barrier of each atom's rearrangements (activation-relaxation technique)",
        "structures minimised with the potential of the labels, Cu-Zr_2.eam.fs (Mendelev et al., Philos. Mag. 89, 967 "
        "(2009); NIST's Interatomic Potentials Repository)",
        "liquids, crystals, structures that are no minima, other compositions",
        (),
        "cu64zr36",
        "The glasses stem from one protocol at several cooling rates, and one of them is strained by 4%. "
        "Labels are means of 20 searches, and radial resolution and stiffness were chosen by the scores above, "
        "which are therefore a little optimistic: glasses apart from these were not tried. Two sets of labels of one "
        "glass correlate by 0.775, so that a perfect model would reach 0.88 within a glass. The deviation has "
        "the right size on glasses left out, but hardly tells which of their atoms are worse; it grows for "
        "atoms unlike the training data, which are marked: [benchmarks/results/symgnn/outside.md]"
        "(../benchmarks/results/symgnn/outside.md). CuZr_mm.eam.fs, which LAMMPS brings along, is another "
        "potential (2007). What it does to barriers: [benchmarks/results/symgnn/potentials.md]"
        "(../benchmarks/results/symgnn/potentials.md).",
    ),
}  # fmt: skip

GENERATORS = {
    "Si": Note(
        "amorphous silicon at 300 K as a quench at 1e13 to 1e15 K/s leaves it, in the Stillinger-Weber potential",
        "a minimisation or a few hundred MD steps in that potential after it (in.si-glass)",
        "slower quenches than 1e13 K/s, surfaces, crystals, other densities",
        ("glass_1e13.md", "glass_1e14.md", "big.md"),
        "si-glass",
        "The glasses of these rates are dense and defective: half of their atoms have five neighbours or more. What "
        "the generator saves beside other quick routes stands in the tables: read them before you use it.",
    ),
    "SiO2": Note(
        "amorphous silica as an instant quench of a melt at 3500 K and -2 to 10 GPa leaves it, in the Tersoff "
        "potential of Munetoh et al. (2007)",
        "a minimisation and 1000 MD steps from 5000 to 300 K in that potential after it (in.sio2-glass, run.py)",
        "silica that was annealed, whose network has fewer defects by far; other potentials and compositions",
        ("design_SiO2_shear_modulus.md", "design_SiO2_ring_size.md"),
        "sio2-glass",
        "These glasses are what an instant quench makes of them: many silicon atoms do not have four neighbours, and "
        "there are bonds between atoms of one element. Targets act through the density above all: plain MD in a cell "
        "of the density that this model chooses is the baseline in the tables. How glasses respond is measured "
        "and part of the file (`vitrify export --response`).",
    ),
    "LiAlSiO": Note(
        "lithium aluminosilicate glass (SiO2, up to 40% Li2O or Al2O3) at 300 K, quenched at 2e14 K/s in the BMP-shrm "
        "potential",
        "a minimisation and 1000 MD steps from 3000 to 300 K in that potential after it",
        "other oxides, slower quenches, quantitative moduli: those of samples of 90 atoms scatter",
        ("design_LiAlSiO_youngs_modulus.md", "design_LiAlSiO_li_fraction.md"),
        "las-glass",
        "A small model of 69 samples. Composition follows from the targets and is exact and neutral; moduli follow "
        "from density and composition.",
    ),
}  # fmt: skip

LATENT_MODELS = {
    "Cu50Zr50": Note(
        "Cu50Zr50 from the liquid at 1000 K to the glass, in the embedded-atom potential CuZr_mm.eam.fs (Mendelev et "
        "al., 2007)",
        "any integrator or minimiser of LAMMPS or ASE, at fixed number of atoms, in three periodic directions",
        "surfaces, other compositions, crystals, temperatures above 1000 K (the melt at 2000 K is in the data, but few "
        "frames of it)",
        (),
        "cu50zr50",
        "The data are quenched in 0.33 ns: 3 ps at every 50 K down to 1000 K and 8 ps at every 20 K below, beside "
        "30 ps of frames at each temperature of the quench; the paper has 6 and 60 ns for 100 K, and lower glasses."
        " CuZr_mm.eam.fs is the potential of 2007, the paper's is of 2009. What the decoder makes lies at rest "
        "where random packing does, whatever energy was asked for, and its g(r) before a minimisation is too broad:"
        " a structure of a given energy needs `--anneal`, which helps random packing nearly as much. z tells of g(r) "
        "and energy, not of where atoms are; inherent energies within one temperature it does not tell. Between 300 "
        "and 700 K nothing was trained. In the budget of the table of ablations the paper's "
        "models make 126 to 594 steps and have not begun to learn energies.",
    ),
}

METHODS = {
    "model": "this model",
    "verlet_stride": "Verlet, 1 stride",
    "verlet_half_stride": "Verlet, 2 half-strides",
    "verlet_base_step": "Verlet, base steps",
}


def card(name: str, note: Note, results: Path) -> str:
    """The text of one card."""
    path = POTENTIALS / f"{name}.ogn.pt"
    model = read_metadata(path)
    parts = [f"# {path.name}\n\nA learned integrator (`fix ogn`, `OGNDynamics`) for {note.title}.\n"]
    parts.append(facts(path, model, note))
    parts.append(training(name, model, note))
    for folder in note.results:
        file = results / folder / "metrics.json"
        if file.is_file():
            parts.append(measured(folder, json.loads(file.read_text())))
    if model.stress is not None:
        parts.append(stress(name, model, model.stress))
    if note.remarks:
        parts.append(f"**Remarks.** {note.remarks}\n")
    return "\n".join(parts)


def stress(name: str, model: OGNMetadata, known: StressAccuracy) -> str:
    """What the stress of a stride is worth, and how it was fitted."""
    units = get_units(model.units)
    files = " ".join(f"runs/stress/{file['name']}" for file in known.data)
    return (
        f"**Stress of a stride**, on {known.strides} strides of {known.trajectories} trajectories of {known.atoms} "
        f"atoms or more that the fit has not seen, each at a temperature and density of its own "
        f"([errors of each](../benchmarks/results/{name}/stress.txt)): the pressure is wrong by {_pressure(known.rms)} "
        f"{known.unit} (root mean square; MD's spread is {_pressure(known.spread)}), its mean over a trajectory by at "
        f"most {_pressure(known.bias)}; shear stresses correlate with MD's by {known.shear_r:.4f} and are wrong by "
        f"{_pressure(known.shear_rms)}. Fitted at {_range(known.temperature)} {units.temperature}, "
        f"{_range(known.number_density)} atoms per {units.length}³; the motion is that of the model without.\n\n"
        f"```\npython -m benchmarks.ogn.stress_data {name} --out runs/stress\n"
        f"vitrify stress {name}.ogn.pt {files} --validation runs/stress/{name}_test.h5 --strides 40 -o {name}.ogn.pt\n"
        "```\n"
    )


def _pressure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"


def facts(path: Path, model: OGNMetadata, note: Note) -> str:
    units, validity = get_units(model.units), model.validity
    shape = model.hyperparameters or {}
    rows = [
        ("stride", f"{model.timestep:g} {units.time} = {model.stride} MD steps of {model.base_timestep:g}"),
        ("trained at", f"T {_range(validity.temperature)} {units.temperature}, "
         f"{_range(validity.number_density)} atoms per {units.length}³"),
        ("use with", note.use),
        ("not for", f"{note.not_for}; nothing of this was tried"),
        ("network", f"`variant: {model.variant}`, cutoff {model.cutoff:g} {units.length}, "
         f"{shape.get('layers', model.layers)} stages, {path.stat().st_size // 1000} kB, {model.dtype}"),
        ("licence", "BSD-3-Clause"),
    ]  # fmt: skip
    return cards.facts(rows)


def barrier_card(name: str, note: Note) -> str:
    """The text of the card of a model of barriers."""
    path = POTENTIALS / f"{name}.symgnn.pt"
    model = read_metadata(path)
    assert isinstance(model, SymGNNMetadata)
    units, validity, metrics = get_units(model.units), model.validity, model.metrics
    shape = model.hyperparameters
    composition = ", ".join(f"{what} {_range(span)}" for what, span in validity.composition.items())
    # Without stiffness the descriptors see `inner` far; each order of stiffness adds one `inner` to its own cutoff.
    reach = model.cutoff + (HOPS * shape["inner"] + model.cutoff if shape["stiffness"] else shape["inner"])
    potential = model.provenance.config["data"].get("potential")
    rows = [
        ("property", f"{model.property.name} ({model.property.unit}) and its standard deviation"),
        ("trained at", f"{composition}, {_range(validity.number_density)} atoms per {units.length}³"),
        ("use with", note.use),
        ("not for", note.not_for),
        ("network", f"`variant: {model.variant}`, range {reach:g} {units.length}, "
         f"{shape['members']} members, {path.stat().st_size // 1000} kB, {model.dtype}"),
        ("in the file", f"pair functions of {potential}, at the mean densities of the training glasses"),
        ("marks", f"atoms whose deviation is above {validity.max_deviation:.3f} {model.property.unit}"),
        ("licence", "BSD-3-Clause"),
    ]  # fmt: skip
    text = [f"# {path.name}\n\nA model (`compute symgnn/atom`, `GlassCalc`) of {note.title}.\n"]
    text.append(cards.facts(rows))
    text.append(cards.training(note.config, f"{model.provenance.steps} steps", f"{path.stem}.log.csv", _commands(note)))
    text.append(
        "**Measured** on every glass by the member of the ensemble that has not seen it (nor its copy): Pearson "
        f"correlation {metrics['pearson_within']:.3f} within a glass, {metrics['pearson']:.3f} over all, root mean "
        f"square error {metrics['rmse']:.3f} {model.property.unit}. Baselines: "
        "[benchmarks/results/symgnn/table.md](../benchmarks/results/symgnn/table.md).\n"
    )
    text.append(f"**Remarks.** {note.remarks}\n")
    return "\n".join(text)


def generator_card(name: str, note: Note, results: Path) -> str:
    """The text of the card of a generator."""
    path = POTENTIALS / f"{name}.amshortcut.pt"
    model = read_metadata(path)
    assert isinstance(model, AMShortcutMetadata)
    units, validity, training = get_units(model.units), model.validity, model.provenance.config["training"]
    targets = "; ".join(f"{p.name} {_range(p.range)} {p.unit}".strip() for p in model.properties)
    closest = ", ".join(f"{value:.3g}" for value in validity.min_distance or ())
    rows = [
        ("makes", f"{', '.join(model.species)}, {_range(validity.number_density)} atoms per {units.length}³"),
        ("can be asked for", targets or "nothing"),
        ("use with", note.use),
        ("not for", note.not_for),
        ("network", f"`variant: {model.variant}`, cutoff {model.cutoff:g} {units.length}, {model.layers} layers, "
         f"width {model.node_width}, {path.stat().st_size // 1000} kB, {model.dtype}"),
        ("closest pairs", f"{closest} {units.length}: nearer ones are pushed apart"),
        ("licence", "BSD-3-Clause"),
    ]  # fmt: skip
    text = [f"# {path.name}\n\nA generator (`create_glass`, `vitrify generate`) of {note.title}.\n"]
    text.append(cards.facts(rows))
    how = f"{model.provenance.steps} steps in {training['max_time'] / 60:g} minutes of a core"
    text.append(cards.training(note.config, how, f"{path.stem}.log.csv", _commands(note)))
    for file in note.results:
        found = results / "amshortcut" / file
        if found.is_file():
            title, _, rest = found.read_text().partition("\n")
            text.append(f"**{title.lstrip('# ')}**\n{rest.rstrip()}\n")
    text.append(f"**Remarks.** {note.remarks}\n")
    return "\n".join(text)


def _commands(note: Note) -> list[str]:
    """The commands that stand in the configuration of a model."""
    config = paths.EXAMPLES / note.config / "config.yaml"
    return [line[1:].strip() for line in config.read_text().splitlines() if line.startswith("#   ")]


def _range(values: Sequence[float]) -> str:
    return f"{values[0]:.4g} to {values[1]:.4g}"


def training(name: str, model: OGNMetadata, note: Note) -> str:
    """How the model was made, with the commands that stand in its configuration."""
    commands = _commands(note)
    runs = next(line.split()[-1] for line in commands if line.startswith("vitrify train"))
    commands.append(f"vitrify export {runs} -o potentials/{name}.ogn.pt")
    lammps = model.provenance.versions.get("lammps")
    how = f"best of {model.provenance.config.get('training', {}).get('max_steps')} steps: {model.provenance.steps}"
    more = (
        f" Data by LAMMPS {lammps}, NVE after equilibration, integrated with a quarter of the base step or finer "
        "(SNAP: half); every pair also backwards in time."
    )
    return cards.training(note.config, how, f"{name}.ogn.log.csv", commands, more)


def measured(folder: str, metrics: dict[str, Any]) -> str:
    """Errors of one stride and the long runs of one evaluation."""
    units = get_units(metrics["model"]["units"])
    one = metrics["one_step"]["methods"]
    lines = [
        f"**Measured** on {metrics['data']['system']}, {metrics['data']['recipe']['temperature']:g} "
        f"{units.temperature}, trajectories that it has not seen "
        f"([report](../benchmarks/results/{folder}/report.html)): root mean square "
        "errors of one stride.\n",
        f"| | position ({units.length}) | velocity / v_std |",
        "| --- | --- | --- |",
    ]
    for key, label in METHODS.items():
        x, v = one[key]["x_rmse"], one[key]["v_rmse_over_v_std"]
        lost = x is None or one[key]["lost"]
        lines.append(f"| {label} | {'lost' if lost else f'{x:.2g}'} | {'lost' if lost else f'{v:.2g}'} |")
    settings = metrics["settings"]
    strides = settings["steps"] // metrics["model"]["stride"]
    for run, judged in metrics.get("long_run_verdicts", {}).items():
        if "OGN" not in run:
            continue
        lines.append(f"\n{run}: {strides} strides of {settings['atoms']} atoms or a few more, beside MD.\n")
        lines += ["| | value | limit | |", "| --- | --- | --- | --- |"]
        for what, line in judged.items():
            value = line["value"]
            shown = "lost" if value is None else f"{value:.2g}"
            lines.append(f"| {what} | {shown} | {line['limit']:g} | {line['verdict']} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a card is out of date")
    parser.add_argument("--results", type=Path, default=paths.RESULTS)
    chosen = parser.parse_args(arguments)
    cards = {f"{name}.ogn": card(name, note, chosen.results) for name, note in NOTES.items()}
    cards |= {f"{name}.symgnn": barrier_card(name, note) for name, note in BARRIERS.items()}
    cards |= {f"{name}.amshortcut": generator_card(name, note, chosen.results) for name, note in GENERATORS.items()}
    cards |= {
        f"{name}.glassvae": glassvae_card(
            POTENTIALS / f"{name}.glassvae.pt", note.title, note.use, note.not_for, note.remarks, note.config,
            _commands(note), chosen.results / "glassvae",
        )
        for name, note in LATENT_MODELS.items()
    }  # fmt: skip
    outdated = []
    for name, text in cards.items():
        file = POTENTIALS / f"{name}.md"
        if not file.is_file() or file.read_text() != text:
            outdated.append(file.name)
            if not chosen.check:
                file.write_text(text)
    print(f"cards {'out of date' if chosen.check else 'written'}: {', '.join(outdated) or 'none'}")
    return 1 if chosen.check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
