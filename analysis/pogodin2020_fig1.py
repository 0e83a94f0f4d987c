"""Figure 1A and 1B of Pogodin & Latham 2020, drawn from a run of ``pogodin2020_traces``.

    python -m analysis.pogodin2020_fig1 RUN [--out FILE] [--neuron N]

Blue is the activity of one neuron, orange the derivative signal, dashed green what the neuron
remembers (background plus the cube root of the memory). Circles are the true jumps between data
points, placed where the derivative signal should reach them: c1 after the onset.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis._script import call
from neurosim.checks import require, require_one_of
from neurosim.plotting import PALETTE, context, figure, save
from neurosim.recording import Run

BLUE, ORANGE, GREEN = PALETTE[:3]
TITLES = {
    "scenario_a": "A   Data points x follow each other: the derivative of the activity",
    "scenario_b": "B   Gaps at background between them: the derivative of the memory",
}


def draw(run: Run, neuron: int = 0) -> Figure:
    """Draw both scenarios of one neuron.

    Parameters
    ----------
    run : Run
        A finished run of ``pogodin2020_traces``.
    neuron : int
        Which of its neurons.

    Returns
    -------
    Figure
        Two panels; to be given to `neurosim.plotting.save`.

    Raises
    ------
    SettingError
        If the run is another protocol's or not finished, or has no such neuron.
    """
    require_one_of("Run.protocol", run.protocol, ["pogodin2020_traces"])
    require_one_of("Run.status", run.status, ["finished"])
    n_neurons = run.settings["neurons"]
    rule = f"be a neuron of the run, 0 to {n_neurons - 1}"
    require(0 <= neuron < n_neurons, "draw.neuron", rule, neuron)
    drawing, axes = figure(2, 1, width=8.0, height=2.9)
    for column, (axis, name) in enumerate(zip(axes[:, 0], TITLES, strict=True)):
        _panel(axis, run, name, column, neuron)
    axes[-1, 0].set_xlabel("time (s)")
    handles, labels = axes[-1, 0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return drawing


def _panel(axis: Axes, run: Run, name: str, column: int, neuron: int) -> None:
    """One scenario; ``column`` is its place on the scenario axis of the events."""
    time, rate = _trace(run, name, "rate", neuron)
    _, derivative = _trace(run, name, "derivative", neuron)
    events = {event: values[:, column] for event, values in run.events.items()}
    background = run.settings["background"]

    axis.axhline(0, color="#AAAAAA", linewidth=0.8, zorder=1)
    axis.step(time, rate, where="post", color=BLUE, label="activity", zorder=3)
    if "memory" in run.traces(name):
        axis.axhline(background, color="#AAAAAA", linewidth=0.8, linestyle=":", zorder=1)
        axis.annotate(
            "background",
            (0.996, background),
            xycoords=("axes fraction", "data"),
            xytext=(0, -3),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=8,
            color="#666666",
        )
        _, memory = _trace(run, name, "memory", neuron)
        axis.plot(
            time,
            background + memory,
            color=GREEN,
            linestyle=(0, (4, 2)),
            label="remembered activity",
            zorder=4,
        )
    axis.plot(time, derivative, color=ORANGE, label="derivative signal", zorder=5)
    jumps = events["jump"][:, neuron]
    shown = jumps != 0
    axis.plot(
        events["onset"][shown] + run.settings["derivative"]["c1"],
        jumps[shown],
        linestyle="none",
        marker="o",
        markersize=6,
        markerfacecolor="none",
        markeredgecolor="#222222",
        label="true jump between data points",
        zorder=6,
    )
    bottom, top = axis.get_ylim()
    axis.set_ylim(bottom, top + 0.14 * (top - bottom))
    for number, (onset, offset) in enumerate(zip(events["onset"], events["offset"], strict=True)):
        axis.axvspan(onset, offset, color="#F0F4F8" if number % 2 else "#E3EAF1", zorder=0)
        axis.annotate(
            f"$x_{{{number + 1}}}$",
            (0.5 * (onset + offset), 0.97),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="top",
            fontsize=11,
            color="#444444",
        )
    axis.set_title(TITLES[name])
    axis.set_ylabel("activity, dimensionless")
    axis.set_xlim(time[0], time[-1])
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.grid(False)


def _trace(run: Run, name: str, trace: str, neuron: int) -> tuple[np.ndarray, np.ndarray]:
    recorded = run.trace(name, trace)
    return recorded.coordinates["time"], recorded.values[:, neuron]


def main(
    run: Annotated[Path, tyro.conf.Positional], /, out: Path | None = None, neuron: int = 0
) -> None:
    """Draw figure 1 from a run.

    Parameters
    ----------
    run : Path
        Run file of pogodin2020_traces.
    out : Path
        Figure to write; by default beside the run, as .png.
    neuron : int
        Which neuron.
    """
    with Run(run) as recorded, context():
        print(save(draw(recorded, neuron), out or run.with_suffix(".png")))


if __name__ == "__main__":
    raise SystemExit(call(main))
