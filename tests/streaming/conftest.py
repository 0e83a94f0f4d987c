"""Show presentations to a single layer: by the reference, or by the engine in chunks."""

from __future__ import annotations

import functools
from itertools import cycle

import numpy as np
import pytest

from neurosim.streaming.chunked import Engine
from neurosim.streaming.circuit import Shown, present
from neurosim.streaming.plan import Planner
from neurosim.streaming.presentations import Presentations

# A planner keeps the geometries it has met: what costs most in tests of continuous time.
planner_of = functools.cache(Planner)


def show_layer(circuit, timeline, shown, eta, *, cuts=None, n_classes=3, chosen=(), make=Engine):
    """State after the presentations, and everything the layer did during them.

    ``cuts`` are sizes of chunks, used in turn; None is the reference. What the chunks return is put
    together as if it had been one. ``make`` is the engine to show them to.
    """
    planner = planner_of(timeline, circuit.third_factor.beta, n_classes)
    history = (timeline.n_window - 1) * timeline.n_traces
    state, before = circuit.start(history), planner.start()
    engine, sizes = make(circuit), cycle(cuts or (1,))
    parts, t = [], 0
    while t < len(shown.labels):
        part = slice(t, t + next(sizes))
        t = part.stop
        some = Presentations(*(None if a is None else a[part] for a in shown))
        plan, before = planner.plan(before, some, eta[part])
        inputs = np.where(
            plan.at_rest[None, :, None], circuit.background, some.stimuli[:, None, :]
        ).reshape(-1, circuit.layer.n_pre)
        act = engine.present if cuts else lambda *arguments: present(circuit, *arguments)
        state, did = act(state, plan, inputs, np.array(chosen, np.int64))
        parts.append(did)
    whole = {name: np.concatenate([getattr(p, name) for p in parts]) for name in Shown._fields}
    for name in ("signal", "pre"):  # headed by the window once, not once a chunk
        rows = [getattr(p, name)[history:] for p in parts]
        whole[name] = np.concatenate([getattr(parts[0], name)[:history], *rows])
    return state, Shown(**whole)


@pytest.fixture(scope="session")
def show():
    """`show_layer`."""
    return show_layer
