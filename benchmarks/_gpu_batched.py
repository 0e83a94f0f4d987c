"""Both sides of batched training on a device: data stay there, and nothing is waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._batched_peer import Torch
from benchmarks._batched_task import BatchedTask, Gradients
from benchmarks._gpu_clock import torch_seconds
from benchmarks._harness import Side
from models.pogodin2020_batched import Batched, trainer
from neurosim import Seeds


def ours(task: BatchedTask, row: str, device: str) -> Side:
    """Our trainer; what the clock sees is learning, and waiting for the device at the end."""

    def learn(n: int) -> float:
        training = trainer(task.model(row), task.data, Seeds(0), device)
        training.run(task.data.x_train[:n], task.data.y_train[:n], epochs=1)
        return training.elapsed

    return learn


class TorchOnDevice(Torch):
    """PyTorch, eager or replaying a CUDA graph of a whole batch, all data on its device.

    Parameters
    ----------
    task : BatchedTask
    device : {"cpu", "cuda"}
    graph : bool
    """

    def __init__(self, task: BatchedTask, device: str, *, graph: bool) -> None:
        super().__init__(task)
        torch, data = self._torch, task.data
        torch.backends.cuda.matmul.allow_tf32 = False  # as ours by default
        self._device, self._graph = device, graph
        self._stimuli = torch.tensor(data.x_train, device=device)
        self._labels = torch.tensor(data.y_train, device=device)

    def epoch(self, row: str) -> Side:
        """Learns from n samples in shuffled batches."""
        model = self._task.model(row)
        parameters = self._parameters(model)
        optimizers = self._optimizers(model, parameters)

        def step(stimuli: Any, labels: Any) -> None:
            self._learn_from(model, parameters, optimizers, stimuli, labels)

        whole = self._captured(step, model.batch) if self._graph else step

        def learn(n: int) -> float:
            def work() -> None:
                order = self._torch.randperm(n, device=self._device)
                for chosen in order.split(model.batch):
                    shown = self._stimuli[chosen], self._labels[chosen]
                    (whole if len(chosen) == model.batch else step)(*shown)

            return torch_seconds(self._torch, self._device, work)

        return learn

    def _captured(self, step: Callable[[Any, Any], None], n: int) -> Callable[[Any, Any], None]:
        torch = self._torch
        stimuli, labels = self._stimuli[:n].clone(), self._labels[:n].clone()
        warm, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
        warm.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(warm):
            for _ in range(3):  # momentum and workspaces come into being
                step(stimuli, labels)
        torch.cuda.current_stream().wait_stream(warm)
        with torch.cuda.graph(graph):
            step(stimuli, labels)

        def replay(shown: Any, known: Any) -> None:
            stimuli.copy_(shown)
            labels.copy_(known)
            graph.replay()

        return replay

    def gradients(self, row: str, dtype: str) -> Gradients:
        """What the first batch teaches a new network, by name of the parameter; no dropout."""
        model = self._task.model(row, dtype=dtype, dropout=0.0)
        parameters = self._parameters(model)
        shown = (self._torch.from_numpy(a).to(self._device) for a in self._task.batch(model, 0))
        self._learn_from(model, parameters, None, *shown)
        return {name: np.asarray(p.grad.cpu()) for name, p in parameters.items()}

    def _parameters(self, model: Batched) -> dict[str, Any]:
        made = super()._parameters(model)
        return {n: p.detach().to(self._device).requires_grad_() for n, p in made.items()}
