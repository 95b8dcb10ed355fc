"""The ledger: studies, trials, results and looks at the test set, in SQLite or PostgreSQL. The only home of SQLAlchemy."""

from policysearch.ledger.connect import sqlite_url
from policysearch.ledger.ledger import Ledger
from policysearch.ledger.records import Claim, ClaimedModel, Figure, StudyRecord, TrialRecord

__all__ = ["Claim", "ClaimedModel", "Figure", "Ledger", "StudyRecord", "TrialRecord", "sqlite_url"]
