"""Signs that a layer has stopped learning, measured as the run goes, with what to change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from neurosim.backend import Array
from neurosim.streaming.chunk import Chunk, Signs
from neurosim.streaming.circuit import LayerCircuit
from neurosim.streaming.plan import Plan

UNDERFLOW = 1e-6
COLLAPSED = 0.03
DEAD = 0.5
EXPLODED = 100.0


class Finding(NamedTuple):
    """One ailment: where, of which kind, what was measured, what to do."""

    layer: str
    kind: str
    problem: str
    remedy: str

    def same(self, other: Finding) -> bool:
        """Whether this is the same ailment, whatever was measured this time."""
        return (self.layer, self.kind) == (other.layer, other.kind)

    def __str__(self) -> str:
        return f"{self.layer}: {self.problem} {self.remedy}"


class Vitals(NamedTuple):
    """Means over the presentations since the last look.

    similarity : mean k between compared presentations.
    underflow : fraction of comparisons with k below 1e-6.
    modulator : mean |M| sigma^2, at most about 2.
    distance : root mean square change of the compared activity.
    active : fraction of neurons that were ever above zero.
    growth : norm of the weights over their initial norm.
    """

    similarity: float
    underflow: float
    modulator: float
    distance: float
    active: float
    growth: float


class LayerHealth:
    """Collects a layer's vital signs.

    Parameters
    ----------
    name : str
    circuit : LayerCircuit
    """

    def __init__(self, name: str, circuit: LayerCircuit) -> None:
        self._name, self._circuit = name, circuit
        self._initial = float(np.linalg.norm(circuit.layer.weights))
        self._clear()

    def _clear(self) -> None:
        n = self._circuit.layer.n_post
        self.state = {"count": np.zeros(1), "sums": np.zeros(4), "active": np.zeros(n, bool)}

    def observe(self, signs: Signs, plan: Plan) -> None:
        """Take in what a chunk did."""
        self.state["active"] |= signs.active
        taught = plan.gate > 0
        if self._circuit.rule.compares == "nothing" or not taught.any():
            return
        b1, modulator = signs.third[..., 0][taught], signs.third[..., 3][taught]
        similarity = self._circuit.third_factor.similarity(b1)
        self.state["count"] += b1.size
        self.state["sums"] += (
            similarity.sum(),
            (similarity < UNDERFLOW).sum(),
            np.abs(modulator).sum() * self._circuit.third_factor.sigma**2,
            b1.sum(),
        )

    def vitals(self, weights: Array) -> Vitals:
        """Means since the last call, which are then forgotten."""
        count = float(self.state["count"][0])
        similarity, underflow, modulator, b1 = self.state["sums"] / max(count, 1)
        if not count:
            similarity = modulator = b1 = np.nan
        active = float(self.state["active"].mean())
        growth = float(np.linalg.norm(weights)) / max(self._initial, 1e-30)
        self._clear()
        distance = float(np.sqrt(b1))
        return Vitals(
            float(similarity), float(underflow), float(modulator), distance, active, growth
        )

    def findings(self, vitals: Vitals) -> list[Finding]:
        """What is wrong, if anything."""
        found = []
        sigma = self._circuit.third_factor.sigma
        if vitals.underflow > 0.5:
            found.append(Finding(
                self._name, "underflow",
                f"similarity underflows in {vitals.underflow:.0%} of comparisons (activity changes "
                f"by {vitals.distance:.3g}, sigma is {sigma:g}): the layer does not learn.",
                f"Use a sigma near {vitals.distance / 2:.2g}, or the grouped rule.",
            ))  # fmt: skip
        elif vitals.distance < COLLAPSED * sigma:
            found.append(Finding(
                self._name, "collapsed",
                f"the third factor has collapsed (mean similarity {vitals.similarity:.6f}): all "
                f"presentations look the same (activity changes by {vitals.distance:.2g}).",
                f"Raise the initial gain, or lower sigma to {max(vitals.distance, 1e-3):.1g} and "
                "the learning rate with its square.",
            ))  # fmt: skip
        if vitals.active < DEAD:
            found.append(Finding(
                self._name, "dead", f"{1 - vitals.active:.0%} of the neurons are never active.",
                "Lower the learning rate, or use a leaky nonlinearity.",
            ))  # fmt: skip
        if vitals.growth > EXPLODED:
            found.append(Finding(
                self._name, "exploded", f"the weights have grown {vitals.growth:.3g}-fold.",
                "Lower the learning rate or add weight decay.",
            ))  # fmt: skip
        return found


class Checkup:
    """The health of all layers, and what was found wrong with it so far.

    Parameters
    ----------
    names : tuple of str
    circuits : list of LayerCircuit

    Attributes
    ----------
    layers : dict of str to LayerHealth
    findings : list of Finding
        Each ailment once.
    """

    def __init__(self, names: tuple[str, ...], circuits: list[LayerCircuit]) -> None:
        self.layers = {
            name: LayerHealth(name, circuit) for name, circuit in zip(names, circuits, strict=True)
        }
        self.findings: list[Finding] = []

    def observe(self, chunk: Chunk) -> None:
        """Take in what a chunk did to all layers."""
        for health, signs in zip(self.layers.values(), chunk.signs, strict=True):
            health.observe(signs, chunk.plan)

    def look(self, weights: Iterable[Array]) -> tuple[dict[str, float], list[Finding]]:
        """Vital signs since the last look, as ``layer1_active``, ..., and what is newly wrong.

        Parameters
        ----------
        weights : iterable of array
            Of each layer, as they are now.
        """
        vitals, new = dict[str, float](), list[Finding]()
        for (name, health), now in zip(self.layers.items(), weights, strict=True):
            signs = health.vitals(now)
            vitals |= {f"{name}_{field}": value for field, value in signs._asdict().items()}
            for finding in health.findings(signs):
                if not any(finding.same(known) for known in self.findings):
                    self.findings.append(finding)
                    new.append(finding)
        return vitals, new
