"""The engine for GPUs: `chunked.Engine` with one kernel in place of its walk, for many replicas.

Everything stays on the device that the state's arrays are on, and nothing waits for it: the kernel
and the products around it are queued on CuPy's current stream. Under numba's simulator
(``NUMBA_ENABLE_CUDASIM=1``) the same code works on NumPy arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numba import cuda

from neurosim.backend import Array, namespace
from neurosim.checks import SettingError, require
from neurosim.streaming.chunked import constants_of
from neurosim.streaming.circuit import LayerCircuit, Shown, State
from neurosim.streaming.gpu import arrays
from neurosim.streaming.gpu.form import Form, Settings, Work
from neurosim.streaming.gpu.kernel import build
from neurosim.streaming.gpu.memory import BLOCK, build_terminals
from neurosim.streaming.gpu.threads import share_out
from neurosim.streaming.plan import Plan

CARRIED = (
    "hidden", "memory", "memory_pre", "background", "mean_rate", "mean_square", "third_factor_mean",
)  # fmt: skip


class GpuEnsemble:
    """Replicas of a layer circuit, each with weights, settings and presentations of its own.

    Parameters
    ----------
    circuits : sequence of LayerCircuit
        One a replica. They may differ in numbers (weights, rates, sigma, gamma, constants of the
        rule, momentum, ...), not in what is computed: shape, type, rule, nonlinearity, groups,
        and whether there is momentum, decay or averaging.
    threads : int
        Threads a block may have; a power of two, at most 1024.

    Raises
    ------
    SettingError
        If the circuits differ in more than numbers, or their normalization is recurrent.
    """

    def __init__(self, circuits: Sequence[LayerCircuit], *, threads: int = 1024) -> None:
        require(len(circuits) > 0, "GpuEnsemble.circuits", "be one or more", len(circuits))
        for circuit in circuits:
            normalization = circuit.neurons.normalization
            remedy = "Run recurrent normalization on the CPU."
            require(normalization is None, "GpuEngine.normalization", "be algebraic",
                    normalization, remedy)  # fmt: skip
        _require_alike([_traits(circuit) for circuit in circuits])
        first = circuits[0]
        constants = [constants_of(circuit) for circuit in circuits]
        rows = [np.array(c.rule.constants(c.layer), np.float64) for c in circuits]
        self._form = _form(first, threads)
        self._background = np.stack([circuit.background for circuit in circuits])
        self._settings = np.array([[getattr(c, n) for n in Settings._fields] for c in constants])
        self._numbers = np.stack(rows)
        self._held: dict[str, Array] = {}

    def present(
        self, state: State, plans: Sequence[Plan], inputs: Array, chosen: np.ndarray
    ) -> tuple[State, Shown]:
        """Show T presentations to every replica; all arrays have a leading replica axis.

        Parameters
        ----------
        state : dict
            `circuit.LayerCircuit.start` of every replica, stacked. The weights (and velocity) are
            updated in place; the rest is replaced.
        plans : sequence of Plan
            One a replica, all of T presentations; arrays on the host or on the device.
        inputs : array, shape (replicas, T * P, n_pre)
        chosen : ndarray of int, shape (K,), on the host
            Neurons whose factors are returned.

        Returns
        -------
        state : dict
        shown : Shown
            As of `circuit.present`, on the device.

        Raises
        ------
        SettingError
            If the arrays are not all on one GPU, or the plans do not fit together.
        """
        xp = _module(state, inputs)
        samples, window, instants = arrays.shape_of(plans, len(self._settings))
        known, back = np.unique(chosen, return_inverse=True)
        form = self._form._replace(
            records=len(known) > 0, samples=samples, window=window, instants=instants
        )
        place = np.full(form.threads.n_post, -1, np.int32)
        place[known] = np.arange(len(known))
        state = dict(state)
        for name in CARRIED:
            state[name] = state[name].copy()
        now = self._remembered(xp, state, plans, inputs) if form.memory else inputs
        pre = xp.concatenate([state["trace_pre"], now], axis=1)
        work = arrays.work_of(
            xp, form, state, plans, inputs, pre, len(known),
            self._constant(xp, "settings", self._settings),
            self._constant(xp, "numbers", self._numbers),
        )  # fmt: skip
        times = arrays.times_of(xp, form, plans, place)
        _launch(xp, build(form), len(plans), form.threads.total, work, times)
        power = self._settings[:, Settings._fields.index("momentum")] ** len(plans[0].eta)
        arrays.learn(form, state, work, pre, xp.asarray(power, form.dtype))
        return self._after(xp, form, state, work, pre, back)

    def _remembered(
        self, xp: ModuleType, state: State, plans: Sequence[Plan], inputs: Array
    ) -> Array:
        """What the presynaptic terminals remember at each trace; moves their memory on."""
        remembered = xp.empty_like(inputs)
        blocks = -(-inputs[:, 0].size // BLOCK)
        _launch(
            xp, build_terminals(self._form.dtype), blocks, BLOCK, state["memory_pre"],
            self._constant(xp, "background", self._background), inputs, arrays.steps_of(xp, plans),
            self._constant(xp, "settings", self._settings), remembered,
        )  # fmt: skip
        return remembered

    def _constant(self, xp: ModuleType, name: str, array: np.ndarray) -> Array:
        """A constant on the device, moved there once."""
        if name not in self._held:
            self._held[name] = xp.asarray(array)
        return self._held[name]

    def _after(
        self, xp: ModuleType, form: Form, state: State, work: Work, pre: Array, back: np.ndarray
    ) -> tuple[State, Shown]:
        """State and record after the chunk; ``back`` undoes the sorting of chosen neurons."""
        n, history = work.start.shape[1], form.history
        signal = work.rate
        if form.compares == 1:
            signal = work.power
            signal[:, history:] -= signal[:, history:].mean(axis=-1, keepdims=True)
        window = {"rate": work.rate, "gain": work.gain, "normalized": work.normalized}
        for name, array in (window | {"signal": signal, "pre": pre}).items():
            state[f"trace_{name}"] = array[:, n:].copy()
        now = {name: array[:, history:] for name, array in window.items()}
        output = work.output if form.memory else now["normalized" if form.divisive else "rate"]
        order = xp.asarray(back)
        shown = Shown(
            output=output, drive=work.start, **now,
            variance=work.variance[:, history:], signal=signal, pre=pre, third=work.third,
            post=work.post[..., order], decay=work.decay[..., order],
        )  # fmt: skip
        return state, shown


class GpuEngine:
    """A layer circuit on a GPU; used like `chunked.Engine`, with the state's arrays on the device.

    Parameters
    ----------
    circuit : LayerCircuit
    threads : int
        Threads of the kernel's block, at most; a power of two, at most 1024.

    Raises
    ------
    SettingError
        If the normalization is recurrent.
    """

    def __init__(self, circuit: LayerCircuit, *, threads: int = 1024) -> None:
        self._ensemble = GpuEnsemble([circuit], threads=threads)

    def present(
        self, state: State, plan: Plan, inputs: Array, chosen: np.ndarray
    ) -> tuple[State, Shown]:
        """Show T presentations; arguments as in `circuit.present`, inputs (T * P, n_pre).

        The weights (and velocity) of ``state`` are updated in place; the rest is replaced.
        """
        stacked = {name: array[None] for name, array in state.items()}
        after, shown = self._ensemble.present(stacked, [plan], inputs[None], chosen)
        return {name: array[0] for name, array in after.items()}, Shown(*(a[0] for a in shown))


def _form(circuit: LayerCircuit, threads: int) -> Form:
    """What the kernel is compiled for, as far as the circuit says."""
    constants, n_post = constants_of(circuit), circuit.layer.n_post
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
        threads=share_out(n_post, constants.groups, threads),
    )


def _traits(circuit: LayerCircuit) -> dict[str, Any]:
    """What the replicas of an ensemble have in common."""
    constants, layer = constants_of(circuit), circuit.layer
    return {
        "rule": type(circuit.rule),
        "type of the weights": layer.weights.dtype.name,
        "shape of the weights": layer.weights.shape,
        "nonlinearity": layer.nonlinearity.name,
        "groups": (constants.groups, constants.divisive),
        "what neurons do": (constants.leaky > 0, constants.memory, constants.measured),
        "whether there is momentum": constants.momentum > 0,
        "whether there is decay": constants.decays,
        "whether there are averages": constants.averages > 0,
    }


def _require_alike(traits: list[dict[str, Any]]) -> None:
    for other in traits[1:]:
        for name, value in other.items():
            if value != traits[0][name]:
                one, two = (getattr(v, "__name__", v) for v in (traits[0][name], value))
                raise SettingError(
                    f"GpuEnsemble.circuits must agree in {name}; got {one} and {two}. "
                    "Put circuits that compute different things into ensembles of their own."
                )


def _module(state: State, inputs: Array) -> ModuleType:
    """The module of the arrays, which must be where the kernel can work on them."""
    xp = namespace(inputs, *state.values())
    usable = (xp is np) == bool(cuda.config.ENABLE_CUDASIM)
    remedy = "Move state and inputs with to_device."
    require(usable, "GpuEngine.state", "be on the GPU", f"{xp.__name__} arrays", remedy)
    return xp


def _launch(xp: ModuleType, kernel: Any, blocks: int, threads: int, *arguments: Any) -> None:
    """Queue a kernel behind what was queued before; nobody waits."""
    stream = 0
    if xp is not np:
        # numba would wait for CuPy's stream, were it not told that this is the stream it uses
        stream = cuda.external_stream(xp.cuda.get_current_stream().ptr)
        arguments = tuple(map(_view, arguments))
    kernel[blocks, threads, stream](*arguments)


def _view(argument: Any) -> Any:
    """A CuPy array, or a named tuple of them, as numba sees it."""
    if isinstance(argument, tuple):
        return type(argument)(*map(_view, argument))
    return cuda.as_cuda_array(argument, sync=False)
