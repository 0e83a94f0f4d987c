"""How signals unfold in time: every equation relaxed exactly while its target is constant.

`LeakyIntegrator`, `MemoryTrace` and `RecurrentNormalization` are `Dynamics`: state in, state out.
`SmoothedDerivative` is a filter with a delayed kernel, so it has no state of its own: its response
is a sum over the recent past, given here as weights.
"""

from neurosim.dynamics.base import Dynamics, State
from neurosim.dynamics.derivative import SmoothedDerivative
from neurosim.dynamics.leaky import LeakyIntegrator
from neurosim.dynamics.memory import MemoryTrace
from neurosim.dynamics.normalization import RecurrentNormalization

__all__ = [
    "Dynamics",
    "LeakyIntegrator",
    "MemoryTrace",
    "RecurrentNormalization",
    "SmoothedDerivative",
    "State",
]
