"""Single-particle dynamics: mean squared displacement, diffusion and velocity autocorrelation."""

from __future__ import annotations

import numpy as np

from vitrify.errors import VitrifyError


def msd(
    unwrapped: np.ndarray, types: np.ndarray | None = None, max_lag: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean squared displacement over all time origins, MSD(lag) = <|r_i(t + lag) - r_i(t)|^2>_{i,t}.

    unwrapped: (T,N,3). Returns lags (L,) in frames from 0 and values (L,), or (n_types, L), one row for each
    type, if types (N,) are given. L = max_lag + 1, by default T. Computed by FFT, so the cost is T log T.
    """
    x = _frames(unwrapped)
    n_frames = len(x)
    lags = _lags(n_frames, max_lag)
    x = x - x[0]  # large absolute coordinates would cancel badly below
    # |r(t+l) - r(t)|^2 = |r(t+l)|^2 + |r(t)|^2 - 2 r(t+l).r(t); the sums of squares are cumulative sums.
    squares = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(np.sum(x**2, axis=-1), axis=0)])
    both = (squares[n_frames] - squares[lags]) + squares[n_frames - lags]
    per_atom = (both - 2 * _correlation_sums(x, lags)) / (n_frames - lags)[:, None]
    return lags, _by_type(np.maximum(per_atom, 0.0), types)


def velocity_autocorrelation(
    velocities: np.ndarray, types: np.ndarray | None = None, max_lag: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Velocity autocorrelation over all time origins, <v_i(t + lag) . v_i(t)>_{i,t}; shapes as in `msd`."""
    v = _frames(velocities)
    lags = _lags(len(v), max_lag)
    return lags, _by_type(_correlation_sums(v, lags) / (len(v) - lags)[:, None], types)


def diffusion_coefficient(time: np.ndarray, msd: np.ndarray, fit_from: float) -> float:
    """D from the Einstein relation, MSD = 6 D t + const, fitted at t >= fit_from (length^2/time)."""
    time, values = np.asarray(time, float), np.asarray(msd, float)
    chosen = time >= fit_from
    if time.shape != values.shape or chosen.sum() < 2:
        raise VitrifyError(
            f"{int(chosen.sum())} of the times, shape {time.shape}, lie beyond {fit_from:g}, with a MSD"
            f" of shape {values.shape}: at least 2 are needed, and equal shapes"
        )
    slope = np.polynomial.Polynomial.fit(time[chosen], values[chosen], 1).convert().coef[1]
    return float(slope / 6.0)


def _frames(values: np.ndarray) -> np.ndarray:
    array = np.asarray(values, float)
    if array.ndim != 3 or array.shape[-1] != 3:
        raise VitrifyError(f"an array of shape {array.shape} was given, but frames must be (T, N, 3)")
    return array


def _lags(n_frames: int, max_lag: int | None) -> np.ndarray:
    longest = n_frames - 1 if max_lag is None else max_lag
    if not 0 <= longest < n_frames:
        raise VitrifyError(f"max_lag {max_lag} must lie between 0 and {n_frames - 1} for {n_frames} frames")
    return np.arange(longest + 1)


def _correlation_sums(x: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """sum_t x_i(t + lag) . x_i(t) for (T,N,3): (L,N), by the Wiener-Khinchin theorem with zero padding."""
    sums = np.zeros((len(lags), x.shape[1]))
    for axis in range(3):  # one component at a time, which bounds the memory
        transform = np.fft.rfft(x[..., axis], n=2 * len(x), axis=0)
        sums += np.fft.irfft(transform * transform.conj(), n=2 * len(x), axis=0)[lags]
    return sums


def _by_type(per_atom: np.ndarray, types: np.ndarray | None) -> np.ndarray:
    if types is None:
        mean: np.ndarray = per_atom.mean(axis=1)
        return mean
    return np.array([per_atom[:, types == kind].mean(axis=1) for kind in range(int(np.max(types)) + 1)])
