"""The ledger's disk fills up, its server is killed: what was acknowledged stays, and the search goes on or says why it can't."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faults.checking import Books, check
from faults.pretended import Wishes
from faults.scenes import Scene
from postgres_server import PostgresServer

pytestmark = pytest.mark.timeout(900)  # many processes are started, one after the other
DISK_BYTES = 6 * 2**20
ENOUGH_ACKNOWLEDGED = 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Take all the room that is left, as another program would."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


@pytest.mark.slow
def test_a_disk_that_is_full_stops_the_search_with_its_reason_and_room_lets_it_go_on(small_disk: Path, tmp_path: Path) -> None:
    played = Scene(Wishes(str(tmp_path / "scene"), trials=40, seconds=0.05))
    played.root.mkdir()
    (played.root / "home").symlink_to(small_disk)
    driver = played.start()
    played.until(finished=ENOUGH_ACKNOWLEDGED)
    filler = fill(small_disk)
    asked = time.monotonic()
    code = played.end(driver)
    assert code != 0 and time.monotonic() - asked < 120
    assert "full" in played.said() and "room" in played.said(), played.said()
    filler.unlink()
    before = Books.of(played)
    assert before.lost == 0 and len(before.acknowledged) >= ENOUGH_ACKNOWLEDGED
    played.count("disk full", 1, 2 * played.wishes.workers)
    played.finish()
    check(played)


@pytest.mark.slow
def test_postgresql_is_killed_and_started_again_and_the_search_goes_on(
    scene: Callable[..., Scene], postgres_server: PostgresServer
) -> None:
    played = scene(trials=30, seconds=0.1, storage=postgres_server.new_database())
    driver = played.start()
    for finished in (4, 9, 14):
        played.until(finished)
        postgres_server.kill_at_once()
        time.sleep(0.5)
        postgres_server.start()
    assert played.end(driver) == 0, played.said()
    played.count("database killed", 3, played.wishes.workers)
    check(played)


@pytest.mark.slow
def test_a_driver_and_postgresql_are_killed_together(scene: Callable[..., Scene], postgres_server: PostgresServer) -> None:
    played = scene(trials=12, seconds=0.1, storage=postgres_server.new_database())
    driver = played.start()
    played.until(3)
    postgres_server.kill_at_once()
    assert played.kill(driver)
    postgres_server.start()
    played.finish()
    check(played)
    assert driver.exitcode == -signal.SIGKILL
