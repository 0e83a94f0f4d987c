"""Cross-entropy of a softmax: the loss of read-outs."""

from __future__ import annotations

import numpy as np

from neurosim.backend import Scalar, namespace
from neurosim.ops.classes import of_classes


def cross_entropy(scores: np.ndarray, labels: np.ndarray) -> tuple[Scalar, np.ndarray]:
    """Mean of -log softmax(scores)[label], and its gradient.

        L = mean_i (log sum_c exp a_ic - a_i,y_i)       dL/da = (softmax(a) - onehot(y)) / n

    Parameters
    ----------
    scores : ndarray, shape (n, n_classes)
        a, dimensionless.
    labels : ndarray of int, shape (n,)
        y, in [0, n_classes).

    Returns
    -------
    float
        Nats; of scores on a device it stays there.
    ndarray, shape (n, n_classes)
        Gradient at the scores.

    Raises
    ------
    SettingError
        If a label is out of range; on a device value and gradient are NaN instead.
    """
    n, n_classes = scores.shape
    scores = of_classes("cross_entropy.labels", scores, labels, n_classes)
    shifted = scores - scores.max(axis=1, keepdims=True)
    d_scores = np.exp(shifted)
    total = d_scores.sum(axis=1, keepdims=True)
    d_scores /= total
    each = namespace(scores, labels).arange(n)
    value = (np.log(total[:, 0]) - shifted[each, labels]).mean(dtype=np.float64)
    d_scores[each, labels] -= 1
    d_scores /= n
    return value, d_scores
