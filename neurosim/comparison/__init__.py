"""Comparing runs: how far rules and modes of training are from one another, with error bars.

Runs of the same settings and different seeds are an *arm*. `compare` reads run files and measures,
`write_report` writes figure and tables.
"""

from neurosim.comparison.arms import Arm
from neurosim.comparison.comparison import Comparison, compare
from neurosim.comparison.report import write_report

__all__ = ["Arm", "Comparison", "compare", "write_report"]
