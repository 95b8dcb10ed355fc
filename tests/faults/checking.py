"""What must hold once a study is done, whatever happened to its processes: recomputed from the tables and from the witnesses.

The names of the statements are those of docs/reliability.md.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from faults.pretended import NAME, error_of
from faults.scenes import Scene

from policysearch.home import Home
from policysearch.ledger import Ledger, TrialRecord
from policysearch.selection import winner

BASELINES = 5
ORPHAN_SECONDS = 60.0


@dataclass(frozen=True)
class Books:
    """What is recorded of a scene, and by whom."""

    scene: Scene
    trials: tuple[TrialRecord, ...]
    lines: int
    acknowledged: dict[str, set[int]]
    begun: Counter[str]
    ended: dict[str, set[int]]
    late: int

    @staticmethod
    def of(scene: Scene) -> "Books":
        """Read them."""
        ledger = ledger_of(scene)
        study = ledger.study(NAME)
        assert study is not None, f"{scene.root}: no study was made: {scene.said()}"
        acknowledged: dict[str, set[int]] = {}
        for uid, wrong in (line.split() for line in scene.lines("acknowledged")):
            acknowledged.setdefault(uid, set()).add(int(wrong))
        begun, ended = Counter[str](), dict[str, set[int]]()
        for kind, uid, _, value in (line.split() for line in scene.lines("witness")):
            if kind == "B":
                begun[uid] += 1
            else:
                ended.setdefault(uid, set()).add(int(value))
        late = len(ledger.late_results(study.uid))
        return Books(scene, ledger.trials(study.uid), len(scene.lines("witness")), acknowledged, begun, ended, late)

    @property
    def repeated(self) -> int:
        """Executions beyond one a trial."""
        return sum(self.begun.values()) - len(self.begun)

    @property
    def lost(self) -> int:
        """Acknowledged results that are not recorded as they were acknowledged."""
        done = {trial.trial_uid: trial.result.score.wrong for trial in self.trials if trial.result and trial.result.score}
        return sum(done.get(uid) not in wrong or len(wrong) > 1 for uid, wrong in self.acknowledged.items())

    @property
    def counted_twice(self) -> int:
        """Trials beyond one a uid, a number or a policy."""
        keys = [Counter(getattr(trial, name) for trial in self.trials) for name in ("trial_uid", "number", "digest")]
        return sum(count - 1 for counter in keys for count in counter.values())


def ledger_of(scene: Scene) -> Ledger:
    """The scene's ledger."""
    return Ledger(scene.wishes.storage or Home(scene.root / "home").ledger_url)


def snapshot(scene: Scene) -> Any:
    """All that is recorded of the study."""
    books = Books.of(scene)
    return books.trials, books.lines, books.late


def check(scene: Scene) -> Books:
    """Raise AssertionError with all that does not hold of a scene whose study is done; the books, if all does."""
    before = snapshot(scene)
    assert scene.end(scene.start()) == 0, scene.said()
    books = Books.of(scene)
    broken = [*_recorded(books), *_selected(books), *_left_behind(scene), *_counted(books)]
    if snapshot(scene) != before:
        broken.append("I8: a search of a study that is done changed something")
    assert not broken, f"{scene.root} ({dict(scene.faults)}): " + "; ".join(broken)
    return books


def _recorded(books: Books) -> Iterator[str]:
    if books.lost:
        yield f"I1: {books.lost} acknowledged results are not recorded"
    if books.counted_twice:
        yield f"I1: {books.counted_twice} trials are counted twice"
    for trial in books.trials:
        if trial.result is None:
            yield f"I6: trial {trial.number} has no result"
        elif trial.result.score is None:
            if not trial.result.error:
                yield f"I7: trial {trial.number} failed without a reason"
        elif trial.result.score.wrong != error_of(trial.params) or {trial.result.score.wrong} != books.ended.get(trial.trial_uid):
            yield f"I1: trial {trial.number} is recorded with another error than its witness saw"


def _selected(books: Books) -> Iterator[str]:
    done = [trial for trial in books.trials if trial.result and trial.result.score]
    best = min(done, key=lambda trial: (trial.result.score.wrong, trial.number))  # type: ignore[union-attr]
    written = json.loads((books.scene.root / "home" / "studies" / NAME / "policy.json").read_text())["provenance"]
    if winner(books.trials).trial_uid != best.trial_uid or written["validation"]["wrong"] != best.result.score.wrong:  # type: ignore[union-attr]
        yield "I3: the winner is not the trial with the lowest error"


def _left_behind(scene: Scene) -> Iterator[str]:
    give_up_at = time.monotonic() + ORPHAN_SECONDS
    while (left := scene.processes()) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    if left:
        yield f"I5: processes {left} outlive the search"
    files = [path for path in (scene.root / "home" / "studies").rglob(".*") if path.is_file()]
    if files:
        yield f"I5: {files} are left behind"


def _counted(books: Books) -> Iterator[str]:
    wanted = books.scene.wishes.trials + BASELINES
    if len(books.trials) != wanted:
        yield f"I6: {len(books.trials)} trials, not {wanted}"
    if books.repeated > books.scene.spared:
        yield f"I6: {books.repeated} repeated executions, more than the {books.scene.spared} that were under way at a fault"
