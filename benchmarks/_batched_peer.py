"""The same training in PyTorch, eager, with automatic differentiation.

Layer-wise: a graph of its own for every layer, detached from the one before, and an optimizer of
its own. Backprop: one graph, one optimizer. Both as lean as PyTorch lets them be: distances from
one product of centred vectors, optimizers over lists of tensors (foreach), losses never read.
"""

from __future__ import annotations

from typing import Any

from benchmarks._batched_task import BatchedTask, Cost, Gradients, clocked
from models.pogodin2020_batched import Batched


class Torch:
    """Networks that go on learning from call to call.

    Parameters
    ----------
    task : BatchedTask
    """

    def __init__(self, task: BatchedTask) -> None:
        import torch

        torch.set_num_threads(task.threads)
        self._torch, self._task, self._learners = torch, task, {}

    def learn(self, row: str, n: int) -> Cost:
        """Learn from n batches, as ``row`` of Table 3 says."""
        model = self._task.model(row)
        if row not in self._learners:
            parameters = self._parameters(model)
            self._learners[row] = parameters, self._optimizers(model, parameters)
        parameters, optimizers = self._learners[row]

        def step(number: int) -> None:
            self._step(model, parameters, optimizers, number)

        return clocked(step, n)

    def gradients(self, row: str, dtype: str) -> Gradients:
        """What the first batch teaches a new network, by name of the parameter; no dropout."""
        model = self._task.model(row, dtype=dtype, dropout=0.0)
        parameters = self._parameters(model)
        self._step(model, parameters, None, 0)
        return {name: parameter.grad.cpu().numpy() for name, parameter in parameters.items()}

    def _parameters(self, model: Batched) -> dict[str, Any]:
        named = self._task.network(model).parameters()
        return {n: self._torch.from_numpy(a.copy()).requires_grad_() for n, a in named.items()}

    def _optimizers(self, model: Batched, parameters: dict[str, Any]) -> list[Any]:
        def sgd(names: list[str], rate: float | None, decay: float) -> Any:
            chosen = [parameters[name] for name in names]
            return self._torch.optim.SGD(
                chosen, lr=rate, momentum=model.momentum, weight_decay=decay, foreach=True
            )

        if model.rule == "backprop":
            return [sgd(list(parameters), model.readout_rate, model.readout_decay)]
        layers = [name for name in parameters if not name.startswith("readout")]
        heads = [name for name in parameters if name.startswith("readout")]
        own = [sgd([name], model.local_rate, model.local_decay) for name in layers]
        return [*own, sgd(heads, model.readout_rate, model.readout_decay)]

    def _step(
        self, model: Batched, parameters: dict[str, Any], optimizers: list[Any] | None, number: int
    ) -> None:
        stimuli, labels = map(self._torch.from_numpy, self._task.batch(model, number))
        self._learn_from(model, parameters, optimizers, stimuli, labels)

    def _learn_from(
        self, model: Batched, parameters: dict[str, Any], optimizers: list[Any] | None,
        stimuli: Any, labels: Any,
    ) -> None:  # fmt: skip
        functional = self._torch.nn.functional
        local, passed = model.rule != "backprop", stimuli
        layers = [parameters[name] for name in parameters if not name.startswith("readout")]
        for k, weights in enumerate(layers):
            rate = functional.leaky_relu(functional.linear(passed, weights), model.slope)
            signal, output = self._groups(model, rate)
            if local:
                self._take(self._objective(model, signal, labels), optimizers, k)
                output = output.detach()
            passed = functional.dropout(output, model.dropout)
        read = functional.linear(passed, parameters["readout/weights"], parameters["readout/bias"])
        self._take(functional.cross_entropy(read, labels), optimizers, -1)

    def _take(self, loss: Any, optimizers: list[Any] | None, k: int) -> None:
        loss.backward()
        if optimizers is not None:
            optimizers[k].step()
            optimizers[k].zero_grad()

    def _groups(self, model: Batched, rate: Any) -> tuple[Any, Any]:
        """What is compared, and what is passed on."""
        if model.normalization == "plain":
            return rate, rate
        p = 0.2 if model.normalization == "divisive" else 0.5
        z = rate.view(len(rate), model.groups, -1)
        centred = z - z.mean(2, keepdim=True)
        variance = (centred.square().sum(2) + model.delta) / z.shape[2]
        power = variance.pow(1 - p)
        signal = power - power.mean(1, keepdim=True)
        if model.normalization == "grouped":
            return signal, rate
        return signal, (centred * variance.pow(-p)[..., None]).view_as(rate)

    def _objective(self, model: Batched, compared: Any, labels: Any) -> Any:
        """pHSIC(K, K) - gamma pHSIC(Ky, K)."""
        if model.rule == "cosine":
            direction = self._torch.nn.functional.normalize(compared)
            k = direction @ direction.T
        else:
            v = compared - compared.mean(0)
            square = v.square().sum(1)
            distances = square[:, None] + square - 2 * (v @ v.T)
            k = (distances / (-2 * model.sigma**2)).exp()
        n_classes = self._task.data.n_classes
        taught = (labels[:, None] == labels).to(k.dtype)
        taught = taught * (n_classes / (n_classes - 1)) - 1 / (n_classes - 1)
        centred = k - k.mean() - model.gamma * (taught - taught.mean())
        return (centred * k).mean()
