import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from neurosim.checks import SettingError
from neurosim.dynamics import MemoryTrace
from neurosim.dynamics.memory import relax_memory, remember_row, start_remembering

traces = st.builds(
    MemoryTrace,
    leak=st.sampled_from([0.0, 1e-12, 1e-3, 0.5]),
    tau=st.floats(1e-3, 1.0),
    scale=st.floats(0.1, 3.0),
)


@settings(deadline=None, max_examples=30)
@given(trace=traces, start=st.floats(-10, 10), deviation=st.floats(-2, 2), length=st.floats(0, 10))
def test_agrees_with_an_ode_solver(trace, start, deviation, length):
    """``length`` is in units of tau."""
    x = trace.scale * deviation

    def slope(_, w):
        return x**3 - np.tanh(abs(x) ** 3) * w - trace.leak * w

    judge = solve_ivp(slope, (0, length), [start], rtol=1e-11, atol=1e-12, method="DOP853")
    state = trace.relax({"memory": np.array([start])}, np.array([deviation]), length * trace.tau)
    scale = max(1.0, abs(start), abs(x) ** 3)
    np.testing.assert_allclose(state["memory"] / scale, judge.y[:, -1] / scale, rtol=0, atol=1e-9)


@pytest.mark.parametrize("n_gaps", [0, 1, 10, 1000])
def test_without_leak_a_gap_changes_no_bit(n_gaps):
    trace = MemoryTrace()
    deviation = np.array([2.0, -1.7, 0.1, 3.3])
    state = trace.relax(trace.init((4,)), deviation, 0.1)
    after = trace.relax(state, np.zeros(4), n_gaps * 0.1)
    for _ in range(n_gaps):
        after = trace.relax(after, np.zeros(4), 0.1)
    assert after["memory"].tobytes() == state["memory"].tobytes()


def test_leak_forgets_exponentially():
    trace = MemoryTrace(leak=0.1, tau=0.01)
    state = trace.relax({"memory": np.array([8.0])}, np.zeros(1), 0.2)
    np.testing.assert_allclose(state["memory"], 8.0 * np.exp(-0.1 * 20), rtol=1e-14)


@pytest.mark.parametrize("deviation", [1e-200, 1e-60, 1e-5, 1e-3])
def test_vanishing_rate_is_no_singularity(deviation):
    """For a tiny rate, w grows by x**3 t / tau, to relative precision."""
    trace = MemoryTrace(tau=1.0)
    state = trace.relax(trace.init((1,)), np.array([deviation]), 7.0)
    expected = deviation**3 * 7.0 * (1 - 3.5 * deviation**3)
    np.testing.assert_allclose(state["memory"], expected, rtol=1e-14)


@pytest.mark.parametrize(("x", "error"), [(1.0, 0.0951), (1.5, 8e-4), (2.0, 1e-7), (4.0, 1e-12)])
def test_large_deviations_are_recalled_as_they_were(x, error):
    trace = MemoryTrace(scale=2.0)
    for sign in (-1, 1):
        deviation = np.array([sign * x / 2.0])
        old = {"memory": np.array([-30.0])}
        recalled = trace.recall(trace.relax(old, deviation, 1.0))
        np.testing.assert_allclose(recalled, deviation, rtol=error, atol=0)


def test_small_deviations_shown_long_leave_only_their_sign():
    trace = MemoryTrace(scale=0.5)
    state = trace.relax(trace.init((2,)), np.array([0.2, -0.4]), 1e4)
    np.testing.assert_allclose(trace.recall(state), [2.0, -2.0], rtol=1e-4)


def test_crossing_is_when_the_memory_changes_sign():
    trace = MemoryTrace(leak=0.1, tau=0.02, scale=0.7)
    state = {"memory": np.array([8.0, -8.0, 8.0, 8.0, 0.0])}
    target = np.array([-3.0, 0.5, 2.0, 0.0, -2.0])
    crossing = trace.crossing(state, target)
    np.testing.assert_array_equal(np.isfinite(crossing), [True, True, False, False, False])
    for n in (0, 1):
        at = trace.relax(state, target, crossing[n])["memory"][n]
        before = trace.relax(state, target, 0.99 * crossing[n])["memory"][n]
        assert abs(at) < 1e-14 * 8
        assert before * state["memory"][n] > 0


@settings(deadline=None, max_examples=200)
@given(
    start=st.floats(-10, 10),
    x=st.one_of(st.floats(-4, 4), st.just(0.0), st.floats(-1e-100, 1e-100)),
    time=st.floats(0, 100),
    leak=st.sampled_from([0.0, 1e-9, 0.3]),
)
def test_the_scalar_variant_equals_the_reference(start, x, time, leak):
    trace = MemoryTrace(leak=leak, tau=1.0)
    state = trace.relax({"memory": np.array([start])}, np.array([x]), time)
    np.testing.assert_allclose(
        relax_memory(start, x, time, leak), state["memory"][0], rtol=1e-12, atol=1e-12
    )


@settings(deadline=None, max_examples=100)
@given(
    shown=st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.0, 0.1, -0.7, 2.0, -2.0, 3.0, np.nan]),
            st.sampled_from([0.0, 1e-3, 0.4, 5.0, 30.0, 100.0]),
            st.integers(1, 4),
        ),
        min_size=1, max_size=6,
    ),
    start=st.floats(-30, 30),
    leak=st.sampled_from([0.0, 0.01]),
    scale=st.sampled_from([1.0, 2.5]),
)  # fmt: skip
def test_rows_remember_as_the_reference_does_whatever_is_shown_again(shown, start, leak, scale):
    trace = MemoryTrace(leak=leak, tau=1.0, scale=scale)
    background = np.array([0.25, -0.5])
    state = {"memory": np.array([start, -start])}
    memory, remembered = state["memory"].copy(), np.empty(2)
    known = start_remembering(memory, scale)
    for deviation, time, times in shown:
        for _ in range(times):  # the same again: nothing is computed that is known
            deviations = np.array([deviation, 2 * deviation])
            state = trace.relax(state, deviations, time)
            remember_row(
                memory, known, background + deviations, background, time, leak, scale, remembered
            )
            np.testing.assert_allclose(memory, state["memory"], rtol=1e-12, atol=1e-12)
            expected = background + trace.recall(state)
            np.testing.assert_allclose(remembered, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("field", "value"), [("tau", 0.0), ("scale", -1.0), ("leak", -0.1)])
def test_unusable_settings_are_refused(field, value):
    with pytest.raises(SettingError, match=rf"MemoryTrace\.{field} must be a finite number"):
        MemoryTrace(**{field: value})
