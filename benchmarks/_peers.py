"""Other ways to compute the same updates: after every sample, on the weights themselves.

Both do the grouped two-point rule (see `neurosim.plasticity.GroupedGaussian`), and leave out the
read-out, health signs and checks that the engine has, which favours them.
"""

from __future__ import annotations

import math
from time import perf_counter
from typing import Any

import numba as nb
import numpy as np

from benchmarks._task import Task
from neurosim.ops.grouping import groups_row
from neurosim.ops.nonlinearity import gain_row, rate_row

FASTMATH = {"reassoc", "contract", "arcp"}


class Torch:
    """An eager loop in PyTorch.

    Parameters
    ----------
    task : Task
    update : {"addr", "addcmul", "addmm"}
        Two outer products (``addr_`` or ``addcmul_``), or one product of rank two.
    threads : int
    """

    def __init__(self, task: Task, update: str, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._torch, self._task, self._update = torch, task, update
        self._initial = [layer.weights for layer in task.network().layers]

    def learn(self, n: int) -> float:
        """Show n presentations to a new network; returns the seconds it took."""
        shown, eta = self._task.shown(n)
        self._weights = [self._torch.from_numpy(w.copy()) for w in self._initial]
        stimuli = self._torch.from_numpy(shown.stimuli)
        before: list[Any] = [None] * len(self._weights)
        means = [0.0] * len(self._weights)
        began = perf_counter()
        with self._torch.inference_mode():
            for t in range(n):
                pre = stimuli[t]
                same = t > 0 and shown.labels[t] == shown.labels[t - 1]
                for k, weights in enumerate(self._weights):
                    v, output, local = self._respond(weights, pre)
                    if t > 0:
                        means[k] = self._change(
                            weights, (pre, v, local), before[k], means[k], same, eta[t]
                        )
                    before[k] = pre, v, local
                    pre = output
        return perf_counter() - began

    def _respond(self, weights: Any, pre: Any) -> tuple[Any, Any, Any]:
        """Group signal, normalized rates, and these times the gain."""
        model, torch = self._task.model, self._torch
        drive = torch.mv(weights, pre)
        rate = torch.nn.functional.leaky_relu(drive, model.slope)
        z = rate.view(model.groups, -1)
        centred = z - z.mean(1, keepdim=True)
        variance = (centred.square().sum(1) + model.delta) / z.shape[1]
        power = variance.pow(1 - model.p)
        r = (centred * variance.pow(-model.p)[:, None]).view(-1)
        return power - power.mean(), r, torch.where(drive > 0, r, model.slope * r)

    def _change(
        self, weights: Any, now: Any, before: Any, mean: float, same: bool, eta: float
    ) -> float:
        """Change the weights in place; returns the third factor's new mean."""
        model, torch = self._task.model, self._torch
        (x, v, r), (x_before, v_before, r_before) = now, before
        change = v - v_before
        m, mean = _third_factor(
            float(change.dot(change)), same, mean, self._task.data.n_classes,
            model.sigma, model.gamma, model.beta,
        )  # fmt: skip
        size = len(r) // model.groups
        signal = (change * (eta * m * 2 * (1 - model.p) / size)).repeat_interleave(size)
        a, b = signal * r, signal * r_before
        if self._update == "addr":
            weights.addr_(a, x).addr_(b, x_before, alpha=-1)
        elif self._update == "addcmul":
            weights.addcmul_(a[:, None], x[None]).addcmul_(b[:, None], x_before[None], value=-1)
        else:
            weights.addmm_(torch.stack((a, -b), 1), torch.stack((x, x_before)))
        return mean

    def weights(self) -> list[np.ndarray]:
        """What was learned."""
        return [w.numpy() for w in self._weights]


class Fused:
    """A numba loop that reads and writes every weight once a sample.

    The change of one presentation is added while the next one's drive is computed, in parallel over
    postsynaptic neurons; a last pass adds the last change.
    """

    def __init__(self, task: Task, threads: int) -> None:
        nb.set_num_threads(min(threads, nb.config.NUMBA_NUM_THREADS))
        self._task = task
        self._initial = tuple(layer.weights for layer in task.network().layers)

    def learn(self, n: int) -> float:
        """Show n presentations to a new network; returns the seconds it took."""
        m = self._task.model
        shown, eta = self._task.shown(n)
        self._weights = tuple(w.copy() for w in self._initial)
        numbers = m.slope, m.p, m.delta, m.groups, m.sigma, m.gamma, m.beta
        began = perf_counter()
        _learn(self._weights, shown.stimuli, shown.labels, eta, *numbers, self._task.data.n_classes)
        return perf_counter() - began

    def weights(self) -> list[np.ndarray]:
        """What was learned."""
        return list(self._weights)


def _third_factor(
    b1: float, same: bool, mean: float, n_classes: int, sigma: float, gamma: float, beta: float
) -> tuple[float, float]:
    """M and the new running mean."""
    k = math.exp(-b1 / (2 * sigma**2))
    b2 = gamma * (1.0 if same else -1.0 / (n_classes - 1)) - 2 * k
    mean += beta * (b2 - mean)
    return -(b2 - mean) * k / sigma**2, mean


_third_factor_fused = nb.njit(_third_factor)


@nb.njit(parallel=True, fastmath=FASTMATH)
def _change_and_drive(weights, a, x, b, y, pre, drive):
    """W += a (x) x - b (x) y, then drive = W pre: one pass over the weights."""
    for n in nb.prange(len(weights)):
        row, now, before = weights[n], a[n], b[n]
        total = row.dtype.type(0)
        for m in range(row.size):
            w = row[m] + (now * x[m] - before * y[m])
            row[m] = w
            total += w * pre[m]
        drive[n] = total


@nb.njit(fastmath=FASTMATH)
def _learn(weights, stimuli, labels, eta, slope, p, delta, groups, sigma, gamma, beta, n_classes):
    kind, layers = stimuli.dtype.type, len(weights)
    widest = max([w.shape[0] for w in weights])
    # of this presentation and the one before, which take turns
    pres = np.zeros((layers, 2, max(widest, stimuli.shape[1])), stimuli.dtype)
    local, factors = np.zeros((2, layers, 2, widest), stimuli.dtype)
    signal = np.zeros((layers, 2, groups), stimuli.dtype)
    rate, gain = np.empty(widest, stimuli.dtype), np.empty(widest, stimuli.dtype)
    drive, normalized = np.empty(widest, stimuli.dtype), np.empty(widest, stimuli.dtype)
    variance, means = np.empty(groups, stimuli.dtype), np.zeros(layers)
    for t in range(len(stimuli) + 1):
        now, before = t % 2, (t + 1) % 2
        for k in range(layers):
            n_post, n_pre = weights[k].shape
            pre = np.zeros(n_pre, stimuli.dtype)
            if t < len(stimuli):
                pre[:] = stimuli[t] if k == 0 else normalized[:n_pre]
            # the last presentation's change: its own inputs are at `before`, older ones at `now`
            _change_and_drive(
                weights[k], factors[k, 0, :n_post], pres[k, before, :n_pre],
                factors[k, 1, :n_post], pres[k, now, :n_pre], pre, drive[:n_post],
            )  # fmt: skip
            if t == len(stimuli):
                continue
            pres[k, now, :n_pre] = pre
            rate_row(2, slope, drive[:n_post], rate[:n_post])
            gain_row(2, slope, rate[:n_post], gain[:n_post])
            groups_row(p, delta, rate[:n_post], variance, signal[k, now], normalized[:n_post])
            for n in range(n_post):
                local[k, now, n] = normalized[n] * gain[n]
            if t == 0:
                continue
            b1 = 0.0
            for g in range(groups):
                b1 += (signal[k, now, g] - signal[k, before, g]) ** 2
            same = labels[t] == labels[t - 1]
            m, means[k] = _third_factor_fused(b1, same, means[k], n_classes, sigma, gamma, beta)
            size = n_post // groups
            scale = kind(eta[t] * m * 2 * (1 - p) / size)
            for n in range(n_post):
                change = scale * (signal[k, now, n // size] - signal[k, before, n // size])
                factors[k, 0, n] = change * local[k, now, n]
                factors[k, 1, n] = change * local[k, before, n]
