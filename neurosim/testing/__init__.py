"""Contract tests for your own classes: each `check_*` passes or says what to change.

Call them from a test, with an instance of what you wrote::

    def test_my_rule():
        check_rule(MyRule(threshold=0.5))

Layers and objectives are also tried on a pretend device, which behaves as a GPU does and needs
none; `check_on_device` tries anything else, and `pretend_device` lets your own test train there.

A broken promise raises `AssertionError` naming the class, the promise and the first offence.
"""

from neurosim.testing.datasets import check_dataset
from neurosim.testing.device import check_on_device
from neurosim.testing.dynamics import check_dynamics
from neurosim.testing.layers import check_layer
from neurosim.testing.objectives import check_objective
from neurosim.testing.pretend import pretend_device
from neurosim.testing.rules import check_rule

__all__ = [
    "check_dataset",
    "check_dynamics",
    "check_layer",
    "check_objective",
    "check_on_device",
    "check_rule",
    "pretend_device",
]
