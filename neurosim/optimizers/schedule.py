"""Learning rates over the course of a run: smooth for streams, in steps for epochs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from neurosim.checks import require, require_one_of

Course = Literal["constant", "exponential", "linear", "cosine"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A learning rate and how it falls.

    Parameters
    ----------
    rate : float
        Initial rate.
    course : {"constant", "exponential", "linear", "cosine"}
        How it gets from ``rate`` to ``rate * final``.
    final : float
        Last rate as a fraction of the first, in (0, 1]; ignored if constant.
    """

    rate: float = 0.03
    course: Course = "exponential"
    final: float = 0.01

    def __post_init__(self) -> None:
        require(self.rate >= 0, "Schedule.rate", "not be negative", self.rate)
        require_one_of("Schedule.course", self.course, get_args(Course))
        require(0 < self.final <= 1, "Schedule.final", "be in (0, 1]", self.final)

    def rates(self, progress: np.ndarray) -> np.ndarray:
        """Learning rates at ``progress`` in [0, 1] of the run, same shape."""
        match self.course:
            case "constant":
                return np.full_like(progress, self.rate)
            case "exponential":
                return self.rate * self.final**progress
            case "linear":
                return self.rate * (1 - (1 - self.final) * progress)
            case _:
                return self.rate * (
                    self.final + (1 - self.final) * (1 + np.cos(np.pi * progress)) / 2
                )


@dataclass(frozen=True, kw_only=True)
class Milestones:
    """A learning rate that drops at certain epochs.

    Parameters
    ----------
    rate : float
        Initial rate.
    epochs : tuple of int
        Epochs, counted from 0, with whose first batch the rate drops; increasing.
    factor : float
        What it is multiplied by each time, in (0, 1].

    Source
    ------
    Pogodin & Latham 2020, appendix D.5 (0.25 at epochs 50, 75 and 90).
    """

    rate: float
    epochs: tuple[int, ...] = ()
    factor: float = 0.25

    def __post_init__(self) -> None:
        finite = 0 <= self.rate < float("inf")
        require(finite, "Milestones.rate", "be finite and not negative", self.rate)
        increasing = all(a < b for a, b in zip((-1, *self.epochs), self.epochs, strict=False))
        require(increasing, "Milestones.epochs", "be increasing and not negative", self.epochs)
        require(0 < self.factor <= 1, "Milestones.factor", "be in (0, 1]", self.factor)

    def at(self, epoch: int) -> float:
        """Learning rate throughout ``epoch``."""
        return self.rate * self.factor ** sum(epoch >= drop for drop in self.epochs)
