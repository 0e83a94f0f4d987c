"""Plans: matrices of each presentation, teaching signals, and what came before."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.checks import SettingError
from neurosim.dynamics import SmoothedDerivative
from neurosim.ops.similarity import labels as label_similarity
from neurosim.streaming.continuous import Continuous
from neurosim.streaming.plan import Planner
from neurosim.streaming.presentations import UNLABELLED, Presentations
from neurosim.streaming.timeline import TwoPoint

BETA, CLASSES = 0.1, 4
SMOOTHED = Continuous(
    derivative=SmoothedDerivative(c1=0.02, c2=400.0), shortest=0.1, gaps=True, delay=0.05
)
TIMELINES = {"two-point": TwoPoint(), "three": TwoPoint(remembered=3), "smoothed": SMOOTHED}


def present(n=12, seed=0, *, unlabelled=0.0, equal=False):
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(n) < unlabelled, UNLABELLED, rng.integers(0, CLASSES, n))
    durations = np.full(n, 0.2) if equal else rng.choice([0.1, 0.15, 0.4], n)
    gaps = np.zeros(n) if equal else rng.choice([0.0, 0.3], n)
    return Presentations(np.zeros((n, 2)), labels, durations, gaps)


def planned(timeline, shown, cuts=()):
    """Plans of a stream cut into chunks."""
    planner = Planner(timeline, BETA, CLASSES)
    state, plans = planner.start(), []
    eta = np.linspace(1, 0, len(shown.labels))
    edges = [0, *cuts, len(shown.labels)]
    for first, stop in pairwise(edges):
        part = Presentations(*(column[first:stop] for column in shown[:4]))
        plan, state = planner.plan(state, part, eta[first:stop])
        plans.append(plan)
    return plans


@pytest.mark.parametrize("name", TIMELINES)
@settings(deadline=None, max_examples=15)
@given(cuts=st.sets(st.integers(1, 11)), seed=st.integers(0, 5))
def test_a_cut_stream_has_the_plan_of_the_whole(name, cuts, seed):
    timeline, shown = TIMELINES[name], present(seed=seed, unlabelled=0.2)
    (whole,) = planned(timeline, shown)
    parts = planned(timeline, shown, sorted(cuts))
    for field in ("teaching", "gate", "eta"):
        together = np.concatenate([getattr(part, field) for part in parts])
        np.testing.assert_array_equal(together, getattr(whole, field))
    for field in ("filter", "weight", "mean_keep", "mean_filter", "trace_weight", "step"):
        together = np.concatenate([getattr(part, field)[part.geometry] for part in parts])
        np.testing.assert_array_equal(together, getattr(whole, field)[whole.geometry])


def test_every_presentation_has_the_geometry_of_its_own_window():
    shown = present(20)
    (plan,) = planned(SMOOTHED, shown)
    n = SMOOTHED.n_window
    distinct = {
        (*shown.durations[t - n + 1 : t + 1], *shown.gaps[t - n + 1 : t + 1]) for t in range(n, 20)
    }
    assert len(distinct) > 3
    assert len(plan.filter) <= 20
    for t in range(n - 1, 20):
        window = slice(t - n + 1, t + 1)
        expected = SMOOTHED.geometry(shown.durations[window], shown.gaps[window], BETA)
        u = plan.geometry[t]
        for field in ("filter", "weight", "mean_keep", "mean_filter", "trace_weight", "step"):
            np.testing.assert_array_equal(getattr(plan, field)[u], getattr(expected, field))


def test_equal_presentations_share_one_geometry():
    (plan,) = planned(SMOOTHED, present(20, equal=True))
    assert len(np.unique(plan.geometry[SMOOTHED.n_window - 1 :])) == 1
    assert len(plan.filter) <= SMOOTHED.n_window


def test_what_was_before_the_stream_is_as_long_as_what_is_now():
    shown = present(1)
    (plan,) = planned(SMOOTHED, shown)
    n = SMOOTHED.n_window
    expected = SMOOTHED.geometry(np.tile(shown.durations, n), np.tile(shown.gaps, n), BETA)
    np.testing.assert_array_equal(plan.filter[0], expected.filter)


@pytest.mark.parametrize("remembered", [1, 3])
def test_teaching_is_the_labels_similarity_with_each_remembered_one(remembered):
    shown = present(15, seed=3)
    (plan,) = planned(TwoPoint(remembered=remembered), shown)
    similarity = label_similarity(shown.labels, shown.labels, CLASSES)
    for t in range(15):
        for i, earlier in enumerate(range(t - remembered, t)):
            assert plan.gate[t, i] == (earlier >= 0)  # nothing was shown before the first
            if earlier >= 0:
                assert plan.teaching[t, i] == similarity[t, earlier]


def test_there_is_no_teaching_without_both_labels_or_when_it_is_gated():
    labels = np.array([1, 1, UNLABELLED, 2, 3, 3, 3])
    taught = np.array([1, 1, 1, 1, 1, 0, 1], bool)
    shown = Presentations(np.zeros((7, 2)), labels, np.ones(7), np.zeros(7), taught)
    plan, _ = Planner(TwoPoint(), BETA, CLASSES).plan(
        Planner(TwoPoint(), BETA, CLASSES).start(), shown, np.ones(7)
    )
    # a gated presentation keeps its label: the next one is compared with it
    assert plan.gate[:, 0].tolist() == [0, 1, 0, 0, 1, 0, 1]
    assert plan.teaching[[1, 4, 6], 0].tolist() == [1, -1 / 3, 1]


def test_the_teaching_signal_is_absent_until_it_arrives():
    (plan,) = planned(SMOOTHED, present(12))
    arrives = [
        SMOOTHED.geometry(np.tile(d, SMOOTHED.n_window), np.zeros(SMOOTHED.n_window), BETA).time
        >= SMOOTHED.delay
        for d in present(12).durations
    ]
    weighed = plan.weight[plan.geometry] > 0
    np.testing.assert_array_equal(plan.gate[1:] > 0, (np.stack(arrives) & weighed)[1:])
    assert (plan.gate == 0).any(axis=1).all()
    assert (plan.gate[1:] == 1).any(axis=1).all()


def test_part_is_the_plan_of_some_presentations():
    (plan,) = planned(TIMELINES["three"], present(10, equal=True))
    part = plan.part(3, 7)
    for field in ("geometry", "teaching", "gate", "eta"):
        np.testing.assert_array_equal(getattr(part, field), getattr(plan, field)[3:7])
    assert part.filter is plan.filter


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [0, CLASSES]}, r"label must be in \[0, 4\); got array\(\[4\]\)"),
        ({"labels": [0, -2]}, r"label must be in \[0, 4\)"),
        ({"durations": [0.2, 0.0]}, r"duration must be finite and positive .*got array\(\[0\."),
        ({"durations": [0.2, np.nan]}, r"duration must be finite and positive .*got array\(\[nan"),
        ({"durations": [0.2, np.inf]}, r"duration must be finite and positive .*got array\(\[inf"),
        ({"gaps": [0.0, -0.1]}, r"gap must be finite and not negative .*got array\(\[-0\.1"),
        ({"gaps": [np.inf, 0.0]}, r"gap must be finite and not negative .*got array\(\[inf"),
    ],
)
def test_presentations_that_cannot_be_shown_are_refused(change, message):
    ((field, values),) = change.items()
    shown = present(2, equal=True)._replace(**{field: np.array(values)})
    planner = Planner(TwoPoint(), BETA, CLASSES)
    with pytest.raises(SettingError, match=r"Presentation\." + message):
        planner.plan(planner.start(), shown, np.ones(2))


def test_there_must_be_two_classes():
    with pytest.raises(SettingError, match=r"Planner\.n_classes must be at least 2; got 1"):
        Planner(TwoPoint(), BETA, 1)
