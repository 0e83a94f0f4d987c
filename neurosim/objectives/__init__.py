"""Objectives: what a layer minimises on its own, and the loss of read-outs."""

from neurosim.objectives.base import Evaluation, Objective
from neurosim.objectives.classification import LayerClassification
from neurosim.objectives.cross_entropy import cross_entropy
from neurosim.objectives.pairwise import HSIC, PHSIC, PairwiseObjective

__all__ = [
    "HSIC",
    "PHSIC",
    "Evaluation",
    "LayerClassification",
    "Objective",
    "PairwiseObjective",
    "cross_entropy",
]
