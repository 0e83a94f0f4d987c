"""The rules of the Gaussian kernel: plain, and grouped with divisive normalization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from neurosim.checks import SettingError
from neurosim.layers import Dense
from neurosim.plasticity.base import Factors, Local, PlasticityRule, ThirdFactor


@dataclass(frozen=True, kw_only=True)
class PlainGaussian(PlasticityRule):
    """dW = M (z_i - z_j) * (f'_i x_i - f'_j x_j).

    Source
    ------
    Pogodin & Latham 2020, eq. 12; general nonlinearity: eq. 41.
    """

    compares: ClassVar[Literal["rate", "group", "nothing"]] = "rate"

    @staticmethod
    def factors(local: Local, third: ThirdFactor, constants: tuple[float, ...]) -> Factors:
        """Third factor times change of rate, times gain."""
        return Factors(third.signal * local.gain, 0.0 * local.rate)


@dataclass(frozen=True, kw_only=True)
class GroupedGaussian(PlasticityRule):
    """dW_a = M (v_a,i - v_a,j) 2(1-p)/g * (r_i f'_i (x) x_i - r_j f'_j (x) x_j).

    Notes
    -----
    Equations 20 and 22 of the source drop 2(1-p)/g and f'; both are kept.

    Source
    ------
    Pogodin & Latham 2020, eqs. 22, 63; general nonlinearity: eq. 48.
    """

    compares: ClassVar[Literal["rate", "group", "nothing"]] = "group"

    def constants(self, layer: Dense) -> tuple[float, ...]:
        """2 (1 - p) / g."""
        if layer.grouping is None:
            raise SettingError(
                "GroupedGaussian needs a layer with groups; got one without. "
                "Give the layer a Grouping, or use PlainGaussian."
            )
        return (layer.grouping.slope(layer.n_post),)

    @staticmethod
    def factors(local: Local, third: ThirdFactor, constants: tuple[float, ...]) -> Factors:
        """Group's third factor times normalized rate times gain."""
        return Factors(
            third.signal * constants[0] * local.normalized * local.gain, 0.0 * local.rate
        )
