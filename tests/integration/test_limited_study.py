"""A study under a domain and a forbid, end to end: what is trained keeps to them, and policy.json says so."""

import json
from pathlib import Path

import pytest
from search_fixture import SEARCH_ALONE, write_bars

from policysearch.study import Study
from searchspaces.export.loading import load_policy
from searchspaces.limiting import check_within, limits_of
from searchspaces.policy_json import policy_from_dict


@pytest.mark.slow
def test_a_limited_study_trains_nothing_that_is_forbidden_and_says_what_it_was(tmp_path: Path) -> None:
    data = write_bars(tmp_path / "bars.npz")
    study = Study(data, epochs=1, workers=1, home=tmp_path, domain="xray", forbid="rotate>5,equalize", **SEARCH_ALONE)
    said: list[str] = []
    outcome = study.run(1, lambda event: said.append(event.text))
    cut = limits_of("xray", "photos", "rotate>5,equalize").cut
    for trial in (*outcome.baselines, *outcome.trials):
        check_within(trial.label, policy_from_dict(trial.spec["policy"]), cut)
    assert any("situs inversus" in text for text in said) and "forbidden by wish: rotate>5, equalize" in said
    origin = json.loads(outcome.policy_path.read_text())["provenance"]
    assert origin["domain"] == "xray" and origin["limits"]["forbid"] == ["equalize", "rotate>5"]
    assert "hflip" in origin["limits"]["by_domain"] and origin["limits"]["cut"]["ranges"]["rotate"] == [-5.0, 5.0]
    assert load_policy(outcome.policy_path).policy == policy_from_dict(outcome.winner.spec["policy"])
