"""A layer of the stack: arrays that stay where they are, and what is done for each inner chunk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from neurosim.backend import Array
from neurosim.streaming.chunked import constants_of
from neurosim.streaming.circuit import LayerCircuit, State
from neurosim.streaming.gpu.form import Form, Settings, Times, Work
from neurosim.streaming.gpu.keeping import keep
from neurosim.streaming.gpu.kernel import build
from neurosim.streaming.gpu.launch import launch, module_of
from neurosim.streaming.gpu.memory import BLOCK, build_terminals
from neurosim.streaming.gpu.passing import build_passing
from neurosim.streaming.gpu.products import Multiplier, turned
from neurosim.streaming.gpu.threads import share_out
from neurosim.streaming.gpu.updating import update


class Size(NamedTuple):
    """Traces of a presentation, in the window, instants; presentations of an inner chunk."""

    samples: int
    window: int
    instants: int
    shown: int


class Span(NamedTuple):
    """An inner chunk: its number, its first presentation in the chunk, and how many there are."""

    number: int
    first: int
    shown: int


class Layer:
    """Replicas of a layer.

    Parameters
    ----------
    circuits : sequence of LayerCircuit
        One a replica.
    state : dict
        Of all of them, stacked; updated in place for ever.
    slots : int
        Inner chunks whose output is kept.
    threads : int
        Threads a block may have; a power of two, at most 1024.
    """

    def __init__(
        self, circuits: Sequence[LayerCircuit], state: State, slots: int, threads: int
    ) -> None:
        self.xp = xp = module_of(*state.values())
        self.state, self.threads, self.slots = state, threads, slots
        self.form, self.multiply = _form(circuits[0], threads), Multiplier(xp)
        constants = [constants_of(circuit) for circuit in circuits]
        settings = np.array([[getattr(c, n) for n in Settings._fields] for c in constants])
        numbers = [np.array(c.rule.constants(c.layer), np.float64) for c in circuits]
        self.settings, self.numbers = xp.asarray(settings), xp.asarray(np.stack(numbers))
        self.background = xp.asarray(np.stack([circuit.background for circuit in circuits]))
        self._rooms: dict[tuple[int, int, int], dict[str, Array]] = {}

    def room(self, size: Size) -> dict[str, Array]:
        """Arrays of an inner chunk, the same ones for all of a size."""
        key = (size.samples, size.window, size.shown)
        if key not in self._rooms:
            self._rooms[key] = self._new_room(size)
        return self._rooms[key]

    def _new_room(self, size: Size) -> dict[str, Array]:
        form, (replicas, n_post, n_pre) = self.form, self.state["weights"].shape
        n = size.shown * size.samples
        length = n + size.window - size.samples
        groups = form.threads.groups if form.grouped else 0
        sums = length if form.momentum or form.decays else 0
        shapes = {
            "pre": (length, n_pre), "start": (n, n_post), "gram": (n, length),
            "speed_start": (n if form.momentum else 0, n_post),
            "rate": (length, n_post), "gain": (length, n_post),
            "variance": (length, groups), "power": (length, groups),
            "change": (length, n_post), "speed": (sums, n_post),
            "keep_w": (n_post,), "keep_v": (n_post,), "fading": (1,),
        }  # fmt: skip
        if form.grouped:
            shapes["normalized"] = (length, n_post)
        if form.memory:
            shapes["output"] = (n, n_post)
        room: dict[str, Array] = {
            name: self.xp.zeros((replicas, *shape), form.dtype) for name, shape in shapes.items()
        }
        room["slots"] = self.xp.zeros((self.slots, replicas, n, n_post), form.dtype)
        return {"normalized": room["rate"], "output": room["start"]} | room


class LayerLane:
    """What is done with the inner chunks of a chunk, one after the other.

    Parameters
    ----------
    layer : Layer
    size : Size
    inputs : callable
        Of a `Span`; what the layer is shown, (replicas, traces, n_pre).
    times : Times
    told : dict of str to array
        Arrays of the chunk, shared with the host: ``geometry``, ``eta``, ``teaching``, ``gate``,
        ``place`` (see `Work`) and, unless all are asked for, the columns ``neurons`` and
        ``terminals`` come from there; ``third``, ``post``, ``decay`` (see `Work`),
        ``squares`` (replicas, traces) and ``active`` (replicas, n_post) go there, and whatever
        there is of a `circuit.Shown`.
    """

    def __init__(
        self,
        layer: Layer,
        size: Size,
        inputs: Callable[[Span], Array],
        times: Times,
        told: dict[str, Array],
    ) -> None:
        self._layer, self._inputs, self._times, self._told = layer, inputs, times, told
        self.form = layer.form._replace(
            records=told["post"].shape[-1] > 0, samples=size.samples, window=size.window,
            instants=size.instants,
        )  # fmt: skip
        self._room = layer.room(size)
        given = layer.state | told | self._room | {
            "mean": layer.state["third_factor_mean"], "settings": layer.settings,
            "numbers": layer.numbers,
        }  # fmt: skip
        self._work = Work(**{name: given[name] for name in Work._fields})
        self._walk = build(self.form)
        self._passing = build_passing(self.form.threads.n_post, layer.threads)

    def output(self, span: Span) -> Array:
        """What the layer passes on of an inner chunk, (replicas, traces, n_post)."""
        slots = self._room["slots"]
        return slots[span.number % len(slots)][:, : span.shown * self.form.samples]

    def step(self, span: Span) -> None:
        """Show an inner chunk to the layer, weight changes included."""
        layer, form, work, state = self._layer, self.form, self._work, self._layer.state
        n, history = span.shown * form.samples, form.history
        if span.number == 0:
            self._told["active"].fill(0)
        now = self._inputs(span)
        pre = self._room["pre"][:, : history + n]
        pre[:, :history] = state["trace_pre"]
        pre[:, history:] = now
        if form.memory:
            self._remember(span)
        layer.multiply(work.start[:, :n], now, turned(state["weights"]))
        if form.momentum:
            layer.multiply(work.speed_start[:, :n], now, turned(state["velocity"]))
        layer.multiply(work.gram[:, :n, : history + n], now, turned(pre))
        replicas = len(work.start)
        launch(layer.xp, self._walk, replicas, form.threads.total, work, self._times, span.first,
               span.shown)  # fmt: skip
        self._pass_on(span)
        update(layer.multiply, form, state, work, pre, layer.threads)
        state["trace_pre"][...] = pre[:, n:]

    def _remember(self, span: Span) -> None:
        """Presynaptic traces become what terminals remember of the inputs."""
        layer, work, pre = self._layer, self._work, self._room["pre"]
        replicas, _, n_pre = pre.shape
        launch(
            layer.xp, build_terminals(self.form.dtype), -(-replicas * n_pre // BLOCK), BLOCK,
            layer.state["memory_pre"], layer.background, pre, self.form.history, span.first,
            span.shown, work.geometry, self._times.step, layer.settings,
        )  # fmt: skip

    def _pass_on(self, span: Span) -> None:
        """To the next layer, and to the host."""
        work, form, told, slots = self._work, self.form, self._told, self._room["slots"]
        passed, skipped = (work.normalized if form.divisive else work.rate), form.history
        if form.memory:
            passed, skipped = work.output, 0
        n, before = span.shown * form.samples, span.first * form.samples
        kernel, threads = self._passing
        launch(
            self._layer.xp, kernel, n * len(work.start), threads, work.start, work.rate,
            form.history, passed, skipped, slots[span.number % len(slots)], told["squares"],
            before, told["active"], n,
        )  # fmt: skip
        if "drive" in told:
            self._keep(passed, skipped, n, before)

    def _keep(self, passed: Array, skipped: int, n: int, before: int) -> None:
        """What happened, for the host to see: of the columns it asked for, or of all."""
        xp, work, told, history = self._layer.xp, self._work, self._told, self.form.history
        neurons, terminals = told.get("neurons"), told.get("terminals")
        for name, source, first in (
            ("output", passed, skipped), ("drive", work.start, 0), ("rate", work.rate, history),
            ("gain", work.gain, history), ("normalized", work.normalized, history),
        ):  # fmt: skip
            keep(xp, told[name], before, source, first, n, neurons)
        keep(xp, told["variance"], before, work.variance, history, n, None)
        length = history + n
        if self.form.compares == 1:
            keep(xp, told["signal"], before, work.power, 0, length, None)
        else:
            keep(xp, told["signal"], before, work.rate, 0, length, neurons)
        keep(xp, told["pre"], before, self._room["pre"], 0, length, terminals)


def _form(circuit: LayerCircuit, threads: int) -> Form:
    """What the kernel is compiled for, as far as the circuit says."""
    constants = constants_of(circuit)
    grouped = constants.groups > 0
    return Form(
        rule=type(circuit.rule),
        dtype=circuit.layer.weights.dtype.name,
        grouped=grouped,
        divisive=constants.divisive,
        code=constants.code,
        # without groups a rule of group signals hears of its own neuron
        compares=0 if constants.compares == 1 and not grouped else constants.compares,
        leaky=constants.leaky > 0,
        memory=constants.memory,
        measured=constants.measured,
        averages=constants.averages > 0,
        momentum=constants.momentum > 0,
        decays=constants.decays,
        records=False,
        samples=0,
        window=0,
        instants=0,
        threads=share_out(circuit.layer.n_post, constants.groups, threads),
    )
