"""Any data set, rule and network: a stream of samples, three-factor learning, accuracy per layer.

The streaming form of Pogodin & Latham 2020 (section 3): each sample is shown once, for a while, and
the weights change as it passes. Accuracy is measured on the test set, or with ``--validation`` on a
part of the training set that is then not learned from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from models.pogodin2020 import Streaming, simulator
from neurosim import DatasetStream, Recorder, Seeds, Simulator
from neurosim.backend import require_device
from neurosim.checks import require
from neurosim.comparison.alignment import (
    alignment,
    alignment_name,
    backprop_gradient,
    require_samples,
)
from neurosim.data import Dataset, measured
from neurosim.progress import Progress
from neurosim.protocol import ProtocolConfig
from neurosim.resources import usage
from neurosim.streaming.rehearsal import rehearse


@dataclass(frozen=True, kw_only=True)
class Config(ProtocolConfig, Streaming):
    """Settings of the protocol.

    Parameters
    ----------
    dataset : str
        digits, clusters, mnist, fashion-mnist or kmnist.
    epochs : int
        Presentations, in units of the training set's size.
    validation : float
        Fraction of the training set held out and measured instead of the test set; 0 for none.
    train : int
        Use at most this many training samples; 0 for all.
    evaluations : int
        Times the accuracy is measured, evenly spread; at least once, at the end.
    alignment : int
        Presentations on which, each time, the change that the rule asks for is compared with the
        gradient of backprop; 0: not measured. They are drawn like those that are learned from.
    """

    dataset: str = "mnist"
    epochs: int = 4
    validation: float = 0.0
    train: int = 0
    evaluations: int = 10
    alignment: int = 0

    devices: ClassVar = ("cpu", "gpu")
    ensembles: ClassVar = True

    @classmethod
    def smoke(cls) -> Config:
        """A run of seconds."""
        return cls(dataset="clusters", widths=(64,), groups=8, epochs=1, evaluations=2)


def run(config: Config, recorder: Recorder) -> Path:
    """Show the stream, measure the accuracy now and then, and finish with a summary."""
    seeds = Seeds(config.seed)
    require(config.epochs >= 1, "Config.epochs", "be at least 1", config.epochs)
    require_device("Config.device", config.device)
    data = measured(config.dataset, config.validation, config.train, seeds)
    simulation = simulator(config, data, seeds, config.device)
    require_samples("Config.alignment", config.alignment, len(data.x_train))
    stream = presentations(config, data, config.epochs, seeds.generator("stream"))
    heard = presentations(config, data, 1, seeds.generator("alignment"))

    def evaluate(now: Simulator) -> dict[str, float]:
        figures = now.accuracy(data.x_test, data.y_test)
        if config.alignment:
            shown = next(heard.chunks(0, config.alignment))
            network = now.network.to("cpu")  # as the rule is rehearsed there
            gradient = backprop_gradient(network, shown.stimuli, shown.labels)
            figures |= alignment(rehearse(now, shown), gradient)
        return figures

    if config.alignment:
        names = simulation.network.names
        recorder.declare_history({alignment_name(name): "1" for name in names})
    with Progress() as progress:
        simulation.run(
            stream,
            recorder=recorder,
            evaluate=evaluate,
            evaluate_every=max(1, stream.length // max(config.evaluations, 1)),
            progress=progress,
        )
    accuracies = simulation.accuracy(data.x_test, data.y_test)
    accuracies["test_accuracy"] = accuracies.pop("accuracy")
    return recorder.finish(
        {
            "presentations": simulation.presentations,
            "simulated_seconds": simulation.seconds,
            "seconds": simulation.elapsed,
            "presentations_per_second": simulation.presentations / simulation.elapsed,
            **accuracies,
            **usage(),
            "measured_on": "validation" if config.validation else "test",
            "data": data.name,
            "data_digest": data.digest,
            "network": simulation.network.describe(),
            "warnings": [str(finding) for finding in simulation.findings],
        },
        simulation.network.to("cpu").parameters(),
    )


def presentations(
    config: Config, data: Dataset, epochs: int, rng: np.random.Generator
) -> DatasetStream:
    """The training set as the settings have it shown."""
    return DatasetStream(
        data.x_train,
        data.y_train,
        epochs=epochs,
        rng=rng,
        same_class=None if config.same_class < 0 else config.same_class,
        duration=config.duration,
        gap=config.gap,
        jitter=config.jitter,
        drift=config.drift,
        image=(data.shape[0], data.shape[1]) if len(data.shape) == 2 else None,
    )
