"""SGD and Adam on named arrays, against their equations in plain NumPy."""

import numpy as np
import pytest

from neurosim.checks import SettingError
from neurosim.optimizers import SGD, Adam, Milestones

RNG = np.random.default_rng(0)


def walk(optimizer, dtype, steps=4, rate=0.1):
    """Parameters after a few steps, and the gradients that led there."""
    start = {"a": RNG.normal(size=(3, 4)).astype(dtype), "b": RNG.normal(size=5).astype(dtype)}
    parameters = {name: array.copy() for name, array in start.items()}
    state = optimizer.start(parameters)
    gradients = [
        {name: RNG.normal(size=array.shape).astype(dtype) for name, array in start.items()}
        for _ in range(steps)
    ]
    for gradient in gradients:
        optimizer.step(state, parameters, gradient, rate)
    return start, gradients, parameters, state


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
def test_sgd_follows_its_equation(dtype, tolerance):
    start, gradients, found, state = walk(SGD(momentum=0.9, weight_decay=0.3), dtype)
    for name, w in start.items():
        v = np.zeros_like(w)
        for gradient in gradients:
            v = 0.9 * v + gradient[name] + 0.3 * w
            w = w - 0.1 * v
        np.testing.assert_allclose(found[name], w, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(state[f"{name}.velocity"], v, rtol=tolerance, atol=tolerance)
        assert found[name].dtype == dtype


@pytest.mark.parametrize("decoupled", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
def test_adam_follows_its_equations(dtype, tolerance, decoupled):
    settings = Adam(beta1=0.8, beta2=0.9, weight_decay=0.2, decoupled=decoupled)
    start, gradients, found, state = walk(settings, dtype)
    for name, w in start.items():
        m, v = np.zeros_like(w), np.zeros_like(w)
        for t, gradient in enumerate(gradients, 1):
            g = gradient[name] + (0 if decoupled else 0.2 * w)
            m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g**2
            w = w * (1 - 0.1 * 0.2) if decoupled else w
            w = w - 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-8)
        np.testing.assert_allclose(found[name], w, rtol=tolerance, atol=tolerance)
        assert state[f"{name}.steps"] == len(gradients)


@pytest.mark.parametrize("optimizer", [SGD(), Adam()])
def test_parameters_without_a_gradient_stay(optimizer):
    parameters = {"a": np.ones(3), "b": np.ones(2)}
    optimizer.step(optimizer.start(parameters), parameters, {"b": np.ones(2)}, 0.1)
    np.testing.assert_array_equal(parameters["a"], 1)
    assert (parameters["b"] < 1).all()


def test_rates_drop_at_milestones():
    milestones = Milestones(rate=0.8, epochs=(2, 4))
    assert [milestones.at(k) for k in range(6)] == [0.8, 0.8, 0.2, 0.2, 0.05, 0.05]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(momentum=1.0), r"SGD\.momentum must be in \[0, 1\); got 1"),
        (lambda: SGD(weight_decay=-1.0), r"SGD\.weight_decay must not be negative"),
        (lambda: Adam(beta2=1.0), r"Adam\.beta2 must be in \[0, 1\); got 1"),
        (lambda: Adam(epsilon=0.0), r"Adam\.epsilon must be positive"),
        (lambda: Milestones(rate=-1.0), r"Milestones\.rate must be finite and not negative"),
        (lambda: Milestones(rate=1.0, epochs=(4, 4)), r"Milestones\.epochs must be increasing"),
        (lambda: Milestones(rate=1.0, factor=0.0), r"Milestones\.factor must be in \(0, 1\]"),
    ],
)
def test_unusable_settings_are_refused(make, message):
    with pytest.raises(SettingError, match=message):
        make()


def test_an_array_that_cannot_change_in_place_is_refused():
    turned = {"a": np.ones((2, 3)).T}
    with pytest.raises(SettingError, match="must be C-contiguous"):
        SGD().step({"a.velocity": np.zeros((3, 2))}, turned, {"a": np.ones((3, 2))}, 0.1)
