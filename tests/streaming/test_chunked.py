"""What the chunked engine does to the arrays it is given; its results are in test_engine_parity."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from neurosim.layers import Dense
from neurosim.ops.grouping import Grouping
from neurosim.plasticity import BCM, GroupedGaussian
from neurosim.streaming.chunked import Engine
from neurosim.streaming.circuit import LayerCircuit
from neurosim.streaming.plan import Planner
from neurosim.streaming.presentations import Presentations
from neurosim.streaming.timeline import TwoPoint

N_PRE, N_POST, LENGTH = 5, 8, 50


def circuit(seed, rule=None):
    weights = Dense.draw(N_POST, N_PRE, 2.0, np.random.default_rng(seed), "float64")
    return LayerCircuit(
        layer=Dense(weights, grouping=Grouping(groups=2)),
        rule=rule or GroupedGaussian(),
        background=np.zeros(N_PRE),
        momentum=0.5,
    )


@pytest.fixture
def chunk():
    """A plan and its inputs."""
    rng = np.random.default_rng(0)
    shown = Presentations(
        rng.normal(size=(LENGTH, N_PRE)), rng.integers(0, 3, LENGTH), np.ones(LENGTH),
        np.zeros(LENGTH),
    )  # fmt: skip
    planner = Planner(TwoPoint(), 0.01, 3)
    return planner.plan(planner.start(), shown, np.full(LENGTH, 0.1))[0], shown.stimuli


def test_weights_change_in_place_and_the_rest_of_the_state_is_left_alone(chunk):
    one = circuit(0, BCM())
    state = one.start(1)
    before = {name: array.copy() for name, array in state.items()}
    after, _ = Engine(one).present(state, *chunk, np.array([0, 3]))
    in_place = {"weights", "velocity"}
    for name, array in state.items():
        assert np.array_equal(array, before[name]) == (name not in in_place), name
    for name in in_place:
        assert np.shares_memory(state[name], after[name])
    for name in ("mean_rate", "mean_square", "trace_pre", "trace_rate"):
        assert not np.array_equal(after[name], before[name])
    np.testing.assert_array_equal(one.layer.weights, before["weights"])


def test_factors_of_chosen_neurons_add_up_to_the_weight_change(chunk):
    one = LayerCircuit(layer=circuit(0).layer, rule=GroupedGaussian(), background=np.zeros(N_PRE))
    chosen = np.array([1, 2, 6])
    state, shown = Engine(one).present(one.start(1), *chunk, chosen)
    change = sum(shown.post[t].T @ shown.pre[t : t + 2] for t in range(LENGTH))
    moved = state["weights"][chosen] - one.layer.weights[chosen]
    assert np.abs(moved).max() > 1e-4
    np.testing.assert_allclose(moved, change, rtol=0, atol=1e-14)


def test_layers_side_by_side_on_threads_do_not_disturb_each_other(chunk):
    circuits = [circuit(seed) for seed in range(6)]

    def learn(one):
        return Engine(one).present(one.start(1), *chunk, np.zeros(0, np.int64))[0]["weights"]

    alone = [learn(one) for one in circuits]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(learn, circuits))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_a_chunk_did_stays_valid_for_as_many_chunks_as_asked(chunk):
    state, engine = circuit(0).start(1), Engine(circuit(0), keep=2)
    nobody = np.zeros(0, np.int64)
    _, shown = engine.present(state, *chunk, nobody)
    kept = [array.copy() for array in shown]
    for _ in range(2):
        state, _ = engine.present(state, *chunk, nobody)
        for array, before in zip(shown, kept, strict=True):
            np.testing.assert_array_equal(array, before)
    engine.present(state, *chunk, nobody)
    assert not np.array_equal(shown.rate, kept[shown._fields.index("rate")])  # used again
