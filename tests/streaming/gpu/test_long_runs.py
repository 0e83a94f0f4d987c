"""Runs of any length on a GPU are those on the CPU, as far as float32 goes."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from neurosim import (
    DatasetStream,
    IterableStream,
    Learning,
    Network,
    Presentation,
    Seeds,
    Simulator,
)
from neurosim.data import load
from neurosim.ops.grouping import Grouping
from neurosim.optimizers import Schedule
from neurosim.plasticity import GroupedGaussian
from neurosim.streaming.third_factor import ThirdFactorCircuit

# Norm of the difference over the norm. Other chunks on the CPU, which only round otherwise, differ
# by 4e-7 after 100 presentations and by 2e-6 after 10 000.
TOLERANCES = {1: 1e-6, 100: 5e-6, 10_000: 1e-4}


def trained(place, n, digits):
    seeds = Seeds(0)
    network = Network.dense(
        64, (128, 128), 10, seeds, grouping=Grouping(groups=16), gain=2.45, dtype="float32"
    )
    learning = Learning(
        rule=GroupedGaussian(), third_factor=ThirdFactorCircuit(sigma=1.0),
        schedule=Schedule(rate=0.03, course="constant"),
        readout=Schedule(rate=0.01, course="constant"),
    )  # fmt: skip
    simulator = Simulator(network.to(place), learning, seeds)
    whole = DatasetStream(
        digits.x_train, digits.y_train, epochs=7, rng=seeds.generator("stream"), same_class=0.5
    )
    if n < 1000:
        (some,) = islice(whole.chunks(0, n), 1)
        pairs = zip(some.stimuli, some.labels, strict=True)
        simulator.run(IterableStream([Presentation(x, int(y)) for x, y in pairs]))
    else:
        assert whole.length >= n
        simulator.run(whole)
    accuracy = simulator.accuracy(digits.x_test, digits.y_test)["accuracy"]
    return simulator.network.to("cpu").parameters(), accuracy


@pytest.mark.gpu
@pytest.mark.parametrize("n", TOLERANCES)
def test_both_devices_learn_the_same(n):
    digits = load("digits")
    (here, expected), (there, accuracy) = (trained(place, n, digits) for place in ("cpu", "gpu"))
    for name, array in here.items():
        difference = np.linalg.norm(there[name] - array) / np.linalg.norm(array)
        assert difference < TOLERANCES[n], name
    assert accuracy == pytest.approx(expected, abs=2 / len(digits.y_test))
