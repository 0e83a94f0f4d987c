"""The contract of a layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurosim.layers import Layer
from neurosim.testing.device import check_on_device
from neurosim.testing.promise import close, ensure


def check_layer(layer: Layer, pre: np.ndarray | None = None) -> None:
    """Check a layer's shapes, its gain, its pullback against finite differences, and on a device.

    Parameters
    ----------
    layer : Layer
        With parameters in float64, as attributes named as in the gradients.
    pre : ndarray, shape (n, n_pre), optional
        Inputs to try, away from kinks; normal ones if not given.

    Raises
    ------
    AssertionError
        If a promise of `Layer` is broken.
    """
    rng = np.random.default_rng(0)
    if pre is None:
        pre = rng.normal(size=(4, layer.n_pre))  # type: ignore[attr-defined]
    activity = layer.respond(pre, layer.drive(pre))
    for name, values in activity._asdict().items():
        ensure(values.shape[:1] == pre.shape[:1], layer, f"keep the leading axes in {name}")
        ensure(np.isfinite(values).all(), layer, f"have finite {name} for finite inputs")
        ensure(values.dtype == np.float64, layer, f"compute {name} in float64 if its inputs are")
    for i, row in enumerate(pre):
        alone = layer.respond(row, layer.drive(row))
        same = all(close(one, many[i]) for one, many in zip(alone, activity, strict=True))
        ensure(same, layer, "treat every row by itself, with or without leading axes")
    h = 1e-6
    ahead, behind = (layer.respond(pre, activity.drive + s * h).rate for s in (1, -1))
    slope = (ahead - behind) / (2 * h)
    ensure(close(activity.gain, slope, 1e-6), layer, "have the slope of rate as its gain")
    for through, response in (("d_rate", "rate"), ("d_output", "output")):
        cotangent = rng.normal(size=getattr(activity, response).shape)
        d_pre, gradients = layer.pullback(activity, **{through: cotangent})
        values = {"pre": pre} | {name: getattr(layer, name) for name in gradients}
        for name, gradient in ({"pre": d_pre} | gradients).items():
            direction = rng.normal(size=values[name].shape)
            slope = _slope(layer, values["pre"], values[name], direction, cotangent, response)
            ensure(
                close((gradient * direction).sum(), slope, 1e-6), layer,
                f"pull {through} back to the gradient of {name}", f"Finite differences: {slope}.",
            )  # fmt: skip
        check_on_device(layer, _both_ways(layer, through), layer.parameters(), pre, cotangent)


def _both_ways(layer: Layer, through: str) -> Callable[..., Any]:
    def compute(parameters: dict[str, np.ndarray], pre: np.ndarray, cotangent: np.ndarray) -> Any:
        there = layer.with_parameters(parameters)
        activity = there.respond(pre, there.drive(pre))
        return activity, there.pullback(activity, **{through: cotangent})

    return compute


def _slope(
    layer: Layer, pre: np.ndarray, moved: np.ndarray, direction: np.ndarray,
    cotangent: np.ndarray, response: str,
) -> float:  # fmt: skip
    """Derivative of sum(cotangent * response) as ``moved`` goes along ``direction``, in place."""
    original, h, found = moved.copy(), 1e-6, []
    for sign in (1, -1):
        moved[...] = original + sign * h * direction
        activity = layer.respond(pre, layer.drive(pre))
        found.append(float((cotangent * getattr(activity, response)).sum()))
    moved[...] = original
    return (found[0] - found[1]) / (2 * h)
