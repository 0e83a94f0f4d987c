"""Data sets that stay on a device for as long as somebody uses them."""

import gc
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import numpy as np
import pytest

from neurosim.backend import device_of, to_device
from neurosim.streaming import residence
from neurosim.streaming.residence import resident
from neurosim.testing import pretend_device


@pytest.fixture
def device():
    with pretend_device() as device:
        yield device


def test_an_array_moves_once_even_if_many_ask_at_once(device):
    data = np.arange(6.0).reshape(2, 3)
    with ThreadPoolExecutor(8) as pool:
        contexts = [copy_context() for _ in range(20)]
        found = list(pool.map(lambda c: c.run(resident, data, "gpu"), contexts))
    assert device.sends == 1
    assert all(array is found[0] for array in found)
    assert device_of(found[0]) == "gpu"
    np.testing.assert_array_equal(to_device(found[0], "cpu"), data)


def test_what_is_there_already_is_itself(device):
    here, there = np.ones(2), to_device(np.ones(2), "gpu")
    assert resident(here, "cpu") is here
    assert resident(there, "gpu") is there


def test_the_copy_goes_with_the_array(device):
    gc.collect()
    known = len(residence._RESIDENTS)
    data, other = np.ones(3), np.zeros(3)
    resident(data, "gpu"), resident(other, "gpu")
    assert len(residence._RESIDENTS) == known + 2
    del data
    assert len(residence._RESIDENTS) == known + 1
    assert to_device(resident(other, "gpu"), "cpu").tolist() == [0, 0, 0]


def test_another_device_has_a_copy_of_its_own():
    data, found = np.ones(3), []
    for _ in range(2):
        with pretend_device() as device:
            found.append(resident(data, "gpu"))
            assert device.sends == 1
    assert found[0] is not found[1]
