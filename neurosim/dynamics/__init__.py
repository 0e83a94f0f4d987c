"""How signals unfold in time: every equation relaxed exactly while its target is constant.

`LeakyIntegrator`, `MemoryTrace` and `RecurrentNormalization` are `Dynamics`: state in, state out.
`SmoothedDerivative` is a filter with a delayed kernel, so it has no state of its own: its response
is a sum over the recent past, given here as weights.
`relax_memory`, `recall_memory` and `relax_into` are the variants that fused loops call.
"""

from neurosim.dynamics.base import Dynamics, State
from neurosim.dynamics.derivative import SmoothedDerivative
from neurosim.dynamics.leaky import LeakyIntegrator
from neurosim.dynamics.memory import MemoryTrace, recall_memory, relax_memory
from neurosim.dynamics.normalization import RecurrentNormalization, relax_into

__all__ = [
    "Dynamics",
    "LeakyIntegrator",
    "MemoryTrace",
    "RecurrentNormalization",
    "SmoothedDerivative",
    "State",
    "recall_memory",
    "relax_into",
    "relax_memory",
]
