"""From a network and settings to running parts: circuits, engines, state, and one chunk's way.

`Assembly.stages` is the itinerary of a chunk: plan, layer after layer, read-outs. Each stage takes
the chunk from the one before and leaves its results in it; nothing flows back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from neurosim.checks import DivergenceError, SettingError, require, require_one_of
from neurosim.network import Network
from neurosim.optimizers import Schedule
from neurosim.plasticity import PlasticityRule
from neurosim.streaming.chunked import Engine, warm_up
from neurosim.streaming.circuit import LayerCircuit, Shown, State
from neurosim.streaming.circuit import present as present_one
from neurosim.streaming.neuron import NeuronDynamics
from neurosim.streaming.plan import Plan, Planner
from neurosim.streaming.presentations import Presentations
from neurosim.streaming.readout import ReadOut
from neurosim.streaming.third_factor import ThirdFactorCircuit
from neurosim.streaming.timeline import Timeline, TwoPoint

# Norm of a chunk's activity: beyond any sane one, and far from overflow in what is derived from it.
DIVERGED = 1e15


def power(activity: np.ndarray) -> float:
    """Sum of squares of all values; NaN if one is."""
    flat = activity.reshape(-1)
    return float(np.dot(flat, flat))


@dataclass(frozen=True, kw_only=True)
class Learning:
    """How a streaming network learns.

    Parameters
    ----------
    rule : PlasticityRule
        Of every layer.
    timeline : Timeline
        Level of fidelity in time: `TwoPoint` or `Continuous`.
    third_factor : ThirdFactorCircuit
    neurons : NeuronDynamics
    schedule : Schedule
        Learning rate of the layers.
    momentum, weight_decay : float
        See `LayerCircuit`.
    readout : Schedule
        Learning rate of the read-out.
    readout_momentum, readout_decay : float
        See `ReadOut`.
    probes : bool
        Train a read-out on every layer as well, to follow what each has learned.
    """

    rule: PlasticityRule
    timeline: Timeline = field(default_factory=TwoPoint)
    third_factor: ThirdFactorCircuit = ThirdFactorCircuit()
    neurons: NeuronDynamics = NeuronDynamics()
    schedule: Schedule = Schedule()
    momentum: float = 0.0
    weight_decay: float = 0.0
    readout: Schedule = Schedule(rate=0.01)
    readout_momentum: float = 0.0
    readout_decay: float = 0.0
    probes: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.timeline, TwoPoint) and self.neurons.sampled:
            raise SettingError(
                "Learning.timeline must be Continuous for neurons with dynamics of their own; got "
                "TwoPoint. Two points have no time in between."
            )
        sampled = getattr(self.timeline, "sampled", False)
        require(
            sampled or not self.neurons.sampled,
            "Continuous.sampled",
            "be true for neurons whose activity varies between events",
            sampled,
        )


@dataclass
class Chunk:
    """Presentations on their way through the network, and what the layers did with them."""

    first: int
    shown: Presentations
    plan: Plan
    rates: np.ndarray
    inputs: np.ndarray
    layers: list[Shown] = field(default_factory=list)
    before: list[dict[str, np.ndarray]] = field(default_factory=list)
    predicted: dict[str, np.ndarray] = field(default_factory=dict)


class Assembly:
    """The running parts of a simulation; see `Simulator` and `Engine` for the arguments."""

    def __init__(
        self, network: Network, learning: Learning, background: np.ndarray, engine: str, keep: int
    ) -> None:
        require_one_of("Simulator.engine", engine, ("chunked", "reference"))
        require(network.device == "cpu", "Simulator.network", "be on the CPU", network.device)
        # Weights change in place: a copy, once, leaves the caller's as they are.
        copies = {name: array.copy() for name, array in network.parameters().items()}
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
        for name, array in network.readout.items():
            self.readouts["readout"][name] = array.copy()
        self.chosen: list[np.ndarray] = [np.zeros(0, np.int64) for _ in self.circuits]
        self.recorded: list[tuple[np.ndarray, np.ndarray]] | None = None
        chunked = engine == "chunked"
        self._engines = [Engine(circuit, keep) for circuit in self.circuits if chunked]

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

    def _reference(
        self, k: int, state: State, plan: Plan, inputs: np.ndarray
    ) -> tuple[State, Shown]:
        """Presentation by presentation, in plain NumPy."""
        samples = len(plan.at_rest)
        found: list[Shown] = []
        before = len(state["trace_pre"])
        for t in range(len(plan.geometry)):
            part = plan.part(t, t + 1)
            rows = inputs[t * samples : (t + 1) * samples]
            state, shown = present_one(self.circuits[k], state, part, rows, self.chosen[k])
            found.append(shown)
        parts = {name: np.concatenate([getattr(s, name) for s in found]) for name in Shown._fields}
        for name in ("signal", "pre"):  # headed by the window once, not once a presentation
            present = [getattr(s, name)[before:] for s in found]
            parts[name] = np.concatenate([getattr(found[0], name)[:before], *present])
        return state, Shown(**parts)

    def prepare(self) -> None:
        """Compile everything before the clock starts."""
        warm_up(self.network.dtype.name)
        dtype = self.network.dtype
        self.readout.present(
            self.readout.start(1, dtype), np.zeros((1, 1), dtype), np.zeros(1, np.int64), np.ones(1)
        )

    def stages(self) -> list[Callable[[Chunk], Chunk]]:
        """What happens to a chunk, in order; each stage may work on another chunk meanwhile."""
        layers = [lambda chunk, k=k: self._layer(chunk, k) for k in range(len(self.circuits))]
        return [*layers, self._read]

    def draw(self, first: int, shown: Presentations, progress: np.ndarray) -> Chunk:
        """Stage 0: check the presentations and plan them."""
        lengths = {len(array) for array in shown if array is not None}
        require(len(lengths) == 1, "Presentations", "hold arrays of one length", lengths)
        stimuli = np.ascontiguousarray(shown.stimuli, self.network.dtype)
        expected = self.network.n_inputs
        require(
            stimuli.shape[1] == expected,
            "Presentation.stimulus",
            f"have {expected} values, one for each input of the network",
            stimuli.shape[1],
        )
        finite = np.isfinite(stimuli).all(axis=1)
        if not finite.all():
            raise SettingError(
                f"Presentation.stimulus must be finite; got NaN or infinity in presentation "
                f"{first + int(np.argmin(finite))}. Clean or drop the sample."
            )
        rates = self.learning.schedule.rates(progress)
        plan, self.plan_state = self.planner.plan(self.plan_state, shown, rates)
        rest = self.circuits[0].background
        inputs = stimuli
        if len(plan.at_rest) > 1 or plan.at_rest[0]:
            inputs = np.where(plan.at_rest[None, :, None], rest, stimuli[:, None, :])
        return Chunk(
            first, shown, plan, self.learning.readout.rates(progress), inputs.reshape(-1, expected)
        )

    def _layer(self, chunk: Chunk, k: int) -> Chunk:
        """Stages 1 to L: a layer responds and learns."""
        with np.errstate(over="ignore", invalid="ignore"):  # told below, in words
            return self._respond(chunk, k)

    def _respond(self, chunk: Chunk, k: int) -> Chunk:
        inputs = chunk.layers[-1].output if k else chunk.inputs
        if self.recorded is not None:
            chunk.before.append({
                name: self.states[k][name][self.recorded[k]].astype(np.float64)
                for name in ("weights", "velocity")
                if name in self.states[k]
            })  # fmt: skip
        if self._engines:
            present = self._engines[k].present
            self.states[k], shown = present(self.states[k], chunk.plan, inputs, self.chosen[k])
        else:
            self.states[k], shown = self._reference(k, self.states[k], chunk.plan, inputs)
        if not max(power(shown.drive), power(shown.rate)) < DIVERGED**2:  # true for NaN as well
            self._report(chunk, k, shown)
        chunk.layers.append(shown)
        return chunk

    def _report(self, chunk: Chunk, k: int, shown: Shown) -> None:
        """Raise where a layer diverged first."""
        powers = np.cumsum((shown.drive.astype(float) ** 2 + shown.rate.astype(float) ** 2).sum(1))
        first = int(np.argmin(powers < DIVERGED**2))
        size = f"{np.linalg.norm(shown.rate[first - 1]):.4g}" if first else "unknown"
        at = chunk.first + first // len(chunk.plan.at_rest)
        raise DivergenceError(
            f"{self.network.names[k]} diverged at presentation {at}; the last finite rates had "
            f"norm {size}. Lower the learning rate (Schedule.rate)."
        )

    def _read(self, chunk: Chunk) -> Chunk:
        """Last stage: the read-outs predict what is on at the offset, then learn."""
        samples = len(chunk.plan.at_rest)
        outputs = [shown.output[samples - 1 :: samples] for shown in chunk.layers]
        for name, source in self.sources.items():
            read = outputs[source[0]]
            if len(source) > 1:
                read = np.concatenate([outputs[k] for k in source], axis=1)
            chunk.predicted[name] = self.readout.present(
                self.readouts[name], read, chunk.shown.lessons, chunk.rates
            )
        return chunk

    def right(
        self, network: Network, stimuli: np.ndarray, labels: np.ndarray, batch: int = 2048
    ) -> dict[str, int]:
        """How many labels each read-out gets right, from settled responses of ``network``."""
        counts = dict.fromkeys(self.sources, 0)
        for first in range(0, len(labels), batch):
            part = slice(first, first + batch)
            outputs = [a.output for a in network.activities(stimuli[part].astype(network.dtype))]
            for name, source in self.sources.items():
                state = self.readouts[name]
                read = np.concatenate([outputs[k] for k in source], axis=1)
                scores = read @ state["weights"].T + state["bias"]
                counts[name] += int((scores.argmax(axis=1) == labels[part]).sum())
        return counts
