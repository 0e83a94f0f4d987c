"""A rule that a user might bring, for the tests of all engines."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from neurosim.plasticity import Factors, PlasticityRule


@dataclass(frozen=True, kw_only=True)
class Users(PlasticityRule):
    """A rule of a user's own that asks for all there is to ask for."""

    compares: ClassVar[Literal["rate", "group", "nothing"]] = "group"
    row_decay: ClassVar[bool] = True
    averages: float = 5.0
    strength: float = 0.3

    def constants(self, layer):
        return (self.strength, 1.0 / layer.n_pre)

    @staticmethod
    def factors(local, third, constants):
        surprise = (
            local.rate
            - local.mean_rate
            + 0.1 * np.tanh(local.mean_square) * np.exp(-np.abs(local.rate))
        )
        teacher = third.signal * local.normalized + third.modulator * local.gain
        post = constants[0] * (teacher + constants[1] * third.weight * surprise)
        return Factors(post, 0.1 * third.weight * local.rate * local.rate)
