"""How much a linear classifier can read from each layer: linear probes on frozen networks.

A probe is ridge regression on the classes, from the standardised settled output of a layer. It is
the same for every rule, so it compares representations and not how the run's own read-out learned.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from neurosim.checks import DataError, NeurosimError, RunFileError
from neurosim.comparison.results import Result
from neurosim.data import Dataset, measured
from neurosim.network import Network
from neurosim.recording import Run
from neurosim.seeds import Seeds

RIDGE = 1e-3
"""Penalty of a squared weight, in units of the number of samples (features have variance 1)."""
BATCH = 2048


class Probes:
    """Probes the networks of many runs, on the same samples.

    Parameters
    ----------
    samples : int
        Training samples a probe learns from; at most as many as there are.
    """

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._inputs: dict[str, float] = {}  # what the stimuli give is the same for every network
        self._load = lru_cache(maxsize=1)(_load)

    def measure(self, result: Result) -> dict[str, float]:
        """Test accuracy of a probe on the stimuli (``input``) and on each layer of a run.

        Parameters
        ----------
        result : Result
            A finished run that keeps a description of its network.

        Returns
        -------
        dict of str to float
            In the order of the layers.

        Raises
        ------
        DataError
            If the data set cannot be loaded, or is not what the run learned from.
        """
        network, (data, digest) = rebuilt(result.path), self._data(result)
        _require_faithful(network, data, result)
        chosen = np.sort(
            Seeds(0).generator("comparison/probe").permutation(len(data.x_train))[: self._samples]
        )
        train, test = (x.astype(network.dtype) for x in (data.x_train[chosen], data.x_test))
        labels = data.y_train[chosen]
        if digest not in self._inputs:
            self._inputs[digest] = fit(train, labels, test, data.y_test)
        found = {"input": self._inputs[digest]}
        layers = zip(outputs(network, train), outputs(network, test), strict=True)
        for name, (seen, tested) in zip(network.names, layers, strict=True):
            found[name] = fit(seen, labels, tested, data.y_test)
        return found

    def _data(self, result: Result) -> tuple[Dataset, str]:
        """The data a run learned from and was measured on, with its digest."""
        settings, name = result.settings, result.settings["dataset"]
        validation = settings.get("validation", 0.0)
        seed = result.seed if validation else 0  # only then the data depend on it
        try:
            data, digest = self._load(name, validation, settings.get("train", 0), seed)
        except NeurosimError as error:
            raise DataError(
                f"compare.probe must find the data set of {result.path}; got {name!r}: {error} "
                "Provide it, or say --probe 0."
            ) from error
        if result.summary.get("data_digest", digest) != digest:
            raise DataError(
                f"compare.probe must find the data set that {result.path} learned from; got "
                f"another {name!r} (digest {digest}). Restore it, or say --probe 0."
            )
        return data, digest


def probed(result: Result) -> bool:
    """Whether the network of a run can be rebuilt and its data be named."""
    network = result.summary.get("network")
    described = isinstance(network, Mapping) and {"layers", "reads"} <= network.keys()
    return result.finished and described and "dataset" in result.settings


class _Stored(dict[str, np.ndarray]):
    """Final weights of a run by name, read when asked for."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def __missing__(self, name: str) -> np.ndarray:
        return self._run.weights(name)


def rebuilt(path: Path) -> Network:
    """The trained network of a finished run."""
    with Run(path) as run:
        return Network.from_description(run.summary["network"], _Stored(run))


def outputs(network: Network, stimuli: np.ndarray) -> list[np.ndarray]:
    """What each layer passes on when it has settled, (n, n_post) each."""
    parts = [
        [activity.output for activity in network.activities(stimuli[first : first + BATCH])]
        for first in range(0, len(stimuli), BATCH)
    ]
    return [np.concatenate(layer) for layer in zip(*parts, strict=True)]


def fit(train: np.ndarray, labels: np.ndarray, test: np.ndarray, truth: np.ndarray) -> float:
    """Test accuracy of a ridge classifier on standardised features.

    Parameters
    ----------
    train, test : ndarray, shape (n, n_features)
    labels, truth : ndarray of int, shape (n,)
        Their classes.

    Returns
    -------
    float
    """
    from sklearn.linear_model import RidgeClassifier  # a second that others need not wait for
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # float64, because normalized groups make the features linearly dependent
    classifier = RidgeClassifier(alpha=RIDGE * len(train), solver="cholesky")
    probe = make_pipeline(StandardScaler(copy=False), classifier).fit(train.astype(float), labels)
    return float(probe.score(test.astype(float), truth))


def _load(name: str, validation: float, train: int, seed: int) -> tuple[Dataset, str]:
    data = measured(name, validation, train, Seeds(seed))
    return data, data.digest


def _require_faithful(network: Network, data: Dataset, result: Result) -> None:
    """Refuse a network that does not give the accuracy the run has measured, to a few samples."""
    found = network.accuracy(data.x_test.astype(network.dtype), data.y_test)
    if abs(found - result.accuracy) > 0.002 + 2 / len(data.y_test):
        raise RunFileError(
            f"compare.probe must rebuild the network of {result.path}; got a test accuracy of "
            f"{found:.4f} instead of {result.accuracy:.4f}. Say --probe 0, and report this."
        )
