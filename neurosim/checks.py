"""The errors a user can meet, and the one sentence they are all written in.

Every message reads ``Owner.field must <condition>; got <value>. <what to do>``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np


class NeurosimError(Exception):
    """Base of every error neurosim raises on purpose; its text is one readable line."""


class SettingError(NeurosimError, ValueError):
    """A setting, argument or array has a value that cannot be used."""


class DataError(NeurosimError, OSError):
    """A data set is missing, incomplete or not what its checksum says."""


class RunFileError(NeurosimError, OSError):
    """A run file cannot be written, read or resumed."""


class BudgetError(SettingError):
    """A recording would be larger than its budget allows."""


class DivergenceError(NeurosimError, ArithmeticError):
    """A simulation produced NaN or infinity and was stopped."""


class DeviceError(NeurosimError, RuntimeError):
    """A GPU could not do what was asked: its memory is full, or something failed there."""


class Interrupted(NeurosimError):
    """A run was stopped by the user after saving a checkpoint; the text says how to resume it."""


def require(condition: bool, field: str, rule: str, value: Any, remedy: str = "") -> None:
    """Raise `SettingError` in the project's wording unless ``condition`` holds.

    Parameters
    ----------
    condition : bool
        What must be true.
    field : str
        ``Owner.field`` the value belongs to.
    rule : str
        The condition in words, completing "must".
    value : object
        The offending value, shown with `repr`.
    remedy : str
        One sentence that says what to do instead.
    """
    if not condition:
        raise SettingError(f"{field} must {rule}; got {value!r}. {remedy}".rstrip())


def require_one_of(field: str, value: str, known: Iterable[str]) -> None:
    """Raise `SettingError` naming the known values unless ``value`` is one of them."""
    names = sorted(known)
    require(value in names, field, "be one of " + ", ".join(names), value)


def require_finite(field: str, array: np.ndarray) -> None:
    """Raise `SettingError` with the first offending index if ``array`` holds NaN or infinity."""
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise SettingError(
            f"{field} must be finite; got {array[where]} at index {where}. "
            "Clean or drop the sample before presenting it."
        )
