"""The clusters' Bayes error is what the best classifier attains."""

import math

import numpy as np
import pytest
from scipy import stats

from neurosim.checks import SettingError
from neurosim.data import Clusters, load
from neurosim.seeds import Seeds


def nearest(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.argmin(((x[:, None, :] - centres[None]) ** 2).sum(-1), axis=1)


@pytest.mark.parametrize("separation", [0.0, 1.0, 4.0, 12.0])
def test_two_clusters_have_the_closed_form(separation):
    expected = stats.norm.cdf(-separation / 2)
    found = Clusters(n_classes=2, separation=separation).bayes_error
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_clusters_at_one_point_are_guessed():
    assert Clusters(n_classes=5, separation=0).bayes_error == pytest.approx(0.8, rel=1e-12)


def test_centres_are_equally_far_apart_and_centred():
    clusters = Clusters(n_classes=5, n_features=7, separation=2.5)
    centres = clusters.centres(Seeds(3))
    distances = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    np.testing.assert_allclose(distances[~np.eye(5, dtype=bool)], 2.5, rtol=1e-12)
    np.testing.assert_allclose(centres.mean(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 4, 7])
def test_the_nearest_true_centre_attains_the_bayes_error(n_classes):
    clusters = Clusters(n_classes=n_classes, n_features=8, separation=2, n_test=40_000)
    data = clusters.generate(Seeds(0))
    error = np.mean(nearest(data.x_test, clusters.centres(Seeds(0))) != data.y_test)
    deviation = math.sqrt(clusters.bayes_error * (1 - clusters.bayes_error) / clusters.n_test)
    assert abs(error - clusters.bayes_error) < 4 * deviation


def test_a_nearest_centroid_classifier_learns_the_loaded_set_to_its_bayes_error():
    data, clusters = load("clusters"), Clusters()
    centroids = np.stack([data.x_train[data.y_train == c].mean(axis=0) for c in range(4)])
    # against the noise of 2000 test samples, 500 a class place the centroids well enough
    error = np.mean(nearest(data.x_test, centroids) != data.y_test)
    deviation = math.sqrt(clusters.bayes_error * (1 - clusters.bayes_error) / len(data.y_test))
    assert abs(error - clusters.bayes_error) < 4 * deviation


def test_classes_come_equally_often_and_in_no_order():
    data = Clusters(n_train=1001).generate(Seeds(0))
    assert np.bincount(data.y_train).tolist() == [251, 250, 250, 250]
    assert (np.diff(data.y_train) % 4 != 1).any()


def test_seeds_address_the_draw():
    clusters = Clusters(n_train=50, n_test=50)
    assert clusters.generate(Seeds(1)).digest == clusters.generate(Seeds(1)).digest
    assert clusters.generate(Seeds(1)).digest != clusters.generate(Seeds(2)).digest


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"n_classes": 1}, "n_classes must be at least 2"),
        ({"n_features": 3}, "n_features must be at least n_classes = 4; got 3"),
        ({"separation": -1.0}, "separation must be finite and not negative"),
        ({"separation": math.nan}, "separation must be finite and not negative"),
        ({"n_test": 0}, "n_test must be at least 1"),
    ],
)
def test_impossible_settings_are_refused(setting, message):
    with pytest.raises(SettingError, match=f"Clusters.{message}"):
        Clusters(**setting)
