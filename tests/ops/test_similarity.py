"""Rectangular similarities: closed forms and properties."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.checks import SettingError
from neurosim.ops.similarity import (
    Cosine,
    CosineLabels,
    Gaussian,
    Linear,
    LinearLabels,
    gaussian,
    labels,
    squared_distances,
)
from neurosim.testing import check_on_device

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


SIMILARITIES = [Linear(), Cosine(), Gaussian(sigma=1.3)]


@pytest.mark.parametrize("similarity", SIMILARITIES, ids=str)
@settings(deadline=None, max_examples=20)
@given(shape=shapes)
def test_similarities_are_their_closed_forms(similarity, shape):
    rows, columns = draw(shape)
    k = similarity.evaluate(rows, columns)
    inner = rows @ columns.T
    if isinstance(similarity, Cosine):
        lengths = [np.linalg.norm(a, axis=1) for a in (rows, columns)]
        inner = inner / np.outer(*lengths)
    elif isinstance(similarity, Gaussian):
        inner = gaussian(rows, columns, 1.3)
    np.testing.assert_allclose(k, inner, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("similarity", SIMILARITIES, ids=str)
@settings(deadline=None, max_examples=20)
@given(shape=shapes)
def test_pullbacks_are_the_gradients_at_rows_and_columns(similarity, shape):
    rows, columns = draw(shape)
    rng, h = np.random.default_rng(7), 1e-6
    d_k = rng.normal(size=shape[:2])
    k = similarity.evaluate(rows, columns)
    d_rows, d_columns = similarity.pullback(rows, columns, k, d_k)
    dv, dw = rng.normal(size=rows.shape), rng.normal(size=columns.shape)
    ahead = (d_k * similarity.evaluate(rows + h * dv, columns + h * dw)).sum()
    behind = (d_k * similarity.evaluate(rows - h * dv, columns - h * dw)).sum()
    slope = (d_rows * dv).sum() + (d_columns * dw).sum()
    assert slope == pytest.approx((ahead - behind) / (2 * h), rel=2e-4, abs=1e-6)


def test_the_pairs_of_a_batch_keep_their_distances_in_float32():
    """Vectors far from zero and close to one another, as group signals are."""
    rng = np.random.default_rng(0)
    v = (5 + 1e-3 * rng.normal(size=(40, 32))).astype(np.float32)
    found = 1 - Gaussian().evaluate(v, v)
    exact = -np.expm1(-squared_distances(v.astype(float), v.astype(float)) / 50)
    assert 1e-7 < exact.max() < 1e-5
    np.testing.assert_allclose(found, exact, rtol=1e-6, atol=1e-15)
    np.testing.assert_array_equal(np.diag(found), 0)


def test_a_silent_vector_is_similar_to_nothing_and_moves_nowhere():
    rows = np.array([[0.0, 0.0], [3.0, 4.0]])
    k = Cosine().evaluate(rows, rows)
    np.testing.assert_allclose(k, [[0, 0], [0, 1]])
    d_rows, _ = Cosine().pullback(rows, rows, k, np.ones((2, 2)))
    np.testing.assert_array_equal(d_rows[0], 0)


def test_unbalanced_labels_compare_as_centred_one_hot_vectors():
    p = (0.5, 0.3, 0.2)
    rows, columns = np.array([0, 1, 2, 2]), np.array([2, 0])
    centred = np.eye(3) - np.array(p)
    expected = centred[rows] @ centred[columns].T
    found = LinearLabels(frequencies=p).evaluate(rows, columns)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    same = CosineLabels(n_classes=3).evaluate(rows, columns)
    np.testing.assert_array_equal(same, labels(rows, columns, 3))


def test_unusable_settings_are_refused():
    with pytest.raises(SettingError, match=r"CosineLabels\.n_classes must be at least 2; got 1"):
        CosineLabels(n_classes=1)
    with pytest.raises(SettingError, match=r"frequencies must hold at least two classes"):
        LinearLabels(frequencies=(1.0, 0.0))
    with pytest.raises(SettingError, match=r"frequencies must be shares that sum to 1"):
        LinearLabels(frequencies=(0.5, 0.6))
    with pytest.raises(SettingError, match=r"labels\.rows must be in \[0, 2\)"):
        LinearLabels(frequencies=(0.5, 0.5)).evaluate(np.array([2]), np.array([0]))


@pytest.mark.parametrize("similarity", [Linear(), Cosine(), Gaussian(sigma=0.7)])
def test_similarities_compute_where_their_vectors_are(similarity):
    rows, columns = draw((4, 3, 5, 0))
    rows[2] = 0  # has no direction
    k, d = similarity.evaluate(rows, columns), np.ones((4, 3))
    check_on_device(similarity, similarity.evaluate, rows, columns)
    check_on_device(similarity, similarity.evaluate, rows, rows)
    check_on_device(similarity, similarity.pullback, rows, columns, k, d)


def test_similarities_of_classes_compute_where_their_labels_are():
    rows, columns = np.array([0, 1, 2]), np.array([1, 1])
    for kind in (CosineLabels(n_classes=3), LinearLabels(frequencies=(0.5, 0.25, 0.25))):
        check_on_device(kind, kind.evaluate, rows, columns)
    check_on_device("squared_distances", squared_distances, *draw((4, 3, 5, 1)))
