"""Streams: what they show, in which order, and from anywhere on."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from neurosim.backend import to_device
from neurosim.checks import SettingError
from neurosim.streaming.presentations import (
    UNLABELLED,
    DatasetStream,
    IterableStream,
    Presentation,
    Presentations,
    gather,
)
from neurosim.testing import pretend_device

LABELS = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 2])
STIMULI = np.arange(20.0).reshape(10, 2)  # sample k is (2k, 2k + 1)


def stream(epochs=3, seed=0, **options):
    return DatasetStream(STIMULI, LABELS, epochs=epochs, rng=np.random.default_rng(seed), **options)


def everything(source, start=0, size=1000):
    chunks = list(source.chunks(start, size))
    return Presentations(
        *(np.concatenate(column) for column in list(zip(*chunks, strict=True))[:4])
    )


def samples(shown):
    return (shown.stimuli[:, 0] / 2).astype(int)


def test_shuffled_samples_come_once_an_epoch_in_a_new_order():
    order = samples(everything(stream())).reshape(3, 10)
    np.testing.assert_array_equal(np.sort(order), np.tile(np.arange(10), (3, 1)))
    assert len({tuple(row) for row in order}) == 3


@pytest.mark.parametrize("options", [{}, {"same_class": 0.4}])
def test_stimuli_keep_their_labels(options):
    shown = everything(stream(**options))
    np.testing.assert_array_equal(shown.stimuli, STIMULI[samples(shown)])
    np.testing.assert_array_equal(shown.labels, LABELS[samples(shown)])


def test_the_order_is_that_of_the_generator():
    assert samples(everything(stream())).tolist() == samples(everything(stream())).tolist()
    assert samples(everything(stream())).tolist() != samples(everything(stream(seed=1))).tolist()


@settings(deadline=None, max_examples=40)
@given(start=st.integers(0, 35), size=st.integers(1, 40), repeat=st.sampled_from([None, 0.5]))
def test_it_can_be_continued_from_anywhere_in_chunks_of_any_size(start, size, repeat):
    source = stream(same_class=repeat, gap=0.1, jitter=0.5)
    whole = everything(source)
    chunks = list(source.chunks(start, size))
    lengths = [len(chunk.labels) for chunk in chunks]
    assert sum(lengths) == max(0, 30 - start)
    assert all(length == size for length in lengths[:-1])
    for name in ("stimuli", "labels", "durations", "gaps") if chunks else ():
        parts = np.concatenate([getattr(chunk, name) for chunk in chunks])
        np.testing.assert_array_equal(parts, getattr(whole, name)[start:])


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 0.9])
def test_the_class_repeats_with_the_given_probability(probability):
    """Two-sided binomial test at 1e-4: this seed is an ordinary one, not a lucky one."""
    shown = everything(stream(epochs=1000, same_class=probability))
    labels = shown.labels
    again = labels[1:] == labels[:-1]
    assert stats.binomtest(int(again.sum()), again.size, probability).pvalue > 1e-4
    # otherwise any other class follows, all alike
    for now in range(3):
        following = labels[1:][(labels[:-1] == now) & ~again]
        counts = np.bincount(following, minlength=3)
        assert counts[now] == 0
        others = np.delete(counts, now)
        assert stats.binomtest(int(others[0]), int(others.sum()), 0.5).pvalue > 1e-4


def test_repeats_do_not_depend_on_what_came_before():
    labels = everything(stream(epochs=1000, same_class=0.5)).labels
    again = labels[1:] == labels[:-1]
    table = stats.contingency.crosstab(again[1:], again[:-1]).count
    assert stats.chi2_contingency(table).pvalue > 1e-4


def test_each_class_runs_through_its_own_samples_in_rounds():
    order = samples(everything(stream(epochs=20, same_class=0.5)))
    for name in range(3):
        members = np.flatnonzero(name == LABELS)
        queue = order[np.isin(order, members)]
        for first in range(0, len(queue) - len(members) + 1, len(members)):
            round_ = queue[first : first + len(members)]
            np.testing.assert_array_equal(np.sort(round_), members)


def test_durations_and_gaps_are_constant_or_jittered():
    shown = everything(stream(duration=0.3, gap=0.2))
    assert set(shown.durations) == {0.3}
    assert set(shown.gaps) == {0.2}
    gaps = everything(stream(epochs=200, gap=0.2, jitter=0.5)).gaps
    assert stats.kstest(gaps, stats.uniform(0.1, 0.2).cdf).pvalue > 1e-4


@pytest.mark.parametrize("epochs", [0, 2])
def test_the_length_is_what_is_shown(epochs):
    source = stream(epochs=epochs)
    assert source.length == 10 * epochs == sum(len(c.labels) for c in source.chunks(0, 7))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": LABELS[:-1]}, r"stimuli, labels must be \(n, n_inputs\) and \(n,\)"),
        ({"stimuli": STIMULI.reshape(10, 2, 1)}, r"stimuli, labels must be"),
        ({"stimuli": STIMULI[:0], "labels": LABELS[:0]}, r"stimuli, labels must be"),
        ({"epochs": -1}, r"epochs must not be negative; got -1"),
        ({"jitter": 1.5}, r"jitter must be in \[0, 1\]; got 1\.5"),
        ({"same_class": 1.0}, r"same_class must be in \[0, 1\); got 1\.0"),
        ({"same_class": -0.1}, r"same_class must be in \[0, 1\)"),
        ({"labels": np.zeros(10, int), "same_class": 0.5}, r"labels must hold at least two"),
    ],
)
def test_unusable_arguments_are_refused(change, message):
    usable = {
        "stimuli": STIMULI, "labels": LABELS, "epochs": 1, "rng": np.random.default_rng(0)
    }  # fmt: skip
    with pytest.raises(SettingError, match=message):
        DatasetStream(**(usable | change))


def numbered(n=None):
    counter = itertools.count() if n is None else range(n)
    return (Presentation(np.array([float(k), 0.0]), k % 3, 0.1 + k, 0.01 * k) for k in counter)


class Numbered:
    """An endless stream that begins anew for every iterator."""

    def __iter__(self):
        return numbered()


def test_an_endless_iterable_is_drawn_only_as_far_as_needed():
    source = IterableStream(numbered())
    assert source.length is None
    first, second = itertools.islice(source.chunks(0, 4), 2)
    assert first.stimuli[:, 0].tolist() == [0, 1, 2, 3]
    assert second.stimuli[:, 0].tolist() == [4, 5, 6, 7]
    assert second.labels.tolist() == [1, 2, 0, 1]
    np.testing.assert_allclose(second.durations, [4.1, 5.1, 6.1, 7.1])
    np.testing.assert_allclose(second.gaps, [0.04, 0.05, 0.06, 0.07])


@settings(deadline=None, max_examples=30)
@given(start=st.integers(0, 12), size=st.integers(1, 5), length=st.integers(0, 12))
def test_a_limited_iterable_ends_and_continues(start, size, length):
    source = IterableStream(Numbered(), length)
    assert source.length == length
    shown = [k for chunk in source.chunks(start, size) for k in chunk.stimuli[:, 0].tolist()]
    assert shown == list(range(start, length))


def test_a_sequence_has_a_length():
    assert IterableStream(list(numbered(5))).length == 5
    assert IterableStream(list(numbered(5)), 3).length == 3
    assert IterableStream(list(numbered(5)), 8).length == 5
    assert everything(IterableStream(list(numbered(5)), 3)).labels.tolist() == [0, 1, 2]


def test_a_presentation_is_unlabelled_and_without_gap_unless_said():
    shown = gather([Presentation(np.zeros(3))])
    assert shown.labels.tolist() == [UNLABELLED]
    assert shown.gaps.tolist() == [0]
    assert shown.taught.tolist() == [True]


def test_lessons_are_the_labels_that_are_taught():
    shown = gather([Presentation(np.zeros(3), 2), Presentation(np.zeros(3), 1, taught=False)])
    assert shown.labels.tolist() == [2, 1]
    assert shown.lessons.tolist() == [2, UNLABELLED]
    assert everything(stream()).lessons.tolist() == everything(stream()).labels.tolist()


@pytest.mark.parametrize("stimuli", [[np.zeros(3), np.zeros(4)], [np.zeros((2, 2))], [1.0]])
def test_stimuli_that_differ_in_shape_are_refused(stimuli):
    with pytest.raises(SettingError, match=r"Presentation\.stimulus must be a vector .* Flatten"):
        gather([Presentation(stimulus) for stimulus in stimuli])


def test_stimuli_on_a_device_are_refused_in_words():
    with pretend_device():
        there = to_device(np.ones(3), "gpu")
        with pytest.raises(SettingError, match=r"stimulus must be on the CPU.*moves it there\."):
            gather([Presentation(there, 1)])
        with pytest.raises(
            SettingError, match=r"DatasetStream\.stimuli, labels must be on the CPU"
        ):
            DatasetStream(there[None], np.zeros(1), epochs=1, rng=np.random.default_rng(0))
