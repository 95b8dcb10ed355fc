"""The files of a study's nets: one for each model that is kept, and one for each training that is not over.

They are in the study's folder of the home, or below a path or URL of the user's (`Study.checkpoints`), in a folder of the study's
own that no other study shares. A worker has written its weights before it commits its result; so a result in the ledger has its
file, unless somebody took it away. Files without a result, and what interrupted writers left, are swept away when a search starts
and ends. A file that can't be deleted stays for the next sweep. Refuses another place than the study has.
"""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from os import PathLike, fspath
from pathlib import Path

from policysearch.ledger import Ledger, StudyRecord
from searchspaces.errors import BadInput
from trials.places import Location, is_url, location, require_usable

PLACE = "checkpoints"
"""The fact of a study that says where its files are, if not in the home."""
WEIGHTS, CONFIRMATION, TRAINING = "weights", "confirmation", "training"
"""The folders: of the search's best and of finalists, of the tested models, of what killed trainings go on from."""
CURE = "give a folder, or a URL that fsspec can write to (and install what it needs), or leave it out to keep them in the home"


class KeptWeights:
    """The files of one study, in one folder."""

    def __init__(self, directory: Location) -> None:
        self._directory = directory

    def path(self, trial_uid: str) -> Location:
        """Where the trial's file belongs."""
        return self._directory / f"{trial_uid}.pt"

    def drop(self, trial_uid: str) -> None:
        """Delete the trial's file, if it is there."""
        _delete(self.path(trial_uid))

    def sweep(self, keep: Iterable[str]) -> None:
        """Delete everything but the files of the trials in `keep`. Only while no worker writes here."""
        names = {self.path(trial_uid).name for trial_uid in keep}
        with suppress(OSError):
            self._directory.mkdir(parents=True, exist_ok=True)
            for file in self._directory.iterdir():
                if file.name not in names:
                    _delete(file)

    def is_sound(self, trial_uid: str, sha256: str | None) -> bool:
        """Whether the trial's weights are there and are those that were recorded."""
        try:
            found = hashlib.sha256(self.path(trial_uid).read_bytes()).hexdigest()
        except OSError:
            return False
        return found == sha256


def training_path(weights_path: str, trial_uid: str) -> Location:
    """What a killed training of that trial goes on from: beside the folder of the weights it is to write."""
    return KeptWeights(location(weights_path).parent.parent / TRAINING).path(trial_uid)


def named_place(wish: str | PathLike[str]) -> str:
    """A wished place as it is recorded: a URL without its last slash, or an absolute path. Opens nothing."""
    said = fspath(wish)
    return said.rstrip("/") if is_url(said) else str(Path(said).expanduser().absolute())


def require_place(wish: str | PathLike[str] | None) -> None:
    """Raise BadInput unless files can be kept at the wished place; None is the home, and always can."""
    if wish is None:
        return
    said = named_place(wish)
    if said.startswith("memory:"):
        raise BadInput(f"checkpoints {said}: is the memory of one process, and trials run in others; {CURE}")
    require_usable(said, CURE)


def note_place(ledger: Ledger, study: StudyRecord, wish: str | PathLike[str] | None) -> None:
    """Have the study keep its files at the wished place from now on; without a wish, see that they can be kept where they are.

    BadInput where it has another place already.
    """
    if wish is None:
        require_place(ledger.facts(study.uid).get(PLACE))
        return
    noted = ledger.note_fact(study.uid, PLACE, named_place(wish))
    if noted != named_place(wish):
        raise BadInput(
            f"study {study.name!r}: keeps its checkpoints at {noted}, not {named_place(wish)}; give that, or leave it out"
        )


def place_of(ledger: Ledger, study: StudyRecord, directory: Path) -> Location:
    """Where the study keeps its files: in `directory`, its folder of the home, unless it has noted another place."""
    noted = ledger.facts(study.uid).get(PLACE)
    return directory if noted is None else location(noted) / f"{study.name}-{study.uid[:12]}"


def _delete(file: Location) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)
