"""What goes wrong on a GPU, in one line: what failed, why, and what to do about it."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from neurosim.backend.presence import EXTRA_THAT_FITS, absence, imported
from neurosim.checks import DeviceError

# Who raises errors of a GPU; what numba says of source it cannot compile is another matter.
_RAISERS = re.compile(
    r"(cupy|cupyx|cupy_backends|cuda)\b|numba\.cuda\.(cudadrv|errors|simulator)\b"
)
# Names of CUDA's errors: runtime, driver and libraries spell the same ones differently.
_FULL = ("memoryallocation", "outofmemory", "allocfailed")
_ABSENT = ("insufficientdriver", "nodevice")
_TOO_BIG = ("launchoutofresources",)
_STRANGE = ("unsupportedptxversion", "nokernelimage", "nobinaryforgpu")
_IN_KERNEL = (
    "illegaladdress", "launchfail", "launchtimeout", "misalignedaddress", "illegalinstruction",
    "invalidpc", "invalidaddressspace", "hardwarestackerror", "errorassert", "executionfailed",
)  # fmt: skip


@contextmanager
def device_errors(op: str, remedy: str = "") -> Iterator[None]:
    """Tell errors of CuPy and numba.cuda within the context as `DeviceError`, in one line.

    Parameters
    ----------
    op : str
        What is being done, such as ``Trainer.run``; of contexts inside one another the inner tells.
    remedy : str
        What to lower where memory is short: one sentence.

    Raises
    ------
    DeviceError
        In place of theirs. It says how much memory was asked for and how much there is; which
        function met the failure of a kernel, which may be later than its cause; which versions do
        not fit.
    """
    try:
        yield
    except Exception as error:
        told = _told(error, op, remedy)
        if told is None:
            raise
        raise DeviceError(told) from error


def _told(error: Exception, op: str, remedy: str) -> str | None:
    """The line about an error; None if it is not a GPU's."""
    if not any(_RAISERS.match(kind.__module__) for kind in type(error).__mro__):
        return None
    text = " ".join(str(error).split()) or type(error).__name__
    name = text.replace("_", "").replace(" ", "").lower()
    cupy = imported()
    if isinstance(error, MemoryError) or any(word in name for word in _FULL):
        return f"{op} must fit into the GPU's memory; got {_room(cupy, text)}. {remedy}".rstrip()
    where = _place(error)
    failed = f"{op} failed on the GPU{f' in {where}' if where else ''}: {text.rstrip('.')}."
    if cupy is not None and any(word in name for word in _ABSENT):
        return f"{op} needs a GPU. {absence(cupy, text)}."
    if any(word in name for word in _TOO_BIG):
        return f"{failed} Use fewer threads a block."
    if any(word in name for word in _STRANGE):
        return f"{failed} {EXTRA_THAT_FITS}."
    if any(word in name for word in _IN_KERNEL):
        if os.environ.get("CUDA_LAUNCH_BLOCKING") == "1":
            return failed
        return (
            f"{failed} A kernel queued earlier may be the cause: it is found with "
            "CUDA_LAUNCH_BLOCKING=1 in the environment."
        )
    return failed


def _room(cupy: ModuleType | None, text: str) -> str:
    """How much was asked for, and how much there is, as far as anybody tells."""
    asked = re.search(r"allocating ([\d,]+) bytes", text)
    told = [f"a request for {_size(int(asked[1].replace(',', '')))}" if asked else text.rstrip(".")]
    try:
        assert cupy is not None
        free, total = cupy.cuda.runtime.memGetInfo()
        told.append(f"with {_size(free)} of {_size(total)} free")
        held = cupy.get_default_memory_pool().used_bytes()
        told.append(f"and {_size(held)} in arrays of this process")
    except Exception:  # whatever it is, it must not hide the error that is told
        pass
    return " ".join(told)


def _size(n: int) -> str:
    """Bytes as people read them."""
    for unit in ("bytes", "KiB", "MiB"):
        if n < 1024:
            return f"{n:.4g} {unit}"
        n = n / 1024  # type: ignore[assignment]
    return f"{n:.4g} GiB"


def _place(error: Exception) -> str:
    """The innermost function of ours that was at work."""
    names = [
        frame.f_code.co_qualname
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if re.match(r"neurosim\.(?!backend\b)", frame.f_globals.get("__name__", ""))
    ]
    return names[-1] if names else ""
