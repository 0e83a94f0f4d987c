"""How a contract test says that a promise is broken."""

from __future__ import annotations

from typing import Any

import numpy as np


def ensure(condition: bool | np.bool_, owner: object, promise: str, remedy: str = "") -> None:
    """Raise `AssertionError` in the project's wording unless ``condition`` holds.

    Parameters
    ----------
    condition : bool
        What must be true.
    owner : object
        Whose promise it is: an instance, or its name.
    promise : str
        The promise in words, completing "must".
    remedy : str
        What was found, and what to do about it.
    """
    if not condition:
        name = owner if isinstance(owner, str) else type(owner).__name__
        raise AssertionError(f"{name} must {promise}. {remedy}".rstrip())


def close(one: Any, other: Any, tolerance: float = 1e-10) -> bool:
    """Whether arrays agree to ``tolerance``, relative to their largest value where that exceeds 1.

    Parameters
    ----------
    one, other : array_like
    tolerance : float
    """
    scale = 1.0 + float(np.max(np.abs(other), initial=0.0))
    return np.shape(one) == np.shape(other) and bool(
        np.allclose(one, other, rtol=0, atol=tolerance * scale)
    )
