"""A checkpoint's arrays go back into the parts they came from, in place."""

import numpy as np
import pytest

from neurosim import IterableStream, Learning, Network, Presentation, Seeds, Simulator
from neurosim.checks import SettingError
from neurosim.plasticity import PlainGaussian
from neurosim.streaming.snapshot import pack, unpack


def simulator(width=4):
    network = Network.dense(3, (width,), 2, Seeds(0), dtype="float64")
    return Simulator(network, Learning(rule=PlainGaussian(), momentum=0.5), Seeds(0), chunk=4)


def test_what_was_packed_is_back_in_the_same_arrays():
    shown = np.random.default_rng(0).normal(size=(10, 3))
    one, other = simulator(), simulator()
    one.run(IterableStream([Presentation(x, k % 2) for k, x in enumerate(shown)]))
    saved = {name: array.copy() for name, array in pack(one._parts, one._health).items()}
    before = [dict(state) for state in other._parts.states]
    unpack(saved, other._parts, other._health)
    for name, array in pack(other._parts, other._health).items():
        np.testing.assert_array_equal(array, saved[name], err_msg=name, strict=True)
    for old, new in zip(before, other._parts.states, strict=True):
        assert all(new[name] is array for name, array in old.items())
    assert np.abs(saved["layer1/velocity"]).max() > 0


def test_arrays_of_another_network_are_refused():
    one, other = simulator(), simulator(width=1)
    with pytest.raises(SettingError, match=r"Checkpoint\.weights must be of shape \(4, 3\)"):
        unpack(pack(other._parts, other._health), one._parts, one._health)
