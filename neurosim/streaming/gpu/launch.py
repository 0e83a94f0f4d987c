"""Queues kernels on CuPy's current stream; without a GPU, numba's simulator runs them."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from numba import cuda

from neurosim.backend import Array, namespace
from neurosim.checks import require

# a replica is one block, and there may be one replica: that is no reason to warn
cuda.config.CUDA_LOW_OCCUPANCY_WARNINGS = 0


def module_of(*arrays: Array) -> ModuleType:
    """The module of arrays that kernels can work on: CuPy, or under the simulator a pretend one.

    Raises
    ------
    SettingError
        If the arrays are not all on one GPU.
    """
    xp = namespace(*arrays)
    # numba's simulator reads what pretend arrays hold; a GPU reads what is in its memory
    usable = hasattr(xp, "inside" if cuda.config.ENABLE_CUDASIM else "cuda")
    remedy = "Move the network with Network.to."
    require(usable, "GpuStack.members", "be on the GPU", f"{xp.__name__} arrays", remedy)
    return xp


def launch(xp: ModuleType, kernel: Any, blocks: int, threads: int, *arguments: Any) -> None:
    """Queue a kernel behind what was queued before on the current stream; nobody waits.

    Parameters
    ----------
    xp : module
        Of the arrays.
    kernel : kernel of numba.cuda
    blocks, threads : int
        Of the grid, of each block.
    *arguments
        Arrays, named tuples of arrays, integers.
    """
    if cuda.config.ENABLE_CUDASIM:
        kernel[blocks, threads](*(_seen(argument, xp.inside) for argument in arguments))
        return
    # numba would wait for CuPy's stream, were it not told that this is the stream it uses
    stream = cuda.external_stream(xp.cuda.get_current_stream().ptr)
    arguments = tuple(_seen(argument, _view) for argument in arguments)
    kernel[blocks, threads, stream](*arguments)


def _seen(argument: Any, look: Callable[[Any], Any]) -> Any:
    """An array, or a named tuple of them, as numba sees it; integers are what they are."""
    if isinstance(argument, int):
        return argument
    if isinstance(argument, tuple):
        return type(argument)(*(_seen(part, look) for part in argument))
    return look(argument)


def _view(array: Array) -> Any:
    return cuda.as_cuda_array(array, sync=False)
