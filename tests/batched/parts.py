"""Small networks and batches, and every driver."""

import numpy as np

from neurosim.batched import (
    Backprop,
    Batch,
    DirectFeedbackAlignment,
    FeedbackAlignment,
    LayerWise,
    Learner,
    ReadOutOnly,
    SignSymmetric,
)
from neurosim.network import Network
from neurosim.objectives import PHSIC, LayerClassification
from neurosim.ops.dropout import Dropout
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import Nonlinearity
from neurosim.ops.similarity import CosineLabels, Gaussian
from neurosim.optimizers import SGD, Adam, Milestones
from neurosim.seeds import Seeds

GROUPS = Grouping(groups=4)
SGDS = Learner(optimizer=SGD(weight_decay=1e-3), rate=Milestones(rate=0.1, epochs=(1,)))
ADAM = Learner(optimizer=Adam(), rate=Milestones(rate=0.01))
PAIRS = PHSIC(label_similarity=CosineLabels(n_classes=3), similarity=Gaussian(), grouping=GROUPS)
COMMON = {"readout": SGDS, "layers": SGDS, "dropout": Dropout(rate=0.2)}
DRIVERS = {
    "pairs": LayerWise(objective=PAIRS, **COMMON),
    "adam": LayerWise(objective=PAIRS, **(COMMON | {"layers": ADAM, "readout": ADAM})),
    "heads": LayerWise(objective=LayerClassification(), **COMMON),
    "readout": ReadOutOnly(readout=SGDS, dropout=Dropout(rate=0.2)),
    "backprop": Backprop(**COMMON),
    "feedback": FeedbackAlignment(**COMMON),
    "sign": SignSymmetric(**COMMON),
    "direct": DirectFeedbackAlignment(**COMMON),
}


def build(seed=0, grouping=GROUPS, dtype="float64", widths=(12, 8, 16), name="softplus"):
    return Network.dense(
        6, widths, 3, Seeds(seed), nonlinearity=Nonlinearity(name=name), grouping=grouping,
        gain=2.0, readout_gain=1.0, dtype=dtype,
    )  # fmt: skip


def draw_batch(n=10, seed=0, epoch=0, number=0):
    rng = np.random.default_rng(seed)
    return Batch(rng.normal(size=(n, 6)), rng.integers(0, 3, n), epoch, number, Seeds(9))


def changes(driver, network, batch, state=None):
    """Change of each parameter in one step; the network stays as it was."""
    before = network.parameters()
    moved = network.with_parameters({name: array.copy() for name, array in before.items()})
    state = driver.start(moved, Seeds(1)) if state is None else state
    driver.step(moved, state, batch)
    return {name: array - before[name] for name, array in moved.parameters().items()}
