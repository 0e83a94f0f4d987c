"""Run files made without training: a history as wished, and a random network on `clusters`."""

from __future__ import annotations

import numpy as np
import pytest

from neurosim import Network, Recorder, Seeds
from neurosim.data import load
from neurosim.ops.grouping import Grouping

SETTINGS = {
    "dataset": "clusters", "rule": "backprop", "normalization": "plain", "widths": [12, 8],
    "nonlinearity": "leaky_relu", "slope": 0.01, "rate": 0.1, "epochs": 2, "threads": 2,
    "evaluations": 3,
}  # fmt: skip
HISTORY = {
    "presentations": (1000, 2000, 4000), "elapsed": (1.0, 2.0, 4.0), "accuracy": (0.5, 0.6, 0.8),
}  # fmt: skip


@pytest.fixture(scope="session")
def data():
    return load("clusters")


@pytest.fixture
def make(tmp_path, data):
    """Write a run file; keywords change the settings, ``history`` and ``summary`` add to those."""

    def write(
        name, seed=0, *, protocol="batched", history=None, summary=None, finish=True, **settings
    ):
        settings = SETTINGS | settings
        seeds, grouping = Seeds(seed), Grouping(groups=4)
        network = Network.dense(
            data.n_features, tuple(settings["widths"]), data.n_classes, seeds, grouping=grouping
        )
        drawn = network.parameters()
        drawn["readout/weights"] = seeds.generator("r").normal(size=(4, settings["widths"][-1]))
        network = network.with_parameters(drawn)
        columns = {key: v for key, v in (HISTORY | (history or {})).items() if v is not None}
        told = {
            "test_accuracy": network.accuracy(data.x_test, data.y_test), "measured_on": "test",
            "data": data.name, "data_digest": data.digest, "network": network.describe(),
            "presentations": columns["presentations"][-1], "seconds": 4.0, "peak_memory": 2e8,
        } | (summary or {})  # fmt: skip
        path = tmp_path / name
        recorder = Recorder.create(
            path, protocol=protocol, settings={**settings, "seed": seed}, seed=seed
        )
        with recorder:
            recorder.declare_history(dict.fromkeys(columns, "1"))
            recorder.begin()
            for row in zip(*columns.values(), strict=True):
                recorder.note(**dict(zip(columns, row, strict=True)))
            if finish:
                recorder.finish({k: v for k, v in told.items() if v is not None}, drawn)
        return path

    return write


@pytest.fixture
def two_arms(make):
    """Backprop with two seeds, and a streaming arm with one that is evaluated at other times."""
    cosines = {"alignment_layer1": (np.nan, 0.2, 0.4), "alignment_layer2": (0.1, 0.2, 0.6)}
    return [
        make("a.h5", 0),
        make("b.h5", 1, history={"accuracy": (0.3, 0.4, 1.0)}),
        make(
            "c.h5", 0, protocol="stream", level="two-point", rule="grouped",
            history={"presentations": (500, 1500, 3000), "elapsed": (1.5, 2.5, 3.5)} | cosines,
        ),
    ]  # fmt: skip
