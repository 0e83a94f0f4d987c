"""Runs of one process share what they load: a data set is in memory once while anybody uses it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from weakref import WeakValueDictionary

from neurosim.data.base import Dataset

_held: WeakValueDictionary[Hashable, Dataset] = WeakValueDictionary()
_loading = threading.RLock()  # the others wait for the first instead of loading it as well


def shared(key: Hashable, make: Callable[[], Dataset]) -> Dataset:
    """Return the data set of this key, made only if nobody holds it yet.

    Parameters
    ----------
    key : hashable
        The same for equal data sets only.
    make : callable
        Makes it.

    Returns
    -------
    Dataset
        Its arrays are read-only: others may be looking at them.
    """
    with _loading:
        found = _held.get(key)
        if found is None:
            found = _held[key] = make()
            for array in (found.x_train, found.y_train, found.x_test, found.y_test):
                array.flags.writeable = False
        return found
