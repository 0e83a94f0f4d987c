"""The figure of a comparison: one colour an arm, one panel a question, empty panels left out."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from neurosim.comparison.comparison import Comparison
from neurosim.comparison.curves import Band, band
from neurosim.comparison.measures import ALIGNMENT, Spread
from neurosim.comparison.wording import name_of
from neurosim.plotting import PALETTE, context, save
from neurosim.plotting.curves import log_axis, ribbon, short

Draw = Callable[[Axes], None]
LINES = ("-", "--", ":")
"""Where there are more arms than colours, the same colours in another line."""
LINES_BESIDE = 14
"""Lines of text that have room beside a panel."""
WIDTHS = (0.0, 7.0, 10.5, 13.0, 15.0)
"""Of the figure (inches), by the most panels in a row."""
RATIO = 8.0
"""Arms whose lengths differ by more than this are drawn on a logarithmic clock."""


class Look(NamedTuple):
    """How an arm is drawn in every panel."""

    label: str
    color: str
    line: str

    def style(self) -> dict[str, Any]:
        """Keywords of `Axes.plot`."""
        return {"color": self.color, "ls": self.line}


def draw(comparison: Comparison, paths: Sequence[Path]) -> None:
    """Draw the figure and write it to each of ``paths``, whose suffixes say in what format."""
    looks = [
        Look(name_of(arm), PALETTE[k % len(PALETTE)], LINES[k // len(PALETTE) % len(LINES)])
        for k, arm in enumerate(comparison.arms)
    ]
    rows = _rows(_outcome(comparison, looks), _layers(comparison, looks))
    with context():
        size = (WIDTHS[max(map(len, rows))], 0.6 + 3.4 * len(rows))
        drawing = Figure(figsize=size, layout="constrained")
        for part, row in zip(drawing.subfigures(len(rows), 1, squeeze=False).flat, rows,
                             strict=True):  # fmt: skip
            for panel, fill in zip(part.subplots(1, len(row), squeeze=False).flat, row,
                                   strict=True):  # fmt: skip
                fill(panel)
        _legend(drawing, looks)
        if comparison.mixed:
            drawing.supxlabel(
                "Runs differ in their data or networks.", fontsize=10, color="#D55E00"
            )
        for path in paths:
            save(drawing, path)
            drawing.set_layout_engine("none")  # laid out once, for all formats


def _rows(outcome: list[Draw], layers: list[Draw]) -> list[list[Draw]]:
    """What came out above what the layers did; a lone panel about layers finds a place above."""
    if len(layers) < 2:
        panels = outcome + layers
        return [panels[:2], panels[2:]] if len(panels) == 4 else [panels]
    return [outcome, *(layers[k : k + 4] for k in range(0, len(layers), 4))]


def _outcome(comparison: Comparison, looks: Sequence[Look]) -> list[Draw]:
    """Learning curves over both clocks, and where they end."""
    panels: list[Draw] = []
    for clock, title, label in (
        ("presentations", "Per presentation", "presentations"),
        ("elapsed", "Per second of learning", "seconds"),
    ):
        bands = _bands(comparison, clock)
        if any(len(curve.x) > 1 for curve in bands):
            panels.append(
                partial(
                    _curves,
                    bands=bands,
                    looks=looks,
                    title=title,
                    label=label,
                    error=_error_label(comparison),
                )
            )
    return [*panels, partial(_finals, comparison=comparison, looks=looks)]


def _layers(comparison: Comparison, looks: Sequence[Look]) -> list[Draw]:
    """Linear probes, and alignment layer by layer."""
    panels: list[Draw] = []
    places = [n.removeprefix("probe_") for n in comparison.columns if n.startswith("probe_")]
    if places:
        panels.append(partial(_probes, comparison=comparison, looks=looks, places=places))
    suffix = "_mean"
    cosines = {
        name.removesuffix(suffix): _bands(comparison, "presentations", name.removesuffix(suffix))
        for name in comparison.columns
        if name.startswith(ALIGNMENT) and name.endswith(suffix)
    }
    lows = [curve.low.min() for bands in cosines.values() for curve in bands if len(curve.x)]
    low = min(-0.05, *lows) - 0.05 if lows else 0.0
    for name, bands in cosines.items():
        place = name.removeprefix(ALIGNMENT)
        panels.append(partial(_alignment, bands=bands, looks=looks, place=place, low=low))
    return panels


def _bands(comparison: Comparison, clock: str, column: str | None = None) -> list[Band]:
    """One an arm; errors in % where no column of the history is named."""
    bands = []
    for arm in comparison.arms:
        curves = [result.curve(clock, column) for result in arm.results]
        if column is None:
            curves = [(x, _error(y)) for x, y in curves]
        bands.append(band(curves))
    return bands


def _error(accuracy: np.ndarray) -> np.ndarray:
    """Error (%); none at all is drawn as one in a hundred thousand, for the axis has no zero."""
    return np.maximum(100 * (1 - accuracy), 1e-3)


def _error_label(comparison: Comparison) -> str:
    return f"{comparison.measured_on} error (%)"


def _curves(
    panel: Axes, bands: Sequence[Band], looks: Sequence[Look], title: str, label: str, error: str
) -> None:
    for curve, look in zip(bands, looks, strict=True):
        if len(curve.x):
            ribbon(panel, *curve, **look.style())
    panel.set(title=title, xlabel=label, ylabel=error)
    log_axis(panel.yaxis)
    _clock(panel, bands)


def _clock(panel: Axes, bands: Sequence[Band]) -> None:
    ends = [curve.x[-1] for curve in bands if len(curve.x)]
    if max(ends) > RATIO * min(ends) > 0:
        log_axis(panel.xaxis)
    else:
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def _finals(panel: Axes, comparison: Comparison, looks: Sequence[Look]) -> None:
    """Each seed a point, their range a bar, the mean a line and a number."""
    panel.use_sticky_edges = False  # or half of the outermost points would be cut off
    panel.set_xscale("log")
    for row, (figures, look) in enumerate(zip(comparison.figures, looks, strict=True)):
        accuracy = figures["test_accuracy"]
        errors, mean = _error(np.array(accuracy.known)), _error(np.array([accuracy.mean]))
        panel.barh(row, np.ptp(errors), 0.4, errors.min(), color=look.color, alpha=0.25, lw=0)
        panel.plot(errors, np.full(len(errors), row), "o", color=look.color, ms=4, mew=0)
        panel.vlines(mean, row - 0.28, row + 0.28, lw=2, **look.style())
        panel.annotate(
            f"{100 * accuracy.mean:.2f} %",
            (1.0, row),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
        )
    panel.set(title="Accuracy at the end", xlabel=_error_label(comparison))
    panel.set_ylim(len(looks) - 0.4, -0.6)
    labels = [textwrap.fill(look.label, 22) for look in looks]
    if sum(label.count("\n") + 1 for label in labels) <= LINES_BESIDE:
        panel.set_yticks(range(len(looks)), labels)
    else:  # order and colours are those of the legend
        panel.set_yticks([])
    panel.grid(visible=False, axis="y")
    panel.margins(x=0.08)
    log_axis(panel.xaxis)


def _probes(
    panel: Axes, comparison: Comparison, looks: Sequence[Look], places: Sequence[str]
) -> None:
    spread = np.linspace(-0.15, 0.15, len(looks)) if len(looks) > 1 else np.zeros(1)
    for figures, look, shift in zip(comparison.figures, looks, spread, strict=True):
        known = [
            (k, figures[f"probe_{place}"])
            for k, place in enumerate(places)
            if f"probe_{place}" in figures
        ]
        if known:
            x = np.array([k for k, _ in known]) + shift
            _bars(panel, x, [s for _, s in known], look)
    panel.set(title="Linear probe of each layer", ylabel=_error_label(comparison))
    panel.set_xticks(range(len(places)), [_spaced(place) for place in places])
    panel.grid(visible=False, axis="x")
    log_axis(panel.yaxis)


def _bars(panel: Axes, x: np.ndarray, spreads: Sequence[Spread], look: Look) -> None:
    mean, best, worst = (
        _error(np.array([getattr(spread, side) for spread in spreads]))
        for side in ("mean", "high", "low")
    )
    panel.plot(x, mean, marker="o", ms=4, lw=1, **look.style())
    panel.vlines(x, best, worst, color=look.color, lw=2.5, alpha=0.5)


def _alignment(
    panel: Axes, bands: Sequence[Band], looks: Sequence[Look], place: str, low: float
) -> None:
    panel.axhline(0, color="#888888", lw=0.8)
    for curve, look in zip(bands, looks, strict=True):
        if len(curve.x):
            ribbon(panel, *curve, **look.style())
    title = f"Alignment with backprop, {_spaced(place)}"
    panel.set(title=title, xlabel="presentations", ylabel="cosine")
    panel.set_ylim(low, 1.05)
    _clock(panel, bands)


def _spaced(place: str) -> str:
    """``layer1`` as people write it."""
    return "".join(
        (" " if digits else "") + "".join(group)
        for digits, group in itertools.groupby(place, str.isdigit)
    ).strip()


def _legend(drawing: Figure, looks: Sequence[Look]) -> None:
    if len(looks) == 1:
        drawing.suptitle(looks[0].label, x=0.01, ha="left")
        return
    handles = [Line2D([], [], label=look.label, lw=2.5, **look.style()) for look in looks]
    letters = 13 * float(drawing.get_figwidth())  # in one line of this font, about
    columns = int(np.clip(letters // (8 + max(len(look.label) for look in looks)), 1, len(looks)))
    drawing.legend(handles=handles, loc="outside upper left", ncols=columns, fontsize=10)
