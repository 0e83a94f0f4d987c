"""What is computed with arrays, on inputs of every size and kind: one table."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from neurosim.backend import namespace
from neurosim.layers import Activity, BatchNorm, Dense
from neurosim.objectives import HSIC, PHSIC, Objective, cross_entropy
from neurosim.ops import classes, linalg, similarity
from neurosim.ops.dropout import Dropout
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import CODES, Nonlinearity
from neurosim.ops.similarity import CosineLabels, LinearLabels, Similarity
from neurosim.optimizers import SGD, Adam, Optimizer
from neurosim.seeds import Seeds

N_CLASSES = 3


class Size(NamedTuple):
    """Samples, groups, neurons in a group."""

    samples: int
    groups: int
    group: int

    @property
    def neurons(self):
        return self.groups * self.group


# a sample; a group; fewer than a warp; no multiple of one; exactly two
SIZES = (Size(1, 3, 4), Size(5, 1, 10), Size(6, 3, 2), Size(37, 5, 14), Size(64, 4, 16))


class Draw:
    """Random arrays of one size and type."""

    def __init__(self, size: Size, dtype: str) -> None:
        self.size, self.dtype, self.rng = size, dtype, np.random.default_rng(0)
        self.labels = np.arange(size.samples) % N_CLASSES

    def normal(self, *shape):
        return self.rng.normal(size=shape or (self.size.samples, self.size.neurons)).astype(
            self.dtype
        )

    @property
    def grouping(self):
        return Grouping(groups=self.size.groups)


class Case(NamedTuple):
    """``make`` gives what ``compute`` is called with; special values go into the first array."""

    covers: object
    compute: Callable[..., Any]
    make: Callable[[Draw], tuple[Any, ...]]
    smallest: int = 1


def found_below(kind):
    """Classes of neurosim's own that can be used, however deep below ``kind``."""
    for child in kind.__subclasses__():
        yield from found_below(child)
        if child.__module__.startswith("neurosim.") and not child.__abstractmethods__:
            yield child


def both_ways(similar, rows, columns):
    k = similar.evaluate(rows, columns)
    return k, similar.pullback(rows, columns, k, k - 0.5)


def through_layer(layer, pre, through):
    activity = layer.respond(pre, layer.drive(pre))
    cotangent = activity.output - 0.25
    learning = layer.learning() if hasattr(layer, "learning") else layer
    return activity, learning.pullback(activity, **{through: cotangent})


def dense(**settings):
    """A layer of neurons that see as many inputs; its batch norm has something learned."""

    def compute(pre, weights, numbers, groups, through):
        made = dict(settings)
        if made.pop("batch_norm", False):
            made["batch_norm"] = BatchNorm(**numbers)
        if "divisive" in made:
            made["grouping"] = Grouping(groups=groups, p=0.3, divisive=made.pop("divisive"))
        return through_layer(Dense(weights, **made), pre, through)

    return compute


def dense_arguments(through):
    def make(draw):
        n = draw.size.neurons
        numbers = {name: np.abs(draw.normal(n)) + 0.5 for name in BatchNorm.names}
        return draw.normal(), draw.normal(n, n), numbers, draw.size.groups, through

    return make


def stepped(optimizer, weights, *gradients):
    """Parameters and state after a step for each gradient."""
    parameters = {"a": weights.copy()}
    state = optimizer.start(parameters)
    for gradient in gradients:
        optimizer.step(state, parameters, {"a": gradient}, 0.1)
    return parameters, {name: array for name, array in state.items() if array.ndim}


def objective_arguments(objective):
    def make(draw):
        layer = Dense(draw.normal(draw.size.neurons, draw.size.neurons))
        own = objective.init(layer, N_CLASSES, Seeds(0))
        return draw.normal(), draw.labels, own

    return make


def of_objective(objective):
    def compute(rate, labels, own):
        return objective.evaluate(own, Activity(rate, rate, rate, rate, rate), labels)

    return Case(type(objective), compute, objective_arguments(objective), objective.smallest_batch)


def settings_of(objective):
    """The example without groups, which would not fit every size."""
    return vars(objective) | {"grouping": None} if "grouping" in vars(objective) else {}


CASES: dict[str, Case] = {}
for name in CODES:
    f = Nonlinearity(name=name)
    CASES[f"nonlinearity {name}"] = Case(
        Nonlinearity, lambda a, f=f: (f.rate(a), f.gain(f.rate(a))), lambda draw: (draw.normal(),)
    )
CASES["groups"] = Case(
    Grouping,
    lambda rate, grouping: (
        grouping.evaluate(rate),
        grouping.signal_pullback(grouping.evaluate_batch(rate), rate[:, : grouping.groups]),
    ),
    lambda draw: (draw.normal(), draw.grouping),
)
for alpha in (False, True):
    CASES[f"dropout alpha={alpha}"] = Case(
        Dropout,
        lambda rate, alpha=alpha: (
            Dropout(rate=0.3, alpha=alpha).draw(rate, np.random.default_rng(1)).apply(rate)
        ),
        lambda draw: (draw.normal(),),
    )
for kind in found_below(Similarity):
    CASES[f"{kind.__name__}"] = Case(
        kind, lambda v, w, kind=kind: (both_ways(kind(), v, v), both_ways(kind(), v, w)),
        lambda draw: (draw.normal(), draw.normal(4, draw.size.neurons)),
    )  # fmt: skip
for of_labels in (CosineLabels(n_classes=N_CLASSES), LinearLabels(frequencies=(0.5, 0.3, 0.2))):
    CASES[type(of_labels).__name__] = Case(
        type(of_labels), of_labels.evaluate, lambda draw: (draw.labels, draw.labels[::-1].copy())
    )
CASES["squared_distances"] = Case(
    similarity.squared_distances, similarity.squared_distances,
    lambda draw: (draw.normal(), draw.normal(4, draw.size.neurons)),
)  # fmt: skip
CASES["gaussian"] = Case(
    similarity.gaussian, lambda v, w: similarity.gaussian(v, w, 5.0),
    lambda draw: (draw.normal(), draw.normal(4, draw.size.neurons)),
)  # fmt: skip
CASES["labels"] = Case(
    similarity.labels, lambda one, other: similarity.labels(one, other, N_CLASSES),
    lambda draw: (draw.labels, draw.labels),
)  # fmt: skip
CASES["of_classes"] = Case(
    classes.of_classes,
    lambda values, labels: classes.of_classes("it", values, labels, N_CLASSES),
    lambda draw: (draw.normal(), draw.labels),
)
CASES["matmul"] = Case(
    linalg.matmul, lambda a, b: (linalg.matmul(a, b), linalg.matmul(a, a.T)),
    lambda draw: (draw.normal(), draw.normal(draw.size.neurons, 7)),
)  # fmt: skip
CASES["cross_entropy"] = Case(
    cross_entropy, cross_entropy, lambda draw: (draw.normal(draw.size.samples, 3), draw.labels)
)
CASES["scores"] = Case(
    namespace, lambda a: (a.argmax(axis=1), namespace(a).concatenate([a, a], axis=1)),
    lambda draw: (draw.normal(),),
)  # fmt: skip
for through in ("d_rate", "d_output"):
    for title, settings in {
        "plain": {}, "grouped": {"divisive": False}, "divisive": {"divisive": True},
        "batch norm": {"batch_norm": True},
    }.items():  # fmt: skip
        CASES[f"Dense {title} {through}"] = Case(
            Dense, dense(**settings), dense_arguments(through), 2 if "batch_norm" in settings else 1
        )
for kind in found_below(Objective):
    example = kind.example()
    CASES[kind.__name__] = of_objective(kind(**settings_of(example)))
for kind in (PHSIC, HSIC):
    for similar in found_below(Similarity):
        changed = settings_of(kind.example()) | {"similarity": similar()}
        CASES[f"{kind.__name__} {similar.__name__}"] = of_objective(kind(**changed))
VARIANTS = (
    SGD(momentum=0.0), SGD(weight_decay=0.1), Adam(weight_decay=0.1),
    Adam(weight_decay=0.1, decoupled=False),
)  # fmt: skip
for optimizer in (*(kind() for kind in found_below(Optimizer)), *VARIANTS):
    CASES[str(optimizer)] = Case(
        type(optimizer),
        lambda weights, a, b, optimizer=optimizer: stepped(optimizer, weights, a, b),
        lambda draw: (draw.normal(), draw.normal(), draw.normal()),
    )

SPECIAL: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ordinary": lambda a: a,
    "silent": np.zeros_like,
    "large": lambda a: a * a.dtype.type(1e15),
    "denormal": lambda a: a * (np.finfo(a.dtype).smallest_normal / 64),
    "nan": lambda a: _with(a, np.nan),
    "inf": lambda a: _with(a, np.inf),
}


def _with(array: np.ndarray, value: float) -> np.ndarray:
    spoiled = array.copy()
    spoiled.flat[-1] = value
    return spoiled
