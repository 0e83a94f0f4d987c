"""Timelines in continuous time: event-driven (exact between events) and clock-driven.

Both cut the stimulus and the last part of the gap into intervals with quadrature nodes. The
event-driven timeline puts a few Gauss-Legendre nodes between events (onset, arrival of the teaching
signal, the response's rise, peak and fall around onset + c1, offset); the clock-driven one puts one
node in the middle of every `dt`. Weights take the change of a presentation at its offset, so rates
are constant between events unless the neurons have dynamics of their own; then every node is a
trace of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, isclose, log1p

import numpy as np

from neurosim.checks import SettingError, require
from neurosim.dynamics import SmoothedDerivative
from neurosim.ops.quadrature import causal_weights, gauss_nodes
from neurosim.streaming.timeline import Geometry, Timeline

FLANKS = (-4.0, 0.0, 6.0)
"""Where the response to a jump rises, peaks and has died down, in units of 1 / c2 around c1."""


@dataclass(frozen=True, kw_only=True)
class Continuous(Timeline):
    """The smoothed level, and with neurons that have a memory the memory level.

    Parameters
    ----------
    derivative : SmoothedDerivative
        kappa.
    duration : float
        Nominal duration of a presentation, seconds: unit of the weight change (a presentation of
        this length changes the weights about as much as a two-point update) and of `beta`.
    shortest : float, optional
        Least duration plus gap that will occur, seconds; `duration` if not given. Sets how many
        earlier presentations a synapse still sees.
    gaps : bool
        Whether presentations are separated by rest.
    sampled : bool
        Whether activity varies between events (`NeuronDynamics.sampled`).
    delay : float
        Seconds after onset at which the teaching signal arrives.
    nodes : int
        Event-driven: quadrature nodes an interval.
    dt : float, optional
        Clock-driven with this step, seconds; None is event-driven. Needs presentations of the
        nominal duration, and equal gaps.
    tolerance : float
        Share of a jump that may still be felt when it leaves the window.

    Source
    ------
    Pogodin & Latham 2020, section 3.3, eqs. 13-16.
    """

    derivative: SmoothedDerivative
    duration: float = 0.2
    shortest: float | None = None
    gaps: bool = False
    sampled: bool = False
    delay: float = 0.0
    nodes: int = 6
    dt: float | None = None
    tolerance: float = 1e-12

    def __post_init__(self) -> None:
        require(self.duration > 0, "Continuous.duration", "be positive (seconds)", self.duration)
        require(self.delay >= 0, "Continuous.delay", "not be negative (seconds)", self.delay)
        require(self.nodes >= 1, "Continuous.nodes", "be at least 1", self.nodes)
        if self.dt is not None:
            fits = 0 < self.dt <= self.duration
            require(fits, "Continuous.dt", f"be in (0, {self.duration}] seconds", self.dt)
        if self.shortest is not None:
            require(self.shortest > 0, "Continuous.shortest", "be positive", self.shortest)

    @property
    def reach(self) -> float:
        """Seconds a jump is felt."""
        return self.derivative.window(self.tolerance)

    @property
    def n_window(self) -> int:
        """As many earlier presentations as a jump can outlast, and the present one."""
        return 1 + ceil(self.reach / (self.shortest or self.duration))

    @property
    def n_partners(self) -> int:
        """The teaching signal compares with the previous presentation."""
        return 1

    @property
    def at_rest(self) -> np.ndarray:
        """Traces of the gap, then traces of the stimulus."""
        rest, shown = self._n_nodes(self.reach), self._n_nodes(self.duration, stimulus=True)
        if not self.sampled:
            rest = shown = 1
        return np.repeat([True, False], [rest if self.gaps else 0, shown])

    def _n_nodes(self, length: float, *, stimulus: bool = False) -> int:
        """Traces of a sampled segment: its nodes, and one that closes it."""
        if self.dt is not None:
            return ceil(length / self.dt - 1e-9) + 1
        return (2 + len(FLANKS) if stimulus else 1) * self.nodes + 1

    def _shown(self, duration: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Intervals, nodes and quadrature weights while a stimulus is on, from its onset."""
        if self.dt is None:
            arrival = _snap(min(self.delay, duration), 0.0, duration)
            marks = self.derivative.c1 + np.array(FLANKS) / self.derivative.c2
            seen = [_snap(min(max(t, arrival), duration), arrival, duration) for t in marks]
            edges = np.array([0.0, arrival, *seen, duration])
        else:
            edges = np.linspace(0, duration, ceil(duration / self.dt - 1e-9) + 1)
        intervals = np.stack([edges[:-1], edges[1:]], axis=1)
        return intervals, *gauss_nodes(intervals, self.nodes if self.dt is None else 1)

    def _resting(self, gap: float) -> tuple[np.ndarray, np.ndarray]:
        """Intervals and nodes of the last part of a gap, from the onset that ends it."""
        felt = min(gap, self.reach)
        n = 1 if self.dt is None else ceil(self.reach / self.dt - 1e-9)
        edges = np.linspace(-felt, 0, n + 1)
        intervals = np.stack([edges[:-1], edges[1:]], axis=1)
        return intervals, gauss_nodes(intervals, self.nodes if self.dt is None else 1)[0]

    def geometry(self, durations: np.ndarray, gaps: np.ndarray, beta: float) -> Geometry:
        """See `Timeline.geometry`; times are relative to the present onset."""
        self._check(durations, gaps)
        duration, gap = float(durations[-1]), float(gaps[-1])
        # beyond the reach of the kernel a longer gap changes nothing but the steps of the dynamics
        felt = tuple(np.minimum(gaps, self.reach).tolist())
        seen = _seen(self, tuple(durations.tolist()), felt, beta)
        return seen._replace(step=self._steps(self._shown(duration)[1], duration, gap))

    def _check(self, durations: np.ndarray, gaps: np.ndarray) -> None:
        require(bool((durations > 0).all()), "Presentation.duration", "be positive", durations)
        require(bool((gaps >= 0).all()), "Presentation.gap", "not be negative (seconds)", gaps)
        if not self.gaps and gaps.any():
            raise SettingError(
                f"Presentation.gap must be 0 on a timeline without gaps; got {gaps.max()} s. "
                "Set Continuous.gaps."
            )
        felt = float(durations[:-1].sum() + gaps[1:].sum())
        require(
            felt >= self.reach * (1 - 1e-9),
            "Continuous.shortest",
            f"let the window of {self.n_window} presentations cover {self.reach:.4g} s",
            f"{felt:.4g} s",
            "Lower `shortest` to the least duration plus gap of the stream.",
        )
        if self.dt is not None:
            same = np.allclose(durations, self.duration, rtol=1e-9) and np.ptp(gaps) == 0
            rule = f"be None unless all presentations last {self.duration} s, after equal gaps"
            require(same, "Continuous.dt", rule, self.dt)

    def _filter(
        self, instants: np.ndarray, onsets: np.ndarray, durations: np.ndarray, gaps: np.ndarray
    ) -> np.ndarray:
        """Derivative signal at the instants of unit activity in every trace of the window."""
        columns = []
        for onset, duration, gap in zip(onsets, durations, gaps, strict=True):
            if self.sampled:
                if self.gaps:
                    columns += [self._sampled(instants, onset, *self._resting(gap))]
                columns += [self._sampled(instants, onset, *self._shown(duration)[:2])]
            else:
                edges = onset + np.array([-gap, 0.0, duration])[0 if self.gaps else 1 :]
                columns += [self.derivative.filter_weights(instants, edges[:-1], edges[1:])]
        return np.hstack(columns)

    def _sampled(
        self, instants: np.ndarray, onset: float, intervals: np.ndarray, nodes: np.ndarray
    ) -> np.ndarray:
        """Product integration over one segment; its closing trace has no weight."""
        weights = self.derivative.lagrange_weights(instants, onset + intervals, onset + nodes)
        return np.pad(weights.reshape(len(instants), -1), ((0, 0), (0, 1)))

    def _trace_weight(self, taught: np.ndarray, duration: float) -> np.ndarray:
        rest = np.zeros(int(self.at_rest.sum()))
        shown = np.append(taught, 0) if self.sampled else [max(duration - self.delay, 0)]
        return np.append(rest, shown) / self.duration

    def _steps(self, nodes: np.ndarray, duration: float, gap: float) -> np.ndarray:
        """Seconds from one trace of this presentation to the next."""
        if not self.sampled:
            return np.array([gap, duration] if self.gaps else [duration])
        shown = np.diff(np.concatenate([[0], nodes.ravel(), [duration]]))
        if not self.gaps:
            return shown
        resting = np.concatenate([[-gap], self._resting(gap)[1].ravel(), [0]])
        return np.append(np.diff(resting), shown)


@lru_cache(maxsize=256)
def _seen(
    timeline: Continuous, durations: tuple[float, ...], gaps: tuple[float, ...], beta: float
) -> Geometry:
    """What an observer at the instants sees, whatever the dynamics' steps."""
    duration = durations[-1]
    lasted = np.array(durations) + np.append(gaps[1:], 0)
    onsets = duration - np.cumsum(lasted[::-1])[::-1]
    alone = _alone(timeline, duration, beta)
    seen = timeline._filter(alone.time, onsets, np.array(durations), np.array(gaps))
    return alone._replace(filter=seen)


@lru_cache(maxsize=256)
def _alone(timeline: Continuous, duration: float, beta: float) -> Geometry:
    """The part that does not depend on earlier presentations: all but filter and steps."""
    intervals, nodes, quadrature = timeline._shown(duration)
    instants = nodes.ravel()
    taught = (instants >= timeline.delay) * quadrature.ravel()
    tau = -timeline.duration / log1p(-beta)
    ends = np.append(instants, duration)
    since = np.maximum(ends - min(timeline.delay, duration), 0)
    # before the teaching signal arrives b2 is replaced by b3, which so stays where it was
    before = intervals[:, 1] <= timeline.delay
    running = causal_weights(lambda t: np.exp(-t / tau) / tau, ends, intervals, nodes)
    running[:, before] = 0
    return Geometry(
        filter=np.zeros((len(instants), 0)),
        weight=taught / timeline.duration,
        mean_keep=np.exp(-since / tau),
        mean_filter=running.reshape(len(ends), -1),
        trace_weight=timeline._trace_weight(taught, duration),
        step=np.zeros(timeline.n_traces),
        time=instants,
    )


def _snap(t: float, *events: float) -> float:
    """The event that ``t`` coincides with but for rounding, else ``t``."""
    return next((event for event in events if isclose(t, event, rel_tol=1e-9, abs_tol=1e-12)), t)
