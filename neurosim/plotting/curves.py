"""Curves with a band around them, and logarithmic axes for errors that people can read."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

_STEPS: tuple[tuple[float, ...], ...] = (
    (1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7),
    *(tuple(np.arange(1, 10, step).round(2)) for step in (1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)),
)  # fmt: skip
"""Ticks within a decade, from few to many."""
_ENOUGH = 4  # labels on an axis


def ribbon(
    panel: Axes,
    x: np.ndarray,
    mean: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    **style: Any,
) -> None:
    """Draw a curve in a band of its own colour; a single moment becomes a point with a bar.

    Parameters
    ----------
    panel : Axes
    x, mean, low, high : ndarray, shape (n,)
        Moments, and what the curves are there.
    **style
        As for `Axes.plot`; ``color`` is needed.
    """
    if len(x) == 1:
        panel.errorbar(x, mean, [mean - low, high - mean], marker="o", ms=5, capsize=0, **style)
        return
    panel.plot(x, mean, **style)
    panel.fill_between(x, low, high, color=style["color"], alpha=0.2, lw=0)


def log_axis(axis: Axis) -> None:
    """Make an axis logarithmic, with plain numbers at its ticks, enough even within a decade.

    To be called when everything is drawn: the ticks are chosen for the range shown.

    Parameters
    ----------
    axis : Axis
        The ``xaxis`` or ``yaxis`` of a panel.
    """
    panel = axis.axes
    panel.set(**{"xscale" if axis is panel.xaxis else "yscale": "log"})
    low, high = sorted(axis.get_view_interval())
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for steps in _STEPS:
        ticks = np.unique(np.round(np.outer(decades, steps).ravel(), 12))
        ticks = ticks[(ticks >= low) & (ticks <= high)]
        if len(ticks) >= _ENOUGH:
            break
    axis.set_major_locator(FixedLocator(ticks.tolist()))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def short(value: float) -> str:
    """A number in few characters.

    Examples
    --------
    >>> short(1_200_000), short(60_000), short(2.5), short(0.05)
    ('1.2M', '60k', '2.5', '0.05')
    """
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
