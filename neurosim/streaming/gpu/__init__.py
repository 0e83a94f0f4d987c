"""Streaming on a GPU: networks as replicas, the sequential part of a layer as one kernel.

`stack` is what others use: it takes networks over (`member`) and shows them chunks, of which it
tells what is asked for (`told`). `course` is the way of a chunk, cut into inner chunks, through
`layers` and their `reader`s, which pass as a `wavefront`; `packing`, `matrices` and `products` (by
`cublas`) look after arrays that stay where they are. In a `crowd` simulators come together to share
a stack.

The kernels: `threads` says which thread owns which neurons, `form` what a kernel is compiled for
and works on; `device`, `memory`, `window`, `respond`, `third` and `learn` are parts of `kernel`,
which walks a layer through an inner chunk, as `readout` does a read-out; `passing` does what is
left, `updating` touches the weights, `keeping` sets aside what is recorded, and `launch` queues
them. Written for numba.cuda, whose simulator executes the same source without a GPU.
"""

from neurosim.streaming.gpu.stack import (
    Answer,
    Columns,
    GpuStack,
    Member,
    Pending,
    Shows,
    Told,
    traits,
)

__all__ = ["Answer", "Columns", "GpuStack", "Member", "Pending", "Shows", "Told", "traits"]
