"""The ledger: studies, trials, results and looks at the test set, in SQLite or PostgreSQL. The only home of SQLAlchemy."""

from policysearch.ledger.address import checked_storage, sqlite_url
from policysearch.ledger.leases import LEASE_SECONDS, StudyHeld, Superseded
from policysearch.ledger.ledger import Ledger
from policysearch.ledger.records import (
    ALPHA,
    ENQUEUED,
    SEARCHED,
    Claim,
    ClaimedModel,
    Figure,
    LateResult,
    Role,
    Standing,
    StudyRecord,
    TrialRecord,
)

__all__ = [
    "ALPHA",
    "ENQUEUED",
    "LEASE_SECONDS",
    "SEARCHED",
    "Claim",
    "ClaimedModel",
    "Figure",
    "LateResult",
    "Ledger",
    "Role",
    "Standing",
    "StudyHeld",
    "StudyRecord",
    "Superseded",
    "TrialRecord",
    "checked_storage",
    "sqlite_url",
]
