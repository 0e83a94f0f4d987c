"""What samples would teach a network at its present weights, without teaching it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurosim.batched.driver import Batch
from neurosim.batched.trainer import Trainer
from neurosim.checks import require


def rehearse(trainer: Trainer, stimuli: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Change of weights that each layer is asked for, per unit of learning rate.

    It is minus the mean gradient over batches of the trainer's size (up to twice that where the
    samples do not divide). Momentum, weight decay and dropout are left out; the trainer is left as
    it was.

    Parameters
    ----------
    trainer : Trainer
    stimuli : ndarray, shape (n, n_inputs)
        Where the trainer's network is, as are the labels.
    labels : ndarray of int, shape (n,)

    Returns
    -------
    dict of str to ndarray, shape (n_post, n_pre)
        By layer, float64; layers that do not learn are left out.
    """
    driver, network = replace(trainer._driver, dropout=None), trainer.network
    fewest = max(driver.smallest_batch, network.smallest_batch)
    require(len(labels) >= fewest, "rehearse.labels", f"be at least {fewest}", len(labels))
    changes: dict[str, np.ndarray] = {}
    for number, chosen in enumerate(parts(len(labels), trainer._batch)):
        shown = stimuli[chosen].astype(network.dtype, copy=False)
        share = len(shown) / len(labels)
        seeds = trainer._seeds.child(f"rehearsal/{number}")
        batch = Batch(shown, labels[chosen], 0, number, seeds)
        for lesson in driver.lessons(network, trainer._state, batch):
            gradient = lesson.gradients.get(lesson.name)
            if gradient is not None:
                total = changes.setdefault(lesson.name, np.zeros_like(gradient, np.float64))
                total -= share * gradient
    return changes


def parts(samples: int, batch: int) -> list[slice]:
    """The samples in equal batches of at least ``batch``, or in one of them all."""
    found = np.array_split(np.arange(samples), max(1, samples // batch))
    return [slice(int(part[0]), int(part[-1]) + 1) for part in found]
