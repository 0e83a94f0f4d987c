"""Streaming on a GPU: the sequential part of a chunk is one kernel, a thread block a replica.

`threads` says which thread owns which neurons, `form` what a kernel is compiled for and works on,
`device`, `memory`, `respond`, `third` and `learn` are its parts, `kernel` walks through the chunk,
and `engine` does the matrix products around it. Written for numba.cuda, whose simulator executes
the same source without a GPU.
"""

from neurosim.streaming.gpu.engine import GpuEngine, GpuEnsemble

__all__ = ["GpuEngine", "GpuEnsemble"]
