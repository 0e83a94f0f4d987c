"""The contract of an objective."""

from __future__ import annotations

import numpy as np

from neurosim.layers import Dense
from neurosim.objectives import Objective
from neurosim.seeds import Seeds
from neurosim.testing.device import check_on_device
from neurosim.testing.promise import close, ensure


def check_objective(objective: Objective, *, n_classes: int = 3, n_post: int = 12) -> None:
    """Check an objective's gradients against finite differences, in float64, and on a device.

    Parameters
    ----------
    objective : Objective
    n_classes : int
        Classes it is made for.
    n_post : int
        Neurons of a layer it fits.

    Raises
    ------
    AssertionError
        If a promise of `Objective` is broken.
    """
    rng = np.random.default_rng(0)
    n = max(6, objective.smallest_batch)
    pre, labels = rng.normal(size=(n, 5)), np.arange(n) % n_classes
    layer = Dense(rng.normal(size=(n_post, 5)))
    activity = layer.respond(pre, layer.drive(pre))
    own, again = (objective.init(layer, n_classes, Seeds(1)) for _ in range(2))
    same = all(np.array_equal(own[name], again[name]) for name in own)
    ensure(same, objective, "draw its parameters from the seeds alone")
    found = objective.evaluate(own, activity, labels)
    ensure(bool(np.isfinite(found.value)), objective, "have a finite value")
    learned = {"rate": found.d_rate, **found.d_parameters}
    ensure(set(found.d_parameters) == set(own), objective, "have a gradient for every parameter")
    values = {"rate": activity.rate, **own}
    for name, gradient in learned.items():
        fits = gradient.shape == values[name].shape and gradient.dtype == np.float64
        ensure(fits, objective, f"have a gradient at {name} of its shape and type")
        h, direction, ends = 1e-6, rng.normal(size=gradient.shape), []
        for sign in (1, -1):
            moved = values | {name: values[name] + sign * h * direction}
            rate = moved.pop("rate")
            at = activity._replace(rate=rate)
            ends.append(objective.evaluate(moved, at, labels).value)
        slope = (ends[0] - ends[1]) / (2 * h)
        ensure(
            close((gradient * direction).sum(), slope, 1e-5), objective,
            f"have the gradient of its value at {name}", f"Finite differences: {slope}.",
        )  # fmt: skip
    order = rng.permutation(n)
    shuffled = activity._replace(**{k: v[order] for k, v in activity._asdict().items()})
    other = objective.evaluate(own, shuffled, labels[order])
    ensure(
        close(other.value, found.value, 1e-9) and close(other.d_rate, found.d_rate[order], 1e-6),
        objective,
        "not depend on the order of the samples",
    )
    check_on_device(objective, objective.evaluate, own, activity, labels)
