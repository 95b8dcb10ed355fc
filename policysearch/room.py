"""Keeping a home's prepared images within their limit: which of them its studies still need, and the removal of others.

A study needs its images until its policy is written, and from a claim on its test images until the figure is there. What is
removed is made again from the data by whoever asks for it. The rule itself is in `trials.data.room`.
"""

from policysearch.course.planned import ALL_ROLES
from policysearch.home import Home
from policysearch.ledger import Ledger, StudyRecord
from trials.data import room


def make_room(home: Home, ledger: Ledger | None) -> tuple[room.KeptSet, ...]:
    """Remove prepared images that no unfinished study needs, the longest unused first, until the limit is kept; what went.

    `ledger` None: nothing has been searched here. BadInput for a limit that is no number.
    """
    most_bytes = room.limit_bytes()
    if sum(one.size_bytes for one in room.kept_sets(home.root)) <= most_bytes:
        return ()
    return room.make_room(home.root, most_bytes, spared(home, ledger) if ledger is not None else ())


def spared(home: Home, ledger: Ledger) -> frozenset[str]:
    """The keys of the prepared images of studies that are not finished."""
    going_on = [study for study in ledger.studies() if not _is_finished(home, ledger, study)]
    specs = [trial.spec for study in going_on for trial in ledger.trials(study.uid, ALL_ROLES)]
    return frozenset(home.data_directory(spec["data"]["directory"]).name for spec in specs if spec.get("data"))


def in_words(removed: tuple[room.KeptSet, ...]) -> str:
    """What was removed, for a person."""
    names = ", ".join(one.key for one in removed)
    size_gb = sum(one.size_bytes for one in removed) / 1e9
    return (
        f"removed, the longest unused, to keep prepared images below {room.limit_bytes() / 1e9:g} GB: {names} ({size_gb:.1f} GB)"
    )


def _is_finished(home: Home, ledger: Ledger, study: StudyRecord) -> bool:
    claim = ledger.claim(study.uid)
    if claim is not None:
        return claim.figure is not None
    return (home.study_directory(study.name) / "policy.json").is_file()
