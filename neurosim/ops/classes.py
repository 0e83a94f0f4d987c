"""Labels that are no class: refused where they can be looked at, else made visible as NaN."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from neurosim.backend import Array, at_hand, fused
from neurosim.checks import require


def of_classes(field: str, values: Array, labels: Array, n_classes: int) -> Array:
    """``values`` themselves if each of their rows has a class for its label.

    Looking at labels on a device would wait for it; there, rows whose label is no class become NaN,
    and so does what is computed from them.

    Parameters
    ----------
    field : str
        ``Owner.field`` the labels belong to.
    values : ndarray, shape (n, ...)
        Float.
    labels : ndarray of int, shape (n,)
    n_classes : int

    Raises
    ------
    SettingError
        If a label on the CPU is not in [0, n_classes).
    """
    if at_hand(labels):
        inside = (labels >= 0) & (labels < n_classes)
        require(bool(inside.all()), field, f"be in [0, {n_classes})", labels[~inside][:1])
        return values
    return _kept(values, labels.reshape(-1, *(1,) * (values.ndim - 1)), n_classes)


@fused
def _kept(xp: ModuleType, values: Array, labels: Array, n_classes: int) -> Array:
    """The values of labels that are classes, else NaN."""
    return xp.where((labels >= 0) & (labels < n_classes), values, np.nan)
