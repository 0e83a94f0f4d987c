"""How what an inner chunk has taught gets into the weights: the same for layers and read-outs."""

from __future__ import annotations

from neurosim.backend import Array
from neurosim.streaming.circuit import State
from neurosim.streaming.gpu.form import Form, Work
from neurosim.streaming.gpu.launch import launch
from neurosim.streaming.gpu.passing import BLOCK, build_fading
from neurosim.streaming.gpu.products import Multiplier, turned
from neurosim.streaming.gpu.readout import ReadForm, Reading


def update(
    multiply: Multiplier, form: Form | ReadForm, state: State, data: Work | Reading, inputs: Array,
    threads: int,
) -> None:  # fmt: skip
    """Touch weights and velocities, in place: once an inner chunk.

    Parameters
    ----------
    multiply : Multiplier
    form : Form or ReadForm
    state : dict
        Its ``weights`` and, if there is momentum, ``velocity``; (replicas, n_post, n_pre).
    data : Work or Reading
        What was learned, as coefficients of the inputs.
    inputs : array, shape (replicas, n, n_pre)
    threads : int
        Threads a block may have.
    """
    weights, n = state["weights"], inputs.shape[1]
    if form.momentum or form.decays:
        replicas, n_post, n_pre = weights.shape
        velocity = state["velocity"] if form.momentum else data.speed_start  # has no rows
        launch(
            multiply.xp, build_fading(), replicas * n_post, min(n_pre, threads, BLOCK), weights,
            velocity, data.keep_w, data.keep_v, data.fading,
        )  # fmt: skip
    if form.momentum:
        multiply(state["velocity"], turned(data.speed[:, :n]), inputs, add=True)
    multiply(weights, turned(data.change[:, :n]), inputs, add=True)
