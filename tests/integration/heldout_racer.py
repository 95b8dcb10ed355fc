"""Races to the held-out gate: processes forked from one warmed parent all want a study's test figure, and many are killed.

    python tests/integration/heldout_racer.py --races 200 --processes 50 --seed 1

In each race most processes ask for the study's list of models, some for another list, which must be refused once the first is
claimed (or the other way round). Some die at `gate_claimed` and `gate_evaluated`, others by SIGKILL at a random moment. Then one
more process ends what was claimed. Every process writes down the figure that it was given, in a file that knows nothing of the
ledger: all must be the one that a process alone gets. The sums are printed as JSON; the exit code is 1 where something is wrong.

Without --data and --heldout small images are made.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

if __name__ == "__main__":  # as a script, it must find what it tests
    sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

import trials.evaluate
import trials.run  # noqa: F401  # loaded before the fork, so that the children race and don't load
from policysearch.heldout import Entrant, disclose
from policysearch.ledger import Figure, Ledger, StudyRecord, sqlite_url
from searchspaces.errors import LookRefused
from trials.data import Source, prepare, read_meta
from trials.failpoints import VARIABLE
from trials.models import build_model
from trials.recipes import default_recipe
from trials.values import Score, TrialResult
from trials.weights import save_weights

RECIPE = default_recipe("cpu")
MODELS = 3  # whose weights are made: the list has the first two, the other list the last two
ASK_FOR_THE_OTHER = 0.2
DIE_AT_A_POINT = 0.3
ARE_KILLED = 0.4
KILLED_WITHIN_SECONDS = 3.0


@dataclasses.dataclass
class Track:
    """Where races are run: a ledger, images, weights, and the file in which processes write what they were given."""

    ledger: Ledger
    folder: Path
    data: Path
    heldout: Path
    hashes: list[str] = dataclasses.field(default_factory=list)
    alone: dict[bool, list[str]] = dataclasses.field(default_factory=dict)

    @property
    def witness(self) -> Path:
        return self.folder / "witness"

    def weights(self, number: int) -> Path:
        return self.folder / f"{number}.pt"

    def study(self, name: str) -> StudyRecord:
        fingerprint = read_meta(self.heldout)["fingerprints"]["test"]
        study = self.ledger.create_study(name, {"test": fingerprint})
        for number, sha256 in enumerate(self.hashes):
            uid = f"{name}-{number}"
            spec = {"trial_uid": uid, "recipe": dataclasses.asdict(RECIPE), "replicate": number}
            self.ledger.add_trial(study.uid, number, "confirmation", f"model {number}", {}, f"digest{number}", "", spec)
            valid = Score((True, False), ((1, 1), (0, 0)), 1.0)
            self.ledger.commit_result(TrialResult(uid, "done", score=valid, weights_sha256=sha256))
        return study

    def entrants(self, study: StudyRecord, other: bool) -> list[Entrant]:
        sides: list[tuple[int, Literal["winner", "baseline"]]] = [(other + 0, "winner"), (other + 1, "baseline")]
        return [
            Entrant(self.ledger.trial(f"{study.name}-{number}"), self.weights(number), f"model {number}", side)
            for number, side in sides
        ]


def ask(track: Track, study: StudyRecord, entrants: list[Entrant], who: str) -> None:
    """Ask for the figure as `policysearch test` does, and write down what came, whole or not at all."""
    try:
        figure = disclose(Ledger(track.ledger.url), study, track.data, track.heldout, entrants)
        line = f"{study.name} {who} figure {digest(figure)}\n"
    except LookRefused:
        line = f"{study.name} {who} refused -\n"
    descriptor = os.open(track.witness, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(descriptor, line.encode())


def digest(figure: Figure) -> str:
    """What a figure says, hashed: its models, and every image of every model."""
    said = [list(figure.models), [score.to_dict() for score in figure.scores]]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def in_a_child(work: Callable[[], None]) -> int:
    """Fork, do the work there, and end; the child's process number."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        work()
        code = 0
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """Wait for a child; its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def race(track: Track, number: int, processes: int, dice: random.Random) -> Counter[str]:
    """One race and what is wrong with it."""
    study = track.study(f"race-{number}")
    lists = {other: track.entrants(study, other) for other in (False, True)}
    gate, opened = os.pipe()  # all begin when the parent closes it
    children: dict[int, float | None] = {}
    for player in range(processes):
        other = dice.random() < ASK_FOR_THE_OTHER
        rule = ""
        if dice.random() < DIE_AT_A_POINT:
            rule = f"{dice.choice(['gate_claimed', 'gate_evaluated'])}=kill"

        def play(other: bool = other, rule: str = rule, player: int = player) -> None:
            os.environ[VARIABLE] = rule
            os.close(opened)
            os.read(gate, 1)
            ask(track, study, lists[other], f"{player}{'o' if other else 'm'}")

        killed_at = dice.uniform(0.0, KILLED_WITHIN_SECONDS) if not rule and dice.random() < ARE_KILLED else None
        children[in_a_child(play)] = killed_at
    os.close(gate)
    os.close(opened)
    began, codes = time.monotonic(), dict[int, int]()
    for child, moment in sorted(children.items(), key=lambda pair: (pair[1] is None, pair[1] or 0.0)):
        if moment is not None:
            time.sleep(max(0.0, began + moment - time.monotonic()))
            os.kill(child, signal.SIGKILL)  # it has not been waited for, so that the number is still its own
        codes[child] = ended(child)
    return judged(track, study, lists, codes)


def judged(track: Track, study: StudyRecord, lists: dict[bool, list[Entrant]], codes: dict[int, int]) -> Counter[str]:
    """End what was claimed by one more process, and compare what everybody was given with what one alone gets."""
    sums = Counter(races=1, processes=len(codes), killed=sum(code == -signal.SIGKILL for code in codes.values()))
    sums["failed"] = sum(code not in (0, -signal.SIGKILL) for code in codes.values())
    claim = track.ledger.claim(study.uid)
    sums["claims_left_open"] = int(claim is not None and claim.figure is None)
    sums["races_without_a_claim"] = int(claim is None)
    uids = {other: [entrant.trial.trial_uid for entrant in lists[other]] for other in lists}
    claimed = next((other for other in lists if claim and [model["trial_uid"] for model in claim.models] == uids[other]), False)
    sums["failed"] += ended(in_a_child(lambda: ask(track, study, lists[claimed], "last"))) != 0
    claim = track.ledger.claim(study.uid)
    figure = None if claim is None else claim.figure
    sums["claims_without_a_figure"] = int(figure is None)
    said = [line.split() for line in track.witness.read_text().splitlines()]
    given = [(who, what, which) for name, who, what, which in said if name == study.name]
    stored = "" if figure is None else digest(figure)
    sums["given_a_figure"] = sum(what == "figure" for _, what, _ in given)
    sums["refused"] = sum(what == "refused" for _, what, _ in given)
    sums["two_figures"] = len({which for _, what, which in given if what == "figure"} - {stored})
    right_list = "o" if claimed else "m"
    sums["wrongly_refused"] = sum(what == "refused" and who[-1] == right_list for who, what, _ in given)
    sums["wrongly_given"] = sum(what == "figure" and who[-1] not in (right_list, "t") for who, what, _ in given)
    sums["wrong_figures"] = int(figure is None or [score_digest(score) for score in figure.scores] != track.alone[claimed])
    return sums


def score_digest(score: Score) -> str:
    return hashlib.sha256(json.dumps(score.to_dict(), sort_keys=True).encode()).hexdigest()[:16]


def warm_up(track: Track) -> None:
    """Make the weights, and each list's figure as one process alone gets it.

    That loads all that torch loads when it is first used. It has one thread, so that a fork afterwards leaves none behind.
    """
    torch.set_num_threads(1)
    meta = read_meta(track.data)
    for number in range(MODELS):
        net = build_model(RECIPE.model, len(meta["mean"]), len(meta["classes"]), torch.Generator().manual_seed(number))
        track.hashes.append(save_weights(net, track.weights(number)))
    for other in (False, True):
        study = track.study(f"alone-{int(other)}")
        figure = disclose(track.ledger, study, track.data, track.heldout, track.entrants(study, other))
        track.alone[other] = [score_digest(score) for score in figure.scores]


def images(folder: Path) -> tuple[Path, Path]:
    """Small images of noise, prepared."""
    generator, arrays = np.random.default_rng(1), dict[str, Any]()
    for split, count in (("train", 60), ("val", 30), ("test", 200)):
        arrays[f"{split}_images"] = generator.integers(0, 256, (count, 12, 12), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(count) % 3
    np.savez(folder / "noise.npz", allow_pickle=False, **arrays)
    made = prepare(Source(data=str(folder / "noise.npz")), folder / "home")
    assert made.heldout is not None
    return made.directory, made.heldout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--races", type=int, default=200)
    parser.add_argument("--processes", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--heldout", type=Path)
    parser.add_argument("--storage", help="a PostgreSQL database for the ledger (default: SQLite)")
    wished = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gate-") as name:
        folder, dice, sums = Path(name), random.Random(wished.seed), Counter[str]()
        data, heldout = (wished.data, wished.heldout) if wished.data else images(folder)
        ledger = Ledger.open(wished.storage or sqlite_url(folder / "ledger.sqlite"))
        track, began = Track(ledger, folder, data, heldout), time.monotonic()
        track.witness.touch()
        warm_up(track)
        for number in range(wished.races):
            sums += race(track, number, wished.processes, dice)
            if sys.stderr.isatty():
                print(f"{number + 1} races, {sums['killed']} killed", end="\r", file=sys.stderr)
    names = ("two_figures", "claims_without_a_figure", "wrong_figures", "wrongly_refused", "wrongly_given", "failed")
    wrong = {name: sums[name] for name in names}
    print(json.dumps(dict(sums) | wrong | {"seconds": round(time.monotonic() - began, 1)}))
    return 1 if any(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
