"""Intervals and paired tests by percentile bootstrap over sentences.

Resampling draws how often each distinct row of counts occurs, which is the same as drawing the sentences themselves
and makes 1,000 resamples of any corpus cheap.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]  # (sentences, 3): true positives, false positives, false negatives
Floats = npt.NDArray[np.float64]
RESAMPLES = 1000
CONFIDENCE = 0.95


def f1_of(totals: Counts) -> Floats:
    """F1 of rows of (tp, fp, fn): shape (n, 3) -> (n,). 1 where a row is all zero."""
    tp, both = totals[:, 0], 2 * totals[:, 0] + totals[:, 1] + totals[:, 2]
    return np.where(both == 0, 1.0, 2 * tp / np.maximum(both, 1))


def f1_interval(counts: Counts, seed: int, zeros: int = 0) -> tuple[float, float]:
    """The 95 % interval of F1 of ``counts`` and of ``zeros`` more sentences in which nothing is to be counted.

    Resamples without anything to count say nothing of F1 and are left out.
    """
    drawn = _resampled(counts, seed, zeros)
    drawn = drawn[drawn.any(axis=1)]
    return _interval(f1_of(drawn)) if len(drawn) else (1.0, 1.0)


def f1_difference(first: Counts, second: Counts, seed: int) -> tuple[float, tuple[float, float], float]:
    """F1 of ``second`` minus that of ``first`` on the same sentences: the difference, its 95 % interval, p-value.

    The p-value is two-sided: twice the share of resamples in which the sign is the other one (at least
    2 / (resamples + 1)).
    """
    drawn = _resampled(np.hstack([first, second]), seed)
    differences = f1_of(drawn[:, 3:]) - f1_of(drawn[:, :3])
    against = 1 + min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    whole = f1_of(np.stack([first.sum(axis=0), second.sum(axis=0)]))
    return float(whole[1] - whole[0]), _interval(differences), min(1.0, 2 * against / (RESAMPLES + 1))


def _interval(values: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _resampled(counts: Counts, seed: int, zeros: int = 0) -> Counts:
    """Totals of RESAMPLES bootstrap samples: shape (RESAMPLES, columns of ``counts``)."""
    occurring = Counter(map(tuple, counts.tolist()))
    if zeros:
        occurring[(0,) * counts.shape[1]] += zeros
    if not occurring:
        return np.zeros((RESAMPLES, counts.shape[1]), dtype=np.int64)
    ordered = sorted(occurring.items())
    rows = np.array([row for row, _ in ordered], dtype=np.int64)
    times = np.array([number for _, number in ordered], dtype=np.int64)
    size = int(times.sum())
    drawn: Counts = np.random.default_rng(seed).multinomial(size, times / size, size=RESAMPLES)
    return drawn @ rows
