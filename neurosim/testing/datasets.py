"""The contract of a data set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurosim.checks import SettingError
from neurosim.data import Dataset
from neurosim.testing.promise import ensure


def check_dataset(dataset: Dataset) -> None:
    """Check that a data set can be learned from, beyond what `Dataset` itself refuses.

    Parameters
    ----------
    dataset : Dataset

    Raises
    ------
    AssertionError
        If arrays were changed into something unusable, a class is missing, nothing varies, values
        are far from 1 in size, or test samples are also among those to learn from.
    """
    try:
        replace(dataset)  # arrays can be written to: what was refused once is refused again
    except SettingError as error:
        raise AssertionError(str(error)) from error
    name = f"Dataset {dataset.name}"
    for part in ("train", "test"):
        x, y = getattr(dataset, f"x_{part}"), getattr(dataset, f"y_{part}")
        missing = sorted(set(range(dataset.n_classes)) - set(y.tolist()))
        ensure(not missing, name, f"have every class in its {part} part", f"It lacks {missing}.")
        size = float(np.sqrt(np.mean(x.astype(np.float64) ** 2)))
        remedy = f"The root mean square is {size:.3g}: scale the features, say to [-1, 1]."
        ensure(0.01 < size < 30, name, f"have values of order 1 in x_{part}", remedy)
        ensure(len(x) == 1 or np.ptp(x, axis=0).any(), name, f"have {part} samples that differ")
    known = {row.tobytes() for row in dataset.x_train}
    leaked = sum(row.tobytes() in known for row in dataset.x_test) / len(dataset.x_test)
    remedy = f"{leaked:.0%} of the test samples are in both parts."
    ensure(leaked < 0.01, name, "not test on what it learns from", remedy)
