"""Which runs belong together, what arms are called, and what may not be compared."""

import pytest

from neurosim.checks import SettingError
from neurosim.comparison.arms import differing, gather, words
from neurosim.comparison.likeness import differences, require_alike
from neurosim.comparison.results import read


def labels(paths, *names):
    return [arm.label for arm in gather(paths, names)]


def test_seeds_are_one_arm_whatever_does_not_matter(make):
    paths = [make("a.h5", 3, threads=1), make("b.h5", 1, evaluations=9, alignment=100)]
    (arm,) = gather(paths)
    assert (arm.seeds, arm.label, arm.protocol) == ([1, 3], "backprop", "batched")
    assert arm.settings["rate"] == 0.1
    assert "threads" not in arm.settings  # not the same in both


def test_runs_of_earlier_versions_are_of_the_same_arm(make):
    old, new = make("a"), make("b", 1, products="float32")
    (arm,) = gather([old, new])
    assert arm.seeds == [0, 1]
    assert len(gather([old, make("c", 1, products="tf32")])) == 2


def test_arms_are_called_by_what_sets_them_apart(make):
    base = [
        make("a.h5"),
        make("b.h5", rule="gaussian", normalization="divisive", rate=0.3),
        make("c.h5", rule="grouped", level="two-point", protocol="stream"),
    ]
    short = ["backprop", "gaussian divisive", "streaming two-point grouped"]
    assert labels(base) == short
    more = [*base, make("d.h5", rate=0.25), make("e.h5", rate=0.25, widths=[12, 12])]
    assert labels(more) == [
        "backprop (widths 12 8, rate 0.1)",
        *short[1:],
        "backprop (widths 12 8, rate 0.25)",
        "backprop (widths 12 12, rate 0.25)",
    ]
    assert labels(base, "rate")[:2] == ["backprop (rate 0.1)", "gaussian divisive (rate 0.3)"]
    assert labels(base, "rule")[0] == "batched (rule backprop)"


def test_protocols_tell_arms_apart_where_nothing_else_does(make):
    paths = [make("a.h5"), make("b.h5", protocol="mine")]
    assert labels(paths) == ["backprop (batched)", "backprop (mine)"]


def test_only_settings_that_arms_share_are_said_to_differ(make):
    arms = gather([make("a.h5", own=1), make("b.h5", rate=0.3, other=2), make("c.h5", rate=0.3)])
    assert differing(arms) == ["rate"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "yes"), (1, "1"), (1e-6, "1e-06"), (None, "default"), ([], "none"), ([2, 3], "2 3"),
     ({"c1": 0.5, "on": False}, "c1 0.5, on no")],
)  # fmt: skip
def test_values_are_written_for_people(value, text):
    assert words(value) == text


def test_a_seed_counts_once(make):
    paths = [make("a.h5"), make("b.h5", threads=1)]
    with pytest.raises(
        SettingError, match=r"one run a seed of backprop; got seed 0 in .*a\.h5 and"
    ):
        gather(paths)


def test_unknown_settings_cannot_be_labels(make):
    with pytest.raises(SettingError, match=r"compare\.label .*'ratee'"):
        gather([make("a.h5")], ["ratee"])
    with pytest.raises(SettingError, match=r"compare\.runs must name at least one"):
        gather([])


def test_a_run_without_a_test_accuracy_is_refused(make):
    path = make("a.h5", history={"accuracy": None}, summary={"test_accuracy": None})
    with pytest.raises(SettingError, match=r"measured a test accuracy; got .*a\.h5"):
        gather([path])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"summary": {"data": "digits"}}, "data: clusters in a.h5; digits in b.h5"),
        ({"summary": {"data_digest": "0"}}, "data digest: "),
        ({"summary": {"measured_on": "validation"}}, "part measured: test in a.h5; validation in"),
        ({"widths": [12, 12]}, "widths: 12 8 in a.h5; 12 12 in b.h5"),
        ({"nonlinearity": "relu"}, "nonlinearity: leaky_relu in a.h5; relu in b.h5"),
        ({"train": 500}, None),  # the other file does not say, and the digests agree
        ({"rate": 3.0}, None),
    ],
)
def test_other_data_or_networks_are_refused_unless_mixed(make, change, what):
    results = [read(make("a.h5")), read(make("b.h5", 1, **change))]
    if what is None:
        assert require_alike(results, mixed=False) == []
        return
    with pytest.raises(SettingError) as refused:
        require_alike(results, mixed=False)
    assert what in str(refused.value)
    assert "--mixed" in str(refused.value)
    assert any(what in text for text in require_alike(results, mixed=True))


def test_each_seed_may_hold_out_its_own_samples(make):
    def held_out(name, seed, digest):
        summary = {"measured_on": "validation", "data_digest": digest}
        return read(make(name, seed, summary=summary, rate=seed / 10))

    assert differences([held_out("a.h5", 1, "x"), held_out("b.h5", 2, "y")]) == []
    (told,) = differences([held_out("c.h5", 3, "x"), held_out("d.h5", 3, "y")])
    assert told == "data digest (seed 3): x in c.h5; y in d.h5"
