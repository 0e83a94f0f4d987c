"""Figures from run files: the shared style, and the figure any run can have."""

from neurosim.plotting.default import plot_run
from neurosim.plotting.style import IMAGE_SUFFIXES, PALETTE, axis_label, context, figure, save

__all__ = ["IMAGE_SUFFIXES", "PALETTE", "axis_label", "context", "figure", "plot_run", "save"]
