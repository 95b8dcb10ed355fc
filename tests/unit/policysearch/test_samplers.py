"""Samplers: a pure function of history, seed and number; never the same policy twice; done when the space is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import search_fixture
from search_fixture import Study, imagined, sequence

from policysearch.ledger import TrialRecord
from policysearch.samplers import SAMPLERS, make_sampler
from searchspaces.errors import BadInput
from searchspaces.policy_json import digest
from searchspaces.space import Real, SearchSpace
from searchspaces.spaces import build_space

CASES = (("tpe", "photometric"), ("random", "randaugment"), ("grid", "randaugment"))
SCRIPT = """
import json, sys
from pathlib import Path
from search_fixture import sequence
print(json.dumps([sequence(Path(sys.argv[1]) / sampler, sampler, family) for sampler, family in json.loads(sys.argv[2])]))
"""


def searched(study: Study) -> list[TrialRecord]:
    return [trial for trial in study.ledger.trials(study.study.uid) if trial.role == "trial"]


def test_the_same_seed_gives_the_same_sequence_in_another_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "there"), json.dumps(CASES)]
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(search_fixture.__file__).parent)}
    there = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    ours = [sequence(tmp_path / "here" / sampler, sampler, family) for sampler, family in CASES]
    assert ours == json.loads(there.stdout)
    assert all(len({json.dumps(params) for params in one}) == 12 for one in ours)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_cell_is_tried_once_and_then_there_is_no_more(tmp_path: Path, sampler: str) -> None:
    study = Study(tmp_path)
    campaign = study.campaign(32, sampler)
    assert study.run(campaign) == 3 + 15
    assert campaign.stopped == "space"
    assert {(t.params["ops"], t.params["level"]) for t in searched(study)} == {(n, m) for n in (1, 2, 3) for m in range(3, 28, 6)}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_another_seed_gives_another_order(tmp_path: Path, sampler: str) -> None:
    space = build_space("randaugment")
    history = Study(tmp_path).ledger.trials("nobody")
    firsts = [[make_sampler(sampler, space, seed).suggest(history, number) for number in range(4)] for seed in range(8)]
    assert len({json.dumps(first) for first in firsts}) > 1


def test_trials_under_way_and_failed_ones_are_not_suggested_again(tmp_path: Path) -> None:
    study = Study(tmp_path)
    campaign = study.campaign(15, "tpe")
    tasks = []
    while (task := campaign.next_task()) is not None:  # nobody finishes: all are under way
        tasks.append(task)
        if len(tasks) % 2:
            study.ledger.commit_result(type(imagined("", 1))(task.trial_uid, "failed", error="made to fail"))
            campaign.finished(task.trial_uid)
    assert len({trial.digest for trial in searched(study)}) == 15


def test_tpe_learns_from_the_history(tmp_path: Path) -> None:
    """Taught that high is good, it ends higher than taught that low is good; the samplers' chance is the same in both."""
    ends = []
    for sign in (1, -1):
        study = Study(tmp_path / str(sign), "photometric")
        campaign = study.campaign(30, "tpe")
        centre = next(p for p in study.setting.space.parameters if p.name == "brightness_shift.centre")
        low, high = map(float, centre.ends)
        while (task := campaign.next_task()) is not None:
            params = study.ledger.trial(task.trial_uid).params
            share = (params["brightness_shift.centre"] - low) / (high - low) if params else 0.5
            study.finish(campaign, task, round(50 - 40 * sign * (share - 0.5)))
        last = [trial.params["brightness_shift.centre"] for trial in searched(study)[-10:]]
        ends.append((sum(last) / 10 - low) / (high - low))
    assert ends[0] > 0.7 and ends[1] < 0.3


def test_params_that_decode_alike_count_as_one_policy(tmp_path: Path) -> None:
    space = build_space("randaugment")
    rounded = SearchSpace("rounded", (Real("x", 0, 1),), lambda p: space.decode({"ops": 1 + (p["x"] > 0.5), "level": 9}))
    known = Study(tmp_path).ledger
    study = known.create_study("rounded", {})
    spec = {"trial_uid": "t"}
    seen = known.add_trial(study.uid, 0, "trial", "seen", {"x": 0.1}, digest(rounded.decode({"x": 0.1})), "", spec)
    for sampler in ("tpe", "random"):
        point = make_sampler(sampler, rounded, 0).suggest([seen], 1)
        assert point is not None and point["x"] > 0.5  # type: ignore[operator]
    other = known.add_trial(
        study.uid, 1, "trial", "other", {"x": 0.9}, digest(rounded.decode({"x": 0.9})), "", {"trial_uid": "u"}
    )
    assert make_sampler("tpe", rounded, 0).suggest([seen, other], 2) is None


def test_wishes_that_cannot_be() -> None:
    with pytest.raises(BadInput, match="sampler 'gird': allowed are tpe, random, grid"):
        make_sampler("gird", build_space("randaugment"), 0)
    with pytest.raises(BadInput, match=r"grid.*photometric is not a finite grid"):
        make_sampler("grid", build_space("photometric"), 0)
