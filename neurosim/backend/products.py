"""How exact a GPU's matrix products of float32 are: fully, or as TF32."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import ClassVar, Literal

from neurosim.backend.presence import cuda_of, cupy_or_none
from neurosim.checks import require, require_one_of

Products = Literal["float32", "tf32"]
KINDS = ("float32", "tf32")
_AMPERE = 80  # the first GPUs that multiply in TF32
_TF32_MATH = 3  # CUBLAS_TF32_TENSOR_OP_MATH, which CuPy has no name for


class _InUse:
    """What all that computes at present has chosen, and what was CuPy's choice before."""

    lock = threading.Lock()
    kinds: ClassVar[list[str]] = []
    before = 0


@contextmanager
def products(kind: Products) -> Iterator[None]:
    """Within the context, products of float32 matrices on a GPU are of this kind.

    ``tf32`` keeps 10 of the 23 bits of what is multiplied, adds in float32, and is several times
    faster: a product is then off by up to about 2^-10 of the sum of its terms' magnitudes. Outside
    any context it is as ``CUPY_TF32`` in the environment says. Products of float64, and on the CPU,
    stay what they are.

    The choice is the whole process's, but that of products of stacks of matrices is the entering
    thread's: whoever computes these enters as well.

    Parameters
    ----------
    kind : {"float32", "tf32"}

    Raises
    ------
    SettingError
        If the kind is unknown, the GPU has none, or another one is being used in this process.
    """
    require_one_of("products.kind", kind, KINDS)
    cupy = cupy_or_none()
    if cupy is None or cuda_of(cupy) is None:
        yield
        return
    if kind == "tf32":
        able = int(cupy.cuda.Device().compute_capability)
        require(able >= _AMPERE, "products.kind", "be float32 on this GPU: it has no TF32", kind)
    cublas, handle = cupy.cuda.cublas, cupy.cuda.device.get_cublas_handle()
    mode = cublas.getMathMode(handle)
    with _InUse.lock:
        others = set(_InUse.kinds) - {kind}
        remedy = "Let runs that differ in it compute in processes of their own."
        require(not others, "products.kind", "be one for all that computes at once", kind, remedy)
        if not _InUse.kinds:
            _InUse.before = cupy._core.get_compute_type("f")
        _InUse.kinds.append(kind)
        _choose(cupy, kind, handle)
    try:
        yield
    finally:
        with _InUse.lock:
            _InUse.kinds.remove(kind)
            cublas.setMathMode(handle, mode)
            if not _InUse.kinds:
                cupy._core.set_compute_type("f", _InUse.before)


def as_chosen(cupy: ModuleType, handle: int) -> None:
    """Have a cuBLAS handle multiply as the process has chosen, whichever thread uses it.

    Parameters
    ----------
    cupy : module
    handle : int
        Of cuBLAS.
    """
    cublas, types = cupy.cuda.cublas, cupy._core._routines_linalg
    tf32 = cupy._core.get_compute_type("f") == types.COMPUTE_TYPE_TF32
    cublas.setMathMode(handle, _TF32_MATH if tf32 else cublas.CUBLAS_DEFAULT_MATH)


def _choose(cupy: ModuleType, kind: Products, handle: int) -> None:
    """Tell CuPy for products of two matrices, and cuBLAS for stacks of them."""
    types = cupy._core._routines_linalg
    tf32 = types.COMPUTE_TYPE_TF32 if kind == "tf32" else types.COMPUTE_TYPE_DEFAULT
    cupy._core.set_compute_type("f", tf32)
    as_chosen(cupy, handle)
