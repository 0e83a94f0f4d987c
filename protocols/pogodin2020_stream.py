"""Any data set, rule and network: a stream of samples, three-factor learning, accuracy per layer.

The streaming form of Pogodin & Latham 2020 (section 3): each sample is shown once, for a while, and
the weights change as it passes. Accuracy is measured on the test set, or with ``--validation`` on a
part of the training set that is then not learned from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.pogodin2020 import Streaming, simulator
from neurosim import DatasetStream, Recorder, Seeds, Simulator
from neurosim.checks import require
from neurosim.data import measured
from neurosim.progress import Progress
from neurosim.protocol import ProtocolConfig


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
    """

    dataset: str = "mnist"
    epochs: int = 4
    validation: float = 0.0
    train: int = 0
    evaluations: int = 10

    @classmethod
    def smoke(cls) -> Config:
        """A run of seconds."""
        return cls(dataset="clusters", widths=(64,), groups=8, epochs=1, evaluations=2)


def run(config: Config, recorder: Recorder) -> Path:
    """Show the stream, measure the accuracy now and then, and finish with a summary."""
    seeds = Seeds(config.seed)
    require(config.epochs >= 1, "Config.epochs", "be at least 1", config.epochs)
    data = measured(config.dataset, config.validation, config.train, seeds)
    simulation = simulator(config, data, seeds)
    stream = DatasetStream(
        data.x_train,
        data.y_train,
        epochs=config.epochs,
        rng=seeds.generator("stream"),
        same_class=None if config.same_class < 0 else config.same_class,
        duration=config.duration,
        gap=config.gap,
        jitter=config.jitter,
        drift=config.drift,
        image=(data.shape[0], data.shape[1]) if len(data.shape) == 2 else None,
    )

    def evaluate(now: Simulator) -> dict[str, float]:
        return now.accuracy(data.x_test, data.y_test)

    with Progress() as progress:
        simulation.run(
            stream,
            recorder=recorder,
            evaluate=evaluate,
            evaluate_every=max(1, stream.length // max(config.evaluations, 1)),
            progress=progress,
        )
    accuracies = evaluate(simulation)
    accuracies["test_accuracy"] = accuracies.pop("accuracy")
    return recorder.finish(
        {
            "presentations": simulation.presentations,
            "simulated_seconds": simulation.seconds,
            "seconds": simulation.elapsed,
            "presentations_per_second": simulation.presentations / simulation.elapsed,
            **accuracies,
            "measured_on": "validation" if config.validation else "test",
            "data": data.name,
            "data_digest": data.digest,
            "network": simulation.network.describe(),
            "warnings": [str(finding) for finding in simulation.findings],
        },
        simulation.network.parameters(),
    )
