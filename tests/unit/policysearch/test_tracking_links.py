"""Links into MLflow's UI as text, and what is said of a server that turns the mirror away."""

import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from policysearch.tracking.links import View, shared_view
from policysearch.tracking.target import PASSWORD, USER, Target
from searchspaces.errors import BadInput


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (USER, PASSWORD, "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def test_the_links_are_whole_addresses_that_a_terminal_takes_for_one() -> None:
    links = dict(View("7", "policysearch-0123", ("a1", "b2"), "m-9").links("http://127.0.0.1:5000/"))
    assert list(links) == ["runs, best first", "the best 2", "the curves", "the model"]
    assert links["runs, best first"] == "http://127.0.0.1:5000/#/experiments/7/runs?viewStateShareKey=policysearch-0123"
    path, _, query = urlsplit(links["the best 2"]).fragment.partition("?")
    asked = {name: json.loads(values[0]) for name, values in parse_qs(query).items()}
    assert (path, asked) == ("/compare-runs", {"runs": ["a1", "b2"], "experiments": ["7"]})
    path, _, query = urlsplit(links["the curves"]).fragment.partition("?")
    assert path == "/experiments/7/runs" and "LIKE '0123%'" in parse_qs(query)["searchFilter"][0]
    assert not any(letter in link for link in links.values() for letter in " \"'`[]")


def test_one_trial_is_compared_with_nothing() -> None:
    assert [name for name, _ in View("7", "k", ("a1",)).links("http://h")] == ["runs, best first", "the curves"]


def test_a_view_comes_back_from_what_is_told_between_processes() -> None:
    view = View("7", "k", ("a1", "b2"))
    assert View.read(json.loads(json.dumps(view.__dict__))) == view


def test_the_shared_view_fits_a_tag_and_shows_the_first_parameters() -> None:
    key, state = shared_view("f" * 32, [f"a_long_parameters_name_{number}" for number in range(40)])
    assert key == f"policysearch-{'f' * 12}" and len(state) < 5000
    assert len(json.loads(state)["selectedColumns"]) == 2 + 8
    assert unquote(key) == key


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("API request to endpoint failed with error code 401 != 200. Response body: 'You are not authenticated.'", USER),
        ("API request failed with error code 403 != 200. Response body: 'Permission denied'", "leave to edit the experiment"),
    ],
)
def test_a_server_that_turns_the_caller_away_is_told_with_the_cure(said: str, told: str) -> None:
    line = Target("http://mlflow.example").told(RuntimeError(said))
    assert told in line and "RuntimeError" not in line and "\n" not in line


def test_a_password_that_is_not_the_right_one_is_told_so_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(USER, "somebody")
    monkeypatch.setenv(PASSWORD, "canary7")
    target = Target("http://mlflow.example")
    assert "correct" in target.told(RuntimeError("error code 401"))
    assert "canary7" not in target.told(RuntimeError("went there with canary7"))


def test_what_is_ours_to_say_is_said_as_it_is() -> None:
    assert Target("http://mlflow.example").told(BadInput("experiment 'x': is there")) == "experiment 'x': is there"
