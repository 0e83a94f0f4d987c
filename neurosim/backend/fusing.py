"""Elementwise functions that are one kernel on a GPU, and plain array code elsewhere."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from neurosim.backend.arrays import namespace

P = ParamSpec("P")
R = TypeVar("R")


def fused(function: Callable[Concatenate[ModuleType, P], R]) -> Callable[P, R]:
    """Make an elementwise function one pass over memory where its arrays are CuPy's.

    Parameters
    ----------
    function : callable
        Called with the module that computes with its arrays, then with arrays that fit together
        and numbers, all by position. It may use arithmetic, comparisons, in-place operators and
        elementwise functions of the module; nothing that sums or looks at values or shapes.
        Python's numbers take the type of the arrays they meet, and so must meet one; numbers of
        NumPy's bring theirs, and so does what is computed from numbers alone: compute it outside.

    Returns
    -------
    callable
        The same without its first parameter.

    Examples
    --------
    >>> @fused
    ... def norm(xp, a, b):
    ...     return xp.sqrt(a * a + b * b)
    >>> norm(np.array([3.0]), np.array([4.0])).tolist()
    [5.0]
    """

    @functools.cache
    def kernel(cupy: ModuleType) -> Callable[..., R]:
        named = cupy.fuse(kernel_name=function.__name__)
        return named(functools.partial(function, cupy))

    @functools.wraps(function)
    def call(*args: P.args, **named: P.kwargs) -> R:
        arrays: Any = (arg for arg in args if not isinstance(arg, float | int | np.generic))
        xp = namespace(*arrays)
        # Neither NumPy nor a pretend device fuses anything.
        made = kernel(xp) if hasattr(xp, "fuse") else functools.partial(function, xp)
        return made(*args, **named)

    return call
