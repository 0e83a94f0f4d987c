"""The contract of a plasticity rule."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import pairwise

import numpy as np
from numba.core.errors import NumbaError

from neurosim.dynamics import SmoothedDerivative
from neurosim.layers import Dense
from neurosim.ops.grouping import Grouping
from neurosim.plasticity import Factors, Local, PlasticityRule, ThirdFactor
from neurosim.streaming.chunked import Engine
from neurosim.streaming.circuit import LayerCircuit, Shown, State, present
from neurosim.streaming.compiled import compile_rule
from neurosim.streaming.continuous import Continuous
from neurosim.streaming.plan import Planner
from neurosim.streaming.presentations import Presentations
from neurosim.streaming.third_factor import ThirdFactorCircuit
from neurosim.streaming.timeline import Timeline, TwoPoint
from neurosim.testing.promise import close, ensure

N_NEURONS = 12
RATE = 0.002


def check_rule(rule: PlasticityRule) -> None:
    """Check that a plasticity rule is local, elementwise, storable, and runs at full speed.

    Parameters
    ----------
    rule : PlasticityRule
        Any instance. It is shown small streams in float64, by the reference and by the fused engine
        in chunks of several sizes, with and without momentum, weight decay and gaps.

    Raises
    ------
    AssertionError
        If a promise of `PlasticityRule` is broken.
    """
    layer = _layer(0)
    compares = getattr(rule, "compares", None)
    ensure(compares in ("rate", "group", "nothing"), rule, "set `compares`", "See PlasticityRule.")
    _check_settings(rule)
    numbers = rule.constants(layer)
    ensure(
        isinstance(numbers, tuple) and all(np.isfinite(float(n)) for n in numbers),
        rule, "answer `constants` with a tuple of finite numbers",
    )  # fmt: skip
    ensure(
        numbers == rule.constants(_layer(1)), rule, "not depend on weights",
        "`constants` may use the layer's sizes and settings only.",
    )  # fmt: skip
    _check_factors(rule, numbers)
    try:
        compile_rule(type(rule), "float64")
    except NumbaError as error:
        reason = str(error).strip().splitlines()[-1]
        raise AssertionError(
            f"{type(rule).__name__}.factors must compile: use arithmetic and NumPy functions on "
            f"its arguments only. {reason}"
        ) from error
    _check_engines(rule)


def _layer(seed: int) -> Dense:
    """A layer with groups whose weights are drawn from ``seed``."""
    weights = Dense.draw(N_NEURONS, 5, 2.0, np.random.default_rng(seed), "float64")
    return Dense(weights, grouping=Grouping(groups=3))


def _check_settings(rule: PlasticityRule) -> None:
    """Settings are what a run file can hold."""
    try:
        stored = json.loads(json.dumps(asdict(rule)))
    except TypeError as error:
        raise AssertionError(
            f"{type(rule).__name__} must have settings that can be stored as JSON: {error}."
        ) from error
    same = type(rule)(**stored) == rule
    ensure(same, rule, "be rebuilt from its stored settings", "Keep numbers and text only.")


def _draw(rule: PlasticityRule, rng: np.random.Generator) -> tuple[Local, ThirdFactor]:
    """Local variables and third factors of a whole layer, as the circuit would supply them."""
    rate, gain, normalized, mean, square = rng.normal(size=(5, N_NEURONS))
    kept = float(rule.averages > 0)
    taught = float(rule.compares != "nothing")
    third = ThirdFactor(taught * rng.normal(size=N_NEURONS), taught * rng.normal(), rng.uniform())
    return Local(rate, gain, normalized, kept * mean, kept * square**2), third


def _check_factors(rule: PlasticityRule, numbers: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    forgets = False
    for _ in range(20):
        local, third = _draw(rule, rng)
        answer = rule.factors(local, third, numbers)
        ensure(isinstance(answer, Factors), rule, "answer with Factors(post, decay)")
        for name, values in answer._asdict().items():
            fits = np.shape(values) == (N_NEURONS,)
            ensure(
                fits, rule, f"have one {name} for each neuron",
                f"Got shape {np.shape(values)}; a constant is `0.0 * local.rate`.",
            )  # fmt: skip
            ensure(np.isfinite(values).all(), rule, f"have finite {name} for finite activity")
        for n in range(N_NEURONS):
            alone = rule.factors(
                Local(*(values[n] for values in local)),
                third._replace(signal=third.signal[n]), numbers,
            )  # fmt: skip
            same = close(alone, [values[n] for values in answer], 1e-12)
            ensure(
                same, rule, "treat every neuron by itself",
                f"Neuron {n} alone answers otherwise than among others.",
            )  # fmt: skip
        away = rule.factors(local, ThirdFactor(0 * third.signal, 0.0, 0.0), numbers)
        ensure(
            not np.any(away), rule, "leave a trace alone whose third factor and weight are zero",
            "Multiply by third.signal, third.modulator or third.weight.",
        )  # fmt: skip
        forgets = forgets or bool(np.any(answer.decay))
    ensure(
        forgets == rule.row_decay, rule, f"decay as declared, row_decay = {rule.row_decay}",
        f"`factors` {'has' if forgets else 'never has'} a decay other than zero.",
    )  # fmt: skip


def _check_engines(rule: PlasticityRule) -> None:
    """The fused engine gives what the reference gives, however the stream is cut."""
    derivative = SmoothedDerivative(c1=0.02, c2=400.0)
    continuous = Continuous(derivative=derivative, gaps=True, nodes=2)
    timelines: list[Timeline] = [TwoPoint(), TwoPoint(remembered=2), continuous]
    for timeline, momentum, decay in zip(timelines, (0.0, 0.5, 0.0), (0.0, 0.0, 0.3), strict=True):
        layer = _layer(0)
        circuit = LayerCircuit(
            layer=layer, rule=rule, third_factor=ThirdFactorCircuit(sigma=1.0, beta=0.1),
            momentum=momentum, weight_decay=decay, background=np.zeros(layer.n_pre),
        )  # fmt: skip
        with np.errstate(all="ignore"):
            expected = _shown(circuit, timeline, None)
        ensure(
            all(np.isfinite(values).all() for values in expected.values()), rule,
            f"stay finite at a learning rate of {RATE}", "Scale its factors to the order of 1.",
        )  # fmt: skip
        for cuts in ((), (1, 8), (33,)):
            found = _shown(circuit, timeline, cuts)
            for name, values in expected.items():
                same = close(found[name], values)
                ensure(
                    same, rule, "give the same result in the fused engine as in the reference",
                    f"{name} differs with {timeline}, momentum {momentum}, decay {decay}, cuts "
                    f"{cuts}. Compiled code rounds and divides as C does, not as NumPy.",
                )  # fmt: skip


def _shown(circuit: LayerCircuit, timeline: Timeline, cuts: Sequence[int] | None) -> State:
    """State after a stream: presentation by presentation, or fused in chunks cut at ``cuts``."""
    n, rng = 40, np.random.default_rng(1)
    gaps = rng.choice([0.1, 0.2], n) if timeline.at_rest.any() else np.zeros(n)
    labels = rng.integers(0, 3, n)
    stream = Presentations(
        rng.normal(size=(n, circuit.layer.n_pre)), labels, np.full(n, 0.2), gaps
    )  # fmt: skip
    planner = Planner(timeline, circuit.third_factor.beta, 3)
    state = circuit.start((timeline.n_window - 1) * timeline.n_traces)
    plan, _ = planner.plan(planner.start(), stream, np.full(n, RATE))
    rest = plan.at_rest[None, :, None]
    inputs = np.where(rest, circuit.background, stream.stimuli[:, None, :])
    show: Callable[..., tuple[State, Shown]] = functools.partial(present, circuit)
    if cuts is not None:
        show = Engine(circuit).present
    cuts = range(1, n) if cuts is None else cuts
    for first, stop in pairwise([0, *cuts, n]):
        rows = inputs[first:stop].reshape(-1, circuit.layer.n_pre)
        state, _ = show(state, plan.part(first, stop), rows, np.arange(2))
    return state
