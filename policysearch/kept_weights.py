"""The weights files of a study: one for each model that may still be tested, no others.

A worker has renamed its weights into place before it commits its result; so a result in the ledger has its file, unless somebody
took it away. Files without a result, and what interrupted writers left, are swept away when a search starts and ends.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path


class KeptWeights:
    """The files of one study, in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, trial_uid: str) -> Path:
        """Where the trial's weights belong."""
        return self._directory / f"{trial_uid}.pt"

    def drop(self, trial_uid: str) -> None:
        """Delete the trial's weights, if they are there."""
        self.path(trial_uid).unlink(missing_ok=True)

    def sweep(self, keep: Iterable[str]) -> None:
        """Delete everything but the weights of the trials in `keep`. Only while no worker writes here."""
        self._directory.mkdir(parents=True, exist_ok=True)
        names = {self.path(trial_uid).name for trial_uid in keep}
        for file in self._directory.iterdir():
            if file.name not in names:
                file.unlink(missing_ok=True)

    def is_sound(self, trial_uid: str, sha256: str | None) -> bool:
        """Whether the trial's weights are there and are those that were recorded."""
        try:
            found = hashlib.sha256(self.path(trial_uid).read_bytes()).hexdigest()
        except FileNotFoundError:
            return False
        return found == sha256
