"""How signals unfold in time: every equation relaxed exactly while its target is constant.

`LeakyIntegrator`, `MemoryTrace` and `RecurrentNormalization` are `Dynamics`: state in, state out.
`SmoothedDerivative` is a filter with a delayed kernel, so it has no state of its own: its response
is a sum over the recent past, given here as weights.
`relax_memory`, `remember_row` and `relax_into` are the variants that fused loops call.
"""

from neurosim.dynamics.base import Dynamics, State
from neurosim.dynamics.derivative import SmoothedDerivative
from neurosim.dynamics.leaky import LeakyIntegrator
from neurosim.dynamics.memory import MemoryTrace, relax_memory, remember_row
from neurosim.dynamics.normalization import RecurrentNormalization, relax_into

__all__ = [
    "Dynamics",
    "LeakyIntegrator",
    "MemoryTrace",
    "RecurrentNormalization",
    "SmoothedDerivative",
    "State",
    "relax_into",
    "relax_memory",
    "remember_row",
]
