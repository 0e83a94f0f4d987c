"""A data set refuses what cannot be one, and splits the same way every time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.checks import SettingError
from neurosim.data.base import Dataset, intensities, stratified
from neurosim.seeds import Seeds


def example(n_train: int = 40, n_test: int = 8) -> Dataset:
    rng = np.random.default_rng(0)
    return Dataset(
        name="example",
        x_train=rng.standard_normal((n_train, 6)),
        y_train=np.arange(n_train) % 4,
        x_test=rng.standard_normal((n_test, 6)),
        y_test=np.arange(n_test) % 4,
        n_classes=4,
        shape=(2, 3),
    )


def test_arrays_are_kept_in_the_promised_form():
    data = example()
    assert data.x_train.dtype == data.x_test.dtype == np.float32
    assert data.y_train.dtype == data.y_test.dtype == np.int64
    assert data.x_train.flags.c_contiguous
    assert data.classes == ("0", "1", "2", "3")
    assert data.n_features == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_classes": 1}, r"n_classes must be at least 2; got 1"),
        ({"classes": ("a", "b")}, r"classes must name 4 classes; got \('a', 'b'\)"),
        ({"shape": (7,)}, r"x_train must have shape \(samples, 7\).*got \(40, 6\)\. Flatten"),
        ({"x_test": np.zeros((0, 6))}, r"x_test must have shape .*got \(0, 6\)"),
        ({"x_test": np.zeros((8, 2, 3))}, r"x_test must have shape .*got \(8, 2, 3\)"),
        ({"x_test": np.zeros((8, 6), dtype=complex)}, r"x_test must hold real numbers"),
        ({"x_test": np.full((8, 6), 1e300)}, r"x_test must be finite; got inf at index \(0, 0\)"),
        ({"y_test": np.zeros(7, dtype=int)}, r"y_test must hold 8 labels; got 7"),
        ({"y_test": np.zeros(8)}, r"y_test must hold integers; got 'float64'"),
        ({"y_test": np.zeros((8, 1), dtype=int)}, r"y_test must have one dimension"),
        ({"y_test": np.full(8, 4)}, r"y_test must hold labels in \[0, 4\); got \[4\]"),
        ({"y_test": np.full(8, -1)}, r"y_test must hold labels in \[0, 4\); got \[-1\]"),
    ],
)
def test_bad_contents_are_refused_by_name(change, message):
    with pytest.raises(SettingError, match=r"Dataset\." + message):
        replace(example(), **change)


def test_a_nan_is_found_where_it_is():
    x = np.zeros((40, 6))
    x[17, 4] = np.nan
    with pytest.raises(SettingError, match=r"Dataset\.x_train must be finite; got nan.*\(17, 4\)"):
        replace(example(), x_train=x)


def test_the_digest_depends_on_every_value_and_on_nothing_else():
    data = example()
    assert data.digest == example().digest
    assert replace(data, name="other").digest == data.digest
    for field in ("x_train", "y_train", "x_test", "y_test"):
        changed = getattr(data, field).copy()
        changed[-1] = 0 if changed[-1].any() else 1
        assert replace(data, **{field: changed}).digest != data.digest


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.floats(0.05, 0.95))
def test_stratified_takes_the_same_share_of_every_class(labels, fraction):
    labels = np.array(labels)
    chosen = stratified(labels, fraction, np.random.default_rng(0))
    for label in np.unique(labels):
        members = labels == label
        assert chosen[members].sum() == round(fraction * members.sum())


def test_validation_is_held_out_of_the_training_samples():
    data = example()
    split = data.split_validation(0.2, Seeds(1))
    assert (len(split.x_train), len(split.x_test)) == (32, 8)
    assert np.bincount(split.y_test).tolist() == [2, 2, 2, 2]
    together = np.concatenate([split.x_train, split.x_test])
    assert sorted(together.tolist()) == sorted(data.x_train.tolist())
    assert split.name == "example-validation"


def test_validation_is_addressed_by_seed():
    data = example()
    first = data.split_validation(0.25, Seeds(1))
    assert data.split_validation(0.25, Seeds(1)).digest == first.digest
    assert data.split_validation(0.25, Seeds(2)).digest != first.digest


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, np.nan, 0.01])
def test_a_split_that_leaves_one_side_empty_is_refused(fraction):
    with pytest.raises(SettingError, match=r"split_validation\.fraction must"):
        example().split_validation(fraction, Seeds(0))


def test_limited_keeps_the_first_samples():
    data = example()
    limited = data.limited(5, 3)
    np.testing.assert_array_equal(limited.x_train, data.x_train[:5])
    np.testing.assert_array_equal(limited.y_test, data.y_test[:3])
    assert data.limited().digest == data.digest


@pytest.mark.parametrize("count", [0, -1, 41])
def test_limited_refuses_more_than_there_is(count):
    with pytest.raises(SettingError, match=r"limited\.n_train must be between 1 and the 40"):
        example().limited(count)


def test_intensities_are_centred_or_left_positive():
    pixels = np.array([[[0, 51], [102, 255]]], dtype=np.uint8)
    np.testing.assert_allclose(intensities(pixels, 255, True), [[-1, -0.6, -0.2, 1]], rtol=1e-6)
    np.testing.assert_allclose(intensities(pixels, 255, False), [[0, 0.2, 0.4, 1]], rtol=1e-6)
