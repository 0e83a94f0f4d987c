"""Everything a simulation needs to go on, as named arrays: what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurosim.streaming.assembly import Assembly
from neurosim.streaming.health import LayerHealth

Arrays = dict[str, np.ndarray]


def pack(parts: Assembly, health: list[LayerHealth]) -> Arrays:
    """State of all layers, read-outs, the planner and the running health, by name.

    Parameters
    ----------
    parts : Assembly
    health : list of LayerHealth

    Returns
    -------
    dict of str to ndarray
        ``layer1/weights``, ``readout/bias``, ``probe-layer1/bias``, ``planner/labels``, ...;
        the arrays themselves, not copies.
    """
    groups: dict[str, Arrays] = {"planner": parts.plan_state}
    groups |= dict(zip(parts.network.names, parts.states, strict=True))
    groups |= {_group(name): state for name, state in parts.readouts.items()}
    groups |= {
        f"health/{name}": signs.state
        for name, signs in zip(parts.network.names, health, strict=True)
    }
    return {f"{group}/{name}": a for group, state in groups.items() for name, a in state.items()}


def unpack(arrays: Mapping[str, np.ndarray], parts: Assembly, health: list[LayerHealth]) -> None:
    """Put what `pack` took out back into parts built from the same settings."""
    groups: dict[str, Arrays] = {}
    for name, array in arrays.items():
        group, _, key = name.rpartition("/")
        groups.setdefault(group, {})[key] = np.array(array)
    parts.plan_state = groups["planner"]
    parts.states = [groups[name] for name in parts.network.names]
    parts.readouts = {name: groups[_group(name)] for name in parts.readouts}
    for name, signs in zip(parts.network.names, health, strict=True):
        signs.state = groups[f"health/{name}"]


def _group(readout: str) -> str:
    """Where a read-out's state goes: not under the bare name of the layer that it reads."""
    return readout if readout == "readout" else f"probe-{readout}"
