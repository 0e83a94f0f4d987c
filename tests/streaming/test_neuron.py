import pytest

from neurosim.dynamics import LeakyIntegrator, MemoryTrace, RecurrentNormalization
from neurosim.streaming.neuron import NeuronDynamics


def test_instantaneous_neurons_need_no_samples():
    assert not NeuronDynamics().sampled
    assert not NeuronDynamics(measured_background=False).sampled


@pytest.mark.parametrize(
    "part",
    [
        {"leaky": LeakyIntegrator.example()},
        {"memory": MemoryTrace.example()},
        {"normalization": RecurrentNormalization.example()},
    ],
    ids=lambda part: next(iter(part)),
)
def test_neurons_with_dynamics_must_be_sampled(part):
    assert NeuronDynamics(**part).sampled
