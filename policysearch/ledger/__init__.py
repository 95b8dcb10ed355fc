"""The ledger: studies, trials, results and looks at the test set, in SQLite or PostgreSQL. The only home of SQLAlchemy."""

from policysearch.ledger.connect import sqlite_url
from policysearch.ledger.ledger import Ledger
from policysearch.ledger.records import ENQUEUED, Claim, ClaimedModel, Figure, Role, StudyRecord, TrialRecord

__all__ = ["ENQUEUED", "Claim", "ClaimedModel", "Figure", "Ledger", "Role", "StudyRecord", "TrialRecord", "sqlite_url"]
