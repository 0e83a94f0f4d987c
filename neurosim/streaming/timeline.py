"""Where time is looked at: the traces, instants and weights of one presentation.

Activity is described by *traces*: stretches (or samples) of activity that a synapse can still see.
An *instant* is a time at which signals are evaluated, with a quadrature weight. A timeline turns
durations and gaps into a `Geometry` of plain matrices; after that no code knows about time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neurosim.checks import require


class Geometry(NamedTuple):
    """One presentation as matrices, for P traces a presentation, R in the window, I instants.

    filter : (I, R) derivative signal at instant i of unit activity in trace r; the present
        presentation's P traces come last.
    weight : (I,) quadrature weight of the instant in the weight change.
    mean_keep : (I + 1,), mean_filter : (I + 1, I) b3 at the instants and at the end.
    trace_weight : (P,) share of each present trace in the present stimulus (0 at rest).
    step : (P,) seconds since the previous trace was sampled.
    time : (I,) seconds after onset.
    """

    filter: np.ndarray
    weight: np.ndarray
    mean_keep: np.ndarray
    mean_filter: np.ndarray
    trace_weight: np.ndarray
    step: np.ndarray
    time: np.ndarray


class Timeline(ABC):
    """How presentations become traces and instants."""

    @property
    @abstractmethod
    def at_rest(self) -> np.ndarray:
        """(P,) bool: which traces of a presentation belong to the gap before it."""

    @property
    @abstractmethod
    def n_window(self) -> int:
        """Presentations in the window, the present one included."""

    @property
    @abstractmethod
    def n_partners(self) -> int:
        """Earlier presentations the present one is compared with."""

    @property
    def n_traces(self) -> int:
        """Traces a presentation, P."""
        return len(self.at_rest)

    @abstractmethod
    def geometry(self, durations: np.ndarray, gaps: np.ndarray, beta: float) -> Geometry:
        """Matrices of the last of ``n_window`` presentations.

        Parameters
        ----------
        durations, gaps : ndarray, shape (n_window,)
            Seconds each was shown, and rested before; oldest first.
        beta : float
            `ThirdFactorCircuit.beta`.
        """


@dataclass(frozen=True, kw_only=True)
class TwoPoint(Timeline):
    """The two-point level: an exact difference to earlier presentations, no clock.

    Parameters
    ----------
    remembered : int
        How many earlier presentations each one is compared with; 1 is the published rule. The
        update is the mean over the pairs.

    Source
    ------
    Pogodin & Latham 2020, sections 3.2 and 3.4.
    """

    remembered: int = 1

    def __post_init__(self) -> None:
        require(self.remembered >= 1, "TwoPoint.remembered", "be at least 1", self.remembered)

    @property
    def at_rest(self) -> np.ndarray:
        """One trace a presentation, never at rest."""
        return np.zeros(1, dtype=bool)

    @property
    def n_window(self) -> int:
        """The remembered presentations and the present one."""
        return self.remembered + 1

    @property
    def n_partners(self) -> int:
        """The remembered presentations."""
        return self.remembered

    def geometry(self, durations: np.ndarray, gaps: np.ndarray, beta: float) -> Geometry:
        """Present minus each remembered one, oldest first."""
        k = self.remembered
        power = (1 - beta) ** np.arange(k + 1)
        lag = np.subtract.outer(np.arange(k), np.arange(k))
        running = np.where(lag >= 0, beta * (1 - beta) ** np.maximum(lag, 0), 0.0)
        return Geometry(
            filter=np.hstack([-np.eye(k), np.ones((k, 1))]),
            weight=np.full(k, 1 / k),
            mean_keep=np.append(power[1:], power[k]),
            mean_filter=np.vstack([running, running[-1:]]),
            trace_weight=np.ones(1),
            step=durations[-1:].astype(float),
            time=np.zeros(k),
        )
