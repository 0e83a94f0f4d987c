"""What is recorded of replicas: of each the columns it asked for, also if another wants all."""

from __future__ import annotations

import numpy as np
import pytest

from neurosim import Learning, Network, Seeds
from neurosim.ops.grouping import Grouping
from neurosim.plasticity import GroupedGaussian, PlainGaussian
from neurosim.streaming.assembly import Assembly
from neurosim.streaming.gpu import Columns, GpuStack, Member, Shows
from neurosim.streaming.presentations import Presentations

WIDTHS, T = (6, 4), 5
# of two replicas: neurons whose factors are recorded, and columns of the rest, layer by layer
CHOSEN = [[np.array([5, 1]), np.array([0])], [np.array([2]), np.array([], np.int64)]]
COLUMNS = [
    [Columns(np.array([4]), np.array([2, 0, 2])), Columns(np.array([1, 3]), np.array([5]))],
    [Columns(np.array([0, 2, 5]), np.array([1])), Columns(np.array([], int), np.array([0, 3]))],
]


def shown(device, rule, wanted):
    """What each layer of two new networks did with a chunk."""
    members, shows = [], []
    for seed, (chosen, columns) in enumerate(wanted):
        grouping = Grouping(groups=2)
        network = Network.dense(3, WIDTHS, 2, Seeds(seed), grouping=grouping, dtype="float64")
        parts = Assembly(network, Learning(rule=rule), np.zeros(3))
        rng = np.random.default_rng(seed)
        some = Presentations(
            rng.normal(size=(T, 3)), rng.integers(0, 2, T), np.full(T, 0.2), np.zeros(T)
        )
        chunk = parts.draw(0, some, np.zeros(T))
        states = [device.put(state) for state in parts.states]
        readouts = {name: device.put(state) for name, state in parts.readouts.items()}
        members.append(Member(parts.circuits, states, parts.readout, readouts, parts.sources))
        shows.append(Shows(chunk.plan, chunk.inputs, some.labels, chunk.rates, chosen, columns))
    answers = GpuStack(members, inner=3, threads=2).present(shows).wait()
    return [[told.shown for told in answer.layers] for answer in answers]


@pytest.mark.parametrize("rule", [GroupedGaussian(), PlainGaussian()])
@pytest.mark.parametrize("one_wants_all", [False, True])
def test_columns_are_those_of_everything(device, rule, one_wants_all):
    wanted = list(zip(CHOSEN, COLUMNS, strict=True))
    if one_wants_all:
        wanted[1] = CHOSEN[1], None
    narrow = shown(device, rule, wanted)
    whole = shown(device, rule, [(chosen, None) for chosen in CHOSEN])
    for (_, columns), ones, others in zip(wanted, narrow, whole, strict=True):
        for k, (found, everything) in enumerate(zip(ones, others, strict=True)):
            expected = everything._asdict()
            assert expected["rate"].shape == (T, WIDTHS[k])
            if columns is not None:
                neurons = {"output", "drive", "rate", "gain", "normalized"}
                neurons |= {"signal"} if rule.compares == "rate" else set()
                expected |= {name: expected[name][:, columns[k].neurons] for name in neurons}
                expected["pre"] = expected["pre"][:, columns[k].terminals]
            for name, array in expected.items():
                np.testing.assert_array_equal(getattr(found, name), array, err_msg=name)
            assert np.abs(everything.rate).max() > 0.1


def test_nothing_is_kept_of_who_wants_nothing(device):
    found = shown(device, PlainGaussian(), [(None, None), (CHOSEN[1], COLUMNS[1])])
    assert found[0] == [None, None]
    assert found[1][0].rate.shape == (T, 3)
