"""A memory that holds the whole batch turns the streaming rules into gradient descent on pHSIC.

The judge is the authors' own batched implementation; see tests/golden/README.md.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from neurosim.layers import Dense
from neurosim.ops import similarity
from neurosim.ops.grouping import Grouping
from neurosim.plasticity import GroupedGaussian, Local, PlainGaussian, ThirdFactor
from neurosim.streaming.chunked import Engine
from neurosim.streaming.circuit import LayerCircuit, present
from neurosim.streaming.plan import Planner
from neurosim.streaming.presentations import Presentations
from neurosim.streaming.third_factor import ThirdFactorCircuit
from neurosim.streaming.timeline import TwoPoint

MODES = {
    "plain": (PlainGaussian(), None),
    "grp": (GroupedGaussian(), Grouping(groups=6, p=0.5, divisive=False)),
    "grpdiv": (GroupedGaussian(), Grouping(groups=6, p=0.2)),
}
N_CLASSES, NEVER = 10, 1e-300
"""``NEVER``, as beta, keeps the running mean where it is; as a rate, the weights."""


class Oracle:
    """A layer of one mode, with the published implementation's numbers as attributes."""

    def __init__(self, mode, sigma):
        file = np.load(Path(__file__).parents[1] / "golden" / "phsic_dense.npz")
        tag = f"gauss_{mode}_" + ("s1_" if sigma == 1 else "")
        self.numbers = {k: file[k] for k in ("x", "W", "labels", "Ky", "Kyc")} | {
            name.removeprefix(tag): file[name]
            for name in file
            if name.startswith(tag) and (sigma == 1 or "_s1_" not in name)
        }
        self.rule, self.grouping = MODES[mode]
        self.circuit = LayerCircuit(
            layer=Dense(self.W, grouping=self.grouping),
            rule=self.rule,
            third_factor=ThirdFactorCircuit(sigma=sigma, beta=NEVER),
            background=np.zeros(self.x.shape[1]),
        )
        self.activity = self.circuit.layer.respond(self.x, self.x @ self.W.T)

    def __getattr__(self, name):
        return self.numbers[name]

    @property
    def compared(self):
        """v of the groups, or the rates."""
        rate = self.activity.rate
        return rate if self.grouping is None else self.grouping.evaluate(rate).signal

    @property
    def b2(self):
        """b2 of all ordered pairs."""
        third = self.circuit.third_factor
        k = similarity.gaussian(self.compared, self.compared, third.sigma)
        return third.uncentred(k, similarity.labels(self.labels, self.labels, N_CLASSES))


@pytest.fixture(params=product(MODES, (5, 1)), ids=lambda pair: f"{pair[0]}, sigma {pair[1]}")
def oracle(request):
    return Oracle(*request.param)


def assert_close(found, expected, digits=1e-12):
    np.testing.assert_allclose(found, expected, rtol=0, atol=digits * np.abs(expected).max())


def test_activities_similarities_and_loss_are_the_published_ones(oracle):
    sigma = oracle.circuit.third_factor.sigma
    k = similarity.gaussian(oracle.compared, oracle.compared, sigma)
    k_y = similarity.labels(oracle.labels, oracle.labels, N_CLASSES)
    assert_close(oracle.activity.rate, oracle.z)
    assert_close(oracle.activity.output, oracle.r)
    assert_close(oracle.compared, oracle.v)
    if oracle.grouping is not None:
        assert_close(oracle.grouping.evaluate(oracle.activity.rate).variance, oracle.u)
    assert_close(k, oracle.K)
    assert_close(k_y, oracle.Ky)
    loss = np.mean((k - k.mean()) * k) - 2 * np.mean((k_y - k_y.mean()) * k)
    assert loss == pytest.approx(float(oracle.loss), rel=1e-10)


def test_the_mean_update_of_all_pairs_is_minus_the_gradient(oracle):
    layer, third, m = oracle.circuit.layer, oracle.circuit.third_factor, len(oracle.x)
    modulator = third.modulator(oracle.b2, oracle.b2.mean(), oracle.K)
    normalized = oracle.activity.rate
    if oracle.grouping is not None:
        normalized = oracle.grouping.evaluate(oracle.activity.rate).normalized
    update = np.zeros_like(layer.weights)
    for i, j in product(range(m), repeat=2):
        change = modulator[i, j] * (oracle.compared[i] - oracle.compared[j])
        signal = np.repeat(change, layer.n_post // len(change))
        for sample, sign in ((i, 1), (j, -1)):
            rate, gain = oracle.activity.rate[sample], oracle.activity.gain[sample]
            local = Local(rate, gain, normalized[sample], 0 * rate, 0 * rate)
            taught = ThirdFactor(sign * signal, sign * modulator[i, j], 1.0)
            factors = oracle.rule.factors(local, taught, oracle.rule.constants(layer))
            update += np.outer(factors.post, oracle.x[sample])
    assert_close(update / m**2, -oracle.dLdW)


@pytest.mark.parametrize("engine", ["chunked", "reference"])
def test_showing_the_batch_again_to_a_memory_of_the_batch_descends_the_gradient(oracle, engine):
    """The second time round, each sample meets every other one once: all pairs but the trivial."""
    circuit, m = oracle.circuit, len(oracle.x)
    timeline = TwoPoint(remembered=m - 1)
    planner = Planner(timeline, circuit.third_factor.beta, N_CLASSES)
    twice = Presentations(
        np.tile(oracle.x, (2, 1)), np.tile(oracle.labels, 2), np.ones(2 * m), np.zeros(2 * m)
    )
    plan, _ = planner.plan(planner.start(), twice, np.full(2 * m, NEVER))
    everyone = np.arange(circuit.layer.n_post)
    state = circuit.start(m - 1)
    state["third_factor_mean"] = np.array([oracle.b2.mean()])
    update = np.zeros_like(oracle.W)
    if engine == "chunked":
        state, shown = Engine(circuit).present(state, plan, twice.stimuli, everyone)
        for t in range(m, 2 * m):
            update += shown.post[t].T @ shown.pre[t : t + m]
    else:
        for t, x in enumerate(twice.stimuli):
            state, shown = present(circuit, state, plan.part(t, t + 1), x[None], everyone)
            if t >= m:
                update += shown.post[0].T @ shown.pre
    np.testing.assert_array_equal(state["weights"], oracle.W)
    # the engine takes the mean over the m - 1 pairs of a presentation
    assert_close(update / NEVER * (m - 1) / m**2, -oracle.dLdW)
