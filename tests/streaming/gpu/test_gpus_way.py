"""A stack takes a GPU's way: streams, cuBLAS and pinned memory, all of them stand-ins."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from neurosim.backend import namespace
from neurosim.streaming.gpu import cublas
from neurosim.testing.pretend import PretendArray
from tests.streaming.gpu.test_products import STREAM, Blas, cupy
from tests.streaming.gpu.test_stack import LENGTH, SIMULATED, One, arrays_of, show
from tests.streaming.gpu.test_wavefront import Cuda


class Prompt(Cuda):
    """CUDA as far as a stack needs it; whatever is queued is done at once."""

    def __init__(self, blas):
        super().__init__()
        self.cublas, self.copies = blas, list[int]()
        self.null.ptr = STREAM

    def Stream(self, *, non_blocking):
        stream = super().Stream(non_blocking=non_blocking)
        stream.ptr = STREAM
        return stream

    def Event(self, **ways):
        event = super().Event(**ways)
        event.synchronize, event.done = lambda: None, True
        return event


@pytest.fixture
def cuda(device, monkeypatch):
    """CUDA where the pretend device is."""
    xp, blas = namespace(device.put(np.zeros(1))), Blas()
    cuda = Prompt(blas)

    def set_(self, held, stream):
        assert stream is cuda.null
        cuda.copies.append(held.nbytes)
        self._values[...] = held

    def get(self, stream, *, out, blocking):
        assert stream is cuda.null
        assert not blocking
        cuda.copies.append(out.nbytes)
        out[...] = self._values

    monkeypatch.setattr(cublas, "library", lambda: blas)
    monkeypatch.setattr(xp, "cuda", cuda, raising=False)
    monkeypatch.setattr(xp, "_core", cupy(blas)._core, raising=False)
    monkeypatch.setitem(sys.modules, "cupyx", SimpleNamespace(empty_pinned=np.empty))
    address = property(lambda self: SimpleNamespace(ptr=self._values.ctypes.data))
    for name, value in (("data", address), ("set", set_), ("get", get)):
        monkeypatch.setattr(PretendArray, name, value, raising=False)
    return cuda


@pytest.mark.skipif(not SIMULATED, reason="a GPU has a way of its own")
@pytest.mark.parametrize("replicas", [2, 1])
def test_it_comes_to_the_same(device, request, replicas):
    ones = [One(k) for k in range(replicas)]
    chosen = [[np.array([1]), np.array([0])]] * replicas
    expected, told = show(device, ones, (3, LENGTH - 3), chosen)
    expected = [arrays_of(device, member) for member in expected]
    cuda = request.getfixturevalue("cuda")
    fresh = [One(k) for k in range(replicas)]
    members, answers = show(device, fresh, (3, LENGTH - 3), chosen)
    assert {name for name, _ in cuda.cublas.calls} == {
        "Dgemm" if replicas == 1 else "DgemmStridedBatched"
    }
    # matrices and orders there, answers back, for each chunk
    assert len(cuda.copies) == 6
    assert len(cuda.made) == 1 + 2 + 2, "a stream for the whole, each layer and each read-out"
    for k, member in enumerate(members):
        found = arrays_of(device, member)
        for name, array in expected[k].items():
            np.testing.assert_allclose(found[name], array, rtol=1e-12, atol=1e-12, err_msg=name)
        for chunk, other in zip(answers[k], told[k], strict=True):
            np.testing.assert_array_equal(chunk.predicted["readout"], other.predicted["readout"])
            for one, two in zip(chunk.layers, other.layers, strict=True):
                np.testing.assert_allclose(one.power, two.power, rtol=1e-12)
                for name, array in two.shown._asdict().items():
                    np.testing.assert_allclose(
                        getattr(one.shown, name), array, rtol=1e-12, atol=1e-12, err_msg=name
                    )
