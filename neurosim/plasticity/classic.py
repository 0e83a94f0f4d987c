"""Classic rules without a teacher, for comparison: Hebb, Oja, BCM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from neurosim.layers import Dense
from neurosim.plasticity.base import Factors, Local, PlasticityRule, ThirdFactor


@dataclass(frozen=True, kw_only=True)
class Hebb(PlasticityRule):
    """dW = (z - theta) (x) x: Hebb's rule with a fixed threshold.

    Parameters
    ----------
    threshold : float
        theta, in units of the rate.
    """

    compares: ClassVar[Literal["rate", "group", "nothing"]] = "nothing"
    threshold: float = 0.0

    def constants(self, layer: Dense) -> tuple[float, ...]:
        """The threshold."""
        return (self.threshold,)

    @staticmethod
    def factors(local: Local, third: ThirdFactor, constants: tuple[float, ...]) -> Factors:
        """Rate above threshold."""
        return Factors(third.weight * (local.rate - constants[0]), 0.0 * local.rate)


@dataclass(frozen=True, kw_only=True)
class Oja(PlasticityRule):
    """dW = z (x) x - z^2 W, row by row: Hebb's rule with weights that keep their norm.

    Source
    ------
    Oja 1982; a linear neuron converges to the first principal component with unit norm.
    """

    compares: ClassVar[Literal["rate", "group", "nothing"]] = "nothing"
    row_decay: ClassVar[bool] = True

    @staticmethod
    def factors(local: Local, third: ThirdFactor, constants: tuple[float, ...]) -> Factors:
        """Rate, and its square as row-wise decay."""
        return Factors(third.weight * local.rate, third.weight * local.rate * local.rate)


@dataclass(frozen=True, kw_only=True)
class BCM(PlasticityRule):
    """dW = z (z - <z^2>) f' (x) x: a threshold that slides with the mean square rate.

    Source
    ------
    Bienenstock, Cooper & Munro 1982, with the threshold of Intrator & Cooper 1992.
    """

    compares: ClassVar[Literal["rate", "group", "nothing"]] = "nothing"
    averages: float = 100.0

    @staticmethod
    def factors(local: Local, third: ThirdFactor, constants: tuple[float, ...]) -> Factors:
        """Rate times its distance from the sliding threshold."""
        post = local.rate * (local.rate - local.mean_square) * local.gain
        return Factors(third.weight * post, 0.0 * local.rate)
