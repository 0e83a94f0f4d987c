"""The contract of everything that computes with arrays: it does so wherever they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from neurosim.backend import Array, device_of, to_device
from neurosim.testing.pretend import pretend_device
from neurosim.testing.promise import close, ensure


def check_on_device(
    owner: object, compute: Callable[..., Any], *arguments: Any, tolerance: float = 1e-12
) -> None:
    """Check that a function stays on its arguments' device, and does not make anybody wait for it.

    It is called twice: with the arguments, and with copies of them on a pretend device. Tuples,
    named ones too, lists and dicts are looked into for arrays, both in arguments and in results.

    Parameters
    ----------
    owner : object
        Whose promise it is: an instance, or its name.
    compute : callable
        What is called.
    *arguments
        What it is called with, on the CPU.
    tolerance : float
        How well the results must agree, relative to their largest value.

    Raises
    ------
    AssertionError
        If it moves arrays, waits, fails or gives another result on the device.
    """
    with pretend_device() as device:
        there = _mapped(lambda array: to_device(array, "gpu"), arguments)
        device.sends = 0
        try:
            found = list(_leaves(compute(*there)))
        except Exception as error:
            raise AssertionError(
                f"{_name(owner)} must compute where its arrays are. "
                f"It ended in {type(error).__name__}: {error}"
            ) from error
        waits = device.synchronisations + device.fetches
        remedy = (
            f"It did {waits} times: keep numbers such as sums as arrays without axes, and leave "
            "float, int, bool, item and masks of unknown size."
        )
        ensure(waits == 0, owner, "not wait for the device its arrays are on", remedy)
        expected = list(_leaves(compute(*arguments)))
        same = len(found) == len(expected)
        ensure(same, owner, "give as many results on a device as on the CPU")
        for one, other in zip(found, expected, strict=True):
            stays = np.ndim(other) == 0 or device_of(one) == "gpu"
            ensure(stays, owner, "leave its results on the device its arrays are on")
            here = to_device(one, "cpu") if hasattr(one, "dtype") else one
            ensure(
                close(here, other, tolerance), owner, "give the same result on a device",
                f"It gave {here!r} there and {other!r} on the CPU.",
            )  # fmt: skip


def _name(owner: object) -> str:
    return owner if isinstance(owner, str) else type(owner).__name__


def _mapped(change: Callable[[Array], Any], value: Any) -> Any:
    """The value with every array in it changed."""
    match value:
        case np.ndarray():
            return change(value)
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*(_mapped(change, item) for item in value))
        case tuple() | list():
            return type(value)(_mapped(change, item) for item in value)
        case dict():
            return {name: _mapped(change, item) for name, item in value.items()}
    return value


def _leaves(value: Any) -> Iterator[Any]:
    """Every array and number in a value."""
    match value:
        case tuple() | list():
            for item in value:
                yield from _leaves(item)
        case dict():
            for item in value.values():
                yield from _leaves(item)
        case float() | int():
            yield value
        case _ if hasattr(value, "dtype"):
            yield value
