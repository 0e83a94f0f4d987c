"""Plasticity rules: postsynaptic (x) presynaptic factors from local variables."""

from neurosim.plasticity.base import Factors, Local, PlasticityRule, ThirdFactor
from neurosim.plasticity.classic import BCM, Hebb, Oja
from neurosim.plasticity.gaussian import GroupedGaussian, PlainGaussian

RULES: dict[str, type[PlasticityRule]] = {
    "grouped": GroupedGaussian,
    "plain": PlainGaussian,
    "oja": Oja,
    "bcm": BCM,
    "hebb": Hebb,
}

__all__ = [
    "BCM",
    "RULES",
    "Factors",
    "GroupedGaussian",
    "Hebb",
    "Local",
    "Oja",
    "PlainGaussian",
    "PlasticityRule",
    "ThirdFactor",
]
