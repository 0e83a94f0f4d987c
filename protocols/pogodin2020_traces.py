"""Single neurons: what the smoothed derivative and the memory make of a stream of data points.

Scenario A shows one data point after the other. The smoothed temporal derivative of the activity
reports each jump. Scenario B rests at background activity between data points: the neuron keeps
the last deviation from background in a memory, and the derivative of the memory reports the jump
from one data point to the next, however long the gap.

The neurons respond to each data point with a constant activity drawn from the seed. Everything is
computed from event to event and only sampled every ``dt``.

Source: Pogodin & Latham 2020, section 3.3, figure 1A and 1B (a sketch, without numbers: the
constants here are this protocol's).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from neurosim.backend import Array, device_of, require_device, to_device
from neurosim.checks import require
from neurosim.dynamics import MemoryTrace, SmoothedDerivative
from neurosim.ops.quadrature import gauss_nodes
from neurosim.protocol import ProtocolConfig
from neurosim.recording import Recorder
from neurosim.seeds import Seeds

N_NODES = 8
"""Gauss-Legendre nodes an interval, for the derivative of the memory."""
LEVELS = 24
"""Halvings of the intervals towards a moment where the memory's recall has an infinite slope."""
BLOCK = 256
"""Instants whose weights are held at once."""


@dataclass(frozen=True, kw_only=True)
class Config(ProtocolConfig):
    """Settings of the two scenarios.

    Parameters
    ----------
    presentations : int
        Data points shown in each scenario.
    neurons : int
        Independent neurons.
    duration : float
        Seconds each data point is shown.
    gap : float
        Seconds at background activity around each data point in scenario B.
    background : float
        Activity at rest.
    contrast : tuple of float
        Smallest and largest deviation from background; the sign is drawn, too.
    derivative : SmoothedDerivative
        The filter whose response reports a jump.
    memory : MemoryTrace
        The trace that survives a gap. Its ``tau`` must be short against 1 / c2: a memory that
        takes as long to settle as the filter looks back spreads each jump over time.
    dt : float
        Seconds between samples.
    """

    presentations: int = 6
    neurons: int = 1
    duration: float = 0.2
    gap: float = 0.3
    background: float = 5.0
    contrast: tuple[float, float] = (1.5, 4.0)
    derivative: SmoothedDerivative = SmoothedDerivative(c1=0.04, c2=350.0)
    memory: MemoryTrace = MemoryTrace(tau=0.0005)
    dt: float = 0.001

    devices: ClassVar = ("cpu", "gpu")

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.presentations >= 2, "Config.presentations", "be at least 2", self.presentations
        )
        require(self.neurons >= 1, "Config.neurons", "be at least 1", self.neurons)
        for name in ("duration", "gap", "dt"):
            value = getattr(self, name)
            require(0 < value < np.inf, f"Config.{name}", "be positive (seconds)", value)
        for name, value in (("derivative.c1", self.derivative.c1), ("dt", self.dt)):
            rule = f"be shorter than a presentation, {self.duration} s"
            require(value < self.duration, f"Config.{name}", rule, value)
        low, high = self.contrast
        require(0 < low < high < np.inf, "Config.contrast", "be two deviations, 0 < low < high",
                self.contrast)  # fmt: skip

    @classmethod
    def smoke(cls) -> Config:
        """Two data points, coarsely sampled."""
        return cls(presentations=2, dt=0.01)


class Scenario(NamedTuple):
    """What one scenario leaves on the host: traces (time, neuron), events (presentation[, neuron]).

    The neurons' activity is computed where their responses are, what does not depend on it before.
    """

    traces: dict[str, np.ndarray]
    onset: np.ndarray
    offset: np.ndarray
    jump: np.ndarray


def run(config: Config, recorder: Recorder) -> None:
    """Compute both scenarios and record their traces and events."""
    require_device("Config.device", config.device)
    deviations = to_device(draw_responses(config), config.device)
    scenarios = {
        "scenario_a": without_gaps(config, deviations),
        "scenario_b": with_gaps(config, deviations),
    }
    recovered = {name: peaks(scenario) for name, scenario in scenarios.items()}
    declare(config, recorder, scenarios)
    recorder.begin()
    for name, scenario in scenarios.items():
        for trace, values in scenario.traces.items():
            recorder.append(f"layers/{name}/{trace}", values)
    both = scenarios.values()
    recorder.append("events/onset", np.stack([s.onset for s in both], axis=1))
    recorder.append("events/offset", np.stack([s.offset for s in both], axis=1))
    recorder.append("events/jump", np.stack([s.jump for s in both], axis=1))
    recorder.append("events/recovered", np.stack(list(recovered.values()), axis=1))
    summary: dict[str, object] = {"presentations": config.presentations}
    for name, scenario in scenarios.items():
        # the first presentation of scenario A has nothing before it to jump from
        ratio = recovered[name][1:] / scenario.jump[1:]
        summary[f"{name}_recovered"] = ratio.tolist()
        summary[f"{name}_worst_error"] = float(np.abs(ratio - 1).max())
    recorder.finish(summary, weights={})


def draw_responses(config: Config) -> np.ndarray:
    """Deviations from background, (presentation, neuron)."""
    rng = Seeds(config.seed).generator("traces/responses")
    shape = (config.presentations, config.neurons)
    sign = np.where(rng.random(shape) < 0.5, -1.0, 1.0)
    return sign * rng.uniform(*config.contrast, shape)


def without_gaps(config: Config, deviations: Array) -> Scenario:
    """Scenario A; the first data point has been shown for as long as the filter can see."""
    place, levels = device_of(deviations), config.background + deviations
    onset = config.duration * np.arange(config.presentations)
    time = sample_times(config, onset[-1] + config.duration)
    starts, ends = np.append(-np.inf, onset[1:]), np.append(onset[1:], np.inf)
    weights = to_device(config.derivative.filter_weights(time, starts, ends), place)
    traces = {
        "rate": levels[to_device(cell_of(time, onset), place)],
        "derivative": weights @ levels,
    }
    jump = np.diff(levels, axis=0, prepend=levels[:1])
    return on_host(time, traces, onset, onset + config.duration, jump)


def with_gaps(config: Config, deviations: Array) -> Scenario:
    """Scenario B; the neuron starts at rest, with nothing to remember."""
    place = device_of(deviations)
    cells = to_device(np.zeros((2 * config.presentations + 1, config.neurons)), place)
    cells[1::2] = deviations
    lengths = np.resize([config.gap, config.duration], len(cells))
    starts = np.append(0.0, np.cumsum(lengths))[:-1]
    rest = config.memory.init((config.neurons,))
    states = [{name: to_device(array, place) for name, array in rest.items()}]
    moments = list(starts)
    for start, length, target in zip(starts, lengths, cells, strict=True):
        crossing = to_device(config.memory.crossing(states[-1], target), "cpu")
        moments += [start + t for t in crossing if t < length]
        states.append(config.memory.relax(states[-1], target, length))

    def recall(times: np.ndarray) -> Array:
        remembered = []
        for t, cell in zip(times, cell_of(times, starts), strict=True):
            state = config.memory.relax(states[cell], cells[cell], t - starts[cell])
            remembered.append(config.memory.recall(state))
        return np.stack(remembered)

    end = starts[-1] + config.gap
    time = sample_times(config, end)
    intervals = graded_intervals(np.array(moments), end, config.duration)
    nodes, _ = gauss_nodes(intervals, N_NODES)
    at_nodes = recall(nodes.ravel()).reshape(*nodes.shape, config.neurons)
    derivative = [
        np.einsum(
            "irj,rjn->in",
            to_device(config.derivative.lagrange_weights(block, intervals, nodes), place),
            at_nodes,
        )
        for block in np.split(time, range(BLOCK, len(time), BLOCK))
    ]
    edges, ends = np.append(-np.inf, starts[1:]), np.append(starts[1:], np.inf)
    weights = to_device(config.derivative.filter_weights(time, edges, ends), place)
    levels = config.background + cells
    traces = {
        "rate": levels[to_device(cell_of(time, starts), place)],
        "memory": recall(time),
        "derivative": np.concatenate(derivative),
        "rate_derivative": weights @ levels,
    }
    onset = starts[1::2]
    jump = np.diff(deviations, axis=0, prepend=np.zeros_like(deviations[:1]))
    return on_host(time, traces, onset, onset + config.duration, jump)


def on_host(
    time: np.ndarray, traces: dict[str, Array], onset: np.ndarray, offset: np.ndarray, jump: Array
) -> Scenario:
    """The scenario whose traces and jumps are wherever they were computed."""
    found = {name: to_device(array, "cpu") for name, array in traces.items()}
    return Scenario({"time": time} | found, onset, offset, to_device(jump, "cpu"))


def graded_intervals(moments: np.ndarray, end: float, length: float) -> np.ndarray:
    """Intervals, (n, 2), that tile [0, end] and shrink by halves around each of the moments."""
    distances = length * 0.5 ** np.arange(LEVELS)
    around = np.add.outer(moments, np.concatenate([-distances, [0.0], distances]))
    edges = np.unique(np.clip(np.append(around, [0.0, end]), 0.0, end))
    # moments that rounding has set apart would leave intervals too short to hold distinct nodes
    edges = edges[np.append(True, np.diff(edges) > 1e-9 * length)]
    return np.stack([edges[:-1], edges[1:]], axis=1)


def sample_times(config: Config, end: float) -> np.ndarray:
    """Every ``dt`` from 0 to ``end``."""
    return config.dt * np.arange(int(end / config.dt + 1e-9) + 1)


def cell_of(times: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The stretch of constant activity each time falls into."""
    return np.searchsorted(starts, times, side="right") - 1


def peaks(scenario: Scenario) -> np.ndarray:
    """Largest excursion of the derivative within each presentation, (presentation, neuron)."""
    time, derivative = scenario.traces["time"], scenario.traces["derivative"]
    found = []
    for onset, offset in zip(scenario.onset, scenario.offset, strict=True):
        shown = derivative[(time >= onset) & (time < offset)]
        found.append(np.take_along_axis(shown, np.abs(shown).argmax(axis=0)[None], axis=0)[0])
    return np.array(found)


def declare(config: Config, recorder: Recorder, scenarios: dict[str, Scenario]) -> None:
    """Announce all traces and events."""
    for name, scenario in scenarios.items():
        rows = len(scenario.traces["time"])
        recorder.declare(
            f"layers/{name}/time", shape=(), dtype=np.float64, unit="s", axes=("time",), rows=rows
        )
        for trace in list(scenario.traces)[1:]:
            recorder.declare(
                f"layers/{name}/{trace}",
                shape=(config.neurons,),
                dtype=np.float64,
                unit="1",
                axes=("time", "neuron"),
                rows=rows,
                coordinates={"time": f"layers/{name}/time"},
            )
    for event in ("onset", "offset", "jump", "recovered"):
        each_neuron = event in ("jump", "recovered")
        recorder.declare(
            f"events/{event}",
            shape=(len(scenarios), config.neurons) if each_neuron else (len(scenarios),),
            dtype=np.float64,
            unit="1" if each_neuron else "s",
            axes=("presentation", "scenario", "neuron")[: 3 if each_neuron else 2],
            rows=config.presentations,
            coordinates={"scenario": list(scenarios)},
        )
