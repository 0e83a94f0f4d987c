"""The loop of batched training: epochs of shuffled batches, evaluations, checkpoints.

Order and dropout are drawn by name, from the epoch and the batch: a run continues from any batch
as if it had not stopped, and no generator's state is saved.

On a device nothing is waited for within an epoch: losses add up there, and are fetched, and looked
at for divergence, when something is written down.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from neurosim.backend import (
    Array,
    Scalar,
    at_hand,
    device_errors,
    device_of,
    namespace,
    to_device,
)
from neurosim.batched.driver import Batch, Driver
from neurosim.batched.samples import require_usable, sent
from neurosim.checks import DivergenceError, Interrupted, require
from neurosim.interruption import Interruption
from neurosim.network import Network
from neurosim.ops.linalg import sharing
from neurosim.progress import Progress
from neurosim.recording import Checkpoint, Recorder
from neurosim.resources import within_memory
from neurosim.seeds import Seeds

CHECKPOINT_SECONDS = 60.0
SMALLER = "Choose smaller batches or layers."
Evaluate = Callable[[Network], dict[str, float]]


class Trainer:
    """Trains a network with a driver.

    Parameters
    ----------
    network : Network
        Initial weights, copied, on the device it is to learn on; `network` is the property with the
        current ones.
    driver : Driver
        How it learns.
    seeds : Seeds
        Batches are drawn from ``order``, dropout from ``batches``, what the driver adds from
        ``driver``.
    batch : int
        Samples in a batch; the last one of an epoch may be smaller.
    threads : int
        Of the matrix products on the CPU.

    Attributes
    ----------
    network : Network
        With the current weights (not a copy).
    presentations : int
        Samples learned from so far, repetitions counted.
    elapsed : float
        Time spent on learning so far, in seconds: compilation and evaluations left out.
    """

    @device_errors("Trainer", SMALLER)
    def __init__(
        self, network: Network, driver: Driver, seeds: Seeds, *, batch: int = 256, threads: int = 2
    ) -> None:
        require(batch >= 1, "Trainer.batch", "be at least 1", batch)
        require(threads >= 1, "Trainer.threads", "be at least 1", threads)
        require(network.reads == "last", "Trainer.network.reads", "be 'last'", network.reads)
        require(
            batch >= driver.smallest_batch,
            "Trainer.batch",
            f"be at least {driver.smallest_batch}: {type(driver).__name__} compares samples",
            batch,
        )
        smallest = network.smallest_batch
        rule = f"be at least {smallest}: one sample has no spread for batch norm"
        require(batch >= smallest, "Trainer.batch", rule, batch)
        copies = {name: array.copy() for name, array in network.parameters().items()}
        self.network = network.with_parameters(copies)
        self.presentations = 0
        self.elapsed = 0.0
        self._driver, self._seeds = driver, seeds
        self._smallest = max(driver.smallest_batch, smallest)
        self._batch, self._threads = batch, threads
        self._state = driver.start(self.network, seeds.child("driver"))
        self._losses: dict[str, list[Any]] = {}
        self._looked = -1
        self._order: tuple[int, Array] = (-1, np.zeros(0, np.int64))

    @within_memory("Trainer.batch", SMALLER)
    @device_errors("Trainer.run", SMALLER)
    def run(
        self,
        stimuli: np.ndarray,
        labels: np.ndarray,
        *,
        epochs: int,
        recorder: Recorder | None = None,
        evaluate: Evaluate | None = None,
        evaluate_every: int | None = None,
        measures: tuple[str, ...] = ("accuracy",),
        progress: Progress | None = None,
    ) -> None:
        """Train to the end, recording and checkpointing as the recorder's settings say.

        Parameters
        ----------
        stimuli : ndarray, shape (n, n_inputs)
            Moved to where the network is, if elsewhere, before the first batch.
        labels : ndarray of int, shape (n,)
        epochs : int
            Times each sample is shown.
        recorder : Recorder, optional
            Not yet begun. If it holds a checkpoint the run continues from there.
        evaluate : callable, optional
            Called with the network every ``evaluate_every`` presentations (at the next batch's
            end) and at the end; what it returns goes to the history.
        evaluate_every : int, optional
        measures : tuple of str
            Names of what ``evaluate`` returns.
        progress : Progress, optional

        Raises
        ------
        SettingError
            If the samples cannot be learned from, or do not fit into memory.
        DivergenceError
            If an activity or a loss became NaN or infinite; what was recorded is kept.
        Interrupted
            After Ctrl-C or SIGTERM, once a checkpoint is written.
        """
        require(epochs >= 1, "Trainer.run(epochs)", "be at least 1", epochs)
        every = evaluate_every or 0
        require(every >= 0, "Trainer.run(evaluate_every)", "be positive", every)
        require_usable(self.network, stimuli, labels, self._batch, self._smallest)
        stimuli, labels = sent(self.network, stimuli, labels)
        total = epochs * len(labels)
        progress = progress or Progress(quiet=True)
        with progress.announce("compiling the optimizers: a few seconds, once"):
            taught = self._prepare(labels)
        if recorder is not None:
            columns = [*(measures if evaluate else ()), *map(_column, taught)]
            self._begin(recorder, columns)
        progress.start(total, "training", self.presentations)
        save_every = recorder.record.checkpoint_every if recorder else 0
        look, save = self._next(every), self._next(save_every)
        saved = time.perf_counter()
        with sharing(self._threads), Interruption() as interruption:
            while self.presentations < total and not interruption.requested:
                began = time.perf_counter()
                losses = self._learn(stimuli, labels)
                self.elapsed += time.perf_counter() - began
                figures = {_column(name): float(x) for name, x in losses.items() if at_hand(x)}
                progress.update(self.presentations, **figures)
                if self.presentations >= look:
                    self._look(recorder, evaluate)
                    look = self._next(every)
                by_clock = not save_every and time.perf_counter() - saved > CHECKPOINT_SECONDS
                if recorder is not None and (by_clock or self.presentations >= save):
                    recorder.save_checkpoint(self._arrays(), self._place())
                    save, saved = self._next(save_every), time.perf_counter()
            ended = self.presentations >= total
            if ended:
                self._look(recorder, evaluate)
            if recorder is not None:
                recorder.save_checkpoint(self._arrays(), self._place())
        if not ended:
            kept = "It can be resumed." if recorder else "Nothing was recorded."
            raise Interrupted(f"Interrupted after {self.presentations} presentations. {kept}")

    def _begin(self, recorder: Recorder, columns: list[str]) -> None:
        """Continue from the recorder's checkpoint, if it has one, and open its history."""
        traces = recorder.record.every or recorder.record.instants
        require(
            not traces,
            "RecordSettings.every",
            "be 0, and instants None, in batched training",
            traces,
            "Traces belong to streaming.",
        )
        if recorder.checkpoint is not None:
            self._restore(recorder.checkpoint)
        recorder.declare_history(
            {"presentations": "1", "elapsed": "s"} | dict.fromkeys(columns, "1")
        )
        recorder.begin()

    def _prepare(self, labels: np.ndarray) -> list[str]:
        """Compile everything before the clock starts: learn from nothing, with a copy.

        Returns the names of the parts that minimise something.
        """
        copies = {name: array.copy() for name, array in self.network.parameters().items()}
        state = {name: array.copy() for name, array in self._state.items()}
        n = min(len(labels), max(2, self._smallest))
        blank = namespace(labels).zeros((n, self.network.n_inputs), self.network.dtype)
        batch = Batch(blank, labels[:n], 0, 0, self._seeds)
        return list(self._driver.step(self.network.with_parameters(copies), state, batch))

    def _learn(self, stimuli: Array, labels: Array) -> dict[str, Scalar]:
        """One batch."""
        epoch, first = divmod(self.presentations, len(labels))
        if self._order[0] != epoch:
            draw = self._seeds.child("order").generator(str(epoch))
            order = draw.permutation(len(labels))
            self._order = (epoch, to_device(order, self.network.device))
        chosen = self._order[1][first : first + self._batch]
        shown = stimuli[chosen].astype(self.network.dtype, copy=False)
        number = first // self._batch
        seeds = self._seeds.child(f"batches/{epoch}/{number}")
        batch = Batch(shown, labels[chosen], epoch, number, seeds)
        losses = self._driver.step(self.network, self._state, batch)
        for name, loss in losses.items():
            total = self._losses.setdefault(name, [0.0, 0.0])
            total[0] += loss * len(chosen)
            total[1] += len(chosen)
        self.presentations += len(chosen)
        return losses

    def _look(self, recorder: Recorder | None, evaluate: Evaluate | None) -> None:
        """Evaluate, and note it in the history with the mean losses since the last time."""
        if self._looked == self.presentations:
            return
        self._looked = self.presentations
        self._settle()
        figures = evaluate(self.network) if evaluate else {}
        figures |= {_column(name): a / b for name, (a, b) in self._losses.items()}
        self._losses = {}
        if recorder is not None:
            recorder.note(presentations=self.presentations, elapsed=self.elapsed, **figures)

    def _settle(self) -> None:
        """Wait for the device, and refuse to measure or to save what has diverged."""
        began = time.perf_counter()
        for part in self._losses.values():
            part[0] = float(part[0])
        self.elapsed += time.perf_counter() - began
        watched = {f"the loss of {name}": total for name, (total, _) in self._losses.items()}
        watched |= {name: array.sum() for name, array in self.network.parameters().items()}
        for name, value in watched.items():
            if not np.isfinite(value):
                raise DivergenceError(
                    f"{name} diverged: it is not finite after {self.presentations} presentations. "
                    "Lower the learning rate."
                )

    def _next(self, every: int) -> float:
        """The next multiple of ``every`` presentations; never if that is 0."""
        return (self.presentations // every + 1) * every if every else float("inf")

    def _arrays(self) -> dict[str, np.ndarray]:
        """Everything needed to go on, by name; the driver's part is below ``driver``."""
        self._settle()
        driver = {f"driver/{name}": array for name, array in self._state.items()}
        arrays = self.network.parameters() | driver
        return {name: to_device(array, "cpu") for name, array in arrays.items()}

    def _place(self) -> dict[str, object]:
        """Where the run stands, besides the arrays."""
        return {
            "presentations": self.presentations,
            "elapsed": self.elapsed,
            "looked": self._looked,
            "losses": self._losses,
        }

    def _restore(self, saved: Checkpoint) -> None:
        """Continue from a checkpoint."""
        arrays = {name: np.array(array) for name, array in saved.arrays.items()}
        own = {name: arrays[name] for name in self.network.parameters()}
        own = {name: to_device(array, self.network.device) for name, array in own.items()}
        self.network = self.network.with_parameters(own)
        self._state = {
            name: to_device(arrays[f"driver/{name}"], device_of(now))
            for name, now in self._state.items()
        }
        self.presentations = int(saved.position["presentations"])
        self.elapsed = float(saved.position["elapsed"])
        self._looked = int(saved.position["looked"])
        self._losses = dict(saved.position["losses"])


def _column(name: str) -> str:
    """Column of a part's loss in the history."""
    return "readout_loss" if name == "readout" else f"{name}_objective"
