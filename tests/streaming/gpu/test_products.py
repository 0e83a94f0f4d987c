"""Products as they are asked of cuBLAS: a stand-in reads the same memory, columns first."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurosim.streaming.gpu import cublas
from neurosim.streaming.gpu.cublas import ARGUMENTS
from neurosim.streaming.gpu.products import Multiplier, turned

STREAM = 5


class Blas:
    """The part of cuBLAS that is used, on the host's memory."""

    CUBLAS_OP_N, CUBLAS_OP_T, CUBLAS_DEFAULT_MATH = 0, 1, 0
    CUBLASError = RuntimeError

    def __init__(self) -> None:
        self.modes, self.streams = dict[int, int | None](), dict[int, int]()
        self.handles, self.calls = 100, list[tuple[str, int]]()
        functions = {"cublasSetStream_v2": self._set_stream}
        for kind, letter in (("float32", "S"), ("float64", "D")):
            functions[f"cublas{letter}gemm_v2"] = self._named(f"{letter}gemm", kind, 1)
            name = f"{letter}gemmStridedBatched"
            functions[f"cublas{name}"] = self._named(name, kind, None)
        # called as the library is: by address, with numbers of the size it expects
        for name, function in functions.items():
            setattr(self, name, ctypes.CFUNCTYPE(ctypes.c_int, *ARGUMENTS[name])(_status(function)))

    def create(self):
        self.handles += 1
        self.modes[self.handles] = None
        return self.handles

    def setMathMode(self, handle, mode):
        self.modes[handle] = mode

    def _set_stream(self, handle, stream):
        self.streams[handle] = stream

    def _named(self, name, kind, count):
        def gemm(handle, turn_a, turn_b, m, n, k, alpha, *rest):
            assert self.streams[handle] == STREAM
            self.calls.append((name, self.modes[handle]))
            number = count
            if number is None:
                a, lda, far_a, b, ldb, far_b, beta, c, ldc, far_c, number = rest
            else:
                (a, lda, b, ldb, beta, c, ldc), far_a, far_b, far_c = rest, 0, 0, 0
            for r in range(number):
                shapes = [(k, m) if turn_a else (m, k), (n, k) if turn_b else (k, n)]
                left = self._matrix(kind, a, r * far_a, lda, shapes[0])
                right = self._matrix(kind, b, r * far_b, ldb, shapes[1])
                out = self._matrix(kind, c, r * far_c, ldc, (m, n))
                product = (left.T if turn_a else left) @ (right.T if turn_b else right)
                one, kept = (self._matrix(kind, p, 0, 1, (1, 1))[0, 0] for p in (alpha, beta))
                out[...] = one * product + (kept * out if kept else 0)

        return gemm

    @staticmethod
    def _matrix(kind, address, offset, apart, shape):
        """A matrix stored column by column, ``apart`` numbers from one to the next."""
        rows, columns = shape
        assert apart >= max(1, rows)
        item = np.dtype(kind).itemsize
        memory = (ctypes.c_char * ((apart * (columns - 1) + rows) * item)).from_address(
            address + offset * item
        )
        flat = np.frombuffer(memory, kind)
        return np.lib.stride_tricks.as_strided(flat, shape, (item, apart * item))


def _status(function):
    """A function that tells whether it failed, as nothing can be raised across C."""

    def call(*arguments):
        try:
            function(*arguments)
        except AssertionError:
            return 7
        return 0

    return call


def cupy(blas, kind="float32"):
    """A module with the parts of CuPy that are used."""
    types = SimpleNamespace(COMPUTE_TYPE_TF32=5, COMPUTE_TYPE_DEFAULT=0)
    chosen = types.COMPUTE_TYPE_TF32 if kind == "tf32" else types.COMPUTE_TYPE_DEFAULT
    core = SimpleNamespace(_routines_linalg=types, get_compute_type=lambda _: chosen)
    cuda = SimpleNamespace(cublas=blas, get_current_stream=lambda: SimpleNamespace(ptr=STREAM))
    return SimpleNamespace(cuda=cuda, _core=core)


def multiplier(blas, kind="float32"):
    with mock.patch.object(cublas, "library", return_value=blas):
        return Multiplier(cupy(blas, kind))


class There(np.ndarray):
    """An array with CuPy's way to tell its address."""

    @property
    def data(self):
        return SimpleNamespace(ptr=self.ctypes.data)


def matrices(rng, kind, replicas, rows, columns, way):
    """A stack of matrices: whole, part of larger ones, or transposed."""
    room = 0 if way == "whole" else 3
    shape = (rows + room, columns + room)
    if way == "turned":
        shape = shape[::-1]
    stack = rng.normal(size=(replicas, *shape)).astype(kind).view(There)
    if way == "turned":
        stack = turned(stack)
    return stack[:, :rows, :columns]


WAYS = st.sampled_from(["whole", "part", "turned"])


@given(
    sizes=st.tuples(*[st.integers(1, 4)] * 4), ways=st.tuples(WAYS, WAYS),
    kind=st.sampled_from(["float32", "float64"]), part=st.booleans(), add=st.booleans(),
)  # fmt: skip
def test_cublas_is_asked_for_the_product(sizes, ways, kind, part, add):
    rng, (replicas, m, k, n) = np.random.default_rng(0), sizes
    blas = Blas()
    one = matrices(rng, kind, replicas, m, k, ways[0])
    other = matrices(rng, kind, replicas, k, n, ways[1])
    whole = rng.normal(size=(replicas, m + 2, n + 2)).astype(kind).view(There)
    out = whole[:, :m, :n] if part else whole[:, :m, :n].copy()
    expected = np.matmul(one, other) + (out if add else 0)
    around = whole[:, m:].copy(), whole[:, :, n:].copy()
    multiplier(blas)(out, one, other, add=add)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(whole[:, m:], around[0])
    np.testing.assert_array_equal(whole[:, :, n:], around[1])
    letter = "S" if kind == "float32" else "D"
    batched = "StridedBatched" if replicas > 1 else ""
    assert blas.calls == [(f"{letter}gemm{batched}", 0)]


def test_what_was_there_is_forgotten_even_if_it_is_no_number():
    blas = Blas()
    out = np.full((1, 2, 2), np.nan).view(There)
    ones = np.ones((1, 2, 2)).view(There)
    multiplier(blas)(out, ones, ones)
    np.testing.assert_array_equal(out, 2)


def test_each_has_a_handle_of_its_own_which_the_next_one_gets():
    blas = Blas()
    ones = np.ones((1, 2, 2)).view(There)
    one, other = (multiplier(blas) for _ in range(2))
    one(ones.copy(), ones, ones)
    other(ones.copy(), ones, ones)
    assert set(blas.streams) == {101, 102}
    del one
    blas.streams.clear()
    third, fourth = (multiplier(blas) for _ in range(2))
    for product in (other, third, fourth):
        product(ones.copy(), ones, ones)
    assert set(blas.streams) == {102, 101, 103}


def test_matrices_without_contiguous_rows_or_columns_are_refused():
    blas = Blas()
    ones = np.ones((1, 4, 4)).view(There)
    with pytest.raises(AssertionError, match="contiguous"):
        multiplier(blas)(ones[:, ::2, :2], ones[:, ::2, ::2], ones[:, :2, :2])


def test_products_are_as_exact_as_was_chosen():
    blas, ones = Blas(), np.ones((1, 2, 2)).view(There)
    for kind in ("tf32", "float32"):
        multiplier(blas, kind)(ones.copy(), ones, ones)
    assert blas.calls == [("Dgemm", 3), ("Dgemm", 0)]


def test_what_cublas_refuses_is_an_error():
    blas, ones = Blas(), np.ones((1, 2, 2)).view(There)
    product = multiplier(blas)
    blas.cublasDgemm_v2 = lambda *_: 14
    with pytest.raises(RuntimeError, match="14"):
        product(ones.copy(), ones, ones)


def test_the_functions_of_the_library_are_told_what_they_take(monkeypatch):
    found = SimpleNamespace(**{name: SimpleNamespace() for name in ARGUMENTS})
    loaded = {"cublas": SimpleNamespace(abs_path="libcublas")}
    pathfinder = SimpleNamespace(load_nvidia_dynamic_lib=loaded.__getitem__)
    monkeypatch.setitem(sys.modules, "cuda.pathfinder", pathfinder)
    monkeypatch.setattr(ctypes, "CDLL", {"libcublas": found}.__getitem__)
    assert cublas.library.__wrapped__() is found
    for name, kinds in ARGUMENTS.items():
        assert getattr(found, name).argtypes == kinds
        assert getattr(found, name).restype is ctypes.c_int
