"""What every dynamics promises, found by its `example`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.checks import SettingError
from neurosim.dynamics import Dynamics, LeakyIntegrator, MemoryTrace, RecurrentNormalization

every_dynamics = pytest.mark.parametrize(
    "dynamics", [cls.example() for cls in Dynamics.__subclasses__()], ids=lambda d: type(d).__name__
)


def test_every_class_is_covered():
    assert {LeakyIntegrator, MemoryTrace, RecurrentNormalization} <= set(Dynamics.__subclasses__())


@every_dynamics
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_state_goes_in_and_a_new_one_of_the_same_kind_comes_out(dynamics, dtype):
    state = dynamics.init((3, 4), dtype)
    before = {name: array.copy() for name, array in state.items()}
    target = np.arange(12, dtype=dtype).reshape(3, 4)
    relaxed = dynamics.relax(state, target, 0.003)
    assert list(relaxed) == list(state)
    for name, array in state.items():
        np.testing.assert_array_equal(array, before[name])
        assert (relaxed[name].shape, relaxed[name].dtype) == (array.shape, dtype)
        assert not np.shares_memory(relaxed[name], array)
        assert not np.array_equal(relaxed[name], array)


@every_dynamics
def test_no_time_no_change(dynamics):
    target = np.array([3.0, -1.0])
    state = dynamics.relax(dynamics.init((2,)), target, 0.01)
    for name, array in dynamics.relax(state, -target, 0.0).items():
        np.testing.assert_array_equal(array, state[name])


@every_dynamics
def test_rows_do_not_see_each_other(dynamics):
    target = np.random.default_rng(0).normal(size=(3, 4))
    together = dynamics.relax(dynamics.init((3, 4)), target, 0.01)
    for row in range(3):
        alone = dynamics.relax(dynamics.init((4,)), target[row], 0.01)
        for name, array in alone.items():
            np.testing.assert_allclose(together[name][row], array, rtol=1e-14)


@every_dynamics
def test_unusable_input_is_refused(dynamics):
    state = dynamics.init((4,))
    with pytest.raises(SettingError, match=r"target must have the shape of the state, \(4,\)"):
        dynamics.relax(state, np.zeros(3), 0.1)
    for duration in (-0.1, np.inf, np.nan):
        with pytest.raises(SettingError, match="duration must be a finite number of seconds"):
            dynamics.relax(state, np.zeros(4), duration)


@pytest.mark.parametrize("dynamics", [LeakyIntegrator.example(), MemoryTrace.example()])
@settings(deadline=None, max_examples=50)
@given(
    start=st.floats(-5, 5),
    target=st.floats(-5, 5),
    first=st.floats(0, 0.2),
    second=st.floats(0, 0.2),
)
def test_two_durations_compose_to_one(dynamics, start, target, first, second):
    (name,) = dynamics.init((1,))
    state = {name: np.array([start])}
    constant = np.array([target])
    once = dynamics.relax(state, constant, first + second)
    twice = dynamics.relax(dynamics.relax(state, constant, first), constant, second)
    np.testing.assert_allclose(twice[name], once[name], rtol=1e-12, atol=1e-12)
