"""Errors of a GPU are one line: what failed, why, and what to do."""

import pytest

from neurosim.backend import device_errors
from neurosim.backend.faults import _size
from neurosim.checks import DeviceError, SettingError
from neurosim.network import Network
from neurosim.seeds import Seeds
from tests.backend.conftest import CUBLASError, CudaAPIError, CUDARuntimeError, OutOfMemoryError

ILLEGAL = "cudaErrorIllegalAddress: an illegal memory access was encountered"


def told(error, remedy="Choose smaller batches."):
    with pytest.raises(DeviceError) as caught, device_errors("Trainer.run", remedy):
        raise error
    assert caught.value.__cause__ is error
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_out_of_memory_says_how_much_was_asked_for_and_how_much_there_is(cupy):
    error = OutOfMemoryError("Out of memory allocating 4,294,967,296 bytes (allocated so far: 5).")
    assert told(error) == (
        "Trainer.run must fit into the GPU's memory; got a request for 4 GiB with 1 GiB of 80 GiB "
        "free and 77 GiB in arrays of this process. Choose smaller batches."
    )


@pytest.mark.parametrize(
    "error",
    [
        CUDARuntimeError("cudaErrorMemoryAllocation: out of memory"),
        CudaAPIError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY"),
        CUBLASError("CUBLAS_STATUS_ALLOC_FAILED"),
    ],
)
def test_memory_can_be_missed_by_anybody(cupy, error):
    message = told(error)
    assert f"fit into the GPU's memory; got {error} with 1 GiB of 80 GiB free" in message
    assert message.endswith("Choose smaller batches.")


def test_a_device_that_tells_nothing_hides_nothing(cupy):
    del cupy.cuda.runtime.memGetInfo
    error = OutOfMemoryError("Out of memory allocating 1,536 bytes.")
    assert "got a request for 1.5 KiB. Choose" in told(error)


def test_sizes_are_readable():
    assert [_size(n) for n in (12, 2**10, 3 * 2**19, 2**40)] == [
        "12 bytes", "1 KiB", "1.5 MiB", "1024 GiB",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "error",
    [
        CUDARuntimeError(ILLEGAL),
        CUDARuntimeError("cudaErrorLaunchFailure: unspecified launch failure"),
        CudaAPIError("[700] Call to cuMemcpyDtoH results in CUDA_ERROR_ILLEGAL_ADDRESS"),
        CUBLASError("CUBLAS_STATUS_EXECUTION_FAILED"),
    ],
)
def test_a_failed_kernel_names_who_waited_and_doubts_it(monkeypatch, error):
    monkeypatch.delenv("CUDA_LAUNCH_BLOCKING", raising=False)
    message = told(error)
    assert message.startswith(f"Trainer.run failed on the GPU: {error}. A kernel queued earlier")
    assert "CUDA_LAUNCH_BLOCKING=1" in message
    monkeypatch.setenv("CUDA_LAUNCH_BLOCKING", "1")
    assert told(error) == f"Trainer.run failed on the GPU: {error}."


def test_the_function_that_met_it_is_named(monkeypatch):
    def fail(*_):
        raise CUDARuntimeError(ILLEGAL)

    network = Network.dense(3, (4,), 2, Seeds(0))
    monkeypatch.setattr("neurosim.layers.dense.matmul", fail)
    where = r"evaluation failed on the GPU in Dense\.drive: cudaErrorIllegalAddress"
    with pytest.raises(DeviceError, match=where), device_errors("evaluation"):
        network.activities(Seeds(1).generator("x").normal(size=(2, 3)))


def test_a_kernel_that_is_too_large_for_the_gpu():
    error = CudaAPIError("[701] cuLaunchKernel results in CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES")
    assert told(error).endswith("OUT_OF_RESOURCES. Use fewer threads a block.")


@pytest.mark.parametrize("name", ["UNSUPPORTED_PTX_VERSION", "NO_BINARY_FOR_GPU"])
def test_code_for_another_cuda_names_the_extras(name):
    message = told(CudaAPIError(f"[222] Call to cuLinkAddData results in CUDA_ERROR_{name}"))
    assert "neurosim[cuda12]" in message.split(name)[1]


def test_a_driver_that_does_not_fit_is_told_with_its_version(cupy):
    cupy.cuda.runtime.driverGetVersion = lambda: 11080
    error = CUDARuntimeError("cudaErrorInsufficientDriver: insufficient")
    assert told(error).startswith("Trainer.run needs a GPU. The NVIDIA driver is for CUDA 11.8")


def test_lines_are_joined():
    error = CudaAPIError("first\n   second")
    assert told(error) == "Trainer.run failed on the GPU: first second."


@pytest.mark.parametrize("error", [ValueError("ours"), MemoryError("the host's"), KeyError("k")])
def test_errors_that_are_not_the_gpus_pass(error):
    with pytest.raises(type(error)) as caught, device_errors("Trainer.run"):
        raise error
    assert caught.value is error


def test_the_inner_of_two_tells(cupy):
    with (
        pytest.raises(DeviceError, match=r"^Network\.to must fit .* Use smaller layers\.$"),
        device_errors("Trainer.run", "Choose smaller batches."),
        device_errors("Network.to", "Use smaller layers."),
    ):
        raise OutOfMemoryError("Out of memory allocating 8 bytes.")


def test_errors_in_our_wording_stay():
    with pytest.raises(SettingError, match=r"^a\.b must c"), device_errors("Trainer.run"):
        raise SettingError("a.b must c; got d.")
