"""The contract of a dynamics."""

from __future__ import annotations

import numpy as np

from neurosim.checks import SettingError
from neurosim.dynamics import Dynamics
from neurosim.testing.promise import close, ensure


def check_dynamics(dynamics: Dynamics, tolerance: float = 1e-9) -> None:
    """Check that a dynamics goes from state to state without side effects, and composes in time.

    Parameters
    ----------
    dynamics : Dynamics
        That can be driven by two rows of four neurons.
    tolerance : float
        How well two relaxations must agree with one as long; raise it for approximate ones.

    Raises
    ------
    AssertionError
        If a promise of `Dynamics` is broken.
    """
    target = np.random.default_rng(0).normal(1.0, 1.0, (2, 4))
    for dtype in (np.float32, np.float64):
        state, goal = dynamics.init((2, 4), dtype), target.astype(dtype)
        before = {name: array.copy() for name, array in state.items()}
        after = dynamics.relax(state, goal, 0.003)
        for name, array in before.items():
            ensure(np.array_equal(state[name], array), dynamics, f"leave {name} untouched")
            ensure(name in after, dynamics, f"answer with all of its state; {name} is missing")
            same = after[name].shape == array.shape and after[name].dtype == array.dtype == dtype
            ensure(same, dynamics, f"keep the shape of {name}, and {np.dtype(dtype)} throughout")
    still = dynamics.relax(after, -target, 0.0)
    ensure(
        all(np.array_equal(still[name], after[name]) for name in after), dynamics,
        "not change in no time",
    )  # fmt: skip
    alone = dynamics.relax(dynamics.init((4,)), target[1], 0.003)
    ensure(
        all(close(alone[name], after[name][1]) for name in after), dynamics,
        "treat every row by itself",
    )  # fmt: skip
    once = dynamics.relax(after, -target, 0.005)
    twice = dynamics.relax(dynamics.relax(after, -target, 0.002), -target, 0.003)
    ensure(
        all(close(twice[name], once[name], tolerance) for name in once), dynamics,
        "relax in two steps as in one", "Is the step length in the equation?",
    )  # fmt: skip
    for duration in (-0.1, np.inf, np.nan):
        try:
            dynamics.relax(after, target, duration)
        except SettingError:
            continue
        ensure(False, dynamics, f"refuse a duration of {duration} s", "Raise SettingError.")
