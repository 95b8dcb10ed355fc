"""Plays thousands of studies with planted truth, and says how often each verdict came and was false.

    python tests/simulation/soak.py --studies 1000

Prints the tables of docs/statistics.md. The exit code is 1 where in a world in which nothing is better, "better" is claimed in
more than 5 % of studies (by the exact lower bound at 99 %), or where intervals miss the truth more often than they may.
"""

import argparse
import sys
import time
from multiprocessing import get_context
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from simulation.planted import World  # noqa: E402
from simulation.worlds import ALLOWED, GAINS, HEAD, NULLS, Tally, coverage, least_rate, tally  # noqa: E402

PAIRS_HEAD = (
    "\n| seeds | deviation over seeds (points) | level on each side | above 0 | below 0 | pairs |\n|---|---|---|---|---|---|"
)
PAIRS = tuple(
    (World(f"{seeds} seeds, {deviation}", seeds=seeds, seed_deviation=deviation, test=4000), level)
    for seeds, level in ((2, 0.025), (3, 0.025), (5, 0.025), (5, 0.0125), (10, 0.025))
    for deviation in (0.003, 0.005)
)


def main() -> int:
    """Play, print, judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=1000, help="in each world where nothing is better; half as many elsewhere")
    parser.add_argument("--processes", type=int, default=2)
    wishes = parser.parse_args()
    began, failed = time.monotonic(), False
    print(HEAD, flush=True)
    with get_context("spawn").Pool(wishes.processes) as pool:
        asked = [*((world, wishes.studies) for world in NULLS), *((world, wishes.studies // 2) for world in GAINS)]
        for found in pool.imap(_played, asked):
            print(found.row(), flush=True)
            failed |= found.world in NULLS and least_rate(found.kinds["better"], found.studies) > ALLOWED
        print(PAIRS_HEAD)
        pairs = [(world, wishes.studies, level) for world, level in PAIRS]
        for (world, count, level), (above, below) in zip(pairs, pool.imap(_missed, pairs), strict=True):
            shares = f"{100 * above / count:.1f} % | {100 * below / count:.1f} %"
            print(f"| {world.seeds} | {100 * world.seed_deviation:.1f} | {100 * level:g} % | {shares} | {count:,} |", flush=True)
            failed |= least_rate(above + below, count) > 2 * level
    print(f"\n{time.monotonic() - began:.0f} s; {'FAILED' if failed else 'all within bounds'}")
    return int(failed)


def _played(asked: tuple[World, int]) -> Tally:
    return tally(asked[0], range(asked[1]))


def _missed(asked: tuple[World, int, float]) -> tuple[int, int]:
    return coverage(*asked)


if __name__ == "__main__":
    sys.exit(main())
