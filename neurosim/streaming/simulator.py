"""The simulator: shows a stream to a network that learns as the samples pass.

One chunk, from stimulus to weight change:

1. `Stream.chunks` yields the next presentations.
2. `Planner.plan` turns durations, gaps and labels into a `Plan`: matrices and teaching signals.
3. For each layer, in order, `Engine.present` (or its reference, `circuit.present`)
   a. drives the layer with the weights as they are at each presentation,
   b. responds: nonlinearity, dynamics, groups, divisive normalization,
   c. compares with earlier presentations: the third factor,
   d. asks the rule for postsynaptic factors,
   e. changes the weights.
4. The read-outs predict, then learn by the delta rule.
5. Traces are recorded, health is taken, progress is shown.

Layers work on different chunks at once; results are those of one presentation after the other. On a
GPU one stage queues steps 3 and 4 and another waits for them: `ongpu` in place of `oncpu`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from neurosim.backend import Array, device_errors
from neurosim.checks import Interrupted, SettingError, require
from neurosim.interruption import Interruption
from neurosim.network import Network
from neurosim.progress import Progress
from neurosim.recording import Checkpoint, Recorder, RecordSettings
from neurosim.seeds import Seeds
from neurosim.streaming.assembly import Assembly
from neurosim.streaming.chunk import Chunk
from neurosim.streaming.health import Checkup, Finding
from neurosim.streaming.learning import Learning
from neurosim.streaming.pipeline import pipeline
from neurosim.streaming.presentations import Presentation, Presentations, Stream, gather
from neurosim.streaming.probes import Probes, accuracy_name
from neurosim.streaming.snapshot import pack, unpack
from neurosim.streaming.way import TRACES, way_of

CHECKPOINT_SECONDS = 60.0
SMALLER = "Choose smaller layers, a smaller chunk, or fewer runs at once."


class Response(NamedTuple):
    """What one presentation did: output of every layer at the offset, and the prediction."""

    outputs: list[np.ndarray]
    predicted: int


class Simulator:
    """Shows presentations to a network and lets it learn.

    Parameters
    ----------
    network : Network
        Initial weights, where it is to learn; `network` is the property with the current ones.
    learning : Learning
        Rule, timeline, third factor, dynamics, learning rates.
    seeds : Seeds
        Which synapses are recorded is drawn from ``recording``.
    background : ndarray, shape (n_inputs,), optional
        Input activity at rest; zero if not given.
    chunk : int
        Traces that pass a layer at once; 0: 128 on the CPU, 1024 on a GPU. Results do not depend on
        it (to rounding).
    threads : int
        Working threads; results do not depend on them.
    engine : {"chunked", "reference"}
        Fused, or sample by sample in NumPy (not on a GPU).

    Attributes
    ----------
    presentations : int
        Shown so far.
    seconds : float
        Simulated time so far.
    elapsed : float
        Seconds spent on showing and recording so far; not on compiling, evaluating, saving.

    Raises
    ------
    SettingError
        If parts do not fit one another.
    """

    @device_errors("Simulator", SMALLER)
    def __init__(
        self,
        network: Network,
        learning: Learning,
        seeds: Seeds,
        *,
        background: np.ndarray | None = None,
        chunk: int = 0,
        threads: int = 2,
        engine: str = "chunked",
    ) -> None:
        require(chunk >= 0, "Simulator.chunk", "not be negative", chunk)
        require(threads >= 1, "Simulator.threads", "be at least 1", threads)
        rest = np.asarray(np.zeros(network.n_inputs) if background is None else background)
        fits = rest.shape == (network.n_inputs,)
        require(fits, "Simulator.background", f"be of shape ({network.n_inputs},)", rest.shape)
        rest = rest.astype(network.dtype)
        self._parts = Assembly(network, learning, rest)
        self._way = way_of(self._parts, engine, threads)
        self._seeds, self._threads = seeds, threads
        self._chunk = max(1, (chunk or TRACES[network.device]) // learning.timeline.n_traces)
        self._health = Checkup(network.names, self._parts.circuits)
        self.presentations, self.seconds, self.elapsed = 0, 0.0, 0.0
        self._online, self._looked, self._ended, self._origin = 0.0, -1, False, 0

    @property
    def network(self) -> Network:
        """The network with its current weights (not a copy)."""
        return self._parts.current()

    @property
    def findings(self) -> list[Finding]:
        """What was wrong with the layers' health so far, each ailment once."""
        return self._health.findings

    def accuracy(self, stimuli: Array, labels: Array) -> dict[str, float]:
        """Accuracy of each read-out on settled responses: ``accuracy``, ``accuracy_layer1``, ..."""
        require(len(labels) > 0, "Simulator.accuracy(labels)", "not be empty", labels)
        right = self._parts.right(stimuli, labels)
        return {accuracy_name(name): count / len(labels) for name, count in right.items()}

    @device_errors("Simulator.present", SMALLER)
    def present(self, presentation: Presentation) -> Response:
        """Show one presentation, for protocols whose next stimulus depends on the response."""
        chunk = self._parts.draw(
            self.presentations, gather([presentation]), np.zeros(1), whole=True
        )
        for stage in self._way.stages():
            chunk = stage(chunk)
        self._arrived(chunk)
        outputs = [shown.output[-1].copy() for shown in chunk.layers]
        return Response(outputs, int(chunk.predicted["readout"][0]))

    @device_errors("Simulator.run", SMALLER)
    def run(
        self,
        stream: Stream,
        *,
        recorder: Recorder | None = None,
        evaluate: Callable[[Simulator], dict[str, float]] | None = None,
        evaluate_every: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Show a stream to its end, recording and checkpointing as the recorder's settings say.

        Parameters
        ----------
        stream : Stream
        recorder : Recorder, optional
            Not yet begun. If it holds a checkpoint the run continues from there.
        evaluate : callable, optional
            Called with the simulator every ``evaluate_every`` presentations (at the next chunk's
            end) and at the end; what it returns, accuracies by name, goes to the history.
        evaluate_every : int, optional
        progress : Progress, optional

        Raises
        ------
        SettingError
            If a presentation cannot be shown (shape, NaN, label, duration).
        DivergenceError
            If activity became NaN or infinite; what was recorded is kept.
        Interrupted
            After Ctrl-C or SIGTERM, once a checkpoint is written.
        """
        total = stream.length
        if total is None and self._parts.learning.schedule.course != "constant":
            raise SettingError(
                "Schedule.course must be constant for a stream without an end; got "
                f"{self._parts.learning.schedule.course!r}. Give the stream a length."
            )
        every = evaluate_every or 0
        require(every >= 0, "Simulator.run(evaluate_every)", "be positive", every)
        probes = Probes(self._parts, recorder.record if recorder else RecordSettings(), self._seeds)
        stages = self._way.stages()
        origin = self.presentations  # of this stream, unless an interrupted run goes on
        if recorder is not None:
            if recorder.checkpoint is not None:
                self._restore(recorder.checkpoint)
                origin = self._origin
            probes.declare(recorder, total)
            recorder.begin()
            stages.append(probes.stage(recorder, self.seconds))
        save_every = recorder.record.checkpoint_every if recorder else 0
        progress = progress or Progress(quiet=True)
        with progress.announce("compiling the engine: about half a minute, once"):
            self._way.prepare()
        self._origin, self._ended = origin, False
        progress.start(total, "streaming", self.presentations - origin)
        chunks = stream.on(self._parts.device).chunks(self.presentations - origin, self._chunk)
        with threadpool_limits(1, user_api="blas"), Interruption() as interruption:
            while not (self._ended or interruption.requested):
                look, save = self._next(every), self._next(save_every)
                began = time.perf_counter()
                leg = self._leg(chunks, total, min(look, save), save_every == 0, interruption)
                for chunk in pipeline(leg, stages, self._threads):
                    self._arrived(chunk)
                    progress.update(self.presentations - origin, accuracy=self._online)
                if recorder is not None:
                    recorder.flush()
                self.elapsed += time.perf_counter() - began
                if self.presentations >= look or self._ended:
                    self._look(recorder, evaluate, progress)
                if recorder is not None:
                    recorder.save_checkpoint(pack(self._parts, self._health), self._place())
        if not self._ended:
            kept = "It can be resumed." if recorder else "Nothing was recorded."
            raise Interrupted(f"Interrupted after {self.presentations} presentations. {kept}")

    def _next(self, every: int) -> float:
        """The next multiple of ``every`` presentations; never if that is 0."""
        return (self.presentations // every + 1) * every if every else float("inf")

    def _leg(
        self,
        chunks: Iterator[Presentations],
        total: int | None,
        until: float,
        by_clock: bool,
        interruption: Interruption,
    ) -> Iterator[Chunk]:
        """Chunks up to where something has to wait for all of them to arrive."""
        first, began = self.presentations, time.monotonic()
        while first < until and not interruption.requested:
            if by_clock and time.monotonic() - began > CHECKPOINT_SECONDS:
                return
            shown = next(chunks, None)
            if shown is None:
                self._ended = True
                return
            n = len(shown.labels)
            passed = (first - self._origin + np.arange(n)) / total if total else np.zeros(n)
            yield self._parts.draw(first, shown, passed)
            first += n

    def _arrived(self, chunk: Chunk) -> None:
        """Count a chunk that has passed all layers, and take the layers' health."""
        self.presentations += len(chunk.shown.labels)
        self.seconds += float(chunk.shown.durations.sum() + chunk.shown.gaps.sum())
        right = float((chunk.predicted["readout"] == chunk.shown.labels).mean())
        share = len(chunk.shown.labels) / min(self.presentations, 5000)
        self._online += (right - self._online) * share
        self._health.observe(chunk)

    def _look(
        self,
        recorder: Recorder | None,
        evaluate: Callable[[Simulator], dict[str, float]] | None,
        progress: Progress,
    ) -> None:
        """Evaluate, judge the layers' health, and note both in the history."""
        if self._looked == self.presentations:
            return
        self._looked = self.presentations
        figures = evaluate(self) if evaluate else {}
        vitals, found = self._health.look(state["weights"] for state in self._parts.states)
        for finding in found:
            progress.message(f"warning: {finding}")
        if recorder is not None:
            recorder.note(
                presentations=self.presentations, seconds=self.seconds, elapsed=self.elapsed,
                accuracy_online=self._online, **figures, **vitals,
            )  # fmt: skip

    def _place(self) -> dict[str, object]:
        """Where the run stands, besides the arrays."""
        return {
            "presentations": self.presentations,
            "origin": self._origin,
            "seconds": self.seconds,
            "elapsed": self.elapsed,
            "online": self._online,
            "looked": self._looked,
            "findings": [list(finding) for finding in self.findings],
        }

    def _restore(self, saved: Checkpoint) -> None:
        """Continue from a checkpoint."""
        unpack(saved.arrays, self._parts, self._health)
        self.presentations = int(saved.position["presentations"])
        self._origin = int(saved.position["origin"])
        self.seconds = float(saved.position["seconds"])
        self.elapsed = float(saved.position["elapsed"])
        self._online = float(saved.position["online"])
        self._looked = int(saved.position["looked"])
        self._health.findings = [Finding(*finding) for finding in saved.position["findings"]]
