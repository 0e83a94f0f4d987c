"""The figure any run can have: its history, and the scalar traces of its layers."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from neurosim.checks import SettingError
from neurosim.plotting import style
from neurosim.plotting.style import PALETTE
from neurosim.recording import Run, Trace

MAX_PANELS = 24  # more would be too small to read

_CLOCKS = ("presentations", "seconds", "elapsed")  # columns that say when, the first choice first
_PLACE = re.compile(r"(?:^|[/_.])(layer\d+|readout|online|train|test|validation)(?=$|[/_.])")


class Curve(NamedTuple):
    """One line of a panel."""

    label: str
    x: np.ndarray
    y: np.ndarray


class Panel(NamedTuple):
    """Curves of one quantity, wherever in the network it was measured."""

    quantity: str
    unit: str
    x_label: str
    curves: list[Curve]


def plot_run(run: Run, path: Path) -> Path:
    """Draw the history of a run, and every trace that is one number per moment.

    Parameters
    ----------
    run : Run
        An open run, finished or partial.
    path : Path
        Image file to write.

    Returns
    -------
    Path
        The image file.

    Raises
    ------
    SettingError
        If the run holds nothing that could be drawn.
    """
    panels = history_panels(run) + trace_panels(run)
    if not panels:
        raise SettingError(
            f"Run of {run.protocol} must hold a history or scalar traces to be drawn; got neither. "
            "Let it run longer, or record traces with --record.every 1."
        )
    panels = panels[:MAX_PANELS]
    # A place has one colour in all panels.
    colours = dict(zip(run.layers, PALETTE, strict=False))
    with style.context():
        columns = 1 if len(panels) < 4 else 2
        rows = -(-len(panels) // columns)
        figure, axes = style.figure(rows, columns)
        for panel, place in zip(panels, axes.flat, strict=False):
            for curve in panel.curves:
                colour = colours.setdefault(curve.label, PALETTE[len(colours) % len(PALETTE)])
                (line,) = place.plot(curve.x, curve.y, label=curve.label, color=colour)
                if len(curve.x) == 1:
                    line.set_marker("o")  # a line of one point would be invisible
                elif len(curve.x) > 100:
                    line.set_linewidth(0.8)
            place.set(xlabel=panel.x_label, ylabel=style.axis_label(panel.quantity, panel.unit))
            style.legend(place)
        for place in axes.flat[len(panels) :]:
            place.remove()
        figure.suptitle(f"{run.protocol}, seed {run.seed}, {run.status}", fontsize=12)
        return style.save(figure, path)


def split_name(column: str) -> tuple[str, str]:
    """Split a history column into quantity and place.

    Examples
    --------
    >>> split_name("layer2/third_factor_norm"), split_name("test_accuracy"), split_name("loss")
    (('third factor norm', 'layer2'), ('accuracy', 'test'), ('loss', ''))
    """
    places = " ".join(_PLACE.findall(column))
    quantity = " ".join(re.split(r"[/_.]+", _PLACE.sub("", column).strip("/_.")))
    return quantity or column, places if quantity else ""


def history_panels(run: Run) -> list[Panel]:
    """One panel for each quantity of the history, one curve for each place it was measured at."""
    history = run.history
    clock = next((name for name in _CLOCKS if name in history), None)
    panels: dict[str, Panel] = {}
    for column, values in history.items():
        shown = np.isfinite(values)  # NaN marks a quantity that was not measured at that row
        if column in _CLOCKS or not shown.any():
            continue
        x = history[clock] if clock else np.arange(len(values))
        quantity, place = split_name(column)
        unit = run.series(f"history/{column}").unit
        panel = panels.setdefault(quantity, Panel(quantity, unit, clock or "row", []))
        panel.curves.append(Curve(place or quantity, x[shown], values[shown]))
    # What a user looks at first comes first.
    return sorted(panels.values(), key=lambda panel: "accuracy" not in panel.quantity)


def trace_panels(run: Run) -> list[Panel]:
    """One panel for each trace that has no axis but time, one curve a layer."""
    panels: dict[str, Panel] = {}
    for layer, name, trace in _traces(run):
        if trace.values.ndim == 1 and len(trace.values):
            axis = trace.axes[0]
            rows = np.arange(len(trace.values))
            x = trace.coordinates.get(axis, run.events.get(axis, rows))[: len(rows)]
            panel = panels.setdefault(name, Panel(name.replace("_", " "), trace.unit, axis, []))
            panel.curves.append(Curve(layer, x, trace.values))
    return list(panels.values())


def _traces(run: Run) -> Iterator[tuple[str, str, Trace]]:
    for layer in run.layers:
        # Only weights may be there of a layer; and a name may stand for a group of traces.
        with contextlib.suppress(SettingError):
            for name in run.traces(layer):
                with contextlib.suppress(SettingError):
                    yield layer, name, run.trace(layer, name)
