"""The interface of a plasticity rule: local variables in, postsynaptic factors out.

A rule never sees a weight matrix, another layer or a label. The change it asks for is

    dW = eta * sum over traces s of  post_s (x) pre_s,        W[n, :] *= 1 - eta * decay[n]

where pre_s is the presynaptic output (or its memory) in trace s, which the engine supplies, and
post_s (n_post,) is what the rule computes from what neuron n knows about trace s. Traces are the
stretches of activity still visible to the synapse: this presentation's and the few before it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from neurosim.checks import require

if TYPE_CHECKING:
    from neurosim.layers import Dense


class Local(NamedTuple):
    """What one neuron knows about one trace; all are numbers (or arrays of the same shape).

    rate : z.
    gain : f'(a).
    normalized : r = zc / u^p for a layer with groups, else z.
    mean_rate, mean_square : running averages of z and z^2 (zero unless the rule `averages`).
    """

    rate: Any
    gain: Any
    normalized: Any
    mean_rate: Any
    mean_square: Any


class ThirdFactor(NamedTuple):
    """What the third-factor circuit sends to one neuron about one trace.

    signal : M times the change of the compared activity (Delta z of this neuron, or Delta v of its
        group), integrated over the presentation with the trace's share in that change.
    modulator : the same integral of M alone: one number for the layer.
    weight : how much of the present presentation the trace is: 1 (two-point) or its duration in
        seconds; 0 for traces of earlier presentations.
    """

    signal: Any
    modulator: Any
    weight: Any


class Factors(NamedTuple):
    """A rule's answer for one neuron and one trace.

    post : postsynaptic factor of the weight change.
    decay : row-wise decay of the neuron's weights.
    """

    post: Any
    decay: Any


@dataclass(frozen=True, kw_only=True)
class PlasticityRule(ABC):
    """A three-factor (or two-factor) rule.

    Subclasses are frozen dataclasses of numbers, set `compares` and define `factors`.

    Attributes
    ----------
    compares : {"rate", "group", "nothing"}
        Whose change the third-factor circuit measures: the rates' (Delta z), the group signals'
        (Delta v), or nothing: the rule uses no third factor and sees present traces only.
    row_decay : bool
        Whether `factors` ever answers with a decay other than zero.
    averages : float
        Time constant of the running averages, in presentations; 0 keeps none.
    """

    compares: ClassVar[Literal["rate", "group", "nothing"]]
    row_decay: ClassVar[bool] = False
    averages: float = 0.0

    def __post_init__(self) -> None:
        name = f"{type(self).__name__}.averages"
        require(self.averages == 0 or self.averages >= 1, name, "be 0 or at least 1", self.averages)

    def constants(self, layer: Dense) -> tuple[float, ...]:
        """Numbers `factors` needs besides the local variables; by default none."""
        return ()

    @staticmethod
    @abstractmethod
    def factors(local: Local, third: ThirdFactor, constants: tuple[float, ...]) -> Factors:
        """The factors of one trace.

        Written with arithmetic only (NumPy functions are fine): the reference calls it with arrays,
        the fused engine compiles the same source and calls it neuron by neuron.
        """

    @classmethod
    def example(cls) -> Self:
        """A small valid instance: the defaults, unless a subclass says otherwise."""
        return cls()
