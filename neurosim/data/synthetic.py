"""Gaussian clusters: a task whose best possible accuracy is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr

from neurosim.checks import require
from neurosim.data.base import Dataset, Source
from neurosim.seeds import Seeds


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """Equally likely Gaussian clusters of unit variance, every two centres equally far apart.

    Sample of class c:  x = mu_c + noise,  noise ~ N(0, 1) in every feature
    Centres:            mu_c = d / sqrt(2) (q_c - mean of q), with orthonormal q_0 ... q_{K-1}
                        so that |mu_a - mu_b| = d for every pair

    The best classifier takes the nearest centre. It is right when, among K independent unit
    normals, the one shifted by d / sqrt(2) is the largest, so its error, the Bayes error, is

        1 - integral of phi(t - d / sqrt(2)) Phi(t)^(K-1) dt            (Phi(-d / 2) for K = 2)

    K -> n_classes, d -> separation, phi and Phi -> density and distribution of N(0, 1).

    Parameters
    ----------
    n_classes : int
        Number of clusters, at least 2.
    n_features : int
        Dimension of the samples, at least ``n_classes``.
    separation : float
        Distance between two centres, in standard deviations of a cluster; not negative.
    n_train, n_test : int
        Number of samples, classes in equal numbers up to one.

    Source
    ------
    The error is that of orthogonal signals in white noise: J. M. Wozencraft, I. M. Jacobs 1965,
    "Principles of communication engineering", section 4.5.

    Examples
    --------
    >>> round(Clusters().bayes_error, 4)
    0.1534
    >>> Clusters().generate(Seeds(0)).x_train.shape
    (2000, 20)
    """

    n_classes: int = 4
    n_features: int = 20
    separation: float = 3.0
    n_train: int = 2000
    n_test: int = 2000

    def __post_init__(self) -> None:
        require(self.n_classes >= 2, "Clusters.n_classes", "be at least 2", self.n_classes)
        require(
            self.n_features >= self.n_classes,
            "Clusters.n_features",
            f"be at least n_classes = {self.n_classes}",
            self.n_features,
            "Fewer dimensions cannot hold centres that are all equally far apart.",
        )
        require(
            0 <= self.separation < math.inf,
            "Clusters.separation",
            "be finite and not negative",
            self.separation,
        )
        for field, count in (("n_train", self.n_train), ("n_test", self.n_test)):
            require(count >= 1, f"Clusters.{field}", "be at least 1", count)

    @property
    def bayes_error(self) -> float:
        """Share of samples that the best possible classifier gets wrong."""
        from scipy import integrate  # takes as long to import as all the rest

        shift = self.separation / math.sqrt(2)

        def wrong(t: float) -> float:
            # 1 - Phi^(K-1) rather than its complement: no digits are lost when errors are rare.
            miss = -np.expm1((self.n_classes - 1) * log_ndtr(t))
            return float(math.exp(-((t - shift) ** 2) / 2) / math.sqrt(2 * math.pi) * miss)

        # Beyond ten standard deviations the density is below 1e-22.
        return float(integrate.quad(wrong, shift - 10, shift + 10, epsabs=1e-13)[0])

    def centres(self, seeds: Seeds) -> npt.NDArray[np.float64]:
        """Return the cluster centres, shape (n_classes, n_features), randomly oriented."""
        rng = seeds.generator("clusters/centres")
        q, _ = np.linalg.qr(rng.standard_normal((self.n_features, self.n_classes)))
        directions: npt.NDArray[np.float64] = q.T - q.T.mean(axis=0)
        return self.separation / math.sqrt(2) * directions

    def generate(self, seeds: Seeds) -> Dataset:
        """Draw a data set; the same seed always draws the same one."""
        centres = self.centres(seeds)
        drawn = {}
        for part, count in (("train", self.n_train), ("test", self.n_test)):
            rng = seeds.generator(f"clusters/{part}")
            labels = rng.permutation(np.arange(count) % self.n_classes)
            noise = rng.standard_normal((count, self.n_features))
            drawn[part] = (centres[labels] + noise).astype(np.float32), labels
        return Dataset(
            name="clusters",
            x_train=drawn["train"][0],
            y_train=drawn["train"][1],
            x_test=drawn["test"][0],
            y_test=drawn["test"][1],
            n_classes=self.n_classes,
            shape=(self.n_features,),
        )


SOURCES = (
    Source(
        name="clusters",
        description="four Gaussian clusters in 20 dimensions, 2000 + 2000, Bayes error 15.3 %",
        load=lambda normalize: Clusters().generate(Seeds(0)),  # no grey values to normalize
        present=lambda: True,
    ),
)
