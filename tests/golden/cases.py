"""The golden cases: one layer, its objectives, and what should come out."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from neurosim.layers import Dense
from neurosim.objectives import HSIC, PHSIC
from neurosim.ops.grouping import Grouping
from neurosim.ops.similarity import Cosine, CosineLabels, Gaussian, Linear

HERE = Path(__file__).parent
GOLDEN = dict(np.load(HERE / "phsic_dense.npz")) | dict(np.load(HERE / "phsic_dense_batched.npz"))
CASES = sorted(name.removesuffix("_loss") for name in GOLDEN if name.endswith("_loss"))
SIMILARITIES = {"gauss": Gaussian(), "cossim": Cosine(), "lin": Linear()}
GROUPINGS = {
    "plain": None,
    "grp": Grouping(groups=6, p=0.5, divisive=False),
    "grpdiv": Grouping(groups=6),
}


class Case(NamedTuple):
    name: str
    layer: Dense
    phsic: PHSIC
    hsic: HSIC

    def __getitem__(self, array):
        return GOLDEN[f"{self.name}_{array}"]

    def __contains__(self, array):
        return f"{self.name}_{array}" in GOLDEN

    def forward(self, batch=""):
        x = GOLDEN[f"x{batch}"]
        return self.layer.respond(x, self.layer.drive(x)), GOLDEN[f"labels{batch}"]


def case_of(name):
    kind, mode = name.split("_")[:2]
    grouping = GROUPINGS[mode]
    settings = {
        "label_similarity": CosineLabels(n_classes=10),
        "similarity": Gaussian(sigma=1.0) if name.endswith("_s1") else SIMILARITIES[kind],
        "grouping": grouping,
    }
    layer = Dense(GOLDEN["W"].copy(), grouping=grouping)
    return Case(name, layer, PHSIC(**settings), HSIC(**settings))
