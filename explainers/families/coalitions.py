"""Coalitions of features read from left to right: their laws, and how often passes over a text visit them.

A class (k, l) holds the coalitions of size k whose last member is feature l, both counted from 1. Laws over classes
are float64 `[n, n]` at `[k - 1, l - 1]`, zero where l < k. A pass S+ keeps a coalition S' and every feature after its
last one, and visits each of its own prefixes. Kariyappa et al., ICML 2024, equations 12-17.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

Wide = npt.NDArray[np.float64]


def log_choose(whole: Any, part: Any) -> Any:
    """The logarithm of the binomial coefficient, -inf where it is zero; arrays broadcast."""
    whole, part = np.broadcast_arrays(np.asarray(whole, dtype=np.float64), np.asarray(part, dtype=np.float64))
    inside = (part >= 0) & (part <= whole)
    w, p = np.where(inside, whole, 0.0), np.where(inside, part, 0.0)
    return np.where(inside, gammaln(w + 1) - gammaln(p + 1) - gammaln(w - p + 1), -np.inf)


def size_law(num_features: int) -> Wide:
    """How Shapley's kernel spreads over sizes 1..n, `[n]`: 1 / (i (n - i)), normalised; zero for the whole."""
    sizes = np.arange(1, num_features, dtype=np.float64)
    law = np.zeros(num_features)
    law[:-1] = 1.0 / (sizes * (num_features - sizes))
    return law / law.sum() if num_features > 1 else law


def class_law(num_features: int) -> Wide:
    """How Shapley's kernel spreads over classes, `[n, n]`: P*_k C(l - 1, k - 1) / C(n, k)."""
    k, last = _grid(num_features)
    share = np.exp(log_choose(last - 1, k - 1) - log_choose(num_features, k))
    return np.asarray(size_law(num_features)[:, None] * share, dtype=np.float64)


def classes(num_features: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The (n - 1)(n + 2) / 2 classes a pass can start from: sizes and last members, row by row."""
    k, last = _grid(num_features)
    return k[(last >= k) & (k < num_features)], last[(last >= k) & (k < num_features)]


def pass_lengths(num_features: int) -> Wide:
    """How many coalitions the pass of a class visits, `[n, n]`: k + n - l."""
    k, last = _grid(num_features)
    return np.where(last >= k, k + num_features - last, 1).astype(np.float64)


def visits(law: Wide) -> tuple[Wide, Wide]:
    """Expected visits of every class by one pass from `law`, and the part made by proper prefixes of S' (no tails).

    Linear in `law`, which need not sum to one; O(n^2). With `law / pass_lengths(n)` it is the paper's P^D, one
    coalition drawn from each pass.
    """
    n = len(law)
    seen, prefixes = np.zeros((n, n)), np.zeros((n, n))
    waiting = np.zeros(n + 1)
    """Mass of "a uniform k-subset of the first l features" at [k]."""
    sizes = np.arange(n + 1, dtype=np.float64)
    for last in range(n, 0, -1):
        hit = waiting * (sizes / last)
        here = hit[1:] + law[:, last - 1]
        prefixes[:, last - 1] = hit[1:]
        seen[:, last - 1] = here
        waiting = waiting - hit
        waiting[:-1] += here
        waiting[last:] = 0.0
    for last in range(1, n):
        # A tail goes on where the pass of the class before it, or an earlier tail, stood.
        tail = law[:-1, last - 1] + (seen - prefixes - law)[:-1, last - 1]
        seen[1:, last] += tail
    return seen, prefixes


def visits_adjoint(weights: Wide) -> Wide:
    """The adjoint of `visits`: what a pass from each class collects of `weights [n, n]`; O(n^2)."""
    n = len(weights)
    collected = np.zeros((n, n))
    sizes = np.arange(n + 1, dtype=np.float64)
    before = np.zeros(n + 1)
    """What a uniform k-subset of the first l - 1 features collects, at [k]."""
    for at in range(1, n + 1):
        here = weights[:, at - 1] + before[:-1]
        collected[:, at - 1] = here
        share = np.minimum(sizes / at, 1.0)
        before = (1.0 - share) * before
        before[1:] += share[1:] * here
    tails = np.zeros((n, n))
    for at in range(n - 1, 0, -1):
        tails[:-1, at - 1] = weights[1:, at] + tails[1:, at]
    k, last = _grid(n)
    return np.where(last >= k, collected + tails, 0.0)


def conditional(num_features: int, tails: bool = True, printed: bool = False) -> Wide:
    """Pr(k, l | i, j) of one coalition drawn from the pass of class (i, j), `[M, M + 1]` over `classes(n)`.

    The last column is the whole text. Without `tails` it is equation 14, with them equation 17. `printed` has the
    binomial C(j - l, i - k) of the paper, which forgets that feature j is kept: its rows do not sum to one.
    """
    sizes, lasts = classes(num_features)
    i, j = sizes[:, None], lasts[:, None]
    k, last = np.append(sizes, num_features)[None, :], np.append(lasts, num_features)[None, :]
    own = (k - i == last - j) & ((last >= j) if tails else (last == j))
    if printed:
        inside = (k < i) & (last < j) if tails else (k <= i) & (last <= j)
        rest = log_choose(j - last, i - k)
    else:
        inside = (k < i) & (last < j)
        rest = log_choose(j - last - 1, i - k - 1)
    prefixes = np.where(inside, np.exp(log_choose(last - 1, k - 1) + rest - log_choose(j - 1, i - 1)), 0.0)
    length = i + num_features - j if tails else i
    return np.asarray((prefixes + (own & ~inside)) / length, dtype=np.float64)


def visited_law(law: Wide, printed: bool = False) -> Wide:
    """The paper's P^D `[n, n]`, zero for the whole text: the class of one coalition drawn from a pass of `law`.

    The `printed` formula is a matrix of n^4 / 4 numbers.
    """
    n = len(law)
    sizes, lasts = classes(n)
    if not printed:
        seen, _ = visits(law / pass_lengths(n))
        seen[-1] = 0.0
        return seen
    seen = np.zeros((n, n))
    seen[sizes - 1, lasts - 1] = law[sizes - 1, lasts - 1] @ conditional(n, printed=True)[:, :-1]
    return seen


def log_kernel(num_features: int) -> Wide:
    """The logarithm of one coalition's share in Shapley's kernel by its size 1..n, `[n]`; -inf for the whole."""
    sizes = np.arange(1, num_features + 1)
    with np.errstate(divide="ignore"):
        logs = np.log(size_law(num_features))
    return np.asarray(logs - log_choose(num_features, sizes), dtype=np.float64)


def log_inclusion(keep: npt.NDArray[np.bool_], law: Wide) -> Wide:
    """The logarithm of the expected visits to each coalition of `keep [R, n]` by one pass drawn from `law`.

    At [r, l] for the coalition of row r that ends with feature l, -inf where the row does not keep l. A coalition is
    met as a proper prefix of S', or with its last d members in the tail of S', for every d below its closing run.
    """
    n = len(law)
    k, last = _grid(n)
    many = log_choose(last - 1, k - 1)
    _, prefixes = visits(law)
    with np.errstate(divide="ignore", invalid="ignore"):
        as_prefix = np.where(last >= k, np.log(prefixes) - many, -np.inf)
        as_whole = np.where(last >= k, np.log(law) - many, -np.inf)
    sizes = keep.cumsum(axis=1)
    out = np.full(keep.shape, -np.inf)
    run = np.full(len(keep), -np.inf)
    for at in range(n):
        size = np.maximum(sizes[:, at] - 1, 0)
        run = np.where(keep[:, at], np.logaddexp(as_whole[size, at], run), -np.inf)
        out[:, at] = np.where(keep[:, at], np.logaddexp(as_prefix[size, at], run), -np.inf)
    return out


def _grid(num_features: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    k, last = np.mgrid[1 : num_features + 1, 1 : num_features + 1]
    return k, last
