"""A search that is killed, interrupted and called again, as a script without a main guard: nothing is lost, nothing repeated.

One story in three runs of the same script, each under the eyes of the test; the last one finishes, and the ledger is recomputed.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from search_fixture import FREE, SEARCH_ALONE, command_of, lives, processes_below, write_bars

from policysearch.home import Home
from policysearch.ledger import Ledger, TrialRecord
from searchspaces.policy_json import digest, read_policy_file
from trials.values import Score

pytestmark = pytest.mark.slow  # of the quick tests, faults/test_kills kills a search and goes on with it

TRIALS = 3
NAME = "bars"
STOP_SECONDS = 60.0  # generous for a busy machine; a worker that is left alone waits for ever
SCRIPT = """
import json, signal, sys
from policysearch import Study

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have what runs in their background ignore it

def listen(event):
    print(json.dumps([event.kind, event.trial_uid, event.epoch, event.text]), file=sys.stderr, flush=True)

wishes = dict(json.loads(sys.argv[1]))
outcome = Study(**wishes).run(trials=int(sys.argv[2]), listener=listen)
print(json.dumps([outcome.study, outcome.winner.trial_uid, str(outcome.policy_path), outcome.resumed, list(outcome.notes)]))
"""


@dataclass
class Search:
    """A running script; its events are read as they come."""

    process: subprocess.Popen[str]

    def events(self) -> Iterator[list[Any]]:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.startswith("["):
                yield json.loads(line)

    def until(self, kind: str, count: int = 1) -> list[Any]:
        """The `count`-th event of the kind."""
        for event in self.events():
            count -= event[0] == kind
            if count == 0:
                return event
        raise AssertionError(f"the search ended before {kind}")

    def workers(self) -> list[int]:
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]

    def end(self) -> str:
        out, errors = self.process.communicate(timeout=280)
        assert self.process.returncode == 0, errors
        return out


@dataclass
class Story:
    """What the three runs left, and what was seen on the way."""

    home: Home
    wishes: dict[str, Any]
    finished_before: dict[int, tuple[TrialRecord, ...]]
    locked_out: str
    interrupted_exit: int
    deaf_worker_lived: bool
    outlived_seconds: dict[str, float]
    told: list[list[Any]]
    printed: str

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        return records(self.home)


def records(home: Home) -> tuple[TrialRecord, ...]:
    ledger = Ledger(home.ledger_url)
    study = ledger.study(NAME)
    assert study is not None
    return ledger.trials(study.uid)


def over(home: Home) -> tuple[TrialRecord, ...]:
    return tuple(trial for trial in records(home) if trial.result is not None)


def start(wishes: dict[str, Any], cwd: Path) -> Search:
    command = [sys.executable, str(cwd / "script.py"), json.dumps(wishes), str(TRIALS)]
    return Search(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, process_group=0))


def seconds_until_gone(pids: list[int]) -> float:
    """How long processes live on; at most `STOP_SECONDS` are waited for them."""
    began = time.monotonic()
    while time.monotonic() - began < STOP_SECONDS:
        if not any(map(lives, pids)):
            break
        time.sleep(0.05)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("resume")
    (folder / "script.py").write_text(SCRIPT)
    data = write_bars(folder / "bars.npz", train=900, val=300)
    home = Home(folder / "home")
    wishes = {"data": str(data), "epochs": 8, "workers": 1, "home": str(home.root), "name": NAME} | SEARCH_ALONE

    killed = start(wishes, folder)
    killed.until("finished", 3)  # a rehearsal and two trials
    killed.until("epoch", 3)  # in the middle of the third trial
    orphans = killed.workers()
    killed.process.kill()
    outlived = {"kill": seconds_until_gone(orphans)}
    killed.process.communicate()
    after_kill = over(home)

    interrupted = start(wishes, folder)
    interrupted.until("started")
    paused = interrupted.workers()  # else a quick machine finishes the search before the second one has begun
    for pid in paused:
        os.kill(pid, signal.SIGSTOP)
    locked_out = subprocess.run(
        [sys.executable, str(folder / "script.py"), json.dumps(wishes), str(TRIALS)], capture_output=True, text=True, cwd=folder
    )
    for pid in paused:
        os.kill(pid, signal.SIGCONT)
    interrupted.until("epoch", 3)
    workers = interrupted.workers()
    for pid in workers:
        os.kill(pid, signal.SIGINT)
    interrupted.until("finished", FREE - 2)  # the next is a searched one
    deaf_worker_lived = interrupted.workers() == workers
    interrupted.until("epoch", 3)
    os.killpg(interrupted.process.pid, signal.SIGINT)
    outlived["interrupt"] = seconds_until_gone([*workers, interrupted.process.pid])
    interrupted.process.communicate()
    after_interrupt = over(home)

    last = start(wishes, folder)
    told = list(last.events())
    return Story(
        home=home,
        wishes=wishes,
        finished_before={1: after_kill, 2: after_interrupt},
        locked_out=locked_out.stderr.strip().splitlines()[-1],
        interrupted_exit=interrupted.process.returncode,
        deaf_worker_lived=deaf_worker_lived,
        outlived_seconds=outlived,
        told=told,
        printed=last.end(),
    )


def test_the_last_run_has_finished_every_trial_once(story: Story) -> None:
    assert 2 <= len(story.finished_before[1]) < len(story.finished_before[2]) < FREE + TRIALS
    assert len(story.trials) == FREE + TRIALS == len({trial.digest for trial in story.trials})
    assert all(trial.result is not None and trial.result.status == "done" for trial in story.trials)
    assert [trial.number for trial in story.trials] == list(range(1, FREE + TRIALS + 1)), "0 was the rehearsal"


def test_no_finished_trial_was_run_again(story: Story) -> None:
    now = {trial.trial_uid: trial for trial in story.trials}
    for before in story.finished_before.values():
        assert all(now[trial.trial_uid] == trial for trial in before), "attempts, times and results are as they were"
    assert sum(trial.attempts for trial in story.trials) <= FREE + TRIALS + 2, "with one worker, a stop costs one attempt at most"


def test_the_last_run_told_finished_trials_without_starting_them(story: Story) -> None:
    finished = {trial.trial_uid for trial in story.finished_before[2]}
    assert [uid for kind, uid, *_ in story.told if kind == "started" and uid in finished] == []
    assert sorted(uid for kind, uid, *_ in story.told if kind == "finished") == sorted(t.trial_uid for t in story.trials)


def test_the_winner_is_the_lowest_error_of_the_ledger_and_its_policy_is_in_the_file(story: Story) -> None:
    def standing(trial: TrialRecord) -> tuple[int, float, int]:
        assert trial.result is not None and isinstance(trial.result.score, Score)
        return trial.result.score.wrong, trial.result.score.log_loss_sum, trial.number

    best = min(story.trials, key=standing)
    name, winner_uid, path, resumed, _ = json.loads(story.printed)
    assert (name, winner_uid, resumed) == (NAME, best.trial_uid, True)
    file = read_policy_file(path)
    assert digest(file.policy) == best.digest
    assert file.provenance["validation"]["wrong"] == standing(best)[0]
    assert file.provenance["test"] is None, "the test set stays closed"
    kept = [file.name for file in (Path(path).parent / "weights").iterdir()]
    assert kept == [f"{best.trial_uid}.pt"]


def test_workers_end_with_their_driver_in_the_middle_of_a_trial(story: Story) -> None:
    assert story.outlived_seconds["kill"] < STOP_SECONDS
    assert story.outlived_seconds["interrupt"] < STOP_SECONDS
    assert story.deaf_worker_lived, "Ctrl-C is the driver's to decide about"
    assert story.interrupted_exit == -signal.SIGINT


def test_a_second_search_of_the_same_study_is_refused(story: Story) -> None:
    assert "study 'bars': process" in story.locked_out and "is at work on it" in story.locked_out


def test_standard_output_holds_only_what_the_script_printed(story: Story) -> None:
    assert len(story.printed.splitlines()) == 1


def test_a_finished_study_is_only_read_and_lost_weights_are_trained_again(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    from policysearch import Study
    from policysearch.drivers import Event

    before, events = story.trials, list[Event]()
    outcome = Study(**story.wishes).run(trials=TRIALS, listener=events.append)
    assert story.trials == before and not any(event.kind == "started" for event in events)
    assert outcome.resumed and outcome.figure is None and outcome.trials == before
    labels = ["none", "flip+crop", "trivialaugment-wide", "randaugment(2,9)", "uniformaugment"]
    assert [trial.label for trial in outcome.baselines] == labels

    file = outcome.policy_path.parent / "weights" / f"{outcome.winner.trial_uid}.pt"
    weights = file.read_bytes()
    file.write_bytes(weights[:-1] + b"!")
    Study(**story.wishes).run(trials=TRIALS, listener=events.append)
    assert file.read_bytes() == weights
    assert [event.text for event in events if event.kind == "note"][-1].endswith("training it again to restore them")
    assert story.trials == before


def test_an_interrupted_look_at_the_test_set_is_finished_for_the_model_it_claimed(story: Story) -> None:
    """Somebody was killed between claim and figure, another trial has won since, and the claimed weights are gone."""
    from policysearch import Study
    from policysearch.confirming import confirm_and_disclose
    from policysearch.drivers.local import LocalDriver

    ledger = Ledger(story.home.ledger_url)
    study = ledger.study(NAME)
    assert study is not None
    best_uid = json.loads(story.printed)[1]
    claimed = next(trial for trial in story.trials if trial.trial_uid != best_uid)
    assert claimed.result is not None and claimed.result.weights_sha256 is not None
    model: Any = {
        "trial_uid": claimed.trial_uid,
        "label": claimed.label,
        "weights_sha256": claimed.result.weights_sha256,
    }  # as it was claimed before there were confirmations: the search's own model
    ledger.claim_test(study.uid, study.identity["test"], [model])

    first = Study(**story.wishes).run(trials=TRIALS)
    assert first.figure is None
    kept = {file.stem for file in (first.policy_path.parent / "weights").iterdir()}
    assert kept == {claimed.trial_uid, first.winner.trial_uid}
    figure = confirm_and_disclose(story.home, ledger, study, LocalDriver(1), lambda event: None)
    assert [model["trial_uid"] for model in figure.models] == [claimed.trial_uid] and figure.total == 30
    said = read_policy_file(first.policy_path).provenance
    assert (said["trial"]["uid"], said["test"]["wrong"]) == (claimed.trial_uid, figure.wrong), (
        "the claimed policy, whoever won since"
    )
    again = Study(**story.wishes).run(trials=TRIALS, test=True)
    assert again.figure == figure, "the look is spent, whoever has won"


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL])
def test_a_ray_search_stops_too_and_goes_on_with_the_other_driver(tmp_path: Path, stop: signal.Signals) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    home = Home(tmp_path / "home")
    data = write_bars(tmp_path / "bars.npz", train=900, val=300)
    wishes = {"data": str(data), "epochs": 5, "workers": 1, "home": str(home.root), "name": NAME} | SEARCH_ALONE
    search = start(wishes | {"driver": "ray"}, tmp_path)
    search.until("finished", 3)  # a rehearsal and two trials
    search.until("epoch", 2)
    everything = [search.process.pid, *processes_below(search.process.pid)]
    if stop == signal.SIGKILL:  # two agents of Ray that train nothing take a minute or two to notice
        everything = [pid for pid in everything if command_of(pid).startswith(b"ray::ImplicitFunc")]
        assert len(everything) == 1
    if stop == signal.SIGINT:
        os.killpg(search.process.pid, stop)  # as a terminal does
    else:
        search.process.send_signal(stop)
    assert seconds_until_gone(everything) < STOP_SECONDS
    search.process.communicate()
    before = over(home)
    assert 2 <= len(before) < FREE + TRIALS
    start(wishes, tmp_path).end()
    after = records(home)
    assert len(after) == FREE + TRIALS and all(trial in after for trial in before)
    left = [file.name for file in home.study_directory(NAME).iterdir() if file.name.startswith("ray-")]
    assert left == [] or stop == signal.SIGKILL


def test_a_search_on_a_cluster_that_was_there_leaves_it_as_it_was(tmp_path: Path) -> None:
    import ray
    from ray.cluster_utils import Cluster

    (tmp_path / "script.py").write_text(SCRIPT)
    wishes = {
        "data": str(write_bars(tmp_path / "bars.npz")),
        "epochs": 1,
        "home": str(tmp_path / "home"),
        "name": NAME,
    } | SEARCH_ALONE
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        search = start(wishes | {"driver": "ray", "address": cluster.address}, tmp_path)
        assert json.loads(search.end())[0] == NAME
        ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.CRITICAL)
        assert ray.cluster_resources()["CPU"] == 1
    finally:
        ray.shutdown()
        cluster.shutdown()
