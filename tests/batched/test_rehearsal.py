"""Rehearsing a batched trainer: what a step would do, and nothing else."""

import numpy as np
import pytest

from neurosim.batched import LayerWise, Learner, Trainer
from neurosim.batched.rehearsal import rehearse
from neurosim.checks import SettingError
from neurosim.optimizers import SGD, Milestones
from neurosim.seeds import Seeds
from tests.batched.parts import PAIRS, build

RNG = np.random.default_rng(0)
LEARNER = Learner(optimizer=SGD(), rate=Milestones(rate=0.1))
LABELS = RNG.integers(0, 3, 50)
STIMULI = np.eye(3, 6)[LABELS] + 0.3 * RNG.normal(size=(50, 6))


def make(driver, batch=16):
    return Trainer(build(), driver, Seeds(0), batch=batch, threads=1)


def test_it_is_the_step_of_plain_gradient_descent():
    plain = Learner(optimizer=SGD(momentum=0.0), rate=Milestones(rate=0.5))
    trainer = make(LayerWise(objective=PAIRS, readout=plain, layers=plain), batch=50)
    asked = rehearse(trainer, STIMULI, LABELS)
    before = {name: array.copy() for name, array in trainer.network.parameters().items()}
    trainer.run(STIMULI, LABELS, epochs=1)
    for name in trainer.network.names:
        moved = trainer.network.parameters()[name] - before[name]
        np.testing.assert_allclose(0.5 * asked[name], moved, rtol=1e-9, atol=1e-15)


def test_training_does_not_notice(driver):
    weights = []
    for measured in (False, True):
        trainer = make(driver)

        def evaluate(network, trainer=trainer, measured=measured):
            if measured:
                rehearse(trainer, STIMULI[:20], LABELS[:20])
            return {"accuracy": 0.0}

        trainer.run(STIMULI, LABELS, epochs=2, evaluate=evaluate, evaluate_every=16)
        weights.append(trainer.network.parameters())
    for name, array in weights[0].items():
        np.testing.assert_array_equal(array, weights[1][name])


def test_too_few_samples_for_a_pair_are_refused():
    trainer = make(LayerWise(objective=PAIRS, readout=LEARNER, layers=LEARNER))
    with pytest.raises(SettingError, match=r"rehearse\.labels must be at least 2; got 1"):
        rehearse(trainer, STIMULI[:1], LABELS[:1])
