"""The home: where it is, which study names it takes, who may search a study."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from policysearch.home import Home
from searchspaces.errors import BadInput

HOLD = """
import sys
from policysearch.home import Home
with Home.locate(sys.argv[1]).lock("birds"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_flag_goes_before_the_environment_and_that_before_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLICYSEARCH_HOME", str(tmp_path / "variable"))
    assert Home.locate(str(tmp_path / "flag")).root == tmp_path / "flag"
    assert Home.locate().root == tmp_path / "variable"
    monkeypatch.delenv("POLICYSEARCH_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert Home.locate().root == tmp_path / "data" / "policysearch"
    assert not list(tmp_path.iterdir()), "locating creates nothing"


def test_a_relative_home_is_meant_from_where_the_user_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Home.locate("here").root == tmp_path / "here"


def test_a_home_that_cannot_be_written_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/policysearch")):
        with pytest.raises(BadInput, match=r"home .*: can't be .*--home") as caught:
            Home(root).make()
        assert "\n" not in str(caught.value)


def test_the_home_of_nobody_is_refused() -> None:
    with pytest.raises(BadInput, match=r"home '~nobody-of-this-name/x': .*--home"):
        Home.locate("~nobody-of-this-name/x")


@pytest.mark.parametrize("name", ["", ".", "..", "../elsewhere", "a/b", ".hidden", "-o", "a\nb", "x" * 101, "ü"])
def test_a_study_name_is_a_plain_file_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="study name"):
        Home(tmp_path).study_directory(name)


def test_the_test_images_of_prepared_data_lie_elsewhere_under_the_same_name(tmp_path: Path) -> None:
    assert Home(tmp_path).heldout_directory("/old/home/data/birds-0f") == tmp_path / "heldout" / "birds-0f"
    assert Home(tmp_path).data_directory("/old/home/data/birds-0f") == tmp_path / "data" / "birds-0f"


def test_a_study_is_searched_by_one_process_and_free_when_that_is_killed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert not home.is_locked("birds")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    assert home.is_locked("birds") and not home.is_locked("cats")
    with pytest.raises(BadInput, match=f"study 'birds': process {holder.pid} is at work on it"), home.lock("birds"):
        pass
    holder.kill()
    holder.communicate()
    with home.lock("birds") as directory:
        assert directory == tmp_path / "studies" / "birds" and home.is_locked("birds")
    assert not home.is_locked("birds")


def test_two_searches_in_one_process_exclude_each_other_too(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with home.lock("birds"), pytest.raises(BadInput, match="is at work on it"), home.lock("birds"):
        pass


def test_inside_a_search_kernels_are_kept_in_its_home_unless_a_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POLICYSEARCH_KERNELS", raising=False)
    with Home(tmp_path).keeping_kernels():
        assert os.environ["POLICYSEARCH_KERNELS"] == str(tmp_path / "kernels")
    assert "POLICYSEARCH_KERNELS" not in os.environ
    monkeypatch.setenv("POLICYSEARCH_KERNELS", "/elsewhere")
    with Home(tmp_path).keeping_kernels():
        assert os.environ["POLICYSEARCH_KERNELS"] == "/elsewhere"
    assert os.environ["POLICYSEARCH_KERNELS"] == "/elsewhere"


STORAGE = "postgresql://me@db.example/studies"


def test_the_storage_is_the_flags_then_the_variables_else_a_file_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POLICYSEARCH_STORAGE", raising=False)
    assert Home.locate(tmp_path).ledger_url == f"sqlite:///{tmp_path}/ledger.sqlite"
    monkeypatch.setenv("POLICYSEARCH_STORAGE", "postgresql://variable/db")
    assert Home.locate(tmp_path).ledger_url == "postgresql://variable/db"
    home = Home.locate(tmp_path, STORAGE)
    assert home.ledger_url == home.ledger_place == STORAGE and home.has_ledger and home.root == tmp_path
    assert home.environment()["POLICYSEARCH_STORAGE"] == STORAGE
    assert "POLICYSEARCH_STORAGE" not in Home(tmp_path).environment()


@pytest.mark.parametrize(
    "address", ["postgresql://me:canary@db.example/studies", "postgresql://db.example/studies?password=canary&user=me"]
)
def test_a_storage_with_a_password_is_refused_with_the_cure_and_without_the_password(tmp_path: Path, address: str) -> None:
    with pytest.raises(BadInput, match=r"holds a password.*PGPASSWORD, ~/.pgpass.*POLICYSEARCH_STORAGE_PASSWORD_FILE") as caught:
        Home.locate(tmp_path, address)
    assert "canary" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_storage_in_a_file_is_meant_from_where_the_user_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Home.locate(tmp_path, "sqlite:///here.sqlite").ledger_url == f"sqlite:///{tmp_path}/here.sqlite"
