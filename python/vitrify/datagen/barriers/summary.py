"""What a label file holds, in a few lines and in a figure."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from vitrify.core.units import get_units
from vitrify.data.label_files import ACCEPTED, LabelFile


def summary(path: str | Path) -> str:
    """Counts, barriers and costs of the searches in a label file, as lines for people."""
    with LabelFile(path) as file:
        searches, unit = list(file.searches()), get_units(file.header["units"]).energy
    accepted = [s for s in searches if s.outcome == ACCEPTED]
    others = Counter(s.outcome for s in searches if s.outcome != ACCEPTED)
    hours = sum(s.seconds for s in searches) / 3600.0
    lines = [
        f"searches          {len(searches)} of {len({s.atom for s in searches})} atoms, "
        f"{len(searches) / max(hours, 1e-9):,.0f} per core-hour",
        f"accepted          {len(accepted)} ({100 * len(accepted) / max(len(searches), 1):.0f}%)"
        + (f"; else {', '.join(f'{name} {n}' for name, n in others.most_common())}" if others else ""),
    ]
    without = {s.atom for s in searches} - {s.atom for s in accepted}
    if without:
        ids = ", ".join(str(atom + 1) for atom in sorted(without)[:5])
        lines.append(
            f"without barrier   {len(without)} of {len({s.atom for s in searches})} atoms, which have no label: {ids}"
            + (", ..." if len(without) > 5 else "")
        )
    if accepted:
        barriers = np.array([s.barrier for s in accepted])
        calls = [s.force_calls for s in accepted]
        every = sum(s.force_calls for s in searches)
        lines += [
            f"barrier           {barriers.mean():.3f} {unit} (standard deviation {barriers.std():.3f}, "
            f"lowest {barriers.min():.3f}, highest {barriers.max():.3f})",
            f"force calls       {np.median(calls):.0f} for an accepted search (median), "
            f"{every / len(accepted):.0f} with all others shared out",
            f"atoms that move   {np.median([s.participation_ratio for s in accepted]):.1f} "
            "(median participation ratio)",
        ]
    return "\n".join(lines)


def draw(path: str | Path, figure_path: str | Path) -> None:
    """A figure: all activation energies, and for each atom their mean and standard error."""
    from vitrify.report.plots import PALETTE, new_figure, save, style

    with LabelFile(path) as file:
        searches, unit = list(file.searches()), get_units(file.header["units"]).energy
    found: dict[int, list[float]] = {}
    for s in searches:
        if s.outcome == ACCEPTED:
            found.setdefault(s.atom, []).append(s.barrier)
    with style():
        figure = new_figure(6.4, 2.8)
        left, right = figure.subplots(1, 2)
        left.hist([b for many in found.values() for b in many], bins=30, color=PALETTE[1])
        left.set(xlabel=f"activation energy ({unit})", ylabel="accepted searches")
        ranked = sorted(found.values(), key=lambda many: float(np.mean(many)))
        errors = [float(np.std(many, ddof=1)) / len(many) ** 0.5 if len(many) > 1 else 0.0 for many in ranked]
        right.errorbar(
            range(1, len(ranked) + 1), [float(np.mean(many)) for many in ranked], errors, fmt="o", color=PALETTE[0],
            markersize=3, linewidth=0.8,
        )  # fmt: skip
        right.set(xlabel="atom, by rank", ylabel=f"mean barrier ({unit})")
    save(figure, figure_path)
