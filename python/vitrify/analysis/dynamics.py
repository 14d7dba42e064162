"""Single-particle dynamics: mean squared displacement, diffusion, self-intermediate scattering, vibrations."""

from __future__ import annotations

import numpy as np

from vitrify.core.errors import VitrifyError


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


def self_intermediate(
    unwrapped: np.ndarray, types: np.ndarray | None, k: float, lags: np.ndarray, origins: int = 64
) -> np.ndarray:
    """Self part of the intermediate scattering function, averaged over the directions of k:

        F_s(k, lag) = <sin(k d) / (k d)>,   d = |r_i(t + lag) - r_i(t)|

    unwrapped: (T,N,3); types (N,) or None; k in 1/length; lags (L,) in frames. At most `origins` times t, evenly
    spread, are averaged over for each lag. Returns (L,), or (n_types, L) if types are given.
    """
    x, lags = _frames(unwrapped), np.asarray(lags)
    if k <= 0:
        raise VitrifyError(f"k {k:g} must be positive")
    if len(lags) and not 0 <= lags.min() <= lags.max() < len(x):
        raise VitrifyError(f"lags run from {lags.min()} to {lags.max()}, but {len(x)} frames have 0 to {len(x) - 1}")
    columns = []
    for lag in lags:
        starts = np.unique(np.linspace(0, len(x) - 1 - lag, origins).round().astype(int))
        total = np.zeros(x.shape[1])
        for start in starts:
            total += np.sinc(np.linalg.norm(x[start + lag] - x[start], axis=1) * (k / np.pi))
        columns.append(total / len(starts))
    return _by_type(np.array(columns).reshape(len(lags), x.shape[1]), types)


def vibrational_spectrum(
    velocities: np.ndarray, types: np.ndarray | None, interval: float, max_lag: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Density of vibrational states from the velocity autocorrelation c(t), by species:

        g(f) = A int_0^tau w(t) c(t) cos(2 pi f t) dt,   w(t) = cos^2(pi t / (2 tau)),   int_0^f_max g df = 1

    velocities: (T,N,3), `interval` apart. tau = max_lag intervals (default: a quarter of the frames) sets the
    resolution, about 1 / tau; f_max = 1 / (2 interval): vibrations beyond it fold back below it. Returns
    frequencies (F,), in cycles per time, and g (F,), or (n_types, F) if types are given.
    """
    longest = max(1, len(velocities) // 4) if max_lag is None else max_lag
    lags, correlation = velocity_autocorrelation(velocities, types, longest)
    window = np.cos(0.5 * np.pi * lags / (longest + 1)) ** 2
    half = correlation * window
    # The even continuation to negative lags, padded to a finer grid of frequencies, which only interpolates.
    n = 4 * (longest + 1)
    even = np.zeros((*half.shape[:-1], n))
    even[..., : longest + 1] = half
    even[..., n - longest :] = half[..., :0:-1]
    spectrum = np.fft.rfft(even, axis=-1).real
    frequencies = np.fft.rfftfreq(n, interval)
    area = np.asarray(np.trapezoid(spectrum, frequencies, axis=-1))
    return frequencies, spectrum / area[..., None]


def spectrum_difference(frequencies: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """int |a - b| df of two normalised spectra (F,): 0 if they are equal, 2 if they have nothing in common."""
    return float(np.trapezoid(np.abs(a - b), frequencies))


def logarithmic_slope(time: np.ndarray, msd: np.ndarray, span: float = 2.0) -> np.ndarray:
    """d ln MSD / d ln t at each time (L,), from the values at t / sqrt(span) and t sqrt(span), interpolated; NaN
    where one of them lies outside: 2 for free flight, 0 in a cage, 1 for diffusion."""
    t, y = np.log(np.asarray(time, float)), np.log(np.asarray(msd, float))
    if not len(t):
        return np.zeros(0)
    step = 0.5 * np.log(span)
    low, high = (np.interp(t + d, t, y, left=np.nan, right=np.nan) for d in (-step, step))
    return np.asarray((high - low) / (2 * step))


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
        return np.asarray(per_atom.mean(axis=1))
    return np.array([per_atom[:, types == kind].mean(axis=1) for kind in range(int(np.max(types)) + 1)])
