"""Images that drift under the eye."""

import numpy as np
import pytest

from neurosim.checks import SettingError
from neurosim.streaming.drift import look, look_reference
from neurosim.streaming.presentations import DatasetStream
from neurosim.testing import check_on_device

LABELS = np.arange(400) % 2


def dots(at=(2, 3), shape=(6, 7)):
    """Images that are dark but for one pixel."""
    image = np.full(shape, -1.0, np.float32)
    image[at] = 1
    return np.tile(image.ravel(), (len(LABELS), 1))


def shown(drift, start=0, size=64, at=(2, 3)):
    rng = np.random.default_rng(5)
    stream = DatasetStream(dots(at), LABELS, epochs=1, rng=rng, drift=drift, image=(6, 7))
    return np.concatenate([c.stimuli for c in stream.chunks(start, size)]).reshape(-1, 6, 7)


def test_the_image_moves_by_every_number_of_pixels_up_to_the_drift():
    found = np.argwhere(shown(2) == 1)[:, 1:] - (2, 3)
    assert len(found) == len(LABELS)
    assert {tuple(move) for move in found.tolist()} == {
        (i, j) for i in range(-2, 3) for j in range(-2, 3)
    }


def test_what_leaves_the_field_is_gone_and_what_enters_is_dark():
    images = shown(1, at=(0, 0))
    gone = (images == -1).all(axis=(1, 2))
    assert 0.4 < gone.mean() < 0.7  # 5 of 9 moves lose the corner
    assert set(np.unique(images)) == {-1.0, 1.0}


def test_a_stream_continued_anywhere_drifts_as_before():
    np.testing.assert_array_equal(shown(2)[128:], shown(2, start=128, size=50))


@pytest.mark.parametrize("image", [None, (5, 5)])
def test_drift_needs_the_shape_of_the_image(image):
    with pytest.raises(SettingError, match=r"DatasetStream\.image"):
        DatasetStream(dots(), LABELS, epochs=1, rng=np.random.default_rng(0), drift=1, image=image)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_device_sees_the_same(dtype):
    rng = np.random.default_rng(1)
    scenes = rng.integers(1, 200, (20, 6, 7)).astype(dtype)
    samples, moves = rng.integers(0, 20, 50), rng.integers(-3, 4, (50, 2), dtype=np.int16)
    seen = look(scenes, samples, moves, scenes.min())
    found = look_reference(scenes, samples, moves, scenes.min())
    np.testing.assert_array_equal(found, seen, strict=True)
    check_on_device("look", look, scenes, samples, moves, scenes.min(), tolerance=0.0)
