"""Timelines in continuous time, against scipy's quadrature and differential equations."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from neurosim.checks import SettingError
from neurosim.dynamics import SmoothedDerivative
from neurosim.streaming.continuous import Continuous

KAPPA = SmoothedDerivative(c1=0.02, c2=400.0)
PLAIN = Continuous(derivative=KAPPA, duration=0.2)
GAPPED = Continuous(derivative=KAPPA, duration=0.2, shortest=0.08, gaps=True)
DELAYED = replace(GAPPED, delay=0.05)
BETA = 0.1
delays = st.just(0.0) | st.floats(1e-6, 0.3)
TAU = -0.2 / np.log1p(-BETA)


def window(timeline, seed=0):
    """Unequal durations and gaps of a whole window, oldest first."""
    rng, n = np.random.default_rng(seed), timeline.n_window
    gaps = rng.uniform(0, 0.15, n) if timeline.gaps else np.zeros(n)
    shortest = timeline.shortest or timeline.duration
    return rng.uniform(shortest, 3 * shortest, n), gaps


def segments(timeline, durations, gaps):
    """Start and end of every rest and presentation, from the present onset."""
    t, found = -float(durations[:-1].sum() + gaps.sum()), []
    for duration, gap in zip(durations, gaps, strict=True):
        if timeline.gaps:
            found.append((t, t + gap))
        found.append((t + gap, t + gap + duration))
        t += gap + duration
    return found


def convolved(activity, start, end, t):
    """(kappa * activity)(t) of what happened between start and end."""
    end = min(end, t)
    points = np.unique(np.clip([start, t - 0.15, t - 0.04, t - KAPPA.c1, end], start, end))
    return sum(
        quad(lambda s: KAPPA.kernel(t - s) * activity(s), a, b, epsabs=1e-13, limit=200)[0]
        for a, b in pairwise(points)
        if end > start
    )


@pytest.mark.parametrize("timeline", [PLAIN, GAPPED, DELAYED], ids=["plain", "gaps", "delay"])
@pytest.mark.parametrize("seed", [0, 1])
def test_filter_is_the_convolution_with_piecewise_constant_activity(timeline, seed):
    durations, gaps = window(timeline, seed)
    found = timeline.geometry(durations, gaps, BETA)
    cells = segments(timeline, durations, gaps)
    assert found.filter.shape == (len(found.time), len(cells))
    for r, (start, end) in enumerate(cells):
        judge = [convolved(lambda s: 1.0, start, end, t) for t in found.time[::4]]
        np.testing.assert_allclose(found.filter[::4, r], judge, rtol=1e-9, atol=1e-11)


def test_activity_that_never_changed_gives_no_signal():
    durations, gaps = window(GAPPED)
    total = GAPPED.geometry(durations, gaps, BETA).filter.sum(axis=1)
    np.testing.assert_allclose(total, KAPPA.residual, rtol=0, atol=1e-11)


@pytest.mark.parametrize("dt", [None, 0.001])
def test_sampled_activity_is_convolved_as_the_smooth_curve_it_is(dt):
    """Exponential relaxation towards a new value at every event, sampled at the traces."""
    timeline = replace(GAPPED, sampled=True, nodes=14)
    durations, gaps = np.full(timeline.n_window, 0.13), np.full(timeline.n_window, 0.09)
    if dt is not None:
        timeline = replace(timeline, dt=dt, duration=0.13)
    found = timeline.geometry(durations, gaps, BETA)
    tau, rng = 0.03, np.random.default_rng(2)
    activity, values, level = [], [], 0.0
    for start, end in segments(timeline, durations, gaps):
        goal, initial = rng.normal(), level

        def relaxing(s, a=start, x=initial, y=goal):
            return y + (x - y) * np.exp(-(s - a) / tau)

        activity.append((relaxing, start, end))
        level = relaxing(end)
    n = timeline.n_window
    ends = np.cumsum(np.tile(found.step, n)) - n * 0.22 + 0.13  # time of every trace
    rest = int(timeline.at_rest.sum())
    per = timeline.n_traces
    for trace, t in enumerate(ends):
        cell = 2 * (trace // per) + (trace % per >= rest)
        values.append(activity[cell][0](t))
    signal = found.filter @ np.array(values)
    judge = [sum(convolved(*part, t) for part in activity) for t in found.time[::7]]
    np.testing.assert_allclose(signal[::7], judge, rtol=0, atol=1e-8 if dt is None else 1e-3)


@settings(deadline=None, max_examples=20)
@given(duration=st.floats(0.05, 0.5), delay=delays, power=st.integers(0, 6))
def test_weights_integrate_what_follows_the_teaching_signal(duration, delay, power):
    timeline = Continuous(derivative=KAPPA, duration=0.2, shortest=0.05, delay=delay)
    n = timeline.n_window
    found = timeline.geometry(np.append(np.full(n - 1, 0.2), duration), np.zeros(n), BETA)
    begins = min(delay, duration)
    exact = (duration ** (power + 1) - begins ** (power + 1)) / (power + 1) / 0.2
    assert found.weight @ found.time**power == pytest.approx(exact, rel=1e-10, abs=1e-15)
    assert found.trace_weight.sum() == pytest.approx(max(duration - delay, 0) / 0.2, abs=1e-15)
    assert (found.weight[found.time < begins] == 0).all()


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.05, 0.12])
def test_running_mean_solves_its_differential_equation(delay):
    """tau db3/dt = b2 - b3 from the teaching signal to the offset, b3 constant before."""
    timeline = replace(PLAIN, delay=delay, nodes=8, shortest=0.1)
    n, duration, before = timeline.n_window, 0.27, 0.7
    found = timeline.geometry(np.append(np.full(n - 1, 0.2), duration), np.zeros(n), BETA)

    def b2(t):
        return np.sin(8 * t) - 1.3 * t

    b3 = found.mean_keep * before + found.mean_filter @ b2(found.time)
    judge = solve_ivp(
        lambda t, y: (b2(t) - y) / TAU, (delay, duration), [before], rtol=1e-11, atol=1e-13,
        dense_output=True,
    )  # fmt: skip
    for t, value in zip([*found.time, duration], b3, strict=True):
        expected = judge.sol(t)[0] if t > delay else before
        assert value == pytest.approx(expected, abs=1e-9)


@settings(deadline=None, max_examples=20)
@given(duration=st.floats(0.05, 0.5), delay=delays)
def test_a_constant_is_its_own_running_mean(duration, delay):
    timeline = Continuous(derivative=KAPPA, duration=0.2, shortest=0.05, delay=delay)
    n = timeline.n_window
    found = timeline.geometry(np.append(np.full(n - 1, 0.2), duration), np.zeros(n), BETA)
    taught = (found.time >= delay).astype(float)
    b3 = found.mean_keep + found.mean_filter @ taught
    np.testing.assert_allclose(b3, 1, rtol=1e-11)


def test_one_nominal_presentation_moves_the_running_mean_by_beta():
    n = PLAIN.n_window
    found = PLAIN.geometry(np.full(n, 0.2), np.zeros(n), BETA)
    assert found.mean_keep[-1] == pytest.approx(1 - BETA, rel=1e-13)
    assert found.mean_filter[-1].sum() == pytest.approx(BETA, rel=1e-13)


@pytest.mark.parametrize("dt", [None, 0.01])
@pytest.mark.parametrize("gaps", [False, True])
def test_steps_lead_from_trace_to_trace_and_add_up(gaps, dt):
    timeline = Continuous(
        derivative=KAPPA, duration=0.2, gaps=gaps, sampled=True, delay=0.03, dt=dt
    )
    n, gap = timeline.n_window, 0.5 if gaps else 0.0
    found = timeline.geometry(np.full(n, 0.2), np.full(n, gap), BETA)
    assert len(found.step) == timeline.n_traces == len(found.trace_weight)
    assert (found.step >= 0).all()
    times = np.cumsum(found.step) - gap
    assert times[-1] == pytest.approx(0.2)
    shown = times[~timeline.at_rest][:-1]  # the last trace closes the presentation
    np.testing.assert_allclose(shown, found.time, atol=1e-12)
    if gaps:
        assert times[timeline.at_rest][-1] == pytest.approx(0, abs=1e-12)
        assert (times[timeline.at_rest] >= -timeline.reach).all()
    assert not found.trace_weight[timeline.at_rest].any()


def test_constant_activity_needs_one_trace_a_segment():
    assert PLAIN.at_rest.tolist() == [False]
    assert GAPPED.at_rest.tolist() == [True, False]
    found = GAPPED.geometry(*window(GAPPED), BETA)
    durations, gaps = window(GAPPED)
    np.testing.assert_array_equal(found.step, [gaps[-1], durations[-1]])


def test_the_window_reaches_as_far_as_a_jump_is_felt():
    for shortest in (0.01, 0.05, 1.0):
        timeline = replace(PLAIN, shortest=shortest)
        assert (timeline.n_window - 1) * shortest >= timeline.reach
        assert (timeline.n_window - 2) * shortest < timeline.reach
    assert abs(KAPPA.step_response(PLAIN.reach) - KAPPA.residual) <= 1.0001e-12


def test_the_clock_ticks_in_the_middle_of_every_step():
    timeline = replace(PLAIN, dt=0.05)
    n = timeline.n_window
    found = timeline.geometry(np.full(n, 0.2), np.zeros(n), BETA)
    np.testing.assert_allclose(found.time, [0.025, 0.075, 0.125, 0.175])
    np.testing.assert_allclose(found.weight, 0.25)


@pytest.mark.parametrize(
    ("timeline", "change", "message"),
    [
        (PLAIN, {"durations": 0.0}, r"Presentation\.duration must be positive"),
        (GAPPED, {"gaps": -0.1}, r"Presentation\.gap must not be negative"),
        (PLAIN, {"gaps": 0.1}, r"Presentation\.gap must be 0 on a timeline without gaps; got 0\.1"),
        (PLAIN, {"durations": 0.01}, r"shortest must let the window of 2 .*Lower `shortest`"),
        (
            replace(PLAIN, dt=0.01),
            {"last": 0.3},
            r"dt must be None unless all .* 0\.2 s",
        ),
    ],
)
def test_presentations_that_do_not_fit_are_refused(timeline, change, message):
    n = timeline.n_window
    durations = np.full(n, change.get("durations", 0.2))
    durations[-1] = change.get("last", durations[-1])
    with pytest.raises(SettingError, match=message):
        timeline.geometry(durations, np.full(n, change.get("gaps", 0.0)), BETA)


def test_the_clock_needs_presentations_of_the_nominal_duration():
    timeline = replace(PLAIN, dt=0.01, sampled=True, shortest=0.1)
    n = timeline.n_window
    with pytest.raises(SettingError, match=r"Continuous\.dt must be None unless all .* 0\.2 s"):
        timeline.geometry(np.full(n, 0.1), np.zeros(n), BETA)


@pytest.mark.parametrize("sampled", [False, True])
def test_events_that_differ_only_by_rounding_are_one_event(sampled):
    near = np.nextafter(KAPPA.c1, 1)
    timeline = replace(PLAIN, delay=near, sampled=sampled, shortest=0.02)
    n = timeline.n_window
    for duration in (KAPPA.c1, np.nextafter(near, 1), 0.2):
        found = timeline.geometry(np.append(np.full(n - 1, 0.2), duration), np.zeros(n), BETA)
        assert all(np.isfinite(matrix).all() for matrix in found)


@pytest.mark.parametrize(
    "change",
    [{"duration": 0.0}, {"delay": -1.0}, {"nodes": 0}, {"dt": 0.0}, {"dt": 0.3}, {"shortest": 0.0}],
)
def test_unusable_settings_are_refused(change):
    (field,) = change
    with pytest.raises(SettingError, match=rf"Continuous\.{field} must"):
        replace(PLAIN, **change)
