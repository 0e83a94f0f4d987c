"""The contract tests: what the project offers passes, what breaks a promise is told so."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.special

from neurosim.data import Clusters, load
from neurosim.dynamics import Dynamics, LeakyIntegrator, RecurrentNormalization
from neurosim.layers import Dense
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import CODES, Nonlinearity
from neurosim.plasticity import RULES, Factors, PlasticityRule
from neurosim.seeds import Seeds
from neurosim.testing import check_dataset, check_dynamics, check_layer, check_rule

SCALE = 1.0  # read by a rule below, and changed behind its back


@pytest.mark.parametrize("name", RULES)
def test_every_rule_of_the_project_passes(name):
    check_rule(RULES[name].example())


@dataclass(frozen=True, kw_only=True)
class Users(PlasticityRule):
    """A rule somebody might write: Hebbian with a power, averages and a third factor."""

    compares: ClassVar = "rate"
    averages: float = 10.0
    power: float = 1.5

    def constants(self, layer):
        return (self.power, 1 / layer.n_pre)

    @staticmethod
    def factors(local, third, constants):
        size = np.abs(local.rate) ** constants[0] * constants[1]
        post = third.signal * size + third.modulator * (local.rate - local.mean_rate)
        return Factors(post + third.weight * local.gain * local.mean_square, 0.0 * local.rate)


def test_a_users_rule_passes():
    check_rule(Users())


@dataclass(frozen=True, kw_only=True)
class Plain(PlasticityRule):
    """The smallest good rule; those below break one promise of it."""

    compares: ClassVar = "nothing"

    @staticmethod
    def factors(local, third, constants):
        return Factors(third.weight * local.rate, 0.0 * local.rate)


class Undecided(Plain):
    compares: ClassVar = None


class Crowd(Plain):
    @staticmethod
    def factors(local, third, constants):
        return Factors(third.weight * (local.rate - np.mean(local.rate)), 0.0 * local.rate)


class Shapeless(Plain):
    @staticmethod
    def factors(local, third, constants):
        return Factors(third.weight * local.rate, 0.0)


class Pair(Plain):
    @staticmethod
    def factors(local, third, constants):
        return third.weight * local.rate, 0.0 * local.rate


class Secret(Plain):
    @staticmethod
    def factors(local, third, constants):
        return Factors(third.weight * local.rate, third.weight * local.rate**2)


class Boast(Plain):
    row_decay: ClassVar = True


class Peeping(Plain):
    def constants(self, layer):
        return (float(layer.weights.sum()),)


class Vector(Plain):
    def constants(self, layer):
        return np.zeros(3)


class Restless(Plain):
    @staticmethod
    def factors(local, third, constants):
        return Factors(local.rate, 0.0 * local.rate)


class Undefined(Plain):
    @staticmethod
    def factors(local, third, constants):
        with np.errstate(invalid="ignore"):
            return Factors(third.weight * np.sqrt(local.rate), 0.0 * local.rate)


class Interpreted(Plain):
    @staticmethod
    def factors(local, third, constants):
        return Factors(third.weight * scipy.special.expit(local.rate), 0.0 * local.rate)


class Explosive(Plain):
    @staticmethod
    def factors(local, third, constants):
        return Factors(1e200 * third.weight * local.rate, 0.0 * local.rate)


class Global(Plain):
    @staticmethod
    def factors(local, third, constants):
        return Factors(SCALE * third.weight * local.rate, 0.0 * local.rate)


@dataclass(frozen=True, kw_only=True)
class Unstorable(Plain):
    pattern: Any = range(3)


@dataclass(frozen=True, kw_only=True)
class Changing(Plain):
    pattern: Any = (1, 2)


@pytest.mark.parametrize(
    ("rule", "promise"),
    [
        (Undecided, "set `compares`"),
        (Crowd, "treat every neuron by itself"),
        (Shapeless, r"have one decay for each neuron. Got shape \(\)"),
        (Pair, "answer with Factors"),
        (Secret, "decay as declared, row_decay = False"),
        (Boast, "decay as declared, row_decay = True.*never has"),
        (Peeping, "not depend on weights"),
        (Vector, "answer `constants` with a tuple"),
        (Restless, "leave a trace alone"),
        (Undefined, "have finite post for finite activity"),
        (Interpreted, "must compile"),
        (Explosive, "stay finite at a learning rate"),
        (Unstorable, "settings that can be stored as JSON"),
        (Changing, "be rebuilt from its stored settings"),
    ],
    ids=lambda case: case.__name__ if isinstance(case, type) else "",
)
def test_a_rule_that_breaks_a_promise_is_told(rule, promise):
    check_rule(Plain())
    with pytest.raises(AssertionError, match=rf"{rule.__name__}.*{promise}"):
        check_rule(rule())


def test_a_rule_that_reads_a_changing_global_differs_between_engines(monkeypatch):
    check_rule(Global())
    monkeypatch.setitem(globals(), "SCALE", 2.0)  # compiled code has kept the 1
    with pytest.raises(AssertionError, match="Global must give the same result in the fused"):
        check_rule(Global())


def test_the_layers_of_the_project_pass():
    check_layer(Dense.example())
    for name in CODES:
        check_layer(replace(Dense.example(), nonlinearity=Nonlinearity(name=name)))
    check_layer(replace(Dense.example(), grouping=Grouping(groups=2, divisive=False)))
    check_layer(replace(Dense.example(), grouping=None))


class Loud(Dense):
    def drive(self, pre):
        return super().drive(pre) - super().drive(pre).mean(axis=0)


class Steep(Dense):
    def respond(self, pre, drive):
        activity = super().respond(pre, drive)
        return activity._replace(gain=2 * activity.gain)


class Deaf(Dense):
    """Forgets divisive normalization on the way back."""

    def pullback(self, activity, *, d_rate=None, d_output=None):
        return super().pullback(activity, d_rate=d_output if d_rate is None else d_rate)


class Swapped(Dense):
    def pullback(self, activity, **through):
        d_pre, gradients = super().pullback(activity, **through)
        return d_pre, {"weights": -gradients["weights"]}


class Coarse(Dense):
    def respond(self, pre, drive):
        activity = super().respond(pre, drive)
        return activity._replace(rate=activity.rate.astype(np.float32))


@pytest.mark.parametrize(
    ("layer", "promise"),
    [
        (Loud, "treat every row by itself"),
        (Steep, "have the slope of rate as its gain"),
        (Deaf, "pull d_output back to the gradient of pre"),
        (Swapped, "pull d_rate back to the gradient of weights"),
        (Coarse, "compute rate in float64"),
    ],
)
def test_a_layer_that_breaks_a_promise_is_told(layer, promise):
    with pytest.raises(AssertionError, match=f"{layer.__name__} must {promise}"):
        check_layer(layer.example())


def test_checking_a_layer_leaves_its_weights_alone():
    layer = Dense.example()
    before = layer.weights.copy()
    check_layer(layer, np.random.default_rng(1).normal(size=(3, 5)))
    np.testing.assert_array_equal(layer.weights, before)


@pytest.mark.parametrize(
    "dynamics", [cls.example() for cls in Dynamics.__subclasses__()], ids=lambda d: type(d).__name__
)
def test_the_dynamics_of_the_project_pass(dynamics):
    check_dynamics(dynamics, 1e-3 if isinstance(dynamics, RecurrentNormalization) else 1e-9)


class Hasty(LeakyIntegrator):
    """Euler's method in one step."""

    def relax(self, state, target, duration):
        super().relax(state, target, duration)
        h = state["potential"]
        return {"potential": (h + duration / self.tau * (target - h)).astype(h.dtype)}


class Careless(LeakyIntegrator):
    def relax(self, state, target, duration):
        state["potential"][...] = super().relax(state, target, duration)["potential"]
        return state


class Wide(LeakyIntegrator):
    def relax(self, state, target, duration):
        return {"potential": super().relax(state, target, duration)["potential"].astype(float)}


class Sociable(LeakyIntegrator):
    def relax(self, state, target, duration):
        mean = np.broadcast_to(target.mean(axis=0, keepdims=True), target.shape)
        return super().relax(state, mean.astype(target.dtype), duration)


class Amnesic(LeakyIntegrator):
    def relax(self, state, target, duration):
        return {"other": super().relax(state, target, duration)["potential"]}


class Drifting(LeakyIntegrator):
    def relax(self, state, target, duration):
        moved = super().relax(state, target, duration)["potential"]
        return {"potential": moved + moved.dtype.type(1e-3)}


class Trusting(LeakyIntegrator):
    def relax(self, state, target, duration):
        return super().relax(state, target, max(duration, 0.0) if duration == duration else 0.0)


@pytest.mark.parametrize(
    ("dynamics", "promise"),
    [
        (Hasty, "relax in two steps as in one"),
        (Careless, "leave potential untouched"),
        (Wide, "keep the shape of potential, and float32"),
        (Sociable, "treat every row by itself"),
        (Amnesic, "answer with all of its state; potential is missing"),
        (Drifting, "not change in no time"),
        (Trusting, "refuse a duration of -0.1 s"),
    ],
)
def test_a_dynamics_that_breaks_a_promise_is_told(dynamics, promise):
    with pytest.raises(AssertionError, match=f"{dynamics.__name__} must {promise}"):
        check_dynamics(dynamics.example())


@pytest.fixture(scope="module")
def clusters():
    return Clusters(n_train=60, n_test=40).generate(Seeds(0))


def test_the_data_sets_at_hand_pass(clusters):
    check_dataset(clusters)
    check_dataset(load("digits"))


def test_a_data_set_that_cannot_be_learned_from_is_told(clusters):
    x, y = clusters.x_train, clusters.y_train
    with pytest.raises(AssertionError, match=r"have every class in its test part. It lacks \[0\]"):
        check_dataset(replace(clusters, y_test=np.maximum(clusters.y_test, 1)))
    with pytest.raises(AssertionError, match=r"values of order 1 in x_train.*: scale the features"):
        check_dataset(replace(clusters, x_train=200 * x))
    with pytest.raises(AssertionError, match="have train samples that differ"):
        check_dataset(replace(clusters, x_train=np.tile(x[0], (60, 1))))
    with pytest.raises(AssertionError, match=r"not test on what it learns from\. 25% of the test"):
        check_dataset(replace(clusters, x_test=np.vstack([x[:10], clusters.x_test[10:]])))
    broken = replace(clusters, x_train=x.copy(), y_train=y.copy())
    broken.x_train[3, 2] = np.nan
    with pytest.raises(AssertionError, match=r"x_train must be finite; got nan at index \(3, 2\)"):
        check_dataset(broken)
