"""Which MLflow the mirror writes to: the one the environment names, else a SQLite store under the home.

Holds addresses only; nothing is opened here, and no password leaves in `label` or in what `told` makes of an error.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from searchspaces.errors import PolicysearchError

# A server that refuses costs nothing, one that never answers costs 5 s a call. No retries: what failed stays in the outbox, and a
# repeated "create" whose first answer was lost would make a second run.
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
USER, PASSWORD, TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"
LONGEST_REASON = 300


@dataclass(frozen=True)
class Target:
    """An MLflow store. `artifact_location` is where new experiments keep files (None: the server says).

    `experiment` is the name the user asked for (None: one experiment a data set).
    """

    tracking_uri: str
    artifact_location: str | None = None
    experiment: str | None = None

    @property
    def is_server(self) -> bool:
        """Whether somebody else's server answers there, with a UI of its own."""
        return urlsplit(self.tracking_uri).scheme in ("http", "https")

    @property
    def label(self) -> str:
        """The store and the experiment wished for, without user and password: the ledger's name for this target."""
        return f"{self.shown_uri} {self.experiment or ''}".rstrip()

    @property
    def shown_uri(self) -> str:
        """The address without user and password, fit to be shown."""
        user, at, _ = urlsplit(self.tracking_uri).netloc.rpartition("@")
        return self.tracking_uri.replace(f"{user}{at}", "", 1) if at else self.tracking_uri

    def without_password(self, text: str) -> str:
        """`text` with this store's password, and those that the environment gives for it, blotted out."""
        secrets = (urlsplit(self.tracking_uri).password, os.environ.get(PASSWORD), os.environ.get(TOKEN))
        for secret in filter(None, secrets):
            text = text.replace(secret, "***")
        return text

    def told(self, error: Exception) -> str:
        """What a failed call comes to, in one line, with the cure where the server turned the caller away."""
        line = " ".join(str(error).split())
        if re.search(r"error code 401\b|not authenticated|UNAUTHENTICATED", line):
            return self._unknown_caller()
        if re.search(r"error code 403\b|PERMISSION_DENIED|Permission denied", line):
            return f"it does not let this user write there; ask for leave to edit the experiment, or set {USER} and {PASSWORD}"
        if not isinstance(error, PolicysearchError):
            line = f"{type(error).__name__}: {line}"
        return self.without_password(line)[:LONGEST_REASON]

    def _unknown_caller(self) -> str:
        if os.environ.get(USER) or os.environ.get(TOKEN) or urlsplit(self.tracking_uri).username:
            return f"it does not know this user with this password; correct {USER} and {PASSWORD}"
        return f"it wants a user and a password; set {USER} and {PASSWORD}"


def locate(home_root: Path) -> Target:
    """The target for a home: $MLFLOW_TRACKING_URI if set, else `<home>/mlflow.db`; files of a database's runs go to the home.

    $MLFLOW_EXPERIMENT_NAME, if set, names the experiment for every study.
    """
    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME") or None
    root = home_root.resolve()
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow.db'}"
    # A server keeps files itself. Over a bare database MLflow would make ./mlruns wherever the search was started.
    is_database = urlsplit(uri).scheme.partition("+")[0] in DATABASES
    return Target(uri, (root / "mlflow-artifacts").as_uri() if is_database else None, experiment)


def be_patient() -> None:
    """Set, where the user has not, how long this process waits for MLflow, and keep it quiet. Comes before MLflow's import."""
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
