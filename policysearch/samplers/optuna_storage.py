"""A study written into a storage of Optuna's, so that its own tools open it: optuna-dashboard, importances, plots.

Trials are added and never changed, each known by the uid of its training, so that the same again adds what is new and doubles
nothing, wherever it was stopped before; two at once take turns. Refuses addresses that are no storage's, databases that hold
something else, and an Optuna study of the same name that comes from elsewhere. Passwords are never shown. Nothing is ever read
back from there.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from searchspaces.errors import BadInput, PolicysearchError
from searchspaces.json_text import one_line
from searchspaces.parameters import Parameter, Value

if TYPE_CHECKING:
    import optuna

OWNER = "policysearch_study"
UID = "uid"
METRIC = "validation error"
SQLITE, POSTGRESQL = "sqlite:///", ("postgresql://", "postgres://", "postgresql+psycopg://")
ALLOWED = "sqlite:///FILE, the path of a journal file, and postgresql+psycopg://HOST/DATABASE"


@dataclass(frozen=True)
class ShownTrial:
    """A training that is over, as Optuna is told of it. `error` is the share of validation images wrong (0 to 1) of a done one.

    `params` are those that exist at its point; `errors` are by epoch; the times are aware.
    """

    uid: str
    state: Literal["done", "stopped", "failed"]
    params: Mapping[str, Value]
    error: float | None
    errors: Mapping[int, float]
    started_at: datetime
    ended_at: datetime
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class ShownStudy:
    """A study as Optuna is told of it: its own uid, the parameters of its space, its trials, and what is said of the whole."""

    name: str
    uid: str
    parameters: tuple[Parameter, ...]
    trials: Sequence[ShownTrial]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    """How many trials were added, and how many of the study are there now; `address` is the storage's, without a password."""

    added: int
    there: int
    address: str


def write_to_optuna(study: ShownStudy, address: str) -> Written:
    """Bring the storage up to date with the study. BadInput for an address, a database or an Optuna study that can't be used."""
    from policysearch.samplers.telling import quiet

    bare = without_password(address)
    with quiet():
        try:
            with _opened(address) as storage:
                added = _bring_up_to_date(storage, study)
        except PolicysearchError:
            raise
        except Exception as error:  # of Optuna, of SQLAlchemy, of a database's driver: each has its own
            reason = one_line((str(error).strip().splitlines() or [type(error).__name__])[0], 200)
            raise BadInput(f"storage {bare}: can't be written ({_without(reason, address)}); allowed are {ALLOWED}") from None
    return Written(added, len(study.trials), bare)


def _bring_up_to_date(storage: "optuna.storages.BaseStorage", study: ShownStudy) -> int:
    """Add what is missing; how many trials that were."""
    found = _study(storage, study)
    before = {trial.user_attrs.get(UID) for trial in found.get_trials(deepcopy=False)}
    new = [trial for trial in study.trials if trial.uid not in before]
    for trial in new:
        found.add_trial(_frozen(trial, study.parameters))
    for name, value in study.attributes.items():
        found.set_user_attr(name, value)
    return len(new)


def without_password(address: str) -> str:
    """The address as it may be shown: what stands between the account's name and the host's is left out, and all options."""
    scheme, found, rest = address.partition("://")
    if not found:
        return one_line(address)
    rest = rest.partition("?")[0]
    account, at, place = rest.rpartition("@")
    return one_line(f"{scheme}://{account.partition(':')[0]}{at}{place}")


def _without(text: str, address: str) -> str:
    """Text without the password of the address, wherever it says it."""
    secret = address.partition("://")[2].rpartition("@")[0].partition(":")[2]
    return text.replace(address, without_password(address)).replace(secret, "***") if secret else text


@contextmanager
def _opened(address: str) -> "Iterator[optuna.storages.BaseStorage]":
    """The storage, for this writer alone; its connections are closed afterwards."""
    from policysearch.ledger.one_writer import one_writer_to_database, one_writer_to_file

    if "://" not in address:
        _require_folder(Path(address), address)
        with one_writer_to_file(Path(address)):
            yield _journal(address)
        return
    url = _checked_url(address)
    with one_writer_to_file(_file(url)) if url.startswith(SQLITE) else one_writer_to_database(url):
        storage = _database(url)
        try:
            yield storage
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _journal(address: str) -> "optuna.storages.JournalStorage":
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    with suppress(FileNotFoundError), Path(address).open("rb") as file:
        first = file.readline(10_000)
        if first.startswith(b"SQLite format 3"):
            raise BadInput(f"storage {one_line(address)}: a SQLite database, no journal file; give {SQLITE}{one_line(address)}")
        if first and not first.startswith(b'{"op_code"'):
            raise BadInput(f"storage {one_line(address)}: holds something else than Optuna's journal; give a file of its own")
    return JournalStorage(JournalFileBackend(address))


def _checked_url(address: str) -> str:
    """The address of a database, with the driver that is used. BadInput for one that no storage has here."""
    if address.startswith(SQLITE):
        _require_folder(_file(address), address)
    elif not address.startswith(POSTGRESQL):
        raise BadInput(f"storage {without_password(address)}: allowed are {ALLOWED}")
    scheme, _, rest = address.partition("://")
    return address if scheme == "sqlite" else f"postgresql+psycopg://{rest}"


def _file(url: str) -> Path:
    """The file of a SQLite database."""
    return Path(url.removeprefix(SQLITE).partition("?")[0])


def _database(url: str) -> "optuna.storages.RDBStorage":
    """The storage in a database that is empty or Optuna's: in any other its tables would meet others' of their names."""
    from optuna.storages import RDBStorage

    from policysearch.ledger.address import tables_at

    tables = tables_at(url)
    if tables and not {"studies", "trials", "version_info"} <= tables:
        raise BadInput(f"storage {without_password(url)}: the database holds something else; give one of its own")
    return RDBStorage(url)


def _require_folder(path: Path, address: str) -> None:
    if not path.name or path.is_dir():
        raise BadInput(f"storage {one_line(address)}: names no file; allowed are {ALLOWED}")
    if not path.parent.is_dir():
        raise BadInput(f"storage {one_line(address)}: there is no folder {path.parent}; make it first")


def _study(storage: "optuna.storages.BaseStorage", study: ShownStudy) -> "optuna.Study":
    """The Optuna study of that name; made if need be. BadInput for one that is not ours."""
    import optuna

    if study.name in {found.study_name for found in storage.get_all_studies()}:
        found = optuna.load_study(study_name=study.name, storage=storage)
        owner, empty = found.user_attrs.get(OWNER), not found.user_attrs and not found.get_trials(deepcopy=False)
        if owner != study.uid and not empty:  # an empty one may have been left by a kill right after it was made
            whose = "of another ledger" if owner else "which policysearch did not make"
            raise BadInput(
                f"Optuna study {one_line(study.name)!r}: there is one of that name in the storage, {whose}; give another storage"
            )
    else:
        found = optuna.create_study(study_name=study.name, storage=storage, direction="minimize")
    found.set_user_attr(OWNER, study.uid)
    found.set_metric_names([METRIC])
    return found


def _frozen(trial: ShownTrial, parameters: Sequence[Parameter]) -> "optuna.trial.FrozenTrial":
    import optuna

    from policysearch.samplers.telling import STATES
    from searchspaces.render.optuna import distribution

    known = {parameter.name: parameter for parameter in parameters}
    return optuna.trial.FrozenTrial(
        number=-1,  # the study that it is added to gives it one
        trial_id=-1,
        state=STATES[trial.state],
        value=trial.error,
        datetime_start=trial.started_at,
        datetime_complete=trial.ended_at,
        params=dict(trial.params),
        distributions={name: distribution(known[name]) for name in trial.params},
        user_attrs={UID: trial.uid, **trial.attributes},
        system_attrs={},
        intermediate_values=dict(trial.errors),
    )
