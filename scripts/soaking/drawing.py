"""Draws the quantities of a soak over time. The same series give the same file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

COLUMNS = 3
WARM, LINE, RANGE = "#eeeeee", "#2a7f62", "#bcdccf"


def draw(series: Mapping[str, Sequence[tuple[float, float, float]]], path: Path) -> None:
    """A plot for each quantity: its least as a line, up to its most as an area. Grey: warm-up."""
    plt.rcParams.update({"svg.hashsalt": "sqsjkr-gevent", "font.size": 8})
    rows = -(-len(series) // COLUMNS)
    drawing, grid = plt.subplots(rows, COLUMNS, figsize=(10, 1.7 * rows), sharex=True)
    plots = [*grid.flat]
    for axes, (name, points) in zip(plots, series.items(), strict=False):
        minutes = [at / 60 for at, _, _ in points]
        least, most = [low for _, low, _ in points], [high for _, _, high in points]
        axes.axvspan(0, minutes[-1] / 2, color=WARM)
        axes.fill_between(minutes, least, most, color=RANGE, linewidth=0)
        axes.plot(minutes, least, color=LINE, linewidth=1)
        axes.set_ylim(0, max(most) * 1.15 or 1)
        axes.set_title(name, fontsize=8)
    for axes in plots[len(series) :]:
        axes.set_axis_off()
    for axes in plots[-COLUMNS:]:
        axes.set_xlabel("minutes")
    drawing.tight_layout()
    drawing.savefig(path, metadata={"Date": None})
    plt.close(drawing)
