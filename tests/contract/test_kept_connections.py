"""A SQLite ledger's connection is kept from call to call: forks, other files of its name and full disks do no harm."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from policysearch.ledger import Ledger, StudyRecord, engines, sqlite_url
from policysearch.ledger.filesystems import network_filesystem
from searchspaces.errors import BadInput
from trials.values import Epoch, Score, TrialResult

MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/export /home nfs4 rw,vers=4.2 0 0
tmpfs /home/me/scratch tmpfs rw 0 0
//nas/pictures /mnt/with\\040space cifs rw 0 0
me@host:/ /mnt/far fuse.sshfs rw 0 0
C:\\134 /mnt/c 9p rw 0 0
/dev/vdb /data ext4 rw 0 0
server:/data /data nfs rw 0 0
"""


def result(trial_uid: str, wrong: int = 1, total: int = 200) -> TrialResult:
    score = Score((False,) * wrong + (True,) * (total - wrong), ((total - wrong, wrong), (0, 0)), 0.5)
    return TrialResult(trial_uid, "done", tuple(Epoch(number, 0.5, wrong, total) for number in range(1, 101)), score)


def add(ledger: Ledger, study: StudyRecord, number: int) -> str:
    return ledger.add_trial(study.uid, number, "trial", "", {}, f"d{number}", "", {"trial_uid": f"uid{number}"}).trial_uid


def sound(path: Path) -> list[str]:
    """The uids that have a result, by a shell of one's own."""
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [uid for (uid,) in connection.execute("SELECT trial_uid FROM result ORDER BY rowid")]
    finally:
        connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Ledger:
    return Ledger.open(sqlite_url(path))


def open_files(path: Path) -> int:
    return sum(os.path.realpath(f"/proc/self/fd/{name}") == str(path) for name in os.listdir("/proc/self/fd"))


def test_ledgers_of_one_file_share_what_is_kept(ledger: Ledger, path: Path) -> None:
    for _ in range(5):
        assert Ledger(sqlite_url(path)).studies() == ()
    assert open_files(path) == 1
    ledger.close()
    assert open_files(path) == 0
    assert ledger.studies() == ()


def test_few_files_are_kept_open_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.sqlite" for number in range(engines.MOST_FILES + 3)]
    ledgers = [Ledger.open(sqlite_url(path)) for path in paths]
    assert sum(map(open_files, paths)) <= engines.MOST_FILES
    assert [ledger.create_study("a", {}).name for ledger in ledgers] == ["a"] * len(ledgers)


def test_threads_write_side_by_side(ledger: Ledger) -> None:
    study = ledger.create_study("a", {})
    errors: list[BaseException] = []

    def write(first: int) -> None:
        try:
            for number in range(first, first + 10):
                ledger.commit_result(result(add(ledger, study, number)), ledger.start_attempt(f"uid{number}"))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(first,)) for first in range(0, 60, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and sum(trial.result is not None for trial in ledger.trials(study.uid)) == 60


def test_a_forked_child_has_a_connection_of_its_own_and_hurts_nobodys(ledger: Ledger, path: Path) -> None:
    study = ledger.create_study("a", {})
    add(ledger, study, 0)
    child = os.fork()
    if child == 0:  # no assert in here: it must not go on as a second pytest
        try:
            ledger.commit_result(result(add(ledger, study, 1)))
            os._exit(0 if len(ledger.trials(study.uid)) == 2 else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    ledger.commit_result(result("uid0", 2))
    ledger.close()
    assert sorted(sound(path)) == ["uid0", "uid1"]


def test_a_fork_while_a_thread_writes_ends_with_all_that_was_acknowledged(path: Path) -> None:
    code = (
        "import os, sys, threading\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from test_kept_connections import Ledger, add, result\n"
        "ledger = Ledger.open(sys.argv[1])\n"
        "study = ledger.create_study('a', {})\n"
        "def write(first):\n"
        "    for number in range(first, first + 30):\n"
        "        ledger.commit_result(result(add(ledger, study, number)))\n"
        "thread = threading.Thread(target=write, args=(0,))\n"
        "thread.start()\n"
        "children = []\n"
        "for place in range(1, 4):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        write(100 * place)\n"
        "        sys.exit(0)\n"  # with all that a process does at its end
        "    children.append(child)\n"
        "thread.join()\n"
        "sys.exit(any(os.waitpid(child, 0)[1] for child in children))\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, sqlite_url(path), str(Path(__file__).parent)]
    assert subprocess.run(command, timeout=300).returncode == 0
    assert len(sound(path)) == 4 * 30


def test_a_file_that_was_taken_away_is_named_and_goes_on_when_it_is_back(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    study = ledger.create_study("a", {})
    ledger.close()
    aside = tmp_path / "aside"
    assert ledger.studies() == (study,)
    path.rename(aside)
    for call in (ledger.studies, lambda: ledger.create_study("b", {})):
        with pytest.raises(BadInput, match=r"ledger\.sqlite: its file was taken away; put it back, or name another --home"):
            call()
    assert not path.exists()
    aside.rename(path)
    assert ledger.studies() == (study,)


def test_after_another_file_took_its_place_nothing_is_written_to_the_old_one(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    study = ledger.create_study("a", {})
    ledger.close()
    yesterday = Path(shutil.copy(path, tmp_path / "yesterday"))
    add(ledger, study, 0)
    yesterday.replace(path)
    for left in ("ledger.sqlite-wal", "ledger.sqlite-shm"):
        (tmp_path / left).unlink(missing_ok=True)
    assert ledger.trials(study.uid) == ()
    add(ledger, study, 1)
    ledger.close()
    assert [trial.number for trial in Ledger(sqlite_url(path)).trials(study.uid)] == [1]


def test_a_write_that_went_to_a_file_replaced_meanwhile_is_made_again(
    ledger: Ledger, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is replaced between the look at it and the COMMIT: the worst moment."""
    study = ledger.create_study("a", {})
    ledger.close()
    copy = Path(shutil.copy(path, tmp_path / "copy"))
    real = engines.is_of_its_file
    replaced: list[bool] = []

    def replace_after_the_first_look(engine: object) -> bool:
        kept = real(engine)  # type: ignore[arg-type]
        if kept and not replaced:
            replaced.append(True)
            copy.replace(path)
            for left in ("ledger.sqlite-wal", "ledger.sqlite-shm"):
                (tmp_path / left).unlink(missing_ok=True)
        return kept

    assert ledger.studies() == (study,)
    monkeypatch.setattr(engines, "is_of_its_file", replace_after_the_first_look)
    add(ledger, study, 7)
    ledger.close()
    assert [trial.number for trial in Ledger(sqlite_url(path)).trials(study.uid)] == [7]


@contextmanager
def little_room(directory: Path) -> Iterator[None]:
    """The directory on a disk of 1 MB, where that may be mounted."""
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(directory)]
    if shutil.which("mount") is None or subprocess.run(mounting, capture_output=True).returncode != 0:
        pytest.skip("no small disk can be mounted here (that takes root)")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def test_on_a_full_disk_what_was_acknowledged_stays_and_the_same_call_works_once_there_is_room(tmp_path: Path) -> None:
    directory = tmp_path / "small"
    directory.mkdir()
    with little_room(directory):
        path, ballast = directory / "ledger.sqlite", directory / "ballast"
        ledger = Ledger.open(sqlite_url(path))
        study = ledger.create_study("a", {})
        uids = [add(ledger, study, number) for number in range(12)]
        acknowledged = [ledger.commit_result(result(uid)).trial_uid for uid in uids[:4]]
        fill(ballast)
        with pytest.raises(BadInput, match=r"full; name another file, or a --home on a disk that has room") as caught:
            for uid in uids[4:]:
                acknowledged.append(ledger.commit_result(result(uid)).trial_uid)
        assert "\n" not in str(caught.value)
        assert [trial.trial_uid for trial in ledger.trials(study.uid) if trial.result] == acknowledged
        ballast.unlink()
        for uid in uids[len(acknowledged) :]:
            acknowledged.append(ledger.commit_result(result(uid)).trial_uid)
        ledger.close()
        assert sound(path) == acknowledged == uids


def fill(ballast: Path) -> None:
    """Make the file as large as there is room for."""
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_ledger_without_room_to_grow_says_so(ledger: Ledger, path: Path) -> None:
    """As on a full disk, where none can be mounted: SQLite is told that its file may grow no more."""
    study = ledger.create_study("a", {})
    uid = add(ledger, study, 0)
    with engines.engine_for(ledger._database._url).connect() as connection:
        connection = connection.execution_options(writes=False)
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
    big = result(uid, 1, 200_000)
    with pytest.raises(BadInput, match="database or disk is full; name another file"):
        ledger.commit_result(big)
    assert ledger.commit_result(big) == big  # by a new connection, for which the disk has room
    ledger.close()
    assert sound(path) == [uid]


def test_a_killed_writer_leaves_nothing_that_the_next_one_must_clear_up(ledger: Ledger, path: Path) -> None:
    study = ledger.create_study("a", {})
    ledger.close()
    code = (
        "import os, signal, sys\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from test_kept_connections import Ledger, StudyRecord, add, result\n"
        "ledger = Ledger(sys.argv[1])\n"
        "ledger.commit_result(result(add(ledger, ledger.study('a'), 0)))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", code, ledger.url, str(Path(__file__).parent)]
    assert subprocess.run(command).returncode == -9
    assert path.with_name("ledger.sqlite-wal").exists()
    assert ledger.trials(study.uid)[0].result == result("uid0")
    ledger.close()
    assert [file.name for file in path.parent.iterdir()] == ["ledger.sqlite"]
    assert sound(path) == ["uid0"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/data", "nfs4"),
        ("/home", "nfs4"),
        ("/homely", None),
        ("/home/me/scratch/x", None),
        ("/mnt/with space/x", "cifs"),
        ("/mnt/far/x", "fuse.sshfs"),
        ("/mnt/c/Users", "9p"),
        ("/data/x", "nfs"),
        ("/var/lib", None),
    ],
)
def test_a_network_file_system_is_told_by_the_mounts(path: str, kind: str | None) -> None:
    assert network_filesystem(Path(path), MOUNTS) == kind


def test_a_container_whose_root_is_its_hosts_is_alone_on_it() -> None:
    assert network_filesystem(Path("/home/me"), "none / 9p rw 0 0\n") is None
    assert network_filesystem(Path("/home/me"), "") is None


def test_a_ledger_on_a_network_file_system_is_refused_before_it_is_made(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/export {tmp_path.resolve()} nfs4 rw 0 0\n")
    monkeypatch.setattr("policysearch.ledger.filesystems.MOUNTS", mounts)
    with pytest.raises(BadInput, match=r"network file system \(nfs4\).*--home on a disk of this.*--storage postgresql://"):
        Ledger.open(sqlite_url(path))
    assert not path.exists()


def test_reading_and_writing_a_ledger_takes_no_torch() -> None:
    code = "import sys; import policysearch.ledger, policysearch.home, policysearch.holding; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
