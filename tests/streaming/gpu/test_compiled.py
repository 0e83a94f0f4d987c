"""The kernel compiles for a real architecture: types that the simulator does not look at."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from numba import cuda, from_dtype, types

from neurosim.plasticity import GroupedGaussian, Oja
from neurosim.streaming.gpu.form import Form, Times, Work
from neurosim.streaming.gpu.kernel import build
from neurosim.streaming.gpu.threads import share_out

DIMENSIONS = {
    **dict.fromkeys(("third", "post"), 4),
    **dict.fromkeys(("keep_w", "keep_v", "mean_rate", "mean_square", "mean"), 2),
    **dict.fromkeys(("settings", "numbers", "geometry", "eta"), 2),
    **dict.fromkeys(("weight", "mean_keep", "trace_weight"), 2),
    "place": 1,
}
DOUBLE = (
    "mean", "third", "post", "decay", "settings", "numbers", "eta", "teaching", "gate", "weight",
    "mean_keep", "mean_filter", "trace_weight",
)  # fmt: skip
KINDS = dict.fromkeys(DOUBLE, "float64") | {"geometry": "int64", "place": "int32"}


def signature(tuple_type, dtype):
    """Numba's type of a tuple of contiguous arrays."""
    kinds = [from_dtype(np.dtype(KINDS.get(name, dtype))) for name in tuple_type._fields]
    shapes = [DIMENSIONS.get(name, 3) for name in tuple_type._fields]
    arrays = [types.Array(kind, n, "C") for kind, n in zip(kinds, shapes, strict=True)]
    return types.NamedTuple(arrays, tuple_type)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "compares", "groups", "ways", "barriers"),
    [(GroupedGaussian, 1, 32, False, 1), (GroupedGaussian, 0, 32, True, 1), (Oja, 2, 0, True, 0)],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_kernel_compiles_for_an_architecture(
    monkeypatch, rule, compares, groups, ways, barriers, dtype
):
    dispatcher = pytest.importorskip("numba.cuda.dispatcher")
    hopper = SimpleNamespace(compute_capability=(9, 0))
    monkeypatch.setattr(dispatcher, "get_current_device", lambda: hopper, raising=False)
    form = Form(
        rule=rule, dtype=dtype, grouped=groups > 0, code=2, compares=compares, averages=ways,
        momentum=ways, decays=ways, records=ways, samples=1, window=2, instants=1,
        threads=share_out(1024, groups, 1024),
    )  # fmt: skip
    arguments = signature(Work, dtype), signature(Times, dtype)
    try:
        ptx, _ = cuda.compile_ptx(build(form).py_func, arguments, cc=(9, 0))
    except cuda.cudadrv.error.NvvmSupportError as error:
        pytest.skip(f"libnvvm, which the extras cuda12 and cuda13 bring, is not here: {error}")
    assert ptx.count("bar.sync") == barriers
    assert "atom." not in ptx
