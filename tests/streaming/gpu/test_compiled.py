"""The kernel compiles for a real architecture: types that the simulator does not look at."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar, Literal

import numpy as np
import pytest
from numba import cuda, from_dtype, types

from neurosim.ops.nonlinearity import CODES
from neurosim.plasticity import Factors, GroupedGaussian, Oja, PlasticityRule
from neurosim.streaming.gpu.device import nonlinearity
from neurosim.streaming.gpu.form import Form, Times, Work
from neurosim.streaming.gpu.kernel import build
from neurosim.streaming.gpu.memory import build_terminals
from neurosim.streaming.gpu.threads import share_out

DIMENSIONS = {
    **dict.fromkeys(("third", "post"), 4),
    **dict.fromkeys(
        ("keep_w", "keep_v", "hidden", "memory", "background", "mean_rate", "mean_square", "mean"),
        2,
    ),
    **dict.fromkeys(("settings", "numbers", "geometry", "eta"), 2),
    **dict.fromkeys(("weight", "mean_keep", "trace_weight", "step"), 2),
    "place": 1,
    "at_rest": 1,
}
DOUBLE = (
    "mean", "third", "post", "decay", "settings", "numbers", "eta", "teaching", "gate", "weight",
    "mean_keep", "mean_filter", "trace_weight", "step",
)  # fmt: skip
KINDS = dict.fromkeys(DOUBLE, "float64") | {
    "geometry": "int64",
    "place": "int32",
    "at_rest": "bool",
}


@dataclass(frozen=True, kw_only=True)
class Users(PlasticityRule):
    """A rule of a user's own, with NumPy functions in it."""

    compares: ClassVar[Literal["rate", "group", "nothing"]] = "rate"

    @staticmethod
    def factors(local, third, constants):
        kept = np.maximum(np.sqrt(np.abs(local.rate)), constants[0])
        return Factors(third.signal * np.exp(-kept) * np.tanh(local.rate), 0.0 * local.rate)


def signature(tuple_type, dtype):
    """Numba's type of a tuple of contiguous arrays."""
    kinds = [from_dtype(np.dtype(KINDS.get(name, dtype))) for name in tuple_type._fields]
    shapes = [DIMENSIONS.get(name, 3) for name in tuple_type._fields]
    arrays = [types.Array(kind, n, "C") for kind, n in zip(kinds, shapes, strict=True)]
    return types.NamedTuple(arrays, tuple_type)


@pytest.fixture
def ptx_of(monkeypatch):
    """Compiles a kernel for an architecture, where NVIDIA's compiler is installed."""
    pathfinder = pytest.importorskip("cuda.pathfinder")
    dispatcher = pytest.importorskip("numba.cuda.dispatcher")
    try:
        for name in ("nvvm", "nvrtc"):
            pathfinder.load_nvidia_dynamic_lib(name)
    except pathfinder.DynamicLibNotFoundError as error:
        pytest.skip(
            f"the extras cuda12 and cuda13 bring NVIDIA's compiler; it is not here: {error}"
        )
    # device functions are compiled for the device at hand
    hopper = SimpleNamespace(compute_capability=(9, 0))
    monkeypatch.setattr(dispatcher, "get_current_device", lambda: hopper)
    return lambda kernel, *arguments: cuda.compile_ptx(kernel.py_func, arguments, cc=(9, 0))[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "compares", "groups", "ways", "barriers"),
    [(GroupedGaussian, 1, 32, False, 1), (Users, 0, 32, True, 1), (Oja, 2, 0, True, 0)],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_kernel_compiles_for_an_architecture(
    ptx_of, rule, compares, groups, ways, barriers, dtype
):
    form = Form(
        rule=rule, dtype=dtype, grouped=groups > 0, divisive=groups > 0, code=2, compares=compares,
        leaky=ways, memory=ways, measured=ways, averages=ways, momentum=ways, decays=ways,
        records=ways, samples=1, window=2, instants=1, threads=share_out(1024, groups, 1024),
    )  # fmt: skip
    ptx = ptx_of(build(form), signature(Work, dtype), signature(Times, dtype))
    assert ptx.count("bar.sync") == barriers
    assert "atom." not in ptx


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_presynaptic_memory_compiles_for_an_architecture(ptx_of, dtype):
    kind, double = from_dtype(np.dtype(dtype)), types.float64
    kinds = [(kind, 2), (kind, 2), (kind, 3), (double, 2), (double, 2), (kind, 3)]
    arguments = [types.Array(one, n, "C") for one, n in kinds]
    assert ".entry" in ptx_of(build_terminals(dtype), *arguments)


@pytest.mark.slow
@pytest.mark.parametrize("name", CODES)
def test_nonlinearities_compile_for_an_architecture(ptx_of, name):
    rate_of, gain_of = nonlinearity(CODES[name], "float32")

    @cuda.jit
    def kernel(values):
        values[0] = rate_of(values[1], values[2])
        values[3] = gain_of(values[0], values[2])

    ptx = ptx_of(kernel, types.Array(types.float32, 1, "C"))
    assert ".entry" in ptx
    assert ".f64" not in ptx, "single precision stays single"
