"""The smoothed temporal derivative: how much a signal has just jumped."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammainc, gammaincc, gammainccinv

from neurosim.checks import require
from neurosim.dynamics.base import require_positive
from neurosim.ops.quadrature import gauss_nodes, lagrange_basis

_REACH = 45.0
"""Distance from the kernel's centre, in units of 1 / c2, beyond which exp(-x) x < 1e-17."""


@dataclass(frozen=True, kw_only=True)
class SmoothedDerivative:
    r"""Convolution with ``kappa(t) = -K (t - c1) exp(-c2 |t - c1|)`` for t >= 0.

    The kernel is positive on [0, c1) and negative after: recent activity minus earlier activity.
    K is chosen so that the response to a unit step peaks at 1, at c1 seconds after the step:
    ``K = c2**2 / q(c1 c2)`` with ``q(x) = 1 - (1 + x) exp(-x)``. The step response is then one
    expression on both sides of the peak and is symmetric about it:

        ``S(tau) = 1 - q(c2 |tau - c1|) / q(c1 c2)``  for tau > 0, and 0 before.

    A piecewise-constant signal with jumps J_e at t_e has the response ``sum_e J_e S(t - t_e)``,
    without a time step.

    Parameters
    ----------
    c1 : float
        Delay of the peak, seconds.
    c2 : float
        Sharpness of the kernel, 1 / seconds.

    Raises
    ------
    SettingError
        If ``c1`` or ``c2`` is not a finite positive number.

    Warns
    -----
    UserWarning
        If the response to a *constant* signal exceeds 1 % of it, that is for c1 c2 below 6.64: a
        kernel that starts at t = 0 loses part of its positive lobe, its integral is not zero, and
        it reports a change where there is none. The exact value is `residual`.

    Notes
    -----
    Source: Pogodin & Latham 2020, section 3.3, eq. 14, which leaves K, c1 and c2 open.

    Examples
    --------
    >>> derivative = SmoothedDerivative(c1=0.01, c2=1000.0)
    >>> derivative.step_response([0.0, 0.01, 0.1])  # at a jump, at its peak, long after
    array([ 0.00000000e+00,  1.00000000e+00, -4.99648752e-04])
    """

    c1: float
    c2: float

    def __post_init__(self) -> None:
        require_positive("SmoothedDerivative.c1", self.c1)
        require_positive("SmoothedDerivative.c2", self.c2)
        if abs(self.residual) > 1e-2:
            warnings.warn(
                f"SmoothedDerivative responds to a constant with {self.residual:.1%} of it, "
                f"because c1 * c2 = {self._sharpness:.3g}. Choose c1 * c2 of 7 or more.",
                UserWarning,
                stacklevel=3,
            )

    @property
    def _sharpness(self) -> float:
        return self.c2 * self.c1

    @property
    def residual(self) -> float:
        """Response to a constant over that constant: ``-(1 + c1 c2) exp(-c1 c2) / q(c1 c2)``."""
        return float(-gammaincc(2.0, self._sharpness) / gammainc(2.0, self._sharpness))

    def kernel(self, t: npt.ArrayLike) -> np.ndarray:
        """The weight of the signal ``t`` seconds ago.

        Parameters
        ----------
        t : array_like
            Finite seconds; any shape.

        Returns
        -------
        ndarray, shape of ``t``
            kappa, 1 / seconds; zero for t < 0.
        """
        t = np.asarray(t, dtype=np.float64)
        gain = self.c2**2 / gammainc(2.0, self._sharpness)
        from_centre = np.where(t < 0, np.inf, np.abs(t - self.c1))
        decay = np.exp(-self.c2 * from_centre)
        return np.where(t < 0, 0.0, gain * (self.c1 - t) * decay)

    def step_response(self, tau: npt.ArrayLike) -> np.ndarray:
        """The response ``tau`` seconds after a unit step, S(tau).

        Parameters
        ----------
        tau : array_like
            Seconds; any shape; infinite values are allowed.

        Returns
        -------
        ndarray, shape of ``tau``
            Fraction of the jump; zero for tau <= 0, 1 at c1, `residual` at infinity.
        """
        tau = np.asarray(tau, dtype=np.float64)
        peak = gammainc(2.0, self._sharpness)
        x = self.c2 * np.abs(tau - self.c1)
        # q(x) and 1 - q(x) are both known to full precision: subtract whichever is small
        near = peak - gammainc(2.0, x)
        far = gammaincc(2.0, x) - gammaincc(2.0, self._sharpness)
        return np.where(tau <= 0, 0.0, np.where(x < 1, near, far) / peak)

    def window(self, tolerance: float) -> float:
        """How long a jump is felt: after it, ``|S(tau) - residual| <= tolerance``.

        Parameters
        ----------
        tolerance : float
            Fraction of the jump, between 0 and 1.

        Returns
        -------
        float
            Seconds after the jump; at least c1.
        """
        require(
            0 < tolerance < 1, "SmoothedDerivative.window tolerance", "lie in (0, 1)", tolerance
        )
        x = float(gammainccinv(2.0, float(tolerance * gammainc(2.0, self._sharpness))))
        return self.c1 + x / self.c2

    def filter_weights(
        self, instants: npt.ArrayLike, starts: npt.ArrayLike, ends: npt.ArrayLike
    ) -> np.ndarray:
        """Responses at some instants to unit activity in each of some cells of time.

        ``F[i, r] = S(t_i - start_r) - S(t_i - end_r)``; the response to piecewise-constant
        activity ``z[r]`` is ``F @ z``.

        Parameters
        ----------
        instants : array_like, (..., n_instants)
            Seconds.
        starts, ends : array_like, (..., n_cells)
            Seconds; ``-inf`` and ``inf`` mean always so and ever after. Cells that lie in the
            future of an instant weigh zero.

        Returns
        -------
        ndarray, (..., n_instants, n_cells)
            Fraction of the activity.
        """
        instants = np.asarray(instants, dtype=np.float64)[..., :, None]
        starts = np.asarray(starts, dtype=np.float64)[..., None, :]
        ends = np.asarray(ends, dtype=np.float64)[..., None, :]
        weights: np.ndarray = self.step_response(instants - starts) - self.step_response(
            instants - ends
        )
        return weights

    def lagrange_weights(
        self, instants: npt.ArrayLike, intervals: npt.ArrayLike, nodes: npt.ArrayLike
    ) -> np.ndarray:
        """Responses at some instants to activity given at nodes inside each of some intervals.

        ``D[i, r, j] = integral over interval r of kappa(t_i - s) l_rj(s) ds``, with l_rj the
        Lagrange basis on the nodes of interval r: exact for activity that is a polynomial of
        degree n_nodes - 1 in each interval, spectrally accurate for smooth activity. The response
        is ``einsum("irj,rj...->i...", D, z)``.

        The integral is split at the kinks of the kernel, ``s = t_i`` and ``s = t_i - c1``;
        the smooth pieces are integrated by Gauss-Legendre quadrature to rounding.

        Parameters
        ----------
        instants : array_like, (n_instants,)
            Seconds.
        intervals : array_like, (n_intervals, 2)
            Start and end, finite seconds. An interval without length weighs zero.
        nodes : array_like, (n_intervals, n_nodes)
            Distinct times inside each interval, seconds.

        Returns
        -------
        ndarray, (n_instants, n_intervals, n_nodes)
            Fraction of the activity.

        Raises
        ------
        SettingError
            If the intervals do not match the nodes, or nodes of an interval coincide.
        """
        instants = np.asarray(instants, dtype=np.float64)
        intervals = np.asarray(intervals, dtype=np.float64)
        nodes = np.asarray(nodes, dtype=np.float64)
        n_intervals, n_nodes = nodes.shape
        require(
            intervals.shape == (n_intervals, 2) and bool(np.isfinite(intervals).all()),
            "SmoothedDerivative.lagrange_weights intervals",
            f"be finite and of shape ({n_intervals}, 2), one row for each row of nodes",
            intervals,
        )
        crowded = (np.diff(np.sort(nodes, axis=1), axis=1) == 0).any(axis=1)
        require(
            not (crowded & (intervals[:, 1] > intervals[:, 0])).any(),
            "SmoothedDerivative.lagrange_weights nodes",
            "be distinct within each interval",
            nodes[crowded],
            "Leave out intervals too short for the precision of their times.",
        )
        weights = np.zeros((len(instants), n_intervals, n_nodes))
        for start, end in self._pieces(instants, intervals):
            i, r = np.nonzero(end > start)
            if len(i) == 0:
                continue
            pieces = np.stack([start[i, r], end[i, r]], axis=1)
            longest = self.c2 * float(np.max(pieces[:, 1] - pieces[:, 0]))
            s, w = gauss_nodes(pieces, 12 + n_nodes // 2 + math.ceil(0.6 * longest))
            mass = self.kernel(instants[i, None] - s) * w
            for j in range(n_nodes):
                weights[i, r, j] += (mass * lagrange_basis(s, nodes[r], j)).sum(axis=1)
        return weights

    def _pieces(
        self, instants: np.ndarray, intervals: np.ndarray
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Starts and ends, (n_instants, n_intervals), of where the kernel is smooth and felt."""
        centre = instants[:, None] - self.c1
        reach = _REACH / self.c2
        earliest = np.clip(centre - reach, intervals[:, 0], intervals[:, 1])
        kink = np.clip(centre, intervals[:, 0], intervals[:, 1])
        causal = centre + min(self.c1, reach)  # never beyond the instant itself
        latest = np.clip(causal, intervals[:, 0], intervals[:, 1])
        return [(earliest, kink), (kink, latest)]
