"""Rectangular similarities: closed forms and properties."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.checks import SettingError
from neurosim.ops.similarity import gaussian, labels, squared_distances

shapes = st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 4), st.integers(0, 99))


def draw(shape):
    n_rows, n_columns, n, seed = shape
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_rows, n)), rng.normal(size=(n_columns, n))


@settings(deadline=None, max_examples=40)
@given(shapes, st.floats(0.3, 5))
def test_gaussian_is_its_closed_form_row_by_column(shape, sigma):
    rows, columns = draw(shape)
    k = gaussian(rows, columns, sigma)
    assert k.shape == shape[:2]
    for i, j in np.ndindex(k.shape):
        distance = math.dist(rows[i], columns[j])
        assert k[i, j] == pytest.approx(math.exp(-(distance**2) / (2 * sigma**2)), rel=1e-12)


@settings(deadline=None, max_examples=40)
@given(shapes)
def test_a_set_with_itself_is_a_symmetric_positive_similarity(shape):
    rows, _ = draw(shape)
    k = gaussian(rows, rows, 1.3)
    np.testing.assert_array_equal(k, k.T)
    np.testing.assert_array_equal(np.diag(k), 1.0)
    assert np.linalg.eigvalsh(k).min() > -1e-12


@settings(deadline=None, max_examples=40)
@given(shapes)
def test_the_order_of_the_arguments_transposes(shape):
    rows, columns = draw(shape)
    np.testing.assert_array_equal(gaussian(rows, columns, 2.0), gaussian(columns, rows, 2.0).T)


def test_nearly_equal_vectors_keep_their_distance_in_float32():
    """The expansion |v|^2 + |w|^2 - 2 v.w would lose every digit here."""
    rows = np.full((1, 1000), 3.0, np.float32)
    columns = rows.copy()
    columns[0, 0] = np.nextafter(np.float32(3), np.float32(4))
    step = float(columns[0, 0] - rows[0, 0])
    assert squared_distances(rows, columns)[0, 0] == pytest.approx(step**2, rel=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 6), st.integers(0, 99))
def test_label_similarity_is_the_cosine_of_centred_one_hot_vectors(n_classes, seed):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(0, n_classes, 4), rng.integers(0, n_classes, 7)
    centred = np.eye(n_classes) - 1 / n_classes
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    expected = unit[rows] @ unit[columns].T
    np.testing.assert_allclose(labels(rows, columns, n_classes), expected, atol=1e-12)


def test_unusable_arguments_are_refused():
    here = np.array([0, 1])
    with pytest.raises(SettingError, match=r"gaussian\.sigma must be positive; got 0"):
        gaussian(np.ones((1, 1)), np.ones((1, 1)), 0.0)
    with pytest.raises(SettingError, match=r"labels\.n_classes must be at least 2"):
        labels(here, here, 1)
    with pytest.raises(SettingError, match=r"labels\.columns must be in \[0, 3\); got array\(\[3"):
        labels(here, np.array([0, 3]), 3)
    with pytest.raises(SettingError, match=r"labels\.rows must be in \[0, 3\)"):
        labels(np.array([-1]), here, 3)
