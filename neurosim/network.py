"""A network: ordered dense layers and a linear read-out, with parameters by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from neurosim.backend import device_errors, device_of, to_device
from neurosim.checks import require, require_one_of
from neurosim.layers import Activity, BatchNorm, Dense
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import Nonlinearity
from neurosim.seeds import Seeds

Source = Literal["last", "all"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """Layers ``layer1``, ``layer2``, ... and a softmax read-out.

    Parameters
    ----------
    layers : tuple of Dense
        In order; each sees the output of the one before.
    readout : dict of str to ndarray
        ``weights`` (n_classes, n_read) and ``bias`` (n_classes,).
    reads : {"last", "all"}
        Whether the read-out sees the last layer's output or all layers' side by side.
    """

    layers: tuple[Dense, ...]
    readout: Mapping[str, np.ndarray]
    reads: Source = "last"

    def __post_init__(self) -> None:
        require(len(self.layers) > 0, "Network.layers", "hold at least one layer", self.layers)
        require_one_of("Network.reads", self.reads, ("last", "all"))
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            sizes = (before.n_post, after.n_pre)
            require(sizes[0] == sizes[1], "Network.layers", "fit one another", sizes)
        shape = (self.n_classes, self.n_read)
        fits = self.readout["weights"].shape == shape
        require(fits, "Network.readout", f"have weights of {shape}", self.readout["weights"].shape)
        places = {device_of(array): name for name, array in self.parameters().items()}
        remedy = "Move the whole network with Network.to."
        require(len(places) == 1, "Network.parameters", "be on one device", places, remedy)

    @classmethod
    def dense(
        cls,
        n_inputs: int,
        widths: tuple[int, ...],
        n_classes: int,
        seeds: Seeds,
        *,
        nonlinearity: Nonlinearity | None = None,
        grouping: Grouping | None = None,
        batch_norm: bool = False,
        gain: float = 1.0,
        reads: Source = "last",
        readout_gain: float = 0.0,
        dtype: str = "float32",
    ) -> Network:
        """A network with weights drawn from ``layerK/weights``, uniform in +-gain / sqrt(n_pre).

        Parameters
        ----------
        n_inputs : int
        widths : tuple of int
            Neurons of each layer.
        n_classes : int
        seeds : Seeds
        nonlinearity, grouping
            Of every layer; the defaults are leaky ReLU and no groups.
        batch_norm : bool
            Whether every layer has it: it can then learn from batches only.
        gain : float
            Multiple of the default limit 1 / sqrt(n_pre).
        reads : {"last", "all"}
            What the read-out sees.
        readout_gain : float
            The same multiple for the read-out's weights and bias; 0 starts them at zero.
        dtype : {"float32", "float64"}
        """
        require(n_inputs >= 1, "Network.dense(n_inputs)", "be at least 1", n_inputs)
        require(gain > 0, "Network.dense(gain)", "be positive", gain)
        require_one_of("Network.dense(dtype)", dtype, ("float32", "float64"))
        require(
            len(widths) > 0 and min(widths) >= 1, "Network.dense(widths)", "be positive", widths
        )
        sizes = (n_inputs, *widths)
        layers = tuple(
            Dense(
                Dense.draw(n, m, gain, seeds.generator(f"layer{k + 1}/weights"), dtype),
                nonlinearity or Nonlinearity(),
                grouping,
                BatchNorm.start(n, dtype) if batch_norm else None,
            )
            for k, (m, n) in enumerate(zip(sizes, widths, strict=False))
        )
        n_read = widths[-1] if reads == "last" else sum(widths)
        draw = seeds.generator("readout")
        drawn = Dense.draw(n_classes, n_read, readout_gain, draw, dtype)
        # The bias is drawn after the weights and within the same limit, that of n_read inputs.
        bias = draw.uniform(-1, 1, n_classes) * readout_gain / np.sqrt(n_read)
        readout = {"weights": drawn, "bias": bias.astype(dtype)}
        return cls(layers=layers, readout=readout, reads=reads)

    @classmethod
    def from_description(
        cls, description: Mapping[str, Any], parameters: Mapping[str, np.ndarray]
    ) -> Network:
        """The network that gave this `describe`, with weights named as in `parameters`.

        Raises
        ------
        SettingError
            If the weights do not fit one another or the description.
        """
        layers = []
        for k, part in enumerate(description["layers"]):
            name = f"layer{k + 1}"
            grouping = Grouping(**part["grouping"]) if part["grouping"] else None
            norm = None
            if part.get("batch_norm"):
                arrays = {key: parameters[f"batch_norm/{name}/{key}"] for key in BatchNorm.names}
                norm = replace(BatchNorm.start(0), **part["batch_norm"]).with_arrays(arrays)
            nonlinearity = Nonlinearity(**part["nonlinearity"])
            layers.append(Dense(parameters[name], nonlinearity, grouping, norm))
        readout = {name: parameters[f"readout/{name}"] for name in ("weights", "bias")}
        return cls(layers=tuple(layers), readout=readout, reads=description["reads"])

    @property
    def n_inputs(self) -> int:
        """Inputs of the first layer."""
        return self.layers[0].n_pre

    @property
    def n_classes(self) -> int:
        """Outputs of the read-out."""
        return len(self.readout["bias"])

    @property
    def n_read(self) -> int:
        """Inputs of the read-out."""
        widths = [layer.n_post for layer in self.layers]
        return widths[-1] if self.reads == "last" else sum(widths)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the layers, in order."""
        return tuple(f"layer{k + 1}" for k in range(len(self.layers)))

    @property
    def dtype(self) -> np.dtype:
        """Float type of all parameters."""
        return self.layers[0].weights.dtype

    @property
    def device(self) -> str:
        """Where all parameters are, ``"cpu"`` or ``"gpu"``."""
        return device_of(self.layers[0].weights)

    @device_errors("Network.to", "Choose smaller layers.")
    def to(self, device: str) -> Network:
        """The same network on a device, where it then computes; itself if it is there already.

        Parameters
        ----------
        device : {"cpu", "gpu"}

        Raises
        ------
        SettingError
            If there is no such device; says what is missing.
        DeviceError
            If the network does not fit into its memory.
        """
        moved = {name: to_device(array, device) for name, array in self.parameters().items()}
        return self if device == self.device else self.with_parameters(moved)

    def parameters(self) -> dict[str, np.ndarray]:
        """All arrays by name, in order: layer1, layer2, ..., readout/weights, readout/bias.

        ``layer1`` are the weights; ``batch_norm/layer1/scale``, ... follow if it has any.
        """
        named: dict[str, np.ndarray] = {}
        for k, layer in enumerate(self.layers):
            named |= self.named(k, layer.parameters())
        return named | {f"readout/{name}": array for name, array in self.readout.items()}

    def named(self, k: int, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Arrays of layer k, counted from 0, by the names they have in `parameters`."""
        return {self._name(k, key): array for key, array in arrays.items()}

    def _name(self, k: int, key: str) -> str:
        # Not below the layer's name: in a run file that is a data set, and holds nothing.
        return self.names[k] if key == "weights" else key.replace("/", f"/{self.names[k]}/")

    @property
    def smallest_batch(self) -> int:
        """Samples a batch needs if the network is to learn from it: two with batch norm."""
        return 2 if any(layer.batch_norm for layer in self.layers) else 1

    def describe(self) -> dict[str, Any]:
        """All of the network but its weights, as plain JSON values; `from_description` reads it."""
        layers = [
            {
                "nonlinearity": asdict(layer.nonlinearity),
                "grouping": asdict(layer.grouping) if layer.grouping else None,
                "batch_norm": layer.batch_norm.settings() if layer.batch_norm else None,
            }
            for layer in self.layers
        ]
        return {"layers": layers, "reads": self.reads}

    def with_parameters(self, parameters: Mapping[str, np.ndarray]) -> Network:
        """The same network with other weights, named as in `parameters`."""
        layers = tuple(
            layer.with_parameters(
                {key: parameters[self._name(k, key)] for key in layer.parameters()}
            )
            for k, layer in enumerate(self.layers)
        )
        readout = {name: parameters[f"readout/{name}"] for name in ("weights", "bias")}
        return replace(self, layers=layers, readout=readout)

    def activities(self, stimuli: np.ndarray) -> list[Activity]:
        """Settled response of every layer to a batch, (n, n_inputs)."""
        found: list[Activity] = []
        for layer in self.layers:
            pre = found[-1].output if found else stimuli
            found.append(layer.respond(pre, layer.drive(pre)))
        return found

    def scores(self, stimuli: np.ndarray) -> np.ndarray:
        """Drive of the read-out, (n, n_classes)."""
        outputs = [activity.output for activity in self.activities(stimuli)]
        read = outputs[-1] if self.reads == "last" else np.concatenate(outputs, axis=1)
        return read @ self.readout["weights"].T + self.readout["bias"]

    @device_errors("Network.accuracy", "Choose a smaller batch.")
    def accuracy(self, stimuli: np.ndarray, labels: np.ndarray, batch: int = 2048) -> float:
        """Fraction of ``stimuli`` (n, n_inputs) whose largest score is at their label.

        Both are where the network is. A device is waited for once, at the end.
        """
        require(len(labels) > 0, "Network.accuracy(labels)", "not be empty", labels)
        right: Any = 0
        for first in range(0, len(labels), batch):
            part = slice(first, first + batch)
            right += (self.scores(stimuli[part]).argmax(axis=1) == labels[part]).sum()
        return int(right) / len(labels)
