"""Table 3 as settings, and the trainers they describe."""

from dataclasses import replace

import numpy as np
import pytest

from models.pogodin2020_batched import ROWS, RULES, TABLE3, Batched, completed, table3, trainer
from models.pogodin2020_batched import driver as driver_of
from neurosim.batched import Backprop, LayerWise, ReadOutOnly
from neurosim.checks import SettingError
from neurosim.data import Clusters
from neurosim.objectives import HSIC, PHSIC, LayerClassification
from neurosim.ops.similarity import Cosine, CosineLabels, Gaussian, LinearLabels
from neurosim.optimizers import SGD, Adam
from neurosim.seeds import Seeds

DATA = Clusters(n_train=60, n_test=20).generate(Seeds(0))


@pytest.mark.parametrize("dataset", TABLE3)
@pytest.mark.parametrize("row", ROWS)
def test_every_row_trains_as_the_table_says(dataset, row):
    model = table3(dataset, row)
    driver = driver_of(model, DATA)
    rule, normalization = row.split("/")
    assert driver.readout.rate.rate == model.readout_rate > 0
    assert driver.readout.rate.epochs == (50, 75, 90)
    assert driver.readout.optimizer == SGD(momentum=0.95, weight_decay=1e-6)
    assert driver.dropout.rate == 0.01
    assert not driver.dropout.alpha
    if rule == "last":
        assert isinstance(driver, ReadOutOnly)
    elif rule == "backprop":
        assert isinstance(driver, Backprop)
        assert driver.layers == driver.readout
    else:
        assert isinstance(driver, LayerWise)
        assert driver.layers.rate.rate == model.local_rate > 0
        assert driver.layers.optimizer == SGD(momentum=0.95, weight_decay=1e-7)
        similarity = Gaussian(sigma=5.0) if rule == "gaussian" else Cosine()
        assert driver.objective.similarity == similarity
        assert driver.objective.gamma == 2
        groups = driver.objective.grouping
        assert (groups is None) == (normalization == "plain")
        if groups is not None:
            assert groups.divisive == (normalization == "divisive")
            assert groups.p == (0.2 if groups.divisive else 0.5)
            assert groups.delta == 1
            assert groups.groups == model.groups in (16, 32)
    assert model.widths == (1024, 1024, 1024)
    layers = trainer(replace(model, widths=(64, 32 * 3)), DATA, Seeds(0)).network.layers
    assert all((layer.grouping is None) == (normalization == "plain") for layer in layers)
    assert all(abs(layer.weights).max() <= layer.n_pre**-0.5 for layer in layers)


@pytest.mark.parametrize(
    ("dataset", "row", "expected"),
    [
        ("mnist", "gaussian/divisive", (1e-3, 1.0, 32)),
        ("mnist", "backprop/divisive", (5e-3, 5e-3, 16)),
        ("fashion-mnist", "gaussian/divisive", (5e-3, 1.0, 32)),
        ("kmnist", "cosine/divisive", (5e-4, 0.4, 16)),
        ("cifar10", "last/divisive", (1e-2, 0.0, 32)),
    ],
)
def test_some_cells_of_the_table(dataset, row, expected):
    model = table3(dataset, row)
    assert (model.readout_rate, model.local_rate, model.groups) == expected


def test_what_is_given_stays_and_what_is_missing_is_published():
    given = Batched(rule="cosine", local_rate=0.123)
    found = completed(given, "kmnist")
    assert (found.local_rate, found.readout_rate, found.groups) == (0.123, 5e-4, 16)
    elsewhere = completed(given, "digits")
    assert (elsewhere.readout_rate, elsewhere.groups) == (5e-3, 16)
    rates = {"sign-symmetric": 5e-2, "classification": 5e-2, "feedback": 5e-3,
             "direct-feedback": 5e-3}  # fmt: skip
    for rule, rate in rates.items():
        found = completed(Batched(rule=rule, normalization="plain"), "mnist")
        assert (found.local_rate, found.readout_rate) == (rate, rate)
    assert completed(Batched(rule="feedback"), "fashion-mnist").groups == 32


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_builds_and_takes_a_step(rule):
    rates = {"local_rate": 0.01, "readout_rate": 0.01, "groups": 4}
    model = Batched(rule=rule, widths=(16, 8), batch=20, threads=1, **rates)
    training = trainer(model, DATA, Seeds(0))
    before = training.network.readout["weights"].copy()
    training.run(DATA.x_train, DATA.y_train, epochs=1)
    assert not np.array_equal(training.network.readout["weights"], before)


def test_variants_of_the_objective_and_the_optimizer():
    model = table3("mnist", "gaussian/plain")
    assert type(driver_of(model, DATA).objective) is PHSIC
    assert type(driver_of(replace(model, estimator="hsic"), DATA).objective) is HSIC
    heads = driver_of(replace(model, rule="classification"), DATA)
    assert isinstance(heads.objective, LayerClassification)
    assert driver_of(model, DATA).objective.label_similarity == CosineLabels(n_classes=4)
    shares = driver_of(replace(model, label_similarity="linear"), DATA).objective.label_similarity
    assert shares == LinearLabels(frequencies=(0.25,) * 4)
    adam = driver_of(replace(model, optimizer="adamw", nonlinearity="selu"), DATA)
    assert adam.layers.optimizer == Adam(weight_decay=1e-7)
    assert adam.dropout.alpha


@pytest.mark.parametrize("rule", ["gaussian", "backprop", "last"])
def test_batch_norm_is_an_option_of_every_layer(rule):
    rates = {"local_rate": 0.01, "readout_rate": 0.01, "groups": 4, "optimizer": "adamw"}
    model = Batched(rule=rule, widths=(16, 8), batch=20, threads=1, batch_norm=True, **rates)
    training = trainer(model, DATA, Seeds(0))
    training.run(DATA.x_train, DATA.y_train, epochs=1)
    for layer in training.network.layers:
        assert layer.batch_norm.mean.any()
        assert (layer.batch_norm.scale != 1).any() == (rule != "last")
    plain = trainer(replace(model, batch_norm=False), DATA, Seeds(0)).network
    assert all(layer.batch_norm is None for layer in plain.layers)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(SettingError, match=r"rule must be one of backprop, .*; got 'hebb'"):
        completed(Batched(rule="hebb"), "mnist")
    with pytest.raises(SettingError, match="normalization must be plain or divisive for backprop"):
        completed(Batched(rule="backprop", normalization="grouped"), "mnist")
    with pytest.raises(SettingError, match=r"groups must be given for rule linear; got None"):
        completed(Batched(rule="linear"), "mnist")
    with pytest.raises(SettingError, match=r"table3\.dataset must be one of cifar10, .*; got 'x'"):
        table3("x", ROWS[0])
    with pytest.raises(SettingError, match=r"table3\.row must be one of .*; got 'x'"):
        table3("mnist", "x")
