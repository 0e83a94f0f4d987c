"""Batch norm: against PyTorch's numbers and finite differences, while learning and afterwards."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurosim.checks import SettingError
from neurosim.layers import BatchNorm, Dense
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import Nonlinearity
from neurosim.testing import check_on_device

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "batch_norm.npz")
RNG = np.random.default_rng(0)


def make(n=12):
    rng = np.random.default_rng(1)
    return BatchNorm(
        scale=rng.normal(1, 0.3, n), shift=rng.normal(size=n), mean=rng.normal(size=n),
        variance=rng.uniform(0.5, 2, n),
    )  # fmt: skip


def test_golden_batches():
    start = BatchNorm.start(4, "float64")
    norm = start.with_arrays(start.arrays() | {k: GOLDEN[k] for k in ("scale", "shift")})
    for k in (1, 2):
        learning, drive = norm.learning(), GOLDEN[f"drive{k}"]
        np.testing.assert_allclose(learning.forward(drive), GOLDEN[f"seen{k}"], rtol=1e-12)
        d_drive, own = learning.pullback(drive, GOLDEN[f"d_seen{k}"])
        np.testing.assert_allclose(d_drive, GOLDEN[f"d_drive{k}"], rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(own["scale"], GOLDEN[f"d_scale{k}"], rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(own["shift"], GOLDEN[f"d_shift{k}"], rtol=1e-11, atol=1e-13)
        norm = norm.with_arrays(norm.arrays() | norm.averages(drive))
        np.testing.assert_allclose(norm.mean, GOLDEN[f"mean{k}"], rtol=1e-12)
        np.testing.assert_allclose(norm.variance, GOLDEN[f"variance{k}"], rtol=1e-12)
    after = norm.forward(GOLDEN["drive1"])
    np.testing.assert_allclose(after, GOLDEN["seen_after"], rtol=1e-12)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("through", ["rate", "output"])
def test_a_layers_pullback_is_the_gradient_along_random_directions(together, through):
    rng, h = np.random.default_rng(2), 1e-6
    norm = replace(make(), together=together)
    weights, pre = rng.normal(size=(12, 5)), rng.normal(size=(7, 5))
    layer = Dense(weights, Nonlinearity(name="softplus"), Grouping(groups=3), norm)
    cotangent = rng.normal(size=(7, 12))

    def value(x, arrays):
        moved = layer.with_parameters(arrays)
        return (cotangent * getattr(moved.respond(x, moved.drive(x)), through)).sum()

    activity, arrays = layer.respond(pre, layer.drive(pre)), layer.parameters()
    d_pre, gradients = layer.pullback(activity, **{f"d_{through}": cotangent})
    assert set(gradients) == {"weights", "batch_norm/scale", "batch_norm/shift"}
    for name, found in ({"pre": d_pre} | gradients).items():
        direction = rng.normal(size=found.shape)
        ends = []
        for step in (h, -h):
            if name == "pre":
                ends.append(value(pre + step * direction, arrays))
            else:
                ends.append(value(pre, arrays | {name: arrays[name] + step * direction}))
        assert (found * direction).sum() == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-6)


def test_a_layer_normalizes_between_weights_and_nonlinearity():
    layer = Dense(RNG.normal(size=(12, 5)), batch_norm=BatchNorm.start(12, "float64")).learning()
    pre = RNG.normal(3, 2, (50, 5))
    activity = layer.respond(pre, layer.drive(pre))
    normal = (activity.drive - activity.drive.mean(axis=0)) / activity.drive.std(axis=0)
    np.testing.assert_allclose(activity.rate, layer.nonlinearity.rate(normal), rtol=1e-4, atol=1e-4)


def test_float32_stays_float32():
    norm, drive = BatchNorm.start(3).learning(), np.ones((4, 3), np.float32)
    d_drive, own = norm.pullback(drive, drive)
    everything = [norm.forward(drive), d_drive, *own.values(), *norm.averages(drive).values()]
    assert {array.dtype for array in everything} == {np.dtype(np.float32)}


def test_what_makes_no_sense_is_refused():
    with pytest.raises(SettingError, match=r"be a batch of at least two: .* got \(1, 12\)"):
        make().learning().forward(np.zeros((1, 12)))
    with pytest.raises(SettingError, match=r"be a batch of at least two: .* got \(12,\)"):
        make().learning().forward(np.zeros(12))
    with pytest.raises(SettingError, match=r"Dense\.batch_norm must be \(3,\); got \(12,\)"):
        Dense(np.zeros((3, 2)), batch_norm=make())
    with pytest.raises(SettingError, match=r"BatchNorm\.momentum must be in \(0, 1\]; got 0"):
        replace(make(), momentum=0.0)
    with pytest.raises(SettingError, match=r"BatchNorm\.epsilon must be positive; got 0"):
        replace(make(), epsilon=0.0)
    with pytest.raises(SettingError, match=r"BatchNorm\.scale must have one shape"):
        replace(make(), scale=np.ones(3))


@pytest.mark.parametrize("together", [False, True])
def test_it_computes_where_its_drive_is(together):
    drive, d_seen = RNG.normal(size=(2, 7, 12))

    def compute(arrays, drive, d_seen):
        norm = replace(make().with_arrays(arrays), together=together)
        return norm.forward(drive), norm.pullback(drive, d_seen), norm.averages(drive)

    check_on_device(make(), compute, make().arrays(), drive, d_seen)
