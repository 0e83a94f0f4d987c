"""A first look: a network learns handwritten digits from a stream, without backprop, in seconds.

Eight-by-eight digits are shown one at a time; two layers learn by the grouped three-factor rule and
a read-out by the delta rule. Writes the run file and one figure beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from neurosim import Recorder, RecordSettings, Run
from neurosim.checks import require
from neurosim.plotting import context, figure, save
from protocols import pogodin2020_stream as stream


@dataclass(frozen=True, kw_only=True)
class Config(stream.Config):
    """Settings of the protocol: those of pogodin2020_stream, with smaller defaults."""

    dataset: str = "digits"
    widths: tuple[int, ...] = (256, 256)
    epochs: int = 60
    evaluations: int = 24
    record: RecordSettings = field(default_factory=lambda: RecordSettings(every=20))

    ensembles: ClassVar = False  # figures are drawn by one thread at a time

    @classmethod
    def smoke(cls) -> Config:
        """A run of seconds."""
        return cls(epochs=1, widths=(64,), groups=8, evaluations=1)


def run(config: Config, recorder: Recorder) -> None:
    """Learn, then draw the figure beside the run file."""
    require(config.record.every > 0, "Config.record.every", "be at least 1", config.record.every)
    path = stream.run(config, recorder)
    with Run(path) as finished:
        plot(finished, path.with_suffix(".png"))


def plot(run: Run, path: Path) -> None:
    """Accuracy of every read-out, the third factor's course, and some synapses on their way."""
    history = run.history
    with context():
        drawing, axes = figure(1, 3, width=4.6, height=3.4)
        learning, factor, synapses = axes.flat
        for column, values in history.items():
            if column.startswith("accuracy"):
                name = column.removeprefix("accuracy").strip("_") or "network"
                style = {"lw": 2.5} if name == "network" else {"lw": 1.2}
                same = name != "network" and np.array_equal(values, history["accuracy"])
                if name != "online" and not same:
                    learning.plot(history["presentations"], 100 * values, label=name, **style)
        learning.set(title="Test accuracy", xlabel="presentation", ylabel="correct (%)")
        learning.legend()
        shown = run.events["presentation"]
        for layer in run.layers:
            third = np.abs(run.trace(layer, "third_factor").values)
            width = max(1, len(third) // 60)
            smooth = np.convolve(third, np.ones(width) / width, mode="valid")
            factor.plot(shown[: len(smooth)] + width * 10, smooth, label=layer)
        factor.set(title="Third factor", xlabel="presentation", ylabel="mean |M|")
        factor.legend()
        weights = run.trace(run.layers[-1], "weight").values
        synapses.plot(shown, weights, lw=1)
        synapses.set(title=f"Synapses of {run.layers[-1]}", xlabel="presentation", ylabel="weight")
        save(drawing, path)
