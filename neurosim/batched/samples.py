"""Samples to learn from: refused at once if they cannot be, and sent to a device once."""

from __future__ import annotations

import numpy as np

from neurosim.backend import Array, to_device
from neurosim.checks import require, require_finite
from neurosim.network import Network


def require_usable(
    network: Network, stimuli: Array, labels: Array, batch: int, smallest: int
) -> None:
    """Refuse what would fail, or teach nothing, somewhere in the first epoch.

    Parameters
    ----------
    network : Network
        That is to learn.
    stimuli : ndarray, shape (n, n_inputs)
    labels : ndarray of int, shape (n,)
    batch : int
        Samples in a batch.
    smallest : int
        Samples the last batch needs.

    Raises
    ------
    SettingError
        In terms of the trainer's arguments.
    """
    n = len(labels)
    shape = (n, network.n_inputs)
    require(stimuli.shape == shape, "Trainer.run(stimuli)", f"be {shape}", stimuli.shape)
    require_finite("Trainer.run(stimuli)", stimuli)
    classes = np.unique(labels)
    field = "Trainer.run(labels)"
    require(len(classes) >= 2, field, "hold at least two classes", classes.tolist())
    inside = classes[0] >= 0 and classes[-1] < network.n_classes
    require(bool(inside), field, f"be in [0, {network.n_classes})", classes[[0, -1]].tolist())
    last = n % batch or batch
    require(
        last >= smallest,
        "Trainer.batch",
        f"leave at least {smallest} of the {n} samples for the last batch",
        batch,
        "One sample has no pairs and no spread: choose another size.",
    )


def sent(network: Network, stimuli: Array, labels: Array) -> tuple[Array, Array]:
    """All samples where the network is; on a device once and for all in its float type."""
    if network.device != "cpu":
        stimuli = stimuli.astype(network.dtype, copy=False)
    return to_device(stimuli, network.device), to_device(labels, network.device)
