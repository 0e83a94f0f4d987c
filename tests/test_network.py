"""Networks: parameters by name, seeds by name, and what the read-out sees."""

import json

import numpy as np
import pytest

from neurosim.backend import to_device
from neurosim.checks import SettingError
from neurosim.network import Network
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import Nonlinearity
from neurosim.seeds import Seeds
from neurosim.testing import pretend_device


def make(widths=(8, 6), seed=0, **options):
    return Network.dense(5, widths, 3, Seeds(seed), dtype="float64", **options)


def trained(**options):
    """A network whose read-out is not zero."""
    network, rng = make(**options), np.random.default_rng(0)
    drawn = {name: rng.normal(size=a.shape) for name, a in network.parameters().items()}
    return network.with_parameters(drawn)


def test_parameters_are_named_in_order():
    network = make()
    named = network.parameters()
    assert list(named) == ["layer1", "layer2", "readout/weights", "readout/bias"]
    assert [a.shape for a in named.values()] == [(8, 5), (6, 8), (3, 6), (3,)]
    assert named["layer1"] is network.layers[0].weights
    assert network.names == ("layer1", "layer2")
    assert (network.n_inputs, network.n_classes, network.n_read) == (5, 3, 6)
    assert network.dtype == np.float64


def test_parameters_go_out_and_back_in():
    source, target = trained(), make(seed=9)
    rebuilt = target.with_parameters(source.parameters())
    stimuli = np.random.default_rng(1).normal(size=(4, 5))
    np.testing.assert_array_equal(rebuilt.scores(stimuli), source.scores(stimuli))
    assert not np.array_equal(target.layers[0].weights, rebuilt.layers[0].weights)


def test_each_layer_draws_from_its_own_name():
    two, three = make((8, 6)).parameters(), make((8, 6, 4)).parameters()
    for name in ("layer1", "layer2"):
        np.testing.assert_array_equal(two[name], three[name])
    other = make((8, 6), seed=1).parameters()
    assert not np.array_equal(two["layer1"], other["layer1"])
    square = Network.dense(6, (6, 6), 3, Seeds(0)).parameters()
    assert not np.array_equal(square["layer1"], square["layer2"])


def test_initial_weights_fill_the_gains_limit_and_the_read_out_is_zero():
    network = make((200,), gain=2.45)
    limit = 2.45 / np.sqrt(5)
    assert 0.99 * limit < abs(network.layers[0].weights).max() <= limit
    assert not network.readout["weights"].any()
    assert not network.readout["bias"].any()


def test_each_layer_sees_the_output_of_the_one_before():
    network = trained(grouping=Grouping(groups=2))
    stimuli = np.random.default_rng(1).normal(size=(4, 5))
    first, second = network.activities(stimuli)
    np.testing.assert_array_equal(first.pre, stimuli)
    np.testing.assert_array_equal(second.pre, first.output)
    np.testing.assert_allclose(second.drive, first.output @ network.layers[1].weights.T)


@pytest.mark.parametrize(("reads", "n_read"), [("last", 6), ("all", 14)])
def test_scores_read_the_last_layer_or_all_side_by_side(reads, n_read):
    network = trained(reads=reads)
    assert network.n_read == n_read
    stimuli = np.random.default_rng(1).normal(size=(4, 5))
    outputs = [a.output for a in network.activities(stimuli)]
    weights, bias = network.readout["weights"], network.readout["bias"]
    expected = outputs[1] @ weights[:, -6:].T + bias
    if reads == "all":
        expected += outputs[0] @ weights[:, :8].T
    np.testing.assert_allclose(network.scores(stimuli), expected, rtol=1e-12)


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_accuracy_is_the_share_of_largest_scores(batch):
    network, rng = trained(), np.random.default_rng(2)
    stimuli, labels = rng.normal(size=(50, 5)), rng.integers(0, 3, 50)
    right = sum(network.scores(x[None])[0].argmax() == y for x, y in zip(stimuli, labels))  # noqa: B905
    assert 0 < right < 50
    assert network.accuracy(stimuli, labels, batch) == right / 50


def test_accuracy_of_nothing_is_refused():
    with pytest.raises(SettingError, match=r"accuracy\(labels\) must not be empty"):
        make().accuracy(np.zeros((0, 5)), np.zeros(0, int))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_inputs": 0}, r"dense\(n_inputs\) must be at least 1; got 0"),
        ({"widths": ()}, r"dense\(widths\) must be positive; got \(\)"),
        ({"widths": (4, 0)}, r"dense\(widths\) must be positive"),
        ({"gain": 0.0}, r"dense\(gain\) must be positive"),
        ({"dtype": "float16"}, r"dense\(dtype\) must be one of float32, float64; got 'float16'"),
        ({"reads": "first"}, r"Network\.reads must be one of all, last; got 'first'"),
        ({"grouping": Grouping(groups=3)}, "groups must divide the layer's 4 neurons"),
    ],
)
def test_unusable_arguments_are_refused(arguments, message):
    usable = {"n_inputs": 2, "widths": (4,), "n_classes": 3, "seeds": Seeds(0)}
    with pytest.raises(SettingError, match=message):
        Network.dense(**(usable | arguments))


def test_parts_that_do_not_fit_are_refused():
    network = make()
    with pytest.raises(SettingError, match=r"Network\.layers must hold at least one"):
        Network(layers=(), readout=network.readout)
    with pytest.raises(SettingError, match=r"Network\.layers must fit one another; got \(6, 5\)"):
        Network(layers=network.layers[::-1], readout=network.readout)
    with pytest.raises(SettingError, match=r"readout must have weights of \(3, 14\); got \(3, 6\)"):
        Network(layers=network.layers, readout=network.readout, reads="all")


@pytest.mark.parametrize("grouping", [None, Grouping(groups=2, p=0.3, divisive=True)])
def test_a_description_and_the_weights_are_the_whole_network(grouping):
    source = trained(grouping=grouping, reads="all", nonlinearity=Nonlinearity(name="tanh"))
    described = json.loads(json.dumps(source.describe()))
    rebuilt = Network.from_description(described, source.parameters())
    stimuli = np.random.default_rng(1).normal(size=(4, 5))
    np.testing.assert_array_equal(rebuilt.scores(stimuli), source.scores(stimuli))
    assert rebuilt.describe() == source.describe()
    with pytest.raises(SettingError, match=r"Network\.readout"):
        Network.from_description(described | {"reads": "last"}, source.parameters())


@pytest.mark.parametrize("reads", ["last", "all"])
def test_a_network_goes_to_a_device_and_back(reads):
    rng, options = np.random.default_rng(3), {"grouping": Grouping(groups=2), "batch_norm": True}
    network = make(reads=reads, readout_gain=1.0, **options)
    stimuli, labels = rng.normal(size=(20, 5)), rng.integers(0, 3, 20)
    assert network.to("cpu") is network
    with pretend_device() as device:
        moved = network.to("gpu")
        assert (network.device, moved.device, device.sends) == ("cpu", "gpu", 12)
        shown = to_device(stimuli, "gpu"), to_device(labels, "gpu")
        assert moved.accuracy(*shown, batch=6) == network.accuracy(stimuli, labels)
        assert device.synchronisations == 1
        back = moved.to("cpu").parameters()
        with pytest.raises(SettingError, match=r"on one device; got cpu, gpu\. Move them"):
            moved.accuracy(stimuli, labels)
        with pytest.raises(SettingError, match=r"on one device; got {'gpu': .*, 'cpu': 'read"):
            moved.with_parameters(moved.parameters() | {"readout/bias": network.readout["bias"]})
    for name, array in network.parameters().items():
        np.testing.assert_array_equal(back[name], array)
