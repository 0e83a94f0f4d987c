"""Every named data set loads, and an unknown or incomplete one says so."""

import gc
import gzip
import os
import struct
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from neurosim.checks import DataError, SettingError
from neurosim.data import available, load, measured, mnist
from neurosim.seeds import Seeds


def test_the_known_sets_are_described():
    names = [source.name for source in available()]
    assert names == ["clusters", "digits", "fashion-mnist", "kmnist", "mnist"]
    assert all(source.description for source in available())


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(SettingError, match=r"one of clusters, digits, .*, mnist; got 'minst'"):
        load("minst")


def test_digits_are_split_by_class_in_a_fixed_way():
    digits = load("digits")
    assert digits.x_train.shape == (1438, 64)
    assert digits.x_test.shape == (359, 64)
    assert np.bincount(digits.y_test).min() >= 35
    assert (digits.x_train.min(), digits.x_train.max()) == (-1, 1)
    assert load("digits").digest == digits.digest


def test_normalization_can_be_left_out():
    plain, normalized = load("digits", normalize=False), load("digits")
    assert (plain.x_train.min(), plain.x_train.max()) == (0, 1)
    np.testing.assert_allclose((plain.x_test - 0.5) / 0.5, normalized.x_test, rtol=1e-6)


@pytest.fixture
def tiny_mnist(tmp_path, monkeypatch):
    """Three training and two test images in MNIST's files; checksums are not looked at."""
    monkeypatch.setenv("NEUROSIM_DATA", str(tmp_path))
    monkeypatch.setattr(mnist, "fetch", mnist.location)
    folder = tmp_path / "mnist"
    folder.mkdir()
    for part, count in (("train", 3), ("t10k", 2)):
        images = np.full((count, 28, 28), 255, dtype=np.uint8)
        contents = {
            f"{part}-images-idx3-ubyte.gz": struct.pack(">4I", 2051, *images.shape) + images.data,
            f"{part}-labels-idx1-ubyte.gz": struct.pack(">2I", 2049, count) + bytes(range(count)),
        }
        for name, content in contents.items():
            (folder / name).write_bytes(gzip.compress(content))
    return folder


def test_mnist_files_become_a_data_set(tiny_mnist):
    data = load("mnist")
    assert data.x_train.shape == (3, 784)
    assert data.shape == (28, 28)
    assert data.y_train.tolist() == [0, 1, 2]
    assert data.y_test.tolist() == [0, 1]
    assert (data.x_test == 1).all()


def test_labels_that_do_not_match_the_images_are_refused(tiny_mnist):
    labels = tiny_mnist / "t10k-labels-idx1-ubyte.gz"
    labels.write_bytes((tiny_mnist / "train-labels-idx1-ubyte.gz").read_bytes())
    with pytest.raises(SettingError, match=r"y_test must hold 2 labels; got 3"):
        load("mnist")


def test_a_missing_training_part_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROSIM_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"kmnist/train-images-idx3-ubyte\.gz must exist"):
        load("kmnist")


def test_presence_means_every_file(tiny_mnist):
    sources = {source.name: source for source in available()}
    assert sources["mnist"].present()
    assert not sources["fashion-mnist"].present()
    next(tiny_mnist.iterdir()).unlink()
    assert not sources["mnist"].present()


@pytest.mark.data
@pytest.mark.skipif(not os.environ.get("NEUROSIM_DATA"), reason="NEUROSIM_DATA is not set")
def test_mnist_is_the_published_one():
    data = load("mnist", normalize=False)
    assert data.x_train.shape == (60000, 784)
    assert data.x_test.shape == (10000, 784)
    assert np.bincount(data.y_train).tolist() == [
        *(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
    ]
    assert np.bincount(data.y_test).tolist() == [
        *(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    ]
    assert data.x_train.mean(dtype=np.float64) == pytest.approx(0.1307, abs=5e-5)
    assert data.x_train.std(dtype=np.float64) == pytest.approx(0.3081, abs=5e-5)


def test_what_is_measured_is_the_test_set_or_a_part_of_the_training_set():
    whole, seeds = load("digits"), Seeds(1)
    assert measured("digits", 0.0, 0, seeds).digest == whole.digest
    held = measured("digits", 0.1, 100, seeds)
    assert (held.name, len(held.x_train)) == ("digits-validation", 100)
    assert held.digest == measured("digits", 0.1, 100, Seeds(1)).digest
    assert held.digest != measured("digits", 0.1, 100, Seeds(2)).digest
    with pytest.raises(SettingError, match=r"Config\.validation must be in \[0, 1\)"):
        measured("digits", 1.0, 0, seeds)


def test_who_loads_what_another_holds_gets_the_same_arrays_and_cannot_change_them():
    with ThreadPoolExecutor(4) as pool:
        held = list(pool.map(load, ["digits"] * 4))
    assert all(data is held[0] for data in held)
    assert load("digits", normalize=False) is not held[0]
    with pytest.raises(ValueError, match="read-only"):
        held[0].x_train[0] = 0
    again = weakref.ref(held[0])
    del held
    gc.collect()
    assert again() is None  # nothing is kept for nobody


def test_what_is_measured_is_shared_by_those_that_measure_the_same():
    one = measured("digits", 0.1, 0, Seeds(1))
    assert measured("digits", 0.1, 0, Seeds(1)) is one
    assert measured("digits", 0.1, 0, Seeds(2)) is not one
    few = measured("digits", 0.0, 100, Seeds(1))
    assert measured("digits", 0.0, 100, Seeds(2)) is few
    assert measured("digits", 0.0, 0, Seeds(1)) is load("digits")


def test_a_folder_named_meanwhile_is_looked_into(tiny_mnist, tmp_path, monkeypatch):
    held = load("mnist")
    monkeypatch.setenv("NEUROSIM_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match="elsewhere"):
        load("mnist")
    assert len(held.x_train) == 3
