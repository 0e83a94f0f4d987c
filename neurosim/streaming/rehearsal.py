"""What a stream would teach a network at its present weights, without teaching it.

The engine runs on a copy of the state at a learning rate so small that the weights stay; each
layer's change is summed from the factors that its rule asked for, not read off the weights, and is
therefore as exact as the factors. It runs on the CPU, wherever the network is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurosim.backend import to_device
from neurosim.streaming.chunked import Engine
from neurosim.streaming.circuit import Shown
from neurosim.streaming.presentations import Presentations
from neurosim.streaming.simulator import Simulator

STILL = 2.0**-40


def rehearse(simulator: Simulator, shown: Presentations) -> dict[str, np.ndarray]:
    """Change of weights that each layer's rule asks for, per unit of learning rate.

    The presentations follow what was shown last. Momentum and weight decay are left out, and
    read-outs do not learn; the simulator is left as it was.

    Parameters
    ----------
    simulator : Simulator
        Between two runs, or while it evaluates.
    shown : Presentations

    Returns
    -------
    dict of str to ndarray, shape (n_post, n_pre)
        By layer; dimensionless, float64, summed over the presentations.
    """
    parts, names = simulator._parts, simulator.network.names
    engines = [Engine(replace(c, momentum=0.0, weight_decay=0.0)) for c in parts.circuits]
    states = [
        {name: to_device(a, "cpu").copy() for name, a in state.items()} for state in parts.states
    ]
    shown = shown._replace(stimuli=to_device(shown.stimuli, "cpu"))
    changes = {
        name: np.zeros(state["weights"].shape) for name, state in zip(names, states, strict=True)
    }
    before, size = parts.plan_state, simulator._chunk
    try:
        for first in range(0, len(shown.labels), size):
            part = slice(first, first + size)
            some = Presentations._make(None if a is None else a[part] for a in shown)
            number = simulator.presentations + first
            chunk = parts.draw(number, some, np.zeros(len(some.labels)))
            plan = chunk.plan._replace(eta=np.full(len(some.labels), STILL))
            inputs = chunk.inputs
            for k, name in enumerate(names):
                everyone = np.arange(parts.circuits[k].layer.n_post)
                states[k], did = engines[k].present(states[k], plan, inputs, everyone)
                changes[name] += _asked(did, states[k]["weights"], len(plan.at_rest)) / STILL
                inputs = did.output
    finally:
        parts.plan_state = before
    return changes


def _asked(did: Shown, weights: np.ndarray, samples: int) -> np.ndarray:
    """Sum of postsynaptic times presynaptic factors, less the rows' own decay."""
    # A trace is in the windows of several presentations: its factors are summed first.
    post = np.zeros((len(did.pre), did.post.shape[2]))
    shown, window = did.post.shape[:2]
    for r in range(window):
        post[r : r + shown * samples : samples] += did.post[:, r]
    return post.T @ did.pre.astype(float) - did.decay.sum(axis=0)[:, None] * weights
