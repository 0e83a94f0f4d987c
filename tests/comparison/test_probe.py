"""Linear probes: what they can and cannot read, and which networks they refuse."""

from dataclasses import replace

import numpy as np
import pytest

from neurosim import Run
from neurosim.checks import DataError, RunFileError
from neurosim.comparison.probe import Probes, fit, outputs, probed, rebuilt
from neurosim.comparison.results import read


def test_a_probe_reads_what_is_linearly_there_and_nothing_else():
    rng = np.random.default_rng(0)
    features, noise = rng.normal(size=(600, 6)), rng.normal(size=(600, 6))
    labels = features[:, :3].argmax(axis=1)
    scaled = features * [1, 10, 0.01, 1, 1, 1] + 5  # standardised away
    assert fit(scaled[:400], labels[:400], scaled[400:], labels[400:]) > 0.85
    assert fit(noise[:400], labels[:400], noise[400:], labels[400:]) < 0.45
    constant = np.ones((400, 3))
    assert 0.2 < fit(constant, labels[:400], constant[:200], labels[400:]) < 0.5


def test_layers_are_those_of_the_network(make, data):
    network, stimuli = rebuilt(make("a.h5")), data.x_test[:50]
    for found, activity in zip(outputs(network, stimuli), network.activities(stimuli), strict=True):
        np.testing.assert_allclose(found, activity.output, rtol=1e-5, atol=1e-6)


def test_every_layer_is_probed_with_the_samples_asked_for(make, data):
    result = read(make("a.h5"))
    many, few = Probes(10_000).measure(result), Probes(30).measure(result)
    assert list(many) == ["input", "layer1", "layer2"]
    assert many["input"] == fit(data.x_train, data.y_train, data.x_test, data.y_test)
    assert many["layer1"] > many["layer2"] > 0.3  # narrower and narrower, and random
    assert few["input"] < many["input"] - 0.05
    assert Probes(30).measure(result) == few


def test_the_held_out_part_is_found_again(make, data):
    summary = {"measured_on": "validation"}
    result = read(make("a.h5", validation=0.2, summary=summary))
    with pytest.raises(DataError, match=r"another 'clusters' \(digest"):
        Probes(50).measure(result)  # the digest in the file is that of the whole set


def test_a_missing_data_set_is_named(make):
    result = read(make("a.h5", dataset="my-own"))
    with pytest.raises(DataError, match=r"a\.h5; got 'my-own': .*--probe 0"):
        Probes(50).measure(result)


def test_a_network_that_is_not_the_trained_one_is_refused(make):
    path = make("a.h5")
    with Run(path) as run:
        described = run.summary["network"]
    described["layers"][0]["nonlinearity"]["name"] = "tanh"
    other = read(make("b.h5", 1, summary={"network": described}))
    with pytest.raises(RunFileError, match=r"rebuild the network of .*b\.h5; got a test accuracy"):
        Probes(50).measure(other)


def test_runs_that_do_not_describe_themselves_are_known(make):
    assert probed(read(make("a.h5")))
    assert not probed(read(make("b.h5", summary={"network": None})))
    assert not probed(read(make("c.h5", finish=False)))
    assert not probed(replace(read(make("d.h5")), settings={}))
