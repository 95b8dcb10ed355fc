"""The MLflow mirror: it copies what the ledger says, beside the search, and may be behind; it never decides and never blocks.

Refuses nothing a study does: where MLflow is down the mirror stays behind and says so. MLflow is imported here and nowhere else.
"""
