"""scikit-learn's handwritten digits: 1797 images of 8 by 8 pixels, no download needed."""

from __future__ import annotations

import numpy as np

from neurosim.data.base import Dataset, Source, intensities, stratified
from neurosim.seeds import Seeds

TEST_FRACTION = 0.2


def load(normalize: bool) -> Dataset:
    """Load the digits with a fixed split, a fifth of every class for testing.

    Parameters
    ----------
    normalize : bool
        Whether grey values, 0 to 16 in the file, become [-1, 1] rather than [0, 1].

    Returns
    -------
    Dataset
        64 features; 1438 samples to train on and 359 to test on.

    Source
    ------
    E. Alpaydin, C. Kaynak 1998, UCI "Optical recognition of handwritten digits", the test part, as
    `sklearn.datasets.load_digits` holds it. It comes without a split of its own.
    """
    # Imported here: scikit-learn takes most of a second, and other sets do not need it.
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    # Always this split, whatever the seed of a run: results stay comparable.
    test = stratified(labels, TEST_FRACTION, Seeds(0).generator("data/digits/split"))
    x = intensities(np.asarray(pixels), 16, normalize)
    return Dataset(
        name="digits",
        x_train=x[~test],
        y_train=labels[~test],
        x_test=x[test],
        y_test=labels[test],
        n_classes=10,
        shape=(8, 8),
    )


SOURCES = (
    Source(
        name="digits",
        description="scikit-learn's handwritten digits, 8x8, 1438 + 359, no download",
        load=load,
        present=lambda: True,
    ),
)
