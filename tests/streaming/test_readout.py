"""The online read-out: the delta rule, fused and in plain NumPy."""

import numpy as np
import pytest

from neurosim.checks import SettingError
from neurosim.streaming.presentations import UNLABELLED
from neurosim.streaming.readout import ReadOut, present_reference

CLASSES, PRE = 4, 6


def drawn(n=40, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, n)
    labels[::7] = UNLABELLED
    return rng.normal(size=(n, PRE)).astype(dtype), labels, rng.uniform(0, 0.3, n)


def started(readout, dtype=np.float64):
    state, rng = readout.start(PRE, np.dtype(dtype)), np.random.default_rng(9)
    return {name: rng.normal(size=a.shape).astype(dtype) for name, a in state.items()}


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-4)])
def test_the_walk_is_one_presentation_after_the_other(momentum, decay, dtype, rtol):
    readout = ReadOut(n_classes=CLASSES, momentum=momentum, weight_decay=decay)
    inputs, labels, eta = drawn(dtype=dtype)
    fused, plain = started(readout, dtype), started(readout, np.float64)
    if momentum == 0:  # then velocities are not kept
        plain["velocity"][:] = plain["bias_velocity"][:] = 0
    predicted = readout.present(fused, inputs, labels, eta)
    expected = [
        present_reference(readout, plain, x.astype(float), int(y), float(e))
        for x, y, e in zip(inputs, labels, eta, strict=True)
    ]
    if dtype == np.float64:
        assert predicted.tolist() == expected
    for name in ("weights", "bias") if momentum == 0 else plain:
        assert fused[name].dtype == dtype
        np.testing.assert_allclose(fused[name], plain[name], rtol=rtol, atol=rtol)


def test_chunks_do_not_matter():
    readout = ReadOut(n_classes=CLASSES, momentum=0.5, weight_decay=0.1)
    inputs, labels, eta = drawn()
    whole, cut = started(readout), started(readout)
    predicted = readout.present(whole, inputs, labels, eta)
    parts = [slice(0, 1), slice(1, 20), slice(20, 40)]
    pieces = [readout.present(cut, inputs[p], labels[p], eta[p]) for p in parts]
    np.testing.assert_array_equal(np.concatenate(pieces), predicted)
    for name in whole:
        np.testing.assert_array_equal(whole[name], cut[name])


def test_one_step_follows_the_gradient_of_cross_entropy():
    readout, (inputs, _, _) = ReadOut(n_classes=CLASSES), drawn(1)
    before, label, eta, h = started(readout), 2, 0.1, 1e-6

    def loss(weights, bias):
        drive = weights @ inputs[0] + bias
        return np.log(np.exp(drive).sum()) - drive[label]

    after = {name: a.copy() for name, a in before.items()}
    readout.present(after, inputs, np.array([label]), np.array([eta]))
    for name in ("weights", "bias"):
        step = (after[name] - before[name]) / eta
        for i in np.ndindex(step.shape):
            ahead, behind = ({n: a.copy() for n, a in before.items()} for _ in range(2))
            ahead[name][i] += h
            behind[name][i] -= h
            slope = loss(ahead["weights"], ahead["bias"]) - loss(behind["weights"], behind["bias"])
            assert step[i] == pytest.approx(-slope / (2 * h), abs=1e-8)


def test_the_prediction_comes_before_the_lesson():
    readout = ReadOut(n_classes=2)
    state = readout.start(1, np.dtype(float))
    predicted = readout.present(state, np.ones((2, 1)), np.array([1, 1]), np.ones(2))
    assert predicted.tolist() == [0, 1]


def test_without_a_label_it_only_predicts():
    readout, (inputs, labels, eta) = ReadOut(n_classes=CLASSES, momentum=0.5), drawn()
    state = started(readout)
    before = {name: a.copy() for name, a in state.items()}
    scores = inputs @ before["weights"].T + before["bias"]
    predicted = readout.present(state, inputs, np.full_like(labels, UNLABELLED), eta)
    assert predicted.tolist() == scores.argmax(axis=1).tolist()
    for name in state:
        np.testing.assert_array_equal(state[name], before[name])


def test_huge_scores_do_not_overflow():
    readout = ReadOut(n_classes=CLASSES)
    state = started(readout)
    readout.present(state, np.full((3, PRE), 1e6), np.array([0, 1, 2]), np.full(3, 0.1))
    assert all(np.isfinite(array).all() for array in state.values())


def test_it_learns_what_is_linearly_separable():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(2000, PRE))
    labels = (inputs @ rng.normal(size=(PRE, CLASSES))).argmax(axis=1)
    readout = ReadOut(n_classes=CLASSES)
    state = readout.start(PRE, inputs.dtype)
    predicted = readout.present(state, inputs, labels, np.full(2000, 0.1))
    assert (predicted[:200] == labels[:200]).mean() < (predicted[-500:] == labels[-500:]).mean()
    assert (predicted[-500:] == labels[-500:]).mean() > 0.9


@pytest.mark.parametrize("change", [{"n_classes": 1}, {"momentum": 1.0}, {"weight_decay": -0.1}])
def test_unusable_settings_are_refused(change):
    (field,) = change
    with pytest.raises(SettingError, match=rf"ReadOut\.{field} must"):
        ReadOut(**({"n_classes": 3} | change))
