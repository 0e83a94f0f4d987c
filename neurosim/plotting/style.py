"""One look for all figures: readable without colour vision, on screen and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurosim.checks import RunFileError, require_one_of
from neurosim.recording.files import replacing

# Colours that stay apart in the common forms of colour blindness (Okabe and Ito, 2008):
# blue, orange, green, purple, sky blue, vermilion, black.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")

IMAGE_SUFFIXES = (".png", ".svg", ".pdf")

_STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#444444",
    "axes.grid": True,
    "axes.labelcolor": "#222222",
    "axes.labelsize": 10,
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.size": 10,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.dpi": 160,
    "svg.fonttype": "none",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
}


@contextmanager
def context() -> Iterator[None]:
    """Context in which figures take the project's style; the settings outside stay as they are."""
    with matplotlib.rc_context(_STYLE):
        yield


def figure(
    rows: int = 1, columns: int = 1, *, width: float = 6.4, height: float = 2.4, **settings: Any
) -> tuple[Figure, np.ndarray]:
    """Make a figure outside pyplot: no window, no display needed, nothing to close.

    Parameters
    ----------
    rows, columns : int
        Number of panels.
    width, height : float
        Size of one panel (inches).
    **settings
        As for `matplotlib.figure.Figure.subplots`.

    Returns
    -------
    Figure
        To be given to `save`.
    ndarray of Axes, shape (rows, columns)
        Its panels.
    """
    drawing = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes: np.ndarray = drawing.subplots(rows, columns, squeeze=False, **settings)
    return drawing, axes


def axis_label(name: str, unit: str = "") -> str:
    """Write a quantity and its unit the way an axis shows them: ``membrane time (ms)``."""
    words = name.replace("_", " ")
    return words if unit in ("", "1") else f"{words} ({unit})"


def legend(axes: Axes) -> None:
    """Put the legend right of the panel, where it hides no data; one line alone needs none."""
    if len(axes.get_legend_handles_labels()[0]) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)


def save(drawing: Figure, path: Path) -> Path:
    """Write a figure to an image file, which is complete or as it was before.

    Parameters
    ----------
    drawing : Figure
        From `figure`.
    path : Path
        Ends in one of `IMAGE_SUFFIXES`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SettingError
        If the name ends in something else.
    RunFileError
        If the file cannot be written.
    """
    require_one_of("save.path suffix", path.suffix, IMAGE_SUFFIXES)
    try:
        with replacing(path) as temporary:
            drawing.savefig(temporary, format=path.suffix[1:])
    except OSError as error:
        raise RunFileError(
            f"save.path must be writable; got {path}: {error.strerror}. Choose another file."
        ) from error
    return path
