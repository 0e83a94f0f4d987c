"""Everything a simulation needs to go on, as named arrays: what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurosim.backend import device_of, to_device
from neurosim.checks import require
from neurosim.streaming.assembly import Assembly
from neurosim.streaming.circuit import State
from neurosim.streaming.health import Checkup

Arrays = dict[str, np.ndarray]


def pack(parts: Assembly, health: Checkup) -> Arrays:
    """State of all layers, read-outs, the planner and the running health, by name.

    Parameters
    ----------
    parts : Assembly
    health : Checkup

    Returns
    -------
    dict of str to ndarray
        ``layer1/weights``, ``readout/bias``, ``probe-layer1/bias``, ``planner/labels``, ...;
        on the CPU the arrays themselves, not copies.
    """
    groups = {"planner": parts.plan_state} | _learned(parts)
    groups |= {f"health/{name}": signs.state for name, signs in health.layers.items()}
    return {
        f"{group}/{name}": to_device(array, "cpu")
        for group, state in groups.items()
        for name, array in state.items()
    }


def unpack(arrays: Mapping[str, np.ndarray], parts: Assembly, health: Checkup) -> None:
    """Put what `pack` took out back into parts built from the same settings."""
    groups: dict[str, Arrays] = {}
    for name, array in arrays.items():
        group, _, key = name.rpartition("/")
        groups.setdefault(group, {})[key] = np.array(array)
    parts.plan_state = groups["planner"]
    for group, state in _learned(parts).items():
        _fill(state, groups[group])
    for name, signs in health.layers.items():
        signs.state = groups[f"health/{name}"]


def _learned(parts: Assembly) -> dict[str, State]:
    """The state of layers and read-outs, by where it goes."""
    groups = dict(zip(parts.network.names, parts.states, strict=True))
    return groups | {_group(name): state for name, state in parts.readouts.items()}


def _fill(state: State, arrays: Arrays) -> None:
    """Write values into a state's own arrays, which a device may know by their address."""
    for name, own in state.items():
        shape = arrays[name].shape
        require(shape == own.shape, f"Checkpoint.{name}", f"be of shape {own.shape}", shape)
        own[...] = to_device(arrays[name], device_of(own))


def _group(readout: str) -> str:
    """Where a read-out's state goes: not under the bare name of the layer that it reads."""
    return readout if readout == "readout" else f"probe-{readout}"
