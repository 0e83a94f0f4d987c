"""Batched training of a dense network: any data set, any rule and normalization, one seed.

The experiment behind the tables of Pogodin & Latham 2020 on dense networks: layer-wise learning by
pHSIC, backprop and its relatives, and the baseline of an untrained network. As there, accuracy is
measured on the test set; with ``--validation``, on a part of the training set that is then not
learned from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from models.pogodin2020_batched import Batched, completed, trainer
from neurosim import Network, Recorder, Seeds
from neurosim.backend import require_device, to_device
from neurosim.batched.rehearsal import rehearse
from neurosim.checks import require
from neurosim.comparison.alignment import (
    alignment,
    alignment_name,
    backprop_gradient,
    require_samples,
)
from neurosim.data import measured
from neurosim.progress import Progress
from neurosim.protocol import ProtocolConfig
from neurosim.resources import usage


@dataclass(frozen=True, kw_only=True)
class Config(ProtocolConfig, Batched):
    """Settings of the protocol.

    Parameters
    ----------
    dataset : str
        digits, clusters, mnist, fashion-mnist or kmnist.
    epochs : int
        Times each sample is shown.
    validation : float
        Fraction of the training set held out and measured instead of the test set; 0 for none.
    train : int
        Use at most this many training samples; 0 for all.
    evaluations : int
        Times the accuracy is measured, evenly spread; at least once, at the end.
    alignment : int
        Training samples on which, each time, the change that the rule asks for is compared with
        the gradient of backprop; 0: not measured. Rule last changes no layer and has none.
    """

    dataset: str = "mnist"
    epochs: int = 100
    validation: float = 0.0
    train: int = 0
    evaluations: int = 20
    alignment: int = 0

    devices: ClassVar = ("cpu", "gpu")

    @classmethod
    def smoke(cls) -> Config:
        """A run of seconds."""
        return cls(dataset="clusters", widths=(64,), groups=8, epochs=2, batch=64, evaluations=2)


def run(config: Config, recorder: Recorder) -> Path:
    """Train, measure the accuracy now and then, and finish with a summary."""
    require(config.epochs >= 1, "Config.epochs", "be at least 1", config.epochs)
    require_device("Config.device", config.device)
    seeds = Seeds(config.seed)
    model = completed(config, config.dataset)
    data = measured(config.dataset, config.validation, config.train, seeds)
    training = trainer(model, data, seeds, config.device)

    require_samples("Config.alignment", config.alignment, len(data.x_train))
    probed = config.alignment > 0 and config.rule != "last"
    chosen = seeds.generator("alignment").permutation(len(data.x_train))[: config.alignment]
    x_test, y_test, x_probed, y_probed = (
        to_device(array, config.device)
        for array in (data.x_test, data.y_test, data.x_train[chosen], data.y_train[chosen])
    )

    def evaluate(now: Network) -> dict[str, float]:
        figures = {"accuracy": now.accuracy(x_test, y_test)}
        if probed:
            gradient = backprop_gradient(now, x_probed, y_probed, config.batch)
            figures |= alignment(rehearse(training, x_probed, y_probed), gradient)
        return figures

    measures = ["accuracy", *map(alignment_name, training.network.names if probed else ())]
    total = config.epochs * len(data.x_train)
    with Progress() as progress:
        training.run(
            data.x_train,
            data.y_train,
            epochs=config.epochs,
            recorder=recorder,
            evaluate=evaluate,
            evaluate_every=max(1, total // max(config.evaluations, 1)),
            measures=tuple(measures),
            progress=progress,
        )
    return recorder.finish(
        {
            "presentations": training.presentations,
            "seconds": training.elapsed,
            "presentations_per_second": training.presentations / training.elapsed,
            "test_accuracy": training.network.accuracy(x_test, y_test),
            **usage(),
            "measured_on": "validation" if config.validation else "test",
            "data": data.name,
            "data_digest": data.digest,
            "network": training.network.describe(),
            "groups": model.groups,
            "local_rate": model.local_rate,
            "readout_rate": model.readout_rate,
        },
        training.network.to("cpu").parameters(),
    )
