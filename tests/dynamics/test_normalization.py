import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from neurosim.checks import SettingError
from neurosim.dynamics import RecurrentNormalization
from neurosim.dynamics.normalization import relax_into

GROUPS, SIZE = 3, 4
Z = np.random.default_rng(1).normal(size=GROUPS * SIZE) * np.repeat([0.3, 2.0, 8.0], SIZE)


def slope(circuit, y, z):
    """The equations of the docstring, for one group: y = (m, q, r...)."""
    m, q, r = y[0], y[1], y[2:]
    output = q**circuit.p * r
    return np.concatenate(
        [
            [(z.mean() - m) / circuit.tau_mean],
            [(-q + (np.sum(output**2) + circuit.delta) / circuit.group_size) / circuit.tau_pool],
            (-output + z - m) / circuit.tau_rate,
        ]
    )


def test_fixed_point_is_the_algebraic_normalization():
    circuit = RecurrentNormalization(group_size=SIZE, p=0.3, delta=0.7)
    state = circuit.fixed_point(Z)
    for a in range(GROUPS):
        z = Z[a * SIZE : (a + 1) * SIZE]
        u = z.var() + 0.7 / SIZE
        np.testing.assert_allclose(state["pool"][a], u, rtol=1e-14)
        rate = state["rate"][a * SIZE : (a + 1) * SIZE]
        np.testing.assert_allclose(rate, (z - z.mean()) / u**0.3, rtol=1e-12, atol=1e-14)


@settings(deadline=None, max_examples=25)
@given(
    p=st.floats(0.0, 0.5),
    delta=st.floats(0.1, 3.0),
    taus=st.tuples(*[st.floats(0.003, 0.03)] * 3),
    gain=st.floats(0.0, 20.0),
    seed=st.integers(0, 1000),
)
def test_settles_on_the_algebraic_form_from_anywhere(p, delta, taus, gain, seed):
    circuit = RecurrentNormalization(
        group_size=SIZE,
        p=p,
        delta=delta,
        tau_mean=taus[0],
        tau_rate=taus[1],
        tau_pool=taus[2],
        step=0.2,
    )
    rng = np.random.default_rng(seed)
    z = gain * rng.normal(size=2 * SIZE)
    start = circuit.relax(circuit.init((2 * SIZE,)), 10 * rng.normal(size=2 * SIZE), 0.01)
    slowest = max(max(taus), taus[1] / (delta / SIZE) ** p)
    settled = circuit.relax(start, z, 100 * slowest)
    for name, array in circuit.fixed_point(z).items():
        np.testing.assert_allclose(settled[name], array, rtol=1e-10, atol=1e-10)


def test_transient_agrees_with_an_ode_solver_at_second_order():
    """The error against a tight solver falls as the square of the sub-step."""
    taus = {"tau_mean": 0.006, "tau_rate": 0.01, "tau_pool": 0.008}
    steps = 0.2 / 2.0 ** np.arange(5)
    errors = []
    for step in steps:
        circuit = RecurrentNormalization(group_size=SIZE, step=step, **taus)
        state = circuit.relax(circuit.init(Z.shape), Z, 0.012)
        worst = 0.0
        for a in range(GROUPS):
            z = Z[a * SIZE : (a + 1) * SIZE]
            start = np.concatenate([[0.0, circuit.delta / SIZE], np.zeros(SIZE)])
            judge = solve_ivp(
                lambda _, y, c=circuit, z=z: slope(c, y, z),
                (0, 0.012),
                start,
                rtol=1e-11,
                atol=1e-12,
                method="DOP853",
            ).y[:, -1]
            rate = state["rate"][a * SIZE : (a + 1) * SIZE]
            mine = np.concatenate([[state["mean"][a], state["pool"][a]], rate])
            worst = max(worst, np.max(np.abs(mine - judge) / np.max(np.abs(judge))))
        errors.append(worst)
    order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert order == pytest.approx(2.0, abs=0.2)
    assert errors[2] < 1e-3  # the default sub-step


@pytest.mark.parametrize("step", [0.05, 1.0, 3.0])
def test_the_fixed_point_stays_put_at_any_step(step):
    circuit = RecurrentNormalization(group_size=SIZE, step=step)
    state = circuit.fixed_point(Z)
    for name, array in circuit.relax(state, Z, 0.05).items():
        np.testing.assert_allclose(array, state[name], rtol=1e-13)


def jacobian(circuit, z):
    """Central differences of the equations at the fixed point of one group."""
    state = circuit.fixed_point(z)
    at = np.concatenate([state["mean"], state["pool"], state["rate"]])
    h = 1e-6
    columns = [
        (slope(circuit, at + h * e, z) - slope(circuit, at - h * e, z)) / (2 * h)
        for e in np.eye(at.size)
    ]
    return np.stack(columns, axis=1)


@settings(deadline=None, max_examples=50)
@given(
    p=st.floats(0.0, 0.5),
    taus=st.tuples(*[st.floats(1e-3, 1.0)] * 3),
    gain=st.floats(0.01, 10),
    seed=st.integers(0, 100),
)
def test_linearisation_is_stable_as_derived(p, taus, gain, seed):
    circuit = RecurrentNormalization(
        group_size=SIZE, p=p, tau_mean=taus[0], tau_rate=taus[1], tau_pool=taus[2]
    )
    z = gain * np.random.default_rng(seed).normal(size=SIZE)
    u = circuit.fixed_point(z)["pool"][0]
    f = np.sum((z - z.mean()) ** 2) / (SIZE * u)
    trace = (2 * p * f - 1) / taus[2] - u**p / taus[1]
    det = u**p / (taus[1] * taus[2])
    pair = np.roots([1.0, -trace, det])
    orthogonal = np.full(SIZE - 1, -(u**p) / taus[1])
    derived = np.poly(np.concatenate([pair, orthogonal, [-1 / taus[0]]]))
    values = np.linalg.eigvals(jacobian(circuit, z))
    np.testing.assert_allclose(np.poly(values).real, derived.real, rtol=1e-4)
    assert values.real.max() < 0


def test_a_group_without_contrast_is_silent():
    circuit = RecurrentNormalization(group_size=2)
    state = circuit.relax(circuit.init((2,)), np.array([3.0, 3.0]), 1.0)
    np.testing.assert_allclose(state["rate"], 0.0, atol=1e-14)
    np.testing.assert_allclose(state["pool"], 0.5)


def test_fused_variant_equals_the_interpreted_one():
    circuit = RecurrentNormalization(group_size=SIZE)
    results = []
    for variant in (relax_into, relax_into.py_func):
        mean, pool = np.zeros(GROUPS), np.full(GROUPS, 0.5)
        rate = np.ones((GROUPS, SIZE))
        variant(mean, rate, pool, Z.reshape(GROUPS, SIZE), 0.01, *circuit.coefficients())
        results.append(np.concatenate([mean, pool, rate.ravel()]))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-13)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"group_size": 1}, "group_size must be at least 2"),
        ({"group_size": 2, "p": 0.6}, r"p must lie in \[0, 0.5\]"),
        ({"group_size": 2, "delta": 0.0}, "delta must be a finite number above 0"),
        ({"group_size": 2, "tau_pool": -1.0}, "tau_pool must be a finite number above 0"),
    ],
)
def test_unusable_settings_are_refused(settings_, message):
    with pytest.raises(SettingError, match=message):
        RecurrentNormalization(**settings_)


def test_groups_must_divide_the_layer():
    with pytest.raises(SettingError, match="divide the number of neurons, 7"):
        RecurrentNormalization(group_size=2).init((7,))
