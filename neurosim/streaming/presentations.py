"""Presentations: what is shown, for how long, after which rest, and with which label."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from neurosim.backend import Array, device_of, to_device
from neurosim.checks import SettingError, require, require_finite
from neurosim.streaming.drift import look
from neurosim.streaming.residence import resident

UNLABELLED = -1


class Presentation(NamedTuple):
    """One stimulus and its place in time.

    stimulus : (n_inputs,) activity of the inputs.
    label : class index, or -1: shown without a teaching signal, now and to the next one.
    duration : seconds shown.
    gap : seconds of background activity before the onset.
    taught : false gates the teaching signal of this presentation: nothing is learned from it.
    """

    stimulus: np.ndarray
    label: int = UNLABELLED
    duration: float = 0.2
    gap: float = 0.0
    taught: bool = True


class Presentations(NamedTuple):
    """Consecutive presentations as arrays: stimuli (T, n_inputs), the rest (T,).

    Stimuli may be on a GPU, where nobody looks for NaN; the rest is on the host. ``taught`` may be
    None: all are.
    """

    stimuli: Array
    labels: np.ndarray
    durations: np.ndarray
    gaps: np.ndarray
    taught: np.ndarray | None = None

    @property
    def lessons(self) -> np.ndarray:
        """Labels as far as they are taught, -1 elsewhere, (T,)."""
        if self.taught is None:
            return self.labels
        return np.where(self.taught, self.labels, UNLABELLED)


class Stream(ABC):
    """A source of presentations that can be asked for the next ones, and continued anywhere."""

    @property
    @abstractmethod
    def length(self) -> int | None:
        """Number of presentations; None if endless or unknown."""

    def on(self, device: str) -> Stream:
        """The same presentations, from ``device`` if the stream can keep its stimuli there.

        Parameters
        ----------
        device : {"cpu", "gpu"}

        Returns
        -------
        Stream
            Itself if it cannot: stimuli are then moved as they are shown.
        """
        return self

    @abstractmethod
    def chunks(self, start: int, size: int) -> Iterator[Presentations]:
        """Presentations from number ``start`` on, ``size`` at a time (the last may be shorter)."""


class IterableStream(Stream):
    """A stream from any iterable of `Presentation`, also an endless one.

    Parameters
    ----------
    presentations : iterable of Presentation
        To continue after an interruption it must yield the same presentations again; those already
        shown are drawn and dropped.
    length : int, optional
        Show at most this many.
    """

    def __init__(self, presentations: Iterable[Presentation], length: int | None = None) -> None:
        self._presentations = presentations
        self._length = length

    @property
    def length(self) -> int | None:
        """The length of a sequence, or as given, whichever is less."""
        known = getattr(self._presentations, "__len__", None)
        lengths = [self._length] if self._length is not None else []
        return min([*lengths, int(known())] if known is not None else lengths, default=None)

    def chunks(self, start: int, size: int) -> Iterator[Presentations]:
        """See `Stream.chunks`."""
        source = islice(iter(self._presentations), start, self._length)
        while batch := list(islice(source, size)):
            yield gather(batch)


def gather(batch: list[Presentation]) -> Presentations:
    """Presentations as arrays; an error if their stimuli differ in shape."""
    shapes = {np.shape(p.stimulus) for p in batch}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise SettingError(
            f"Presentation.stimulus must be a vector of the same length every time; got {shapes}. "
            "Flatten images before presenting them."
        )
    try:
        stimuli = np.stack([np.asarray(p.stimulus) for p in batch])
    except TypeError as error:  # as CuPy says it
        raise SettingError(
            f"Presentation.stimulus must be on the CPU, an array of NumPy; got {error} "
            "A simulator on a GPU moves it there."
        ) from error
    labels = np.array([p.label for p in batch])
    require(labels.dtype.kind in "iu", "Presentation.label", "be a whole number", labels[:1])
    return Presentations(
        stimuli,
        labels.astype(np.int64),
        np.array([p.duration for p in batch], float),
        np.array([p.gap for p in batch], float),
        np.array([p.taught for p in batch], bool),
    )


class DatasetStream(Stream):
    """Samples of a labelled data set, epoch after epoch.

    Parameters
    ----------
    stimuli : ndarray, shape (n_samples, n_inputs)
    labels : ndarray of int, shape (n_samples,)
    epochs : int
        An epoch is ``n_samples`` presentations.
    rng : numpy.random.Generator
        Order of presentation; drawn from only when the stream is made.
    same_class : float, optional
        Probability that a presentation shows the class of the one before. None: samples are
        shuffled, each once an epoch. With it the class sequence is a Markov chain (else any other
        class, uniformly) and every class runs through its own samples in shuffled rounds, so that
        some samples recur before others appear.
    duration, gap : float
        Seconds.
    jitter : float
        Each gap is drawn uniformly from gap * [1 - jitter, 1 + jitter].
    drift : int
        Images are moved by up to so many pixels in each direction, anew at every presentation, as
        fixation drifts. What comes into view has the data's lowest value.
    image : tuple of int
        Rows and columns of a stimulus; needed for ``drift``.
    """

    def __init__(
        self,
        stimuli: np.ndarray,
        labels: np.ndarray,
        *,
        epochs: int,
        rng: np.random.Generator,
        same_class: float | None = None,
        duration: float = 0.2,
        gap: float = 0.0,
        jitter: float = 0.0,
        drift: int = 0,
        image: tuple[int, int] | None = None,
    ) -> None:
        places = {device_of(stimuli), device_of(labels)}
        remedy = "A simulator on a GPU moves the stimuli there, once."
        require(places == {"cpu"}, "DatasetStream.stimuli, labels", "be on the CPU", places, remedy)
        matching = stimuli.ndim == 2 and labels.shape == stimuli.shape[:1] and len(labels) > 0
        shapes = (stimuli.shape, labels.shape)
        require(matching, "DatasetStream.stimuli, labels", "be (n, n_inputs) and (n,)", shapes)
        require(epochs >= 0, "DatasetStream.epochs", "not be negative", epochs)
        require(0 < duration < np.inf, "DatasetStream.duration", "be positive (seconds)", duration)
        require(0 <= gap < np.inf, "DatasetStream.gap", "not be negative (seconds)", gap)
        require(0 <= jitter <= 1, "DatasetStream.jitter", "be in [0, 1]", jitter)
        self._stimuli: Array = stimuli
        self._labels = labels
        n = epochs * len(labels)
        self._order = _shuffled(len(labels), epochs, rng)
        if same_class is not None:
            require(0 <= same_class < 1, "DatasetStream.same_class", "be in [0, 1)", same_class)
            self._order = _repeating(labels, n, same_class, rng)
        self._moves: Array | None = None
        if drift:
            fits = image is not None and image[0] * image[1] == stimuli.shape[1]
            require(fits, "DatasetStream.image", f"have {stimuli.shape[1]} pixels to drift", image)
            require(0 < drift < min(image or (1,)), "DatasetStream.drift", "fit the image", drift)
            self._moves = rng.integers(-drift, drift, (n, 2), dtype=np.int16, endpoint=True)
        self._image, self._darkest = image, stimuli.min()
        self._samples: Array = self._order  # where the stimuli are; the order stays on the host
        self._durations = np.full(n, float(duration))
        self._gaps = gap * rng.uniform(1 - jitter, 1 + jitter, n) if jitter else np.full(n, gap)

    @property
    def length(self) -> int:
        """Presentations in all epochs."""
        return len(self._order)

    def on(self, device: str) -> DatasetStream:
        """See `Stream.on`; a GPU keeps one copy of a data set for all streams of a process."""
        if device == "cpu":
            return self
        require_finite("DatasetStream.stimuli", self._stimuli)
        there = copy.copy(self)
        there._stimuli = resident(self._stimuli, device)
        there._samples = to_device(self._samples, device)
        if self._moves is not None:
            there._moves = to_device(self._moves, device)
        return there

    def chunks(self, start: int, size: int) -> Iterator[Presentations]:
        """See `Stream.chunks`."""
        for first in range(start, self.length, size):
            part = slice(first, first + size)
            yield Presentations(
                self._seen(part),
                self._labels[self._order[part]],
                self._durations[part],
                self._gaps[part],
            )

    def _seen(self, part: slice) -> Array:
        """Stimuli where the eye happens to look."""
        samples = self._samples[part]
        if self._moves is None or self._image is None:
            return self._stimuli[samples]
        scenes, moves = self._stimuli.reshape(-1, *self._image), self._moves[part]
        return look(scenes, samples, moves, self._darkest).reshape(len(samples), -1)


def _shuffled(n_samples: int, epochs: int, rng: np.random.Generator) -> np.ndarray:
    rounds = [rng.permutation(n_samples) for _ in range(epochs)]
    return np.concatenate([np.zeros(0, np.int64), *rounds]).astype(np.int32)


def _repeating(
    labels: np.ndarray, n: int, same_class: float, rng: np.random.Generator
) -> np.ndarray:
    classes = np.unique(labels)
    require(len(classes) > 1, "DatasetStream.labels", "hold at least two classes", classes)
    # steps around the ring of classes: 0 stays, 1 .. C-1 moves to any other class uniformly
    steps = rng.integers(1, len(classes), n) * (rng.random(n) >= same_class)
    chain = np.cumsum(steps) % len(classes)
    order = np.empty(n, np.int32)
    for position, name in enumerate(classes):
        slots = np.flatnonzero(chain == position)
        members = np.flatnonzero(labels == name)
        rounds = -(-len(slots) // len(members)) or 1
        queue = np.concatenate([rng.permutation(members) for _ in range(rounds)])
        order[slots] = queue[: len(slots)]
    return order
