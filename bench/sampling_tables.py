"""The laws that `mp-pi` with `sampling="optimal"` draws its passes from: made for the package, or timed.

python -m bench.sampling_tables                 # solve n = 2..64 and write explainers/families/sampling_tables.npz
python -m bench.sampling_tables times [N ...]   # seconds, distance and proof for each N (default 5..200)
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from saliscope.explainers.families.coalitions import class_law, pass_lengths, visits_adjoint
from saliscope.explainers.families.sampling_tables import LARGEST_SHIPPED, Optimum, pack, solve, tidy

PLACE = Path(__file__).parents[1] / "explainers" / "families" / "sampling_tables.npz"
TIMED = (5, 10, 20, 30, 40, 60, 100, 150, 200)


def lower_bound(optimum: Optimum) -> float:
    """What no law can beat, from the dual alone: a proof of the optimum that trusts no solver."""
    n = len(optimum.law)
    dual = np.clip(optimum.dual, -1.0, 1.0)
    collected = visits_adjoint(np.vstack([dual[:-1], np.zeros((1, n))])) / pass_lengths(n)
    # No passes at all are at distance 1, so a better law puts at most 2 on P^D and, at least half of each pass being
    # short of the whole text, has at most mass 4.
    return float((dual * class_law(n)).sum() - 4.0 * max(0.0, float(collected.max())))


def write(largest: int) -> None:
    """Solve every size and write the table."""
    laws = {}
    for n in range(2, largest + 1):
        optimum = solve(n)
        laws[n] = tidy(optimum.law)
        print(f"n {n:3}  distance {optimum.distance:.6f}  classes {np.count_nonzero(laws[n])}", flush=True)
    table = pack(laws)
    np.savez_compressed(PLACE, features=table["features"], size=table["size"], last=table["last"], share=table["share"])
    print(f"{PLACE}: {PLACE.stat().st_size} bytes")


def times(sizes: list[int]) -> None:
    """Seconds for each size, the distance, how far it is above the proven bound, and the classes used."""
    print(f"{'n':>4} {'seconds':>8} {'distance':>9} {'above bound':>12} {'classes':>8}")
    for n in sizes:
        start = time.perf_counter()
        optimum = solve(n)
        seconds = time.perf_counter() - start
        gap = optimum.distance - lower_bound(optimum)
        used = np.count_nonzero(tidy(optimum.law))
        print(f"{n:4} {seconds:8.2f} {optimum.distance:9.4f} {gap:12.1e} {used:8}", flush=True)


def main() -> None:
    """Write the shipped tables, or print how long the programmes take."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("write", "times"), default="write")
    parser.add_argument("sizes", nargs="*", type=int, help="numbers of features to time")
    asked = parser.parse_args()
    if asked.what == "times":
        times(asked.sizes or list(TIMED))
    else:
        write(LARGEST_SHIPPED)


if __name__ == "__main__":
    main()
