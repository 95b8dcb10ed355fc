"""Whether a study's cheaper rungs order policies as whole trainings do, read from the ledger: what early stopping rests on.

Counts each policy (with its recipe, where that is searched) that has a score both by the rung and by a whole training, baselines
that calibrate included, "none" left out. Decides nothing: the study is told.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from policysearch.judging.ranking import RankAgreement, rank_agreement
from policysearch.ledger.records import SEARCHED, Standing
from policysearch.rungs import EarlyStopping
from searchspaces.json_text import canonical_json

if TYPE_CHECKING:
    from policysearch.ledger import Ledger, StudyRecord

NOTHING = "none"


def rung_orders(ledger: "Ledger", study: "StudyRecord") -> tuple[RankAgreement, ...]:
    """Of each rung below the whole, the cheapest first; nothing for a study that stops no policy early."""
    stopping = EarlyStopping.from_dict(study.identity.get("early_stopping"))
    if stopping is None or len(stopping.rungs) < 2:
        return ()
    rows = ledger.standings(study.uid, (*SEARCHED, "calibration"))
    whole = _errors(rows, stopping.rungs[-1])
    return tuple(_agreement(stopping, epochs, _errors(rows, epochs), whole) for epochs in stopping.rungs[:-1])


def _agreement(stopping: EarlyStopping, epochs: int, cheap: dict[str, float], whole: dict[str, float]) -> RankAgreement:
    both = [policy for policy in cheap if policy in whole]
    errors = ([cheap[policy] for policy in both], [whole[policy] for policy in both])
    return rank_agreement(epochs, stopping.in_words(epochs), *errors)


def _errors(rows: Iterable[Standing], epochs: int) -> dict[str, float]:
    """The error of each policy's first training of so many epochs' work that has a score, by policy."""
    found: dict[str, float] = {}
    for row in rows:
        if row.budget_epochs == epochs and row.wrong is not None and row.total and row.label.partition(",")[0] != NOTHING:
            found.setdefault(f"{row.digest} {canonical_json(row.params)}", row.wrong / row.total)
    return found
