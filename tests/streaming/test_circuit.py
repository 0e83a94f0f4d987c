"""The reference circuit does what the equations say, written out again neuron by neuron."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pytest

from neurosim.checks import SettingError
from neurosim.dynamics import RecurrentNormalization, SmoothedDerivative
from neurosim.layers import Dense
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import Nonlinearity
from neurosim.plasticity import BCM, Factors, GroupedGaussian, Oja, PlainGaussian, PlasticityRule
from neurosim.streaming.circuit import LayerCircuit
from neurosim.streaming.continuous import Continuous
from neurosim.streaming.neuron import NeuronDynamics
from neurosim.streaming.presentations import UNLABELLED, Presentations
from neurosim.streaming.third_factor import ThirdFactorCircuit
from neurosim.streaming.timeline import TwoPoint

N_PRE, N_POST, SIZE, CLASSES, ETA = 4, 6, 3, 3, 0.3
SIGMA, GAMMA, BETA, P, DELTA, SLOPE = 1.2, 2.0, 0.1, 0.2, 0.7, 0.1
DURATION, C1, C2 = 0.1, 0.03, 300.0


def circuit(rule, **options):
    weights = Dense.draw(N_POST, N_PRE, 2.5, np.random.default_rng(0), "float64")
    layer = Dense(
        weights,
        Nonlinearity(slope=SLOPE),
        Grouping(groups=N_POST // SIZE, p=P, delta=DELTA),
    )
    third = ThirdFactorCircuit(sigma=SIGMA, gamma=GAMMA, beta=BETA)
    settings = {"background": np.zeros(N_PRE)} | options
    return LayerCircuit(layer=layer, rule=rule, third_factor=third, **settings)


def presentations(n=12, labels=None, gap=0.0):
    rng = np.random.default_rng(1)
    drawn = rng.integers(0, CLASSES, n)
    return Presentations(
        rng.normal(size=(n, N_PRE)),
        drawn if labels is None else np.array(labels),
        np.full(n, DURATION),
        np.full(n, gap),
        np.ones(n, bool),
    )


@pytest.fixture
def learn(show):
    """Weights after the presentations at a constant rate."""

    def weights(circuit, shown, timeline=None, eta=ETA, cuts=None):
        rates = np.full(len(shown.labels), eta)
        return show(circuit, timeline or TwoPoint(), shown, rates, cuts=cuts)[0]["weights"]

    return weights


def respond(weights, x):
    """z, f', r and v of one stimulus, by equations 17, 18 and 21."""
    a = weights @ x
    z, gain = np.where(a > 0, a, SLOPE * a), np.where(a > 0, 1.0, SLOPE)
    u, r = [], []
    for group in z.reshape(-1, SIZE):
        u.append((np.sum((group - group.mean()) ** 2) + DELTA) / SIZE)
        r.extend((group - group.mean()) / u[-1] ** P)
    powers = np.array(u) ** (1 - P)
    return z, gain, np.array(r), powers - powers.mean()


def teaching(now, then):
    return 1.0 if now == then else -1 / (CLASSES - 1)


def two_point(weights, shown, rule, remembered=1):
    """Sections 3.2 and 3.4 of the source, one synapse after the other."""
    weights, b3, past = weights.copy(), 0.0, []
    for x_i, y_i, taught in zip(shown.stimuli, shown.labels, shown.taught, strict=True):
        z_i, gain_i, r_i, v_i = respond(weights, x_i)
        change = np.zeros_like(weights)
        for x_j, y_j, (z_j, gain_j, r_j, v_j) in past[-remembered:] if taught else []:
            one, other = (v_i, v_j) if rule == "grouped" else (z_i, z_j)
            k = np.exp(-np.sum((one - other) ** 2) / (2 * SIGMA**2))
            b2 = GAMMA * teaching(y_i, y_j) - 2 * k
            b3 = (1 - BETA) * b3 + BETA * b2
            modulator = -(b2 - b3) * k / SIGMA**2
            for n in range(N_POST):
                for m in range(N_PRE):
                    if rule == "grouped":
                        hebb = r_i[n] * gain_i[n] * x_i[m] - r_j[n] * gain_j[n] * x_j[m]
                        dv = v_i[n // SIZE] - v_j[n // SIZE]
                        change[n, m] += modulator * dv * 2 * (1 - P) / SIZE * hebb
                    else:
                        hebb = gain_i[n] * x_i[m] - gain_j[n] * x_j[m]
                        change[n, m] += modulator * (z_i[n] - z_j[n]) * hebb
        weights += ETA * change / remembered
        past.append((x_i, y_i, (z_i, gain_i, r_i, v_i)))
    return weights


@pytest.mark.parametrize("rule", [PlainGaussian(), GroupedGaussian()])
def test_the_two_point_rules_are_equations_12_and_22(learn, rule):
    shown = presentations()
    name = "grouped" if isinstance(rule, GroupedGaussian) else "plain"
    start = circuit(rule).layer.weights
    expected = two_point(start, shown, name)
    assert np.linalg.norm(expected - start) > 0.1 * np.linalg.norm(start)
    np.testing.assert_allclose(learn(circuit(rule), shown), expected, rtol=0, atol=1e-13)


def test_several_remembered_presentations_are_averaged(learn):
    shown, rule = presentations(), GroupedGaussian()
    # At first some of what is remembered is rest, which has no label and teaches nothing.
    expected = two_point(circuit(rule).layer.weights, shown, "grouped", remembered=3)
    found = learn(circuit(rule), shown, TwoPoint(remembered=3))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


def test_a_gated_presentation_teaches_nothing_now_but_the_next_is_compared_with_it(learn):
    gated = presentations()._replace(taught=np.arange(12) % 4 > 0)
    start = circuit(PlainGaussian()).layer.weights
    silent = learn(circuit(PlainGaussian()), presentations()._replace(taught=np.zeros(12, bool)))
    np.testing.assert_array_equal(silent, start)
    found = learn(circuit(PlainGaussian()), gated)
    expected = two_point(start, gated, "plain")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


def test_without_a_label_nothing_is_learned_and_the_next_has_nothing_to_compare_with(learn, show):
    unlabelled = presentations(4, [0, UNLABELLED, 1, 2])
    start = circuit(PlainGaussian()).layer.weights
    for n, same in ((1, True), (2, True), (3, True), (4, False)):
        found = learn(circuit(PlainGaussian()), Presentations(*(a[:n] for a in unlabelled)))
        assert np.array_equal(found, start) == same
    _, did = show(circuit(PlainGaussian()), TwoPoint(), unlabelled, np.full(4, ETA))
    b2, b3, modulator = did.third[:, 0, 1:].T
    assert (modulator[:3] == 0).all()
    assert (b3[:3] == 0).all()
    assert b3[3] == pytest.approx(BETA * b2[3])


def test_weight_decay_and_momentum(learn):
    shown, rule = presentations(), PlainGaussian()
    momentum, decay = 0.6, 0.4
    # With a rate this small the steps do not depend on each other, so they can be taken one by one.
    tiny = 1e-9
    plain = circuit(rule)
    steps, before = [], plain.layer.weights
    for n in range(1, len(shown.labels) + 1):
        after = learn(plain, Presentations(*(a[:n] for a in shown)), eta=tiny)
        steps.append(after - before)
        before = after
    weights, velocity = plain.layer.weights.copy(), np.zeros_like(plain.layer.weights)
    for step in steps:
        velocity = momentum * velocity + step
        weights = (1 - tiny * decay) * weights + velocity
    found = learn(circuit(rule, momentum=momentum, weight_decay=decay), shown, eta=tiny)
    change = np.abs(weights - plain.layer.weights).max()
    np.testing.assert_allclose(found, weights, rtol=0, atol=1e-5 * change)


def test_ojas_rule_decays_row_by_row(learn):
    shown = presentations()
    weights = circuit(Oja()).layer.weights.copy()
    for x in shown.stimuli:
        z, *_ = respond(weights, x)
        weights += 0.05 * (np.outer(z, x) - z[:, None] ** 2 * weights)
    np.testing.assert_allclose(learn(circuit(Oja()), shown, eta=0.05), weights, atol=1e-14)


def test_running_averages_hold_what_came_before(learn):
    shown, keep = presentations(), 8.0
    weights = circuit(BCM()).layer.weights.copy()
    threshold = np.zeros(N_POST)
    for x in shown.stimuli:
        z, gain, *_ = respond(weights, x)
        weights += 0.02 * np.outer(z * (z - threshold) * gain, x)
        threshold += (z**2 - threshold) / keep
    found = learn(circuit(BCM(averages=keep)), shown, eta=0.02)
    np.testing.assert_allclose(found, weights, atol=1e-14)


def smoothed(weights, shown, gap, delay, eta, n=20_001):
    """Section 3.3: the integral of M dpost (x) dpre over each presentation, on a dense grid.

    Everything is integrated by the trapezoidal rule, hence the many points. Weights take the change
    of a presentation at its offset.
    """
    weights, b3 = weights.copy(), 0.0
    tau = -DURATION / np.log(1 - BETA)
    peak = 1 - (1 + C1 * C2) * np.exp(-C1 * C2)
    rest = (respond(weights, np.zeros(N_PRE)), np.zeros(N_PRE), -10.0)
    past, onset = [rest], 0.0
    t = np.linspace(0, DURATION, n)
    for index, (x, y) in enumerate(zip(shown.stimuli, shown.labels, strict=True)):
        if index and gap:
            past.append((rest[0], rest[1], onset))
        onset += gap
        past.append((respond(weights, x), x, onset))
        # what each stretch of activity contributes at time t of this presentation
        edges = np.array([start for *_, start in past])
        distance = C2 * np.abs(onset + t[:, None] - edges - C1)
        step = 1 - (1 - (1 + distance) * np.exp(-distance)) / peak
        step = np.where(onset + t[:, None] > edges, step, 0)
        share = step - np.append(step[:, 1:], np.zeros((n, 1)), axis=1)
        v = share @ np.array([response[3] for response, *_ in past])
        k = np.exp(-np.sum(v**2, axis=1) / (2 * SIGMA**2))
        pairs = np.zeros((n, N_POST, N_PRE))
        for weight, ((_, gain, r, _), stimulus, _) in zip(share.T, past, strict=True):
            pairs += weight[:, None, None] * np.outer(r * gain, stimulus)
        taught = (t >= delay) & (index > 0)
        b2 = GAMMA * teaching(y, shown.labels[index - 1]) - 2 * k
        grown = np.where(taught, b2 * np.exp(t / tau) / tau, 0)
        grown[taught.argmax()] /= 2  # the trapezoidal rule begins when the signal arrives
        area = (np.cumsum(grown) - grown / 2) * (t[1] - t[0])
        since = np.where(taught, t - delay, 0)
        mean = b3 * np.exp(-since / tau) + np.exp(-t / tau) * area
        modulator = np.where(taught, -(b2 - mean) * k / SIGMA**2, 0)
        rate = 2 * (1 - P) / SIZE * modulator[:, None] * np.repeat(v, SIZE, axis=1)
        change = rate[:, :, None] * pairs
        ends = change[taught.argmax()] / 2 + change[-1] / 2
        weights += eta / DURATION * (change.sum(axis=0) - ends) * (t[1] - t[0])
        b3 = mean[-1]
        onset += DURATION
    return weights


@pytest.mark.parametrize("gap", [0.0, C1])
@pytest.mark.parametrize("delay", [0.0, 0.01])
def test_the_smoothed_level_is_the_integral_over_the_presentation(learn, gap, delay):
    rule, shown = GroupedGaussian(), presentations(5, gap=gap)
    timeline = Continuous(
        derivative=SmoothedDerivative(c1=C1, c2=C2),
        duration=DURATION,
        gaps=gap > 0,
        delay=delay,
        nodes=24,
    )
    start = circuit(rule).layer.weights
    expected = smoothed(start, shown, gap, delay, eta=10.0)
    change = np.abs(expected - start).max()
    assert change > 5e-3
    np.testing.assert_allclose(
        learn(circuit(rule), shown, timeline, eta=10.0), expected, rtol=0, atol=1e-7 * change
    )


@dataclass(frozen=True, kw_only=True)
class Spy(PlasticityRule):
    """Answers with the modulator alone."""

    compares: ClassVar[Literal["rate", "group", "nothing"]] = "rate"

    @staticmethod
    def factors(local, third, constants):
        return Factors(third.modulator + 0.0 * local.rate, 0.0 * local.rate)


def test_a_rule_can_read_the_modulator_without_the_change(learn, show):
    shown = presentations()
    weights, (_, did) = (
        circuit(Spy()).layer.weights,
        show(circuit(Spy()), TwoPoint(), shown, np.full(12, ETA)),
    )
    modulator = did.third[:, 0, 3]
    assert np.abs(modulator).max() > 0.1
    for t in range(1, 12):
        weights = weights + ETA * modulator[t] * (shown.stimuli[t] - shown.stimuli[t - 1])
    np.testing.assert_allclose(learn(circuit(Spy()), shown), weights, atol=1e-13)


def test_the_state_given_is_left_untouched_by_the_reference(show):
    one = circuit(GroupedGaussian(), momentum=0.5)
    before = one.layer.weights.copy()
    state, _ = show(one, TwoPoint(), presentations(), np.full(12, ETA))
    assert not np.array_equal(state["weights"], before)
    np.testing.assert_array_equal(one.layer.weights, before)


def test_parts_that_do_not_fit_are_refused():
    for options, words in (
        ({"momentum": 1.0}, "LayerCircuit.momentum must be in"),
        ({"momentum": -0.1}, "LayerCircuit.momentum must be in"),
        ({"weight_decay": -1.0}, "LayerCircuit.weight_decay must not be negative"),
    ):
        with pytest.raises(SettingError, match=words):
            circuit(PlainGaussian(), **options)
    other = NeuronDynamics(normalization=RecurrentNormalization(group_size=SIZE, p=0.3))
    with pytest.raises(SettingError, match="settle on the layer's own Grouping"):
        circuit(PlainGaussian(), neurons=other)
    with pytest.raises(SettingError, match="GroupedGaussian needs a layer with groups"):
        LayerCircuit(layer=Dense(np.zeros((2, 2))), rule=GroupedGaussian(), background=np.zeros(2))
