"""What a comparison finds, from run files to rows and JSON."""

import json

import numpy as np
import pytest

from neurosim import Run
from neurosim.checks import SettingError
from neurosim.comparison import compare
from neurosim.comparison.measures import Spread


def test_arms_are_measured_where_they_are_equal(two_arms):
    found = compare(two_arms, probe=0)
    backprop, stream = found.figures
    assert (found.presentations, found.seconds) == (3000, 3.5)
    # between 2000 and 4000 presentations: halfway from 0.6 to 0.8 and from 0.4 to 1
    assert backprop["accuracy_at_presentations"].values == pytest.approx((0.7, 0.7))
    assert stream["accuracy_at_presentations"].values == (0.8,)  # measured there
    assert backprop["accuracy_at_seconds"].values == pytest.approx((0.75, 0.85))
    assert stream["accuracy_at_seconds"].values == (0.8,)
    assert backprop["presentations_per_second"].values == (1000, 1000)
    assert backprop["peak_memory"].mean == 2e8
    with Run(two_arms[1]) as run:
        assert backprop["test_accuracy"].values[1] == run.summary["test_accuracy"]


def test_alignment_is_its_last_value_and_its_mean_over_training(two_arms):
    backprop, stream = compare(two_arms, probe=0).figures
    assert stream["alignment_layer1_last"].values == (0.4,)
    assert stream["alignment_layer1_mean"].values == pytest.approx((0.3,))  # NaN: not measured
    assert stream["alignment_layer2_mean"].values == pytest.approx((0.3,))
    assert not any(name.startswith("alignment") for name in backprop)


def test_probes_of_every_run_are_figures_in_order_of_the_layers(two_arms):
    found = compare(two_arms, probe=100)
    assert found.probe == 100
    layers = [name for name in found.columns if name.startswith(("probe", "alignment"))]
    assert layers == [
        "probe_input", "probe_layer1", "probe_layer2", "alignment_layer1_last",
        "alignment_layer1_mean", "alignment_layer2_last", "alignment_layer2_mean",
    ]  # fmt: skip
    first, second = found.figures[0]["probe_layer2"].values
    assert first != second  # other weights
    assert found.figures[0]["probe_layer2"].values[0] == pytest.approx(first)


def test_rows_and_json_hold_everything_and_nothing_json_does_not_know(two_arms):
    found = compare(two_arms, probe=0)
    rows = found.table()
    assert [row["arm"] for row in rows] == [arm.label for arm in found.arms]
    assert rows[0]["seeds"] == [0, 1]
    low, mean, high = (rows[0][f"test_accuracy_{side}"] for side in ("min", "mean", "max"))
    assert low < mean < high
    assert rows[0]["alignment_layer1_last_mean"] is None
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["equal_presentations"] == 3000
    assert told["arms"][0]["settings"]["rate"] == 0.1
    run = told["arms"][1]["runs"][0]
    assert run["file"].endswith("c.h5")
    assert run["curve"]["presentations"] == [500, 1500, 3000]
    assert run["versions"]["numpy"] == np.__version__
    assert told["differing_settings"] == ["rule"]


def test_a_partial_run_is_taken_as_far_as_it_came(make):
    found = compare([make("a.h5"), make("b.h5", 1, finish=False, rate=0.5)], probe=50)
    (partial,) = found.figures[1]["test_accuracy"].values
    assert (partial, found.arms[1].results[0].seconds) == (0.8, 4.0)
    assert "probe_layer1" not in found.figures[1]
    text = " ".join(found.notes)
    assert "Not finished, and taken as far as they came: b.h5.partial." in text
    assert "No linear probes" in text


def test_a_moment_before_the_first_evaluation_is_unknown_and_said_to_be(make):
    early = {"presentations": (10, 20, 30), "elapsed": None}
    found = compare([make("a.h5"), make("b.h5", history=early, rate=0.5)], probe=0)
    assert "accuracy_at_presentations" not in found.figures[0]
    assert "accuracy_at_seconds" not in found.figures[1]  # it kept no times
    text = " ".join(found.notes)
    assert "No accuracy at equal presentations, because it lies before" in text
    assert "Presentations differ: 4,000 in backprop (rate 0.1); 30 in backprop (rate 0.5)." in text


def test_what_makes_arms_unequal_is_said(make):
    same = compare([make("a.h5"), make("b.h5", rate=0.5)], probe=0)
    assert not any(" differ" in note and "their commit" not in note for note in same.notes)
    assert same.notes[-1].startswith("Seconds are those of learning alone")
    paths = [make("c.h5", 0), make("d.h5", 3, rate=0.5, threads=1)]
    text = " ".join(compare(paths, probe=0).notes)
    assert "Seeds differ: backprop (rate 0.1): 0; backprop (rate 0.5): 3." in text
    assert "Threads differ: 2 in backprop (rate 0.1); 1 in backprop (rate 0.5)." in text


def test_mixed_data_are_compared_only_on_demand_and_said_to_be(make):
    paths = [make("a.h5"), make("b.h5", rate=0.5, summary={"data": "digits"})]
    with pytest.raises(SettingError, match="--mixed"):
        compare(paths, probe=0)
    found = compare(paths, probe=0, mixed=True)
    assert found.mixed == ("data: clusters in a.h5; digits in b.h5",)
    assert found.notes[0] == f"Data or networks are not the same: {found.mixed[0]}."
    with pytest.raises(SettingError, match=r"compare\.probe must be 0 or more"):
        compare(paths, probe=-1)


def test_a_spread_leaves_out_what_is_unknown():
    spread = Spread((0.2, np.nan, 0.6))
    assert (spread.mean, spread.low, spread.high) == (pytest.approx(0.4), 0.2, 0.6)
    assert spread.to_json()["values"] == [0.2, None, 0.6]
    nothing = Spread((np.nan,)).to_json()
    assert nothing == {"mean": None, "min": None, "max": None, "values": [None]}
