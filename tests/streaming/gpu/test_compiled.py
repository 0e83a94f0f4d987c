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
from neurosim.streaming.gpu.keeping import gathering
from neurosim.streaming.gpu.kernel import build
from neurosim.streaming.gpu.memory import build_terminals
from neurosim.streaming.gpu.passing import build_fading, build_passing
from neurosim.streaming.gpu.readout import ReadForm, Reading, build_reading, share_classes
from neurosim.streaming.gpu.threads import share_out

DIMENSIONS = {
    **dict.fromkeys(("third", "post"), 4),
    **dict.fromkeys(
        ("keep_w", "keep_v", "hidden", "memory", "background", "mean_rate", "mean_square", "mean"),
        2,
    ),
    **dict.fromkeys(("settings", "numbers", "geometry", "eta", "fading", "place"), 2),
    **dict.fromkeys(("weight", "mean_keep", "trace_weight", "step", "at_rest"), 2),
    **dict.fromkeys(("bias", "bias_velocity", "lessons", "rates", "predicted"), 2),
}
DOUBLE = (
    "mean", "third", "post", "decay", "settings", "numbers", "eta", "teaching", "gate", "weight",
    "mean_keep", "mean_filter", "trace_weight", "step", "rates",
)  # fmt: skip
KINDS = {
    **dict.fromkeys(DOUBLE, "float64"),
    **dict.fromkeys(("geometry", "lessons", "predicted"), "int64"),
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


def array(dtype, dimensions):
    """Numba's type of a contiguous array."""
    return types.Array(from_dtype(np.dtype(dtype)), dimensions, "C")


def signature(tuple_type, dtype):
    """Numba's type of a tuple of contiguous arrays."""
    arrays = [array(KINDS.get(n, dtype), DIMENSIONS.get(n, 3)) for n in tuple_type._fields]
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
    count = types.int64
    ptx = ptx_of(build(form), signature(Work, dtype), signature(Times, dtype), count, count)
    assert ptx.count("bar.sync") == barriers
    assert "atom." not in ptx
    given = ptx.partition(".entry")[2].partition(")")[0].count(".param")
    assert 8 * given <= 4096, "all drivers accept so many bytes of arguments"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_presynaptic_memory_compiles_for_an_architecture(ptx_of, dtype):
    count, traces = types.int64, array(dtype, 3)
    arguments = [array(dtype, 2), array(dtype, 2), traces, count, count, count, array("int64", 2)]
    arguments += [array("float64", 2), array("float64", 2)]
    assert ".entry" in ptx_of(build_terminals(dtype), *arguments)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_surrounds_the_walk_compiles_for_an_architecture(ptx_of, dtype):
    count, rows, traces = types.int64, array(dtype, 2), array(dtype, 3)
    passing, threads = build_passing(1000, 1024)
    arguments = [traces, traces, count, traces, count, traces, array("float64", 2), count]
    ptx = ptx_of(passing, *arguments, array("uint8", 2), count)
    assert threads == 256
    assert ptx.count("bar.sync") == 1
    assert "atom." not in ptx
    assert ".entry" in ptx_of(build_fading(), traces, traces, rows, rows, rows)
    columns = array("int32", 2)
    assert ".entry" in ptx_of(gathering(), traces, count, traces, count, columns, count)


@pytest.mark.slow
@pytest.mark.parametrize("ways", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_read_out_compiles_for_an_architecture(ptx_of, ways, dtype):
    form = ReadForm(dtype=dtype, momentum=ways, decays=ways, threads=share_classes(10, 1024))
    ptx = ptx_of(build_reading(form), signature(Reading, dtype), types.int64, types.int64)
    assert ptx.count("bar.sync") == 1
    assert "atom." not in ptx


@pytest.mark.skipif(bool(cuda.config.ENABLE_CUDASIM), reason="the simulator has no registers")
@pytest.mark.parametrize("classes", [10, 20, 100])
def test_a_block_of_the_read_out_has_enough_registers(classes):
    form = ReadForm(
        dtype="float32", momentum=True, decays=True, threads=share_classes(classes, 1024)
    )
    most = build_reading(form).targetoptions["max_registers"]
    assert form.threads.total * most <= 65536
    assert most >= 64, "more, and it would have to be kept elsewhere"


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
