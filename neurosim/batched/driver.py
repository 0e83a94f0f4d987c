"""What every way of learning from batches has in common: lessons, and the steps taken on them.

A driver only says what each part of the network is taught by a batch. It yields these lessons one
by one, as they become known, and each part takes its step before the driver goes on: during the
forward pass where learning is local, during the backward pass where it is not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from neurosim.backend import Scalar, at_hand, to_device
from neurosim.checks import DivergenceError
from neurosim.layers import Activity
from neurosim.layers.base import Gradients
from neurosim.layers.batch_norm import is_average
from neurosim.network import Network
from neurosim.objectives import cross_entropy
from neurosim.ops.dropout import Dropout, Mask
from neurosim.optimizers import Milestones, Optimizer
from neurosim.seeds import Seeds

State = dict[str, np.ndarray]


class Batch(NamedTuple):
    """Samples shown together, where the network is.

    stimuli : (n, n_inputs).
    labels : (n,) of int.
    epoch, number : where in the run, counted from 0; `number` within the epoch.
    seeds : what is drawn for this batch is drawn from here.
    """

    stimuli: np.ndarray
    labels: np.ndarray
    epoch: int
    number: int
    seeds: Seeds


class Lesson(NamedTuple):
    """What a batch teaches one part.

    name : ``layer1``, ``layer2``, ..., ``readout``.
    loss : what the part minimises, or None if it has no loss of its own; see `Evaluation`.
    gradients : by name of the parameter.
    averages : running averages of batch norm after the batch, by name of the parameter.
    """

    name: str
    loss: Scalar | None
    gradients: Gradients
    averages: Mapping[str, np.ndarray] = MappingProxyType({})


class Reading(NamedTuple):
    """The read-out's lesson, and the gradient at its scores, (n, n_classes)."""

    lesson: Lesson
    d_scores: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Learner:
    """An optimizer and its learning rate."""

    optimizer: Optimizer
    rate: Milestones


@dataclass(frozen=True, kw_only=True)
class Driver(ABC):
    """A way of learning from batches.

    Parameters
    ----------
    readout : Learner
        Of the read-out.
    layers : Learner, optional
        Of all layers, and of what they learn beside their weights; None leaves them as they are.
    dropout : Dropout, optional
        Of every layer's output, on its way to the next layer or the read-out.
    """

    readout: Learner
    layers: Learner | None = None
    dropout: Dropout | None = None

    @property
    @abstractmethod
    def smallest_batch(self) -> int:
        """Samples a batch needs for its lessons to be defined."""

    @abstractmethod
    def own(self, network: Network, seeds: Seeds) -> tuple[State, State]:
        """What the driver adds to the network's parameters: what is learned, what stays fixed.

        Drawn with NumPy, on the CPU; `start` moves it to where the network is.
        """

    @abstractmethod
    def lessons(self, network: Network, state: State, batch: Batch) -> Iterator[Lesson]:
        """What a batch teaches each part; nothing is changed here."""

    def start(self, network: Network, seeds: Seeds) -> State:
        """State before the first batch: the driver's own arrays, and the optimizers'."""
        learned, fixed = (
            {name: to_device(array, network.device) for name, array in own.items()}
            for own in self.own(network, seeds)
        )
        state = {**learned, **fixed}
        for name, array in (network.parameters() | learned).items():
            learner = self._learner(name)
            if learner is not None:
                state |= learner.optimizer.start({name: array})
        return state

    def step(self, network: Network, state: State, batch: Batch) -> dict[str, Scalar]:
        """Learn from a batch, in place, and without waiting for a device.

        Returns
        -------
        dict of str to float
            Loss of each part that has one; of a network on a device it stays there.

        Raises
        ------
        DivergenceError
            If an activity or a loss is NaN or infinite. On a device nobody looks at them before the
            losses are fetched.
        """
        parameters = network.parameters() | state
        losses: dict[str, Scalar] = {}
        for lesson in self.lessons(network, state, batch):
            if lesson.loss is not None:
                self.require_sane(lesson.name, lesson.loss, batch)
                losses[lesson.name] = lesson.loss
            for name, gradient in lesson.gradients.items():
                learner = self._learner(name)
                if learner is not None:
                    rate = learner.rate.at(batch.epoch)
                    learner.optimizer.step(state, parameters, {name: gradient}, rate)
            for name, average in lesson.averages.items():
                parameters[name][...] = average
        return losses

    def respond(self, network: Network, k: int, pre: np.ndarray, batch: Batch) -> Activity:
        """Response of layer k, checked for divergence."""
        layer = network.layers[k].learning()
        activity = layer.respond(pre, layer.drive(pre))
        if at_hand(activity.output):
            self.require_sane(network.names[k], activity.output.sum(), batch)
        return activity

    def lesson(
        self,
        network: Network,
        k: int,
        activity: Activity,
        *,
        loss: Scalar | None = None,
        d_rate: np.ndarray | None = None,
        d_output: np.ndarray | None = None,
    ) -> tuple[Lesson, np.ndarray]:
        """Lesson of layer k from a gradient at its rate or output, and the one at its drive."""
        layer = network.layers[k].learning()
        d_drive, gradients = layer.lesson(activity, d_rate=d_rate, d_output=d_output)
        averages = network.named(k, layer.averages(activity))
        taught = network.named(k, gradients)
        return Lesson(network.names[k], loss, taught, averages), d_drive

    def passed_on(
        self, name: str, output: np.ndarray, batch: Batch
    ) -> tuple[np.ndarray, Mask | None]:
        """A layer's output after dropout, and the mask that was drawn."""
        if self.dropout is None or self.dropout.rate == 0:
            return output, None
        rng = batch.seeds.child("dropout").generator(name)
        mask = self.dropout.draw(output, rng)
        return mask.apply(output), mask

    def read(self, readout: Mapping[str, np.ndarray], pre: np.ndarray, batch: Batch) -> Reading:
        """The read-out's cross-entropy and its gradients."""
        scores = pre @ readout["weights"].T + readout["bias"]
        loss, d_scores = cross_entropy(scores, batch.labels)
        gradients = {"readout/weights": d_scores.T @ pre, "readout/bias": d_scores.sum(axis=0)}
        return Reading(Lesson("readout", loss, gradients), d_scores)

    @staticmethod
    def require_sane(name: str, value: Scalar, batch: Batch) -> None:
        """Raise `DivergenceError` if ``value``, of the part ``name``, is NaN or infinite.

        A value on a device is not looked at.
        """
        if at_hand(value) and not np.isfinite(value):
            raise DivergenceError(
                f"{name} diverged at epoch {batch.epoch}, batch {batch.number}: its activity or "
                f"loss is {value}. Lower the learning rate."
            )

    def _learner(self, name: str) -> Learner | None:
        if is_average(name):
            return None
        return self.readout if name.startswith("readout/") else self.layers
