"""Many processes on one PostgreSQL: each claims its trials, renews, "trains" and commits; everything is counted afterwards.

By itself, with a server of its own: `python tests/claimers.py --processes 200 --trials 20` (nothing heavy is imported, so that
200 processes fit into a small machine). It ends with a line of figures, or with what is wrong.
"""

import argparse
import multiprocessing
import random
import sys
import time
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from policysearch.ledger import Ledger, StudyRecord, tables
from policysearch.ledger.rows import trial_row
from trials.values import Counts, Epoch, TrialResult

TOTAL = 1000
CLOSING_SECONDS = 10.0  # a connection that is held stays for as long as all train
LONGEST_TRAINING_SECONDS = 0.05
ALL_TRAIN_AT = 1  # the trial in which everybody trains at once, and the connections are counted


@dataclass(frozen=True)
class Figures:
    """What the processes did. `held` are the server's connections while all of them trained; seconds are of single claims."""

    processes: int
    trials: int
    recorded: int
    wrong_values: int
    late: int
    attempts: int
    held: int
    failed_processes: int
    claim_p50_seconds: float
    claim_p99_seconds: float
    span_seconds: float

    @property
    def complaints(self) -> list[str]:
        """What is not as it should be."""
        wanted = self.processes * self.trials
        checks = {
            f"{self.recorded} of {wanted} results are recorded": self.recorded == wanted,
            f"{self.wrong_values} results are another trial's": self.wrong_values == 0,
            f"{self.late} results came late": self.late == 0,
            f"{self.attempts} attempts were counted for {wanted} trials": self.attempts == wanted,
            f"{self.held} connections were held while everybody trained": self.held == 0,
            f"{self.failed_processes} processes failed": self.failed_processes == 0,
        }
        return [words for words, is_right in checks.items() if not is_right]


def race(url: str, processes: int, trials: int) -> Figures:
    """Let so many processes run so many trials each, in a new ledger at `url`."""
    ledger = Ledger.open(url)
    study = ledger.create_study("claimers", {})
    _plan(ledger, study, processes * trials)
    context = multiprocessing.get_context("fork")  # from a process without threads; what is imported is shared
    training, counted = context.Barrier(processes + 1), context.Barrier(processes + 1)
    claims: Any = context.Queue()
    began = time.monotonic()
    crew = [context.Process(target=_work, args=(url, place, trials, training, counted, claims)) for place in range(processes)]
    for process in crew:
        process.start()
    training.wait(timeout=300)
    held = _held(ledger)
    counted.wait(timeout=300)
    seconds = [second for _ in crew for second in claims.get(timeout=600)]
    for process in crew:
        process.join(timeout=60)
    span_seconds = time.monotonic() - began
    failed = sum(process.exitcode != 0 for process in crew)
    return _figures(ledger, study, processes, trials, held, failed, seconds, span_seconds)


def _plan(ledger: Ledger, study: StudyRecord, count: int) -> None:
    rows = [trial_row(study.uid, n, "trial", "", {}, f"d{n}", "", {"trial_uid": f"uid{n}"}) for n in range(count)]
    ledger._database.write(lambda connection: connection.execute(tables.trial.insert(), rows))


def _work(url: str, place: int, trials: int, training: Any, counted: Any, claims: Any) -> None:
    dice, ledger, seconds = random.Random(place), Ledger(url), []
    for turn in range(trials):
        number = place * trials + turn
        began = time.monotonic()
        fence = ledger.start_attempt(f"uid{number}", f"claimer {place}", 60)
        seconds.append(time.monotonic() - began)
        if turn == ALL_TRAIN_AT:
            training.wait(timeout=300)
            counted.wait(timeout=300)
        time.sleep(dice.uniform(0, LONGEST_TRAINING_SECONDS))
        assert ledger.renew_lease(f"uid{number}", fence, 60)
        wrong = number % TOTAL
        result = TrialResult(f"uid{number}", "done", (Epoch(1, 0.5, wrong, TOTAL),), Counts(wrong, TOTAL))
        assert ledger.commit_result(result, fence) == result
    claims.put(seconds)


def _held(ledger: Ledger) -> int:
    """The connections that are held: on a busy machine the server needs a moment to see off the last that were let go."""
    give_up_at = time.monotonic() + CLOSING_SECONDS
    while (count := _connections(ledger)) and time.monotonic() < give_up_at:
        time.sleep(0.1)
    return count


def _connections(ledger: Ledger) -> int:
    """The server's connections to this database, but for the one that asks."""
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return int(ledger._database.read(lambda connection: connection.exec_driver_sql(count).scalar_one()))


def _figures(
    ledger: Ledger, study: StudyRecord, processes: int, trials: int, held: int, failed: int, seconds: list[float], span: float
) -> Figures:
    rows = ledger.standings(study.uid)
    done = [row for row in rows if row.status == "done"]
    cuts = quantiles(seconds, n=100)
    return Figures(
        processes=processes,
        trials=trials,
        recorded=len(done),
        wrong_values=sum(row.wrong != row.number % TOTAL for row in done),
        late=len(ledger.late_results(study.uid)),
        attempts=sum(row.attempts for row in rows),
        held=held,
        failed_processes=failed,
        claim_p50_seconds=cuts[49],
        claim_p99_seconds=cuts[98],
        span_seconds=span,
    )


def main() -> None:
    """Race in a server of one's own and say what came of it."""
    from postgres_server import running_server

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=200)
    parser.add_argument("--trials", type=int, default=20)
    wishes = parser.parse_args()
    with running_server() as server:
        figures = race(server.new_database(), wishes.processes, wishes.trials)
    print(
        f"{figures.processes} claimers x {figures.trials} trials on PostgreSQL: {figures.recorded} recorded in"
        f" {figures.span_seconds:.0f} s; a claim takes {figures.claim_p50_seconds:.3f} s (median),"
        f" {figures.claim_p99_seconds:.3f} s (99 %); {figures.held} connections held while training"
    )
    sys.exit("; ".join(figures.complaints) or 0)


if __name__ == "__main__":
    main()
