import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from neurosim.checks import SettingError
from neurosim.dynamics import LeakyIntegrator


@settings(deadline=None, max_examples=20)
@given(
    tau=st.floats(1e-3, 1), start=st.floats(-3, 3), target=st.floats(-3, 3), length=st.floats(0, 5)
)
def test_agrees_with_an_ode_solver(tau, start, target, length):
    """``length`` is in units of tau."""
    judge = solve_ivp(
        lambda _, h: (target - h) / tau, (0, length * tau), [start], rtol=1e-11, atol=1e-12
    )
    state = LeakyIntegrator(tau=tau).relax(
        {"potential": np.array([start])}, np.array([target]), length * tau
    )
    np.testing.assert_allclose(state["potential"], judge.y[:, -1], rtol=1e-9, atol=1e-9)


def test_a_long_presentation_settles_exactly():
    state = LeakyIntegrator(tau=0.01).relax({"potential": np.ones(1)}, np.array([0.1]), 1e3)
    assert state["potential"][0] == 0.1


@pytest.mark.parametrize("tau", [0.0, -1.0, np.inf, np.nan])
def test_unusable_time_constant_is_refused(tau):
    with pytest.raises(SettingError, match=r"LeakyIntegrator\.tau must be a finite number above 0"):
        LeakyIntegrator(tau=tau)
