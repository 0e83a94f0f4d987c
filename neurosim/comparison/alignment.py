"""How far the change of weights that a rule asks for points where backprop would go.

    alignment = -<dW, G> / (|dW| |G|)        G = d (cross-entropy) / dW

G passes the network's own read-out, on the same samples and weights, without dropout. `rehearse`
of `streaming` and of `batched` gives dW. 1 is backprop itself; two directions that have nothing to
do with one another have about 1 / sqrt(number of weights).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from neurosim.batched.rehearsal import parts
from neurosim.checks import require
from neurosim.network import Network
from neurosim.objectives import cross_entropy


def backprop_gradient(
    network: Network, stimuli: np.ndarray, labels: np.ndarray, batch: int = 1024
) -> dict[str, np.ndarray]:
    """Gradient of the read-out's mean cross-entropy at the weights of each layer.

    Parameters
    ----------
    network : Network
        Its settled responses are what the read-out sees.
    stimuli : ndarray, shape (n, n_inputs)
    labels : ndarray of int, shape (n,)
    batch : int
        Samples taken together; matters only to batch norm, which then uses their own statistics.

    Returns
    -------
    dict of str to ndarray, shape (n_post, n_pre)
        By layer; nats, float64.
    """
    found = {
        name: np.zeros_like(layer.weights, np.float64)
        for name, layer in zip(network.names, network.layers, strict=True)
    }
    network = replace(network, layers=tuple(layer.learning() for layer in network.layers))
    for part in parts(len(labels), batch):
        shown = stimuli[part].astype(network.dtype)
        for name, gradient in _gradients(network, shown, labels[part]).items():
            found[name] += len(shown) / len(labels) * gradient
    return found


def _gradients(network: Network, stimuli: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Gradients of one batch, from the last layer to the first."""
    activities, layers = network.activities(stimuli), network.layers
    seen = range(len(layers)) if network.reads == "all" else range(len(layers) - 1, len(layers))
    read = np.concatenate([activities[k].output for k in seen], axis=1)
    weights = network.readout["weights"]
    _, d_scores = cross_entropy(read @ weights.T + network.readout["bias"], labels)
    edges = np.cumsum([layers[k].n_post for k in seen])[:-1].tolist()
    direct = dict(zip(seen, np.split(d_scores @ weights, edges, axis=1), strict=True))
    found: dict[str, np.ndarray] = {}
    d_output = direct[len(layers) - 1]
    for k in reversed(range(len(layers))):
        d_drive = layers[k].drive_pullback(activities[k], d_output=d_output)
        found[network.names[k]] = layers[k].gradients(activities[k], d_drive)["weights"]
        if k:
            d_output = d_drive @ layers[k].weights + direct.get(k - 1, 0.0)
    return found


def alignment(
    changes: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Cosine of each layer's change with minus its gradient.

    Returns
    -------
    dict of str to float
        ``alignment_layer1``, ...; NaN where one of the two is zero and has no direction.
    """
    return {
        alignment_name(name): _cosine(change, -gradients[name]) for name, change in changes.items()
    }


def alignment_name(layer: str) -> str:
    """Column of a layer's alignment in the history."""
    return f"alignment_{layer}"


def require_samples(field: str, samples: int, available: int) -> None:
    """Raise `SettingError` unless alignment can be measured on so many samples, or on none."""
    rule = f"be 0, or from 2 to the {available} training samples"
    require(samples == 0 or 2 <= samples <= available, field, rule, samples)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.vdot(a, b) / lengths) if lengths > 0 else float("nan")
