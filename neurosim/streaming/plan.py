"""What a chunk of presentations looks like to a layer: geometry, teaching signal, rates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neurosim.checks import require
from neurosim.streaming.presentations import UNLABELLED, Presentations
from neurosim.streaming.timeline import Geometry, Timeline


class Plan(NamedTuple):
    """T presentations ahead, with U distinct geometries; see `Geometry` for the matrices.

    filter, weight, mean_keep, mean_filter, trace_weight, step : leading axis U, float64.
    geometry : (T,) which geometry each presentation has.
    teaching : (T, I) label similarity k_y with the partner of each instant.
    gate : (T, I) 1 where there is a teaching signal, else 0.
    eta : (T,) learning rate.
    at_rest : (P,) which traces belong to the gap.
    """

    filter: np.ndarray
    weight: np.ndarray
    mean_keep: np.ndarray
    mean_filter: np.ndarray
    trace_weight: np.ndarray
    step: np.ndarray
    geometry: np.ndarray
    teaching: np.ndarray
    gate: np.ndarray
    eta: np.ndarray
    at_rest: np.ndarray

    def part(self, start: int, stop: int) -> Plan:
        """The plan of some of its presentations."""
        cut = slice(start, stop)
        return self._replace(
            geometry=self.geometry[cut],
            teaching=self.teaching[cut],
            gate=self.gate[cut],
            eta=self.eta[cut],
        )


class Planner:
    """Turns presentations into plans, and remembers what came before.

    Parameters
    ----------
    timeline : Timeline
    beta : float
        `ThirdFactorCircuit.beta`.
    n_classes : int
        Number of classes of the labels; at least two.
    """

    def __init__(self, timeline: Timeline, beta: float, n_classes: int) -> None:
        require(n_classes >= 2, "Planner.n_classes", "be at least 2", n_classes)
        self._timeline, self._beta, self._n_classes = timeline, beta, n_classes
        self._geometries: dict[bytes, Geometry] = {}
        self._stacked: dict[bytes, dict[str, np.ndarray]] = {}

    def start(self) -> dict[str, np.ndarray]:
        """State before the first presentation: no labels, and rest for as long as it takes."""
        before = self._timeline.n_window - 1
        reach = np.zeros(before)
        return {
            "labels": np.full(before, UNLABELLED, np.int64),
            "durations": reach,
            "gaps": reach.copy(),
        }

    def plan(
        self, state: dict[str, np.ndarray], shown: Presentations, eta: np.ndarray
    ) -> tuple[Plan, dict[str, np.ndarray]]:
        """Plan of some presentations, and the state after them.

        Parameters
        ----------
        state : dict
            As returned by `start` or the previous call.
        shown : Presentations
            T of them.
        eta : ndarray, shape (T,)
            Learning rates.
        """
        inside = (shown.labels >= UNLABELLED) & (shown.labels < self._n_classes)
        wrong = shown.labels[~inside][:1]
        require(bool(inside.all()), "Presentation.label", f"be in [0, {self._n_classes})", wrong)
        for name, seconds, usable, rule in (
            ("duration", shown.durations, shown.durations > 0, "be finite and positive"),
            ("gap", shown.gaps, shown.gaps >= 0, "be finite and not negative"),
        ):
            usable = usable & np.isfinite(seconds)
            wrong = seconds[~usable][:1]
            require(bool(usable.all()), f"Presentation.{name}", f"{rule} (seconds)", wrong)
        n = self._timeline.n_window
        labels = np.concatenate([state["labels"], shown.labels])
        durations = np.concatenate([state["durations"], shown.durations])
        gaps = np.concatenate([state["gaps"], shown.gaps])
        matrix, index = self._matrices(durations, gaps)
        # instants before the teaching signal arrives have no weight
        present = matrix["weight"][index] > 0
        teaching, gate = self._teaching(labels, shown.lessons, present)
        plan = Plan(
            **matrix,
            geometry=index,
            teaching=teaching,
            gate=gate,
            eta=eta.astype(np.float64),
            at_rest=self._timeline.at_rest,
        )
        keep = slice(len(labels) - (n - 1), None)
        after = {"labels": labels[keep], "durations": durations[keep], "gaps": gaps[keep]}
        return plan, after

    def _matrices(
        self, durations: np.ndarray, gaps: np.ndarray
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Distinct geometries of a chunk, stacked, and which presentation has which."""
        n = self._timeline.n_window
        index = np.zeros(len(durations) - n + 1, np.int64)
        if (durations == durations[0]).all() and (gaps == gaps[0]).all():
            distinct = np.concatenate([durations[:n], gaps[:n]])[None]
        else:
            both = np.stack([durations, gaps], axis=1)
            windows = np.lib.stride_tricks.sliding_window_view(both, n, axis=0)
            rows = windows.reshape(len(windows), -1)
            distinct, index = np.unique(rows, axis=0, return_inverse=True)
        key = distinct.tobytes()
        if key not in self._stacked:
            if len(self._stacked) > 4:  # jittered gaps never come back, and are large
                self._stacked.clear()
            found = [self._geometry(row) for row in distinct]
            arrays = (np.stack(column).astype(np.float64) for column in zip(*found, strict=True))
            self._stacked[key] = dict(zip(Geometry._fields[:6], arrays, strict=False))
        return self._stacked[key], index.reshape(-1)

    def _geometry(self, row: np.ndarray) -> Geometry:
        """Geometry of one window; what was before the stream is as long as what is now."""
        key = row.tobytes()
        if key not in self._geometries:
            if len(self._geometries) > 512:
                self._geometries.clear()
            durations, gaps = row.reshape(2, -1)
            began = durations > 0
            shown = np.where(began, durations, durations[-1])
            rested = np.where(began, gaps, gaps[-1])
            self._geometries[key] = self._timeline.geometry(shown, rested, self._beta)
        return self._geometries[key]

    def _teaching(
        self, labels: np.ndarray, lessons: np.ndarray, present: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        before = self._timeline.n_window - 1
        partners = self._timeline.n_partners
        n = len(labels) - before
        now = labels[before:, None]
        ago = np.arange(partners, 0, -1)
        then = labels[before + np.arange(n)[:, None] - ago]
        teaching = np.where(now == then, 1.0, -1.0 / (self._n_classes - 1))
        gate = (lessons[:, None] != UNLABELLED) & (then != UNLABELLED) & present
        return np.array(np.broadcast_to(teaching, gate.shape)), gate.astype(float)
