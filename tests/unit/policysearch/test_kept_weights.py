"""Where nets are kept: the home, a folder or a URL; refused before the study begins, and always the same for a study."""

from pathlib import Path
from typing import Any

import pytest
from search_fixture import Study as Begun
from search_fixture import imagined

from policysearch import Study
from policysearch.drivers import Task
from policysearch.drivers.execution import record_failure
from policysearch.kept_weights import (
    TRAINING,
    WEIGHTS,
    KeptWeights,
    note_place,
    place_of,
    require_place,
    training_path,
)
from searchspaces.errors import BadInput
from trials.places import RemoteFile


def test_without_a_wish_they_are_in_the_studys_folder_of_the_home(tmp_path: Path) -> None:
    begun = Begun(tmp_path)
    note_place(begun.ledger, begun.study, None)
    assert place_of(begun.ledger, begun.study, tmp_path) == tmp_path


@pytest.mark.parametrize("wish", ["file://{}/nets/", "{}/nets"])
def test_a_wished_place_holds_for_the_study_from_then_on_in_a_folder_of_its_own(wish: str, tmp_path: Path) -> None:
    begun, said = Begun(tmp_path), wish.format(tmp_path)
    note_place(begun.ledger, begun.study, said)
    note_place(begun.ledger, begun.study, None)
    assert str(place_of(begun.ledger, begun.study, tmp_path)).startswith(f"{said.rstrip('/')}/bars-")
    with pytest.raises(BadInput, match=r"study 'bars': keeps its checkpoints at .*nets, not .*other; give that, or leave it out"):
        note_place(begun.ledger, begun.study, tmp_path / "other")
    other = begun.ledger.create_study("other", {"a": 1})
    note_place(begun.ledger, other, said)
    assert place_of(begun.ledger, other, tmp_path) != place_of(begun.ledger, begun.study, tmp_path)


def test_a_place_that_is_gone_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    begun = Begun(tmp_path)
    note_place(begun.ledger, begun.study, tmp_path / "nets")
    (tmp_path / "nets").write_text("a file")
    with pytest.raises(BadInput, match="can't be written to"):
        note_place(begun.ledger, begun.study, None)


@pytest.mark.parametrize(
    ("wish", "reason"),
    [("memory://x", "is the memory of one process"), ("nosuch://x", "Protocol not known"), ("/proc/x", "can't be written to")],
)
def test_an_unusable_place_is_refused_before_there_is_a_study(wish: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=reason):
        require_place(wish)
    with pytest.raises(BadInput, match=reason):
        Study("sample", checkpoints=wish, home=tmp_path / "home").run()
    assert [path.name for path in (tmp_path / "home").iterdir()] == []


def test_with_an_objective_a_place_is_refused() -> None:
    objective: Any = imagined
    with pytest.raises(BadInput, match="checkpoints: your function's nets are its own"):
        Study(objective=objective, checkpoints="x")


@pytest.mark.parametrize("folder", ["{}", "file://{}", "memory://kept"])
def test_files_are_dropped_and_swept_wherever_they_are(folder: str, tmp_path: Path) -> None:
    text = folder.format(tmp_path)
    place: Any = RemoteFile(text) if "://" in text else Path(text)
    kept = KeptWeights(place / WEIGHTS)
    kept.sweep([])
    from trials.places import write_at

    for uid in ("a", "b", "c"):
        write_at(kept.path(uid), uid.encode())
    write_at(place / WEIGHTS / ".d.pt.half", b"left")
    kept.drop("a")
    kept.drop("a")
    kept.sweep(["b", "missing"])
    assert [file.name for file in (place / WEIGHTS).iterdir()] == ["b.pt"]
    sha256 = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
    assert kept.is_sound("b", sha256) and not kept.is_sound("c", sha256)


def test_what_a_killed_training_left_goes_when_the_trial_is_given_up(tmp_path: Path) -> None:
    begun = Begun(tmp_path)
    task = begun.campaign(1).next_task()
    assert isinstance(task, Task)
    left = training_path(task.weights_path, task.trial_uid)
    assert isinstance(left, Path) and left.parent.name == TRAINING
    left.parent.mkdir(parents=True)
    left.write_bytes(b"so far")
    assert record_failure(task, "lost twice").status == "failed"
    assert not left.exists()
