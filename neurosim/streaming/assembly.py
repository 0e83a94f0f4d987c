"""From a network and settings to running parts: circuits, planner, state, and what is drawn.

The parts are the same on both devices; `oncpu` and `ongpu` say what happens to a chunk with them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neurosim.backend import Array, device_of, to_device
from neurosim.checks import SettingError, require
from neurosim.network import Network
from neurosim.streaming.chunk import Chunk
from neurosim.streaming.circuit import LayerCircuit, State
from neurosim.streaming.learning import Learning
from neurosim.streaming.plan import Planner
from neurosim.streaming.presentations import UNLABELLED, Presentations
from neurosim.streaming.readout import ReadOut
from neurosim.streaming.residence import resident


class Assembly:
    """The running parts of a simulation; see `Simulator` for the arguments.

    Settings, and the state before the first presentation, are worked out on the CPU wherever the
    network is: a run begins the same on both devices.
    """

    def __init__(self, network: Network, learning: Learning, background: np.ndarray) -> None:
        self.device = network.device
        # Weights change in place: a copy, once, leaves the caller's as they are.
        copies = {name: to_device(a, "cpu").copy() for name, a in network.parameters().items()}
        self.network, self.learning = network.with_parameters(copies), learning
        self.planner = Planner(learning.timeline, learning.third_factor.beta, network.n_classes)
        self.circuits = self._circuits(background)
        window = (learning.timeline.n_window - 1) * learning.timeline.n_traces
        self.states: list[State] = [
            circuit.start(window) | {"weights": circuit.layer.weights} for circuit in self.circuits
        ]
        self.plan_state = self.planner.start()
        self.readout = ReadOut(
            n_classes=network.n_classes,
            momentum=learning.readout_momentum,
            weight_decay=learning.readout_decay,
        )
        self.sources = self._sources()
        widths = [circuit.layer.n_post for circuit in self.circuits]
        self.readouts = {
            name: self.readout.start(sum(widths[k] for k in source), network.dtype)
            for name, source in self.sources.items()
        }
        self.readouts["readout"] |= {name: a.copy() for name, a in self.network.readout.items()}
        self.chosen: list[np.ndarray] = [np.zeros(0, np.int64) for _ in self.circuits]
        self.recorded: list[tuple[np.ndarray, np.ndarray]] | None = None
        self.columns: list[tuple[np.ndarray, np.ndarray]] = []
        self.watched: Callable[[int, int], bool] = lambda first, stop: False
        # by device, for stimuli may come from either: activity at rest, and which traces are
        self._rest: dict[str, tuple[Array, Array]] = {
            place: (to_device(background, place), to_device(learning.timeline.at_rest, place))
            for place in {"cpu", self.device}
        }

    def _circuits(self, background: np.ndarray) -> list[LayerCircuit]:
        circuits = []
        for layer in self.network.layers:
            circuit = LayerCircuit(
                layer=layer,
                rule=self.learning.rule,
                third_factor=self.learning.third_factor,
                neurons=self.learning.neurons,
                momentum=self.learning.momentum,
                weight_decay=self.learning.weight_decay,
                background=background,
            )
            circuits.append(circuit)
            background = layer.respond(background, layer.drive(background)).output
        return circuits

    def _sources(self) -> dict[str, tuple[int, ...]]:
        """Which layers each read-out sees."""
        last = len(self.circuits) - 1
        sources = {"readout": tuple(range(last + 1)) if self.network.reads == "all" else (last,)}
        if self.learning.probes:
            sources |= {name: (k,) for k, name in enumerate(self.network.names)}
        return sources

    def plastic(self, k: int) -> State:
        """Weights of layer k, counted from 0, and their velocities if it has momentum."""
        state = self.states[k]
        return {name: state[name] for name in ("weights", "velocity") if name in state}

    def current(self) -> Network:
        """The network with the weights it has now (not a copy)."""
        weights = [state["weights"] for state in self.states]
        parameters = dict(zip(self.network.names, weights, strict=True))
        readout = self.readouts["readout"]
        parameters |= {f"readout/{name}": readout[name] for name in ("weights", "bias")}
        return self.network.with_parameters(parameters)

    def draw(
        self, first: int, shown: Presentations, progress: np.ndarray, *, whole: bool = False
    ) -> Chunk:
        """Check presentations and plan them.

        Parameters
        ----------
        first : int
            Number of the first of them.
        shown : Presentations
            Stimuli on the host, or on the network's device; there nobody looks for NaN.
        progress : ndarray, shape (T,)
            How much of the stream has passed, in [0, 1].
        whole : bool
            Whether all that the layers do is wanted, beyond what is recorded of it.
        """
        lengths = {len(array) for array in shown if array is not None}
        require(len(lengths) == 1, "Presentations", "hold arrays of one length", lengths)
        there = device_of(shown.stimuli)
        remedy = "Move one of them with to_device or Network.to."
        known = there in self._rest
        require(known, "Presentations.stimuli", "be on the CPU, as the network is", there, remedy)
        expected = self.network.n_inputs
        require(
            shown.stimuli.shape[1] == expected,
            "Presentation.stimulus",
            f"have {expected} values, one for each input of the network",
            shown.stimuli.shape[1],
        )
        stimuli = shown.stimuli.astype(self.network.dtype, order="C", copy=False)
        if there == "cpu":
            _require_finite(stimuli, first)
        rates = self.learning.schedule.rates(progress)
        plan, self.plan_state = self.planner.plan(self.plan_state, shown, rates)
        inputs = stimuli
        if len(plan.at_rest) > 1 or plan.at_rest[0]:
            rest, at_rest = self._rest[there]
            inputs = np.where(at_rest[None, :, None], rest, stimuli[:, None, :])
        return Chunk(
            first, shown, plan, self.learning.readout.rates(progress),
            inputs.reshape(-1, expected),
            watched=whole or self.watched(first, first + len(shown.labels)),
            whole=whole or self.device == "cpu",
        )  # fmt: skip

    def nominal(self) -> tuple[float, float]:
        """A duration and a gap (seconds) that the timeline is made for."""
        timeline = self.learning.timeline
        return getattr(timeline, "duration", 1.0), 1.0 if getattr(timeline, "gaps", False) else 0.0

    def blank(self, *, watched: bool) -> Chunk:
        """A chunk of one presentation of nothing that teaches nothing, beside the stream."""
        duration, gap = self.nominal()
        shown = Presentations(
            np.zeros((1, self.network.n_inputs), self.network.dtype),
            np.full(1, UNLABELLED), np.full(1, duration), np.full(1, gap),
        )  # fmt: skip
        none = np.zeros(1)
        plan, _ = self.planner.plan(self.planner.start(), shown, none)
        inputs = shown.stimuli.repeat(len(plan.at_rest), axis=0)
        return Chunk(0, shown, plan, none, inputs, watched=watched, whole=False)

    def right(self, stimuli: Array, labels: Array, batch: int = 2048) -> dict[str, int]:
        """How many labels each read-out gets right, from settled responses."""
        network = self.current()
        stimuli, labels = resident(stimuli, self.device), resident(labels, self.device)
        counts: dict[str, Array] = {}
        for first in range(0, len(labels), batch):
            part = slice(first, first + batch)
            outputs = [a.output for a in network.activities(stimuli[part].astype(network.dtype))]
            for name, source in self.sources.items():
                state = self.readouts[name]
                read = np.concatenate([outputs[k] for k in source], axis=1)
                scores = read @ state["weights"].T + state["bias"]
                found = (scores.argmax(axis=1) == labels[part]).sum()
                counts[name] = counts[name] + found if name in counts else found
        return {name: int(count) for name, count in counts.items()}


def _require_finite(stimuli: np.ndarray, first: int) -> None:
    finite = np.isfinite(stimuli).all(axis=1)
    if not finite.all():
        raise SettingError(
            f"Presentation.stimulus must be finite; got NaN or infinity in presentation "
            f"{first + int(np.argmin(finite))}. Clean or drop the sample."
        )
