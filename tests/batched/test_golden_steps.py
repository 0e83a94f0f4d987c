"""Two steps with momentum end at the golden weights; outputs are those from before each."""

import numpy as np
import pytest

from neurosim.batched import Batch, LayerWise, Learner
from neurosim.network import Network
from neurosim.optimizers import SGD, Milestones
from neurosim.seeds import Seeds
from tests.golden.cases import CASES, GOLDEN, case_of


@pytest.mark.parametrize("name", CASES)
def test_golden_weights_after_two_steps(name):
    case = case_of(name)
    readout = {"weights": np.zeros((10, 24)), "bias": np.zeros(10)}
    network = Network(layers=(case.layer,), readout=readout)
    sgd = SGD(momentum=0.95, weight_decay=1e-7)
    learner = Learner(optimizer=sgd, rate=Milestones(rate=0.5))
    driver = LayerWise(objective=case.phsic, layers=learner, readout=learner)
    state = driver.start(network, Seeds(0))
    for step, batch in ((1, ""), (2, "2")):
        if f"W_after_sgd{step}" not in case:
            continue
        activity, labels = case.forward(batch)
        shown = Batch(activity.pre, labels, 0, step, Seeds(0))
        losses = driver.step(network, state, shown)
        assert losses["layer1"] == pytest.approx(float(case[f"loss{batch}"]), rel=1e-10)
        np.testing.assert_allclose(activity.output, case[f"r{batch}"], rtol=1e-9, atol=1e-12)
        moved = case.layer.weights - GOLDEN["W"]
        expected = case[f"W_after_sgd{step}"] - GOLDEN["W"]
        assert np.abs(moved - expected).max() <= 1e-9 * np.abs(expected).max()
