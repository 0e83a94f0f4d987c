"""A network as a stack takes it over, and what networks of one stack have in common."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

from neurosim.backend import namespace
from neurosim.checks import SettingError, require
from neurosim.streaming.chunked import constants_of
from neurosim.streaming.circuit import LayerCircuit, State
from neurosim.streaming.readout import ReadOut


class Member(NamedTuple):
    """One network.

    circuits : of its layers.
    states : of each layer, arrays on the device; the dicts are rewired to views of the stack's.
    readout : settings of all read-outs.
    readouts : state of each read-out by name, on the device; rewired.
    sources : which layers each read-out sees, side by side.
    """

    circuits: Sequence[LayerCircuit]
    states: list[State]
    readout: ReadOut
    readouts: dict[str, State]
    sources: dict[str, tuple[int, ...]]


def traits(member: Member) -> Hashable:
    """What networks of one stack have in common: equal for those that can share one."""
    return tuple(_traits(member).items())


def require_alike(members: Sequence[Member]) -> None:
    """Raise `SettingError` unless the networks can share a stack; says what they differ in."""
    require(len(members) > 0, "GpuStack.members", "be one or more", len(members))
    for circuit in (circuit for member in members for circuit in member.circuits):
        normalization = circuit.neurons.normalization
        remedy = "Run recurrent normalization on the CPU."
        require(normalization is None, "GpuStack.normalization", "be algebraic",
                normalization, remedy)  # fmt: skip
    first = _traits(members[0])
    for member in members[1:]:
        other = _traits(member)
        for name in first | other:
            if first.get(name) != other.get(name):
                one, two = (
                    getattr(some.get(name), "__name__", some.get(name)) for some in (first, other)
                )
                raise SettingError(
                    f"GpuStack.members must agree in {name}; got {one} and {two}. "
                    "Put networks that compute different things into stacks of their own."
                )


def stacked(rows: Sequence[State]) -> State:
    """States of replicas as one, which they become views of."""
    xp = namespace(*rows[0].values())
    whole: State = {name: xp.stack([row[name] for row in rows]) for name in rows[0]}
    for r, row in enumerate(rows):
        row.update({name: array[r] for name, array in whole.items()})
    return whole


def _traits(member: Member) -> dict[str, Any]:
    found: dict[str, Any] = {"number of layers": len(member.circuits)}
    for k, circuit in enumerate(member.circuits, start=1):
        found |= {f"{name} of layer {k}": value for name, value in _layer_traits(circuit).items()}
    windows = tuple(len(state["trace_pre"]) for state in member.states)
    readout = member.readout
    return found | {
        "length of the window": windows,
        "read-outs and what they see": tuple(member.sources.items()),
        "number of classes": readout.n_classes,
        "whether read-outs have momentum": readout.momentum > 0,
        "whether read-outs decay": readout.weight_decay > 0,
    }


def _layer_traits(circuit: LayerCircuit) -> dict[str, Any]:
    constants, layer = constants_of(circuit), circuit.layer
    return {
        "rule": type(circuit.rule),
        "type of the weights": layer.weights.dtype.name,
        "shape of the weights": layer.weights.shape,
        "nonlinearity": layer.nonlinearity.name,
        "groups": (constants.groups, constants.divisive),
        "what neurons do": (constants.leaky > 0, constants.memory, constants.measured),
        "whether there is momentum": constants.momentum > 0,
        "whether there is decay": constants.decays,
        "whether there are averages": constants.averages > 0,
    }
