"""Figures say what they were given, survive what is missing, and are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from vitrify import VitrifyError
from vitrify.report import plots

T = np.linspace(0.0, 1.0, 20)
RUNS = {"MD": (T, 1 + T), "MD, another start": (T, 1.1 + T), "OGN, free": (T, 2 - T), "OGN, rescale": (T, 1 + T**2)}


def lines(figure: Figure, panel: int = 0) -> dict[str, tuple[str, np.ndarray, np.ndarray]]:
    """Colour, x and y by label."""
    return {
        str(line.get_label()): (str(line.get_color()), np.asarray(line.get_xdata()), np.asarray(line.get_ydata()))
        for line in figure.axes[panel].get_lines()
    }


def test_the_reference_is_black_and_models_differ() -> None:
    drawn = lines(plots.rdf_figure({"A-A": RUNS}, reference="MD", length="sigma"))
    assert drawn["MD"][0] == plots.REFERENCE
    assert drawn["MD, another start"][0] == plots.SECOND
    assert len({colour for colour, _, _ in drawn.values()}) == len(RUNS)
    for name, (x, y) in RUNS.items():
        assert np.array_equal(drawn[name][1], x)
        assert np.array_equal(drawn[name][2], y)


def test_colours_stay_apart_for_colour_blind_readers() -> None:
    """Distances in luminance and in the plane that a reader without red or green cones sees."""
    from matplotlib.colors import to_rgb

    # Viénot, Brettel and Mollon (1999): linear RGB as a deuteranope sees it.
    seen = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
    colours = np.array([to_rgb(c) for c in (*plots.PALETTE, plots.REFERENCE, plots.SECOND)]) ** 2.2 @ seen.T
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=-1) + np.eye(len(colours))
    assert apart.min() > 0.15


def test_logarithmic_axes_leave_out_what_they_cannot_show() -> None:
    y = np.array([0.0, 1.0, np.nan, -1.0, 2.0])
    x = np.arange(5.0)
    figure = plots.rmse_figure({"a": (x, y)}, {"a": (x, y)}, length="A", velocity="A/ps", time="ps", mark=1.0)
    drawn = lines(figure)["a"]
    assert drawn[1].tolist() == [1.0, 4.0]
    assert drawn[2].tolist() == [1.0, 2.0]
    assert figure.axes[0].get_yscale() == "log"


def test_the_scatter_counts_every_component() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(size=5000)
    figure = plots.scatter_figure({"dr": (true, true + 0.1 * rng.normal(size=5000))}, {"dr": "A"})
    counts = np.asarray(figure.axes[0].collections[0].get_array())
    assert counts.sum() == pytest.approx(5000, rel=0.01)
    assert figure.axes[0].get_xlabel() == "true dr (A)"


def test_series_have_one_panel_for_each_quantity() -> None:
    panels = [("temperature (K)", RUNS), ("momentum", RUNS)]
    figure = plots.series_figure(panels, reference="MD", time="ps", log=("momentum",))
    assert [axes.get_ylabel() for axes in figure.axes] == ["temperature (K)", "momentum"]
    assert [axes.get_yscale() for axes in figure.axes] == ["linear", "log"]
    assert figure.axes[1].get_xlabel() == "time (ps)"


def test_errors_by_stride_name_the_strides() -> None:
    k = np.array([5.0, 10.0, 40.0])
    curves = {"OGN": (k, k**2), "Verlet": (k, np.array([0.1, np.nan, 3.0]))}
    figure = plots.stride_figure({"x": curves, "v": curves}, {"x": "position", "v": "velocity"})
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["5", "10", "40"]
    assert lines(figure, 1)["Verlet"][1].tolist() == [5.0, 40.0]
    assert figure.axes[1].get_ylabel() == "velocity"
    there_and_back = plots.reversal_figure({"OGN": (k, k)}, {"OGN": (k, k)}, length="A")
    assert there_and_back.axes[0].get_yscale() == "log"


def test_panels_by_species_keep_their_curves() -> None:
    figure = plots.spectrum_figure({"A": RUNS, "B": RUNS}, reference="MD", time="ps")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["A", "B"]
    assert lines(figure)["MD"][0] == plots.REFERENCE
    assert lines(figure, 1)["OGN, free"][2].tolist() == RUNS["OGN, free"][1].tolist()
    assert plots.scattering_figure({"A": RUNS}, reference="MD", time="ps").axes[0].get_xscale() == "log"


def test_legends_fit_the_figure() -> None:
    long = {f"a method with quite a long name, number {i}": (T, T + i) for i in range(6)}
    figure = plots.rmse_figure(long, long, length="A", velocity="A/ps", time="ps")
    figure.canvas.draw()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(long)


def test_an_axis_is_widened_but_never_narrowed() -> None:
    axes = plots.new_figure(2, 2).subplots()
    axes.set_ylim(1.0, 2.0)
    plots.widen(axes, 3.0)
    assert axes.get_ylim() == pytest.approx((0.0, 3.0))
    plots.widen(axes, 1.0)
    assert axes.get_ylim() == pytest.approx((0.0, 3.0))


def test_files_are_whole_and_repeatable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curves = {"A": RUNS}
    first, second = (
        plots.save(plots.msd_figure(curves, reference="MD", length="A", time="ps"), tmp_path / name)
        for name in ("a.png", "b.png")
    )
    assert first.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert first.read_bytes() == second.read_bytes()

    def breaks(path: Path, **_: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    figure = plots.new_figure(2, 2)
    monkeypatch.setattr(figure, "savefig", breaks)
    with pytest.raises(VitrifyError, match=r"cannot write .*c.png: disk full"):
        plots.save(figure, tmp_path / "c.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]
