"""The same updates in PyTorch, one sample at a time on the weights themselves, on any device.

Replicas are a leading axis. Nothing is looked at on the host, so nothing waits for the device. In a
CUDA graph, samples are gathered by a counter on the device: replaying it is all that is left to do.
As the peers on the CPU, it leaves out read-out, health and checks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks._gpu_clock import torch_seconds
from benchmarks._task import Task

UNROLLED = 16
"""Samples in a graph: launching it once for so many makes the launch itself cheap."""


class Remembered(NamedTuple):
    """What a layer keeps of the sample before: inputs, group signals, r f'."""

    pre: Any
    signal: Any
    local: Any


class TorchStream:
    """Networks that learn from streams.

    Parameters
    ----------
    task : Task
    replicas : int
        Networks; each begins elsewhere in the stream.
    device : {"cpu", "cuda"}
    graph : bool
        Whether steps are replayed from a CUDA graph.
    """

    def __init__(self, task: Task, replicas: int, device: str, *, graph: bool) -> None:
        import torch

        torch.backends.cuda.matmul.allow_tf32 = False  # as ours by default
        self._torch, self._task, self._device, self._graph = torch, task, device, graph
        self._replicas, self._data = replicas, task.data
        self._initial = [layer.weights for layer in task.network().layers]
        self._stimuli: Any = None

    def learn(self, n: int) -> float:
        """Show n presentations to new networks; returns the seconds it took."""
        with self._torch.inference_mode():
            self._begin(n)
            before = self._first()
            step = self._captured(before) if self._graph and n > 1 + UNROLLED else None
            left = n - 1

            def work() -> None:
                nonlocal before
                for _ in range(left // UNROLLED if step else 0):
                    step()
                for _ in range(left % UNROLLED if step else left):
                    before = self._step(before)

            return torch_seconds(self._torch, self._device, work)

    def weights(self, replica: int = 0) -> list[np.ndarray]:
        """What a network learned."""
        return [w[replica].cpu().numpy() for w in self._weights]

    def _begin(self, n: int) -> None:
        torch, model, n_classes = self._torch, self._task.model, self._data.n_classes
        shown, eta = self._task.shown(min(n, self._task.longest))

        def put(array: np.ndarray) -> Any:
            return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

        order = (np.arange(n)[:, None] + np.arange(self._replicas)) % len(eta)
        labels = shown.labels[order]
        same = labels == np.roll(labels, 1, axis=0)
        teaching = model.gamma * np.where(same, 1.0, -1.0 / (n_classes - 1))
        self._stimuli, self._order = put(shown.stimuli), put(order)
        self._teaching, self._eta = (
            put(some.astype(np.float32)) for some in (teaching, np.resize(eta, n))
        )
        repeat = (self._replicas, 1, 1)
        self._weights = [put(w).repeat(repeat) for w in self._initial]
        self._means = torch.zeros(len(self._weights), self._replicas, device=self._device)
        self._t = torch.zeros(1, dtype=torch.int64, device=self._device)

    def _captured(self, before: list[Remembered]) -> Callable[[], None]:
        """What shows the next samples, so many at a time, from a graph."""
        torch = self._torch
        kept = [[part.clone() for part in layer] for layer in before]
        state = [*self._weights, self._means, self._t, *(part for layer in kept for part in layer)]

        def steps() -> None:
            now = [Remembered(*layer) for layer in kept]
            for _ in range(UNROLLED):
                now = self._step(now)
            for layer, found in zip(kept, now, strict=True):
                for part, new in zip(layer, found, strict=True):
                    part.copy_(new)

        original = [array.clone() for array in state]
        warm, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
        warm.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(warm):
            steps()
        torch.cuda.current_stream().wait_stream(warm)
        with torch.cuda.graph(graph):
            steps()
        for array, value in zip(state, original, strict=True):  # as if nothing had been shown
            array.copy_(value)
        before[:] = [Remembered(*layer) for layer in kept]  # what samples left over go on from
        return graph.replay

    def _first(self) -> list[Remembered]:
        """The first sample teaches nothing."""
        pre, found = self._sample(), []
        for weights in self._weights:
            signal, output, local = self._respond(weights, pre)
            found.append(Remembered(pre, signal, local))
            pre = output
        self._t += 1
        return found

    def _step(self, before: list[Remembered]) -> list[Remembered]:
        """Show a sample to all layers, one after the other."""
        pre, found = self._sample(), []
        teaching = self._teaching.index_select(0, self._t)[0]
        eta = self._eta.index_select(0, self._t)
        for k, weights in enumerate(self._weights):
            signal, output, local = self._respond(weights, pre)
            now = Remembered(pre, signal, local)
            self._change(weights, now, before[k], self._means[k], teaching, eta)
            found.append(now)
            pre = output
        self._t += 1
        return found

    def _sample(self) -> Any:
        return self._stimuli.index_select(0, self._order.index_select(0, self._t)[0])

    def _respond(self, weights: Any, pre: Any) -> tuple[Any, Any, Any]:
        """Group signal, normalized rates, and these times the gain."""
        model, torch = self._task.model, self._torch
        if len(pre) == 1:
            drive = torch.mv(weights[0], pre[0])[None]
        else:
            drive = torch.bmm(weights, pre[:, :, None])[:, :, 0]
        z = torch.nn.functional.leaky_relu(drive, model.slope).view(len(pre), model.groups, -1)
        centred = z - z.mean(2, keepdim=True)
        variance = (centred.square().sum(2) + model.delta) / z.shape[2]
        power = variance.pow(1 - model.p)
        r = (centred * variance.pow(-model.p)[:, :, None]).view_as(drive)
        local = torch.where(drive > 0, r, model.slope * r)
        return power - power.mean(1, keepdim=True), r, local

    def _change(
        self, weights: Any, now: Remembered, before: Remembered, mean: Any, teaching: Any, eta: Any
    ) -> None:
        """Change weights, and the third factor's running mean, in place."""
        model, torch = self._task.model, self._torch
        change = now.signal - before.signal
        k = torch.exp(change.square().sum(1) / (-2 * model.sigma**2))
        b2 = teaching - 2 * k
        mean += model.beta * (b2 - mean)
        size = now.local.shape[1] // model.groups
        third = (mean - b2) * k * (eta * (2 * (1 - model.p) / size / model.sigma**2))
        signal = (change * third[:, None]).repeat_interleave(size, dim=1)
        post = torch.stack((signal * now.local, -signal * before.local), 2)
        pre = torch.stack((now.pre, before.pre), 1)
        if len(pre) == 1:
            weights[0].addmm_(post[0], pre[0])
        else:
            weights.baddbmm_(post, pre)
