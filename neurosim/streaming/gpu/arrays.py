"""The host's side of a chunk: arrays for the kernel, and the matrix products around it.

Array code only: it runs where the arrays are. Leading axis: the replica.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import numpy as np

from neurosim.backend import Array
from neurosim.checks import require
from neurosim.streaming.circuit import State
from neurosim.streaming.gpu.form import Form, Times, Work
from neurosim.streaming.plan import Plan


def product(one: Array, other: Array) -> Array:
    """Matrix products of stacks; a stack of one as a plain product, which wastes no copy."""
    if len(one) == 1:
        return (one[0] @ other[0])[None]
    return one @ other


def turned(stack: Array) -> Array:
    """Every matrix of a stack transposed."""
    return stack.transpose(0, 2, 1)


def shape_of(plans: Sequence[Plan], replicas: int) -> tuple[int, int, int]:
    """Traces a presentation, traces in the window and instants, the same in all plans."""
    require(len(plans) == replicas, "GpuEngine.plans", f"be {replicas}", len(plans))
    shapes = {(len(p.eta), len(p.at_rest), *p.filter.shape[1:]) for p in plans}
    require(
        len(shapes) == 1, "GpuEngine.plans", "have as many presentations, traces and instants each",
        sorted(shapes),
    )  # fmt: skip
    _, samples, instants, window = shapes.pop()
    return samples, window, instants


def times_of(xp: ModuleType, form: Form, plans: Sequence[Plan], place: Array) -> Times:
    """Matrices of all replicas, one after the other."""

    def joined(name: str, dtype: str) -> Array:
        parts = [xp.asarray(getattr(plan, name), dtype) for plan in plans]
        array: Array = xp.concatenate(parts) if len(parts) > 1 else parts[0]
        return array

    return Times(
        filter=joined("filter", form.dtype),
        weight=joined("weight", "float64"),
        mean_keep=joined("mean_keep", "float64"),
        mean_filter=joined("mean_filter", "float64"),
        trace_weight=joined("trace_weight", "float64"),
        step=joined("step", "float64"),
        at_rest=xp.asarray(plans[0].at_rest),
        place=xp.asarray(place),
    )


def steps_of(xp: ModuleType, plans: Sequence[Plan]) -> Array:
    """Seconds before each trace of a chunk, (replicas, T * P)."""
    rows = [xp.asarray(p.step, "float64")[xp.asarray(p.geometry)].reshape(-1) for p in plans]
    array: Array = xp.stack(rows)
    return array


def work_of(
    xp: ModuleType,
    form: Form,
    state: State,
    plans: Sequence[Plan],
    inputs: Array,
    pre: Array,
    n_chosen: int,
    settings: Array,
    numbers: Array,
) -> Work:
    """Arrays of one chunk, the products with the weights at its start among them."""
    replicas, n, _ = inputs.shape
    n_post = form.threads.n_post
    length, shown, dtype = n + form.history, len(plans[0].eta), form.dtype
    direct = not (form.momentum or form.decays)
    groups = form.threads.groups if form.grouped else 0

    def zeros(*shape: int) -> Array:
        array: Array = xp.zeros((replicas, *shape), dtype)
        return array

    def carried(name: str) -> Array:
        """Room for a trace, headed by the window from before."""
        array: Array = xp.empty((replicas, length, state[name].shape[-1]), dtype)
        array[:, : form.history] = state[name]
        return array

    def of_plans(name: str) -> Array:
        array: Array = xp.stack([xp.asarray(getattr(plan, name), "float64") for plan in plans])
        return array

    rate, gain = carried("trace_rate"), carried("trace_gain")
    start = product(inputs, turned(state["weights"]))
    offsets = np.cumsum([0, *(len(plan.filter) for plan in plans[:-1])])
    matrices = [xp.asarray(p.geometry) + int(o) for p, o in zip(plans, offsets, strict=True)]
    return Work(
        start=start,
        speed_start=product(inputs, turned(state["velocity"])) if form.momentum else zeros(0, 0),
        gram=product(inputs, turned(pre)),
        output=xp.empty_like(start) if form.memory else start,
        rate=rate,
        gain=gain,
        normalized=carried("trace_normalized") if form.grouped else rate,
        variance=zeros(length, groups),
        power=carried("trace_signal") if form.compares == 1 else zeros(length, groups),
        change=zeros(length, n_post),
        speed=zeros(0 if direct else length, n_post),
        keep_w=xp.ones((replicas, n_post), dtype),
        keep_v=zeros(n_post),
        hidden=state["hidden"],
        memory=state["memory"],
        background=state["background"],
        mean_rate=state["mean_rate"],
        mean_square=state["mean_square"],
        mean=state["third_factor_mean"],
        third=xp.zeros((replicas, shown, form.instants, 4)),
        post=xp.zeros((replicas, shown, form.window, n_chosen)),
        decay=xp.zeros((replicas, shown, n_chosen)),
        settings=settings,
        numbers=numbers,
        geometry=xp.stack(matrices),
        eta=of_plans("eta"),
        teaching=of_plans("teaching"),
        gate=of_plans("gate"),
    )


def learn(form: Form, state: State, work: Work, pre: Array, power: Array) -> None:
    """Touch the weights, once a chunk; ``power`` is what momentum leaves of each velocity."""
    weights = state["weights"]
    if form.momentum or form.decays:
        weights *= work.keep_w[..., None]
    if form.momentum:
        weights += work.keep_v[..., None] * state["velocity"]
        state["velocity"] *= power[:, None, None]
        state["velocity"] += product(turned(work.speed), pre)
    weights += product(turned(work.change), pre)
