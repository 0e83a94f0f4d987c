"""Six nonlinearities: closed forms, gains, and the fused rows."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.checks import SettingError
from neurosim.ops.nonlinearity import (
    CODES,
    SELU_ALPHA,
    SELU_SCALE,
    Nonlinearity,
    gain_row,
    rate_row,
)

SLOPE = 0.13
CLOSED = {
    "identity": lambda a: a,
    "relu": lambda a: a if a > 0 else 0.0,
    "leaky_relu": lambda a: a if a > 0 else SLOPE * a,
    "selu": lambda a: SELU_SCALE * (a if a > 0 else SELU_ALPHA * math.expm1(a)),
    "softplus": lambda a: math.log1p(math.exp(a)),
    "tanh": math.tanh,
}
KINKED = {"relu", "leaky_relu", "selu"}
every = pytest.mark.parametrize("name", sorted(CODES))
drives = st.floats(-20, 20).filter(lambda a: abs(a) > 1e-3)


def make(name):
    return Nonlinearity(name=name, slope=SLOPE)


def fused(f, drive):
    rate, gain = np.empty_like(drive), np.empty_like(drive)
    rate_row(f.code, f.slope, drive, rate)
    gain_row(f.code, f.slope, rate, gain)
    return rate, gain


def test_every_name_is_tested():
    assert set(CLOSED) == set(CODES)
    assert sorted(CODES.values()) == list(range(len(CODES)))


@every
@settings(deadline=None, max_examples=50)
@given(drive=drives)
def test_rate_is_the_closed_form(name, drive):
    rate = make(name).rate(np.array([drive]))
    np.testing.assert_allclose(rate[0], CLOSED[name](drive), rtol=1e-13, atol=1e-15)


def test_selu_constants_keep_a_unit_normal_at_mean_0_and_variance_1():
    fine = np.linspace(-12, 12, 200_001)  # the kink at 0 is a node
    density = np.exp(-(fine**2) / 2) / math.sqrt(2 * math.pi)
    z = make("selu").rate(fine)
    assert np.trapezoid(density * z, fine) == pytest.approx(0, abs=1e-7)
    assert np.trapezoid(density * z**2, fine) == pytest.approx(1, abs=1e-7)


@every
@settings(deadline=None, max_examples=50)
@given(drive=drives)
def test_gain_is_the_slope_of_the_rate(name, drive):
    f, h = make(name), 1e-5
    stencil = f.rate(drive + h * np.array([-2.0, -1.0, 1.0, 2.0]))
    slope = stencil @ np.array([1, -8, 8, -1]) / (12 * h)
    gain = f.gain(f.rate(np.array([drive])))[0]
    np.testing.assert_allclose(gain, slope, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "gain"), [("relu", 0), ("leaky_relu", SLOPE)])
def test_at_the_kink_the_gain_is_that_of_the_negative_side(name, gain):
    f = make(name)
    np.testing.assert_allclose(f.gain(f.rate(np.array([0.0, -0.0]))), gain)


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fused_rows_are_the_reference(name, dtype):
    f = make(name)
    drive = (4 * np.random.default_rng(0).standard_normal(101)).astype(dtype)
    drive[:2] = 0.0, -0.0
    rate, gain = fused(f, drive)
    reference = f.rate(drive)
    assert reference.dtype == f.gain(reference).dtype == dtype
    few = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(rate, reference, rtol=few, atol=few)
    np.testing.assert_allclose(gain, f.gain(reference), rtol=few, atol=few)


@every
@pytest.mark.parametrize("variant", ["reference", "fused"])
def test_extreme_drives_stay_what_they_mean(name, variant):
    """Large, infinite and undefined drives: the limits of the closed form, without warnings."""
    f = make(name)
    drive = np.array([1e300, -1e300, np.inf, -np.inf, 1e-300, -1e-300, np.nan])
    if variant == "fused":
        rate, gain = fused(f, drive)
    else:
        rate = f.rate(drive)
        gain = f.gain(rate)
    top = 1.0 if name == "tanh" else drive[0] * (SELU_SCALE if name == "selu" else 1)
    bottom = {
        "identity": -1e300,
        "relu": 0.0,
        "leaky_relu": -SLOPE * 1e300,
        "selu": -SELU_SCALE * SELU_ALPHA,
        "softplus": 0.0,
        "tanh": -1.0,
    }[name]
    np.testing.assert_allclose(rate[:2], [top, bottom], rtol=1e-15)
    assert rate[2] == (1.0 if name == "tanh" else np.inf)
    assert rate[3] == bottom * (np.inf if abs(bottom) > 1e10 else 1)
    small = math.log(2) if name == "softplus" else 0.0
    np.testing.assert_allclose(rate[4:6], small, atol=1e-299)
    assert np.isnan(rate[6])
    assert np.isfinite(gain[:6]).all()


@every
def test_the_rate_is_never_the_drive_itself(name):
    drive = np.ones(3)
    assert not np.shares_memory(make(name).rate(drive), drive)


def test_unusable_settings_are_refused():
    with pytest.raises(SettingError, match=r"Nonlinearity\.name must be one of identity, .*'relo'"):
        Nonlinearity(name="relo")
    for slope in (-0.1, 1.0, np.nan):
        with pytest.raises(SettingError, match=r"Nonlinearity\.slope must be in \[0, 1\)"):
            Nonlinearity(slope=slope)
