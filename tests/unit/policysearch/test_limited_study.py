"""A study whose images may not meet everything: its space, baselines, enqueued policies, notes, identity and kept wishes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from trial_fixture import prepared_bars

from policysearch.course.calibrating import plain_baseline, strong_baseline
from policysearch.enqueued import read_policies
from policysearch.home import Home
from policysearch.identity import check_same
from policysearch.ledger import Ledger
from policysearch.study import Study
from policysearch.wished import Wished, wished
from searchspaces.cutting import Cut
from searchspaces.errors import BadInput, StudyMismatch
from searchspaces.limiting import recorded_cut
from searchspaces.policy import Policy
from trials.data import Prepared


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared_bars(tmp_path_factory.mktemp("data"))


def made(data: Prepared, home: Path, enqueued: Mapping[str, Policy] | None = None, **wishes: Any) -> Wished:
    return wished(Study("bars.npz", **wishes), data, Ledger.open(Home(home).ledger_url), enqueued or {})


def test_without_a_wish_or_with_the_domain_that_it_has_anyway_a_study_is_what_it_was(data: Prepared, tmp_path: Path) -> None:
    plain, photos = made(data, tmp_path), made(data, tmp_path, domain="photos")
    assert plain.identity == photos.identity and plain.name == photos.name
    assert "limits" not in plain.identity and "forbid" not in Study("bars.npz").wishes()


def test_a_domain_limits_space_and_baselines_and_is_part_of_what_the_study_is(data: Prepared, tmp_path: Path) -> None:
    plain, xray = made(data, tmp_path), made(data, tmp_path, domain="xray")
    assert xray.identity["image"]["domain"] == "xray" and xray.identity["limits"]["by_domain"]
    assert recorded_cut(xray.identity) == Study("bars.npz", domain="xray").limits("photos").cut
    every = [*xray.setting.baselines.values(), xray.setting.space.decode({"ops": 3, "level": 27})]
    assert not any({"solarize", "invert"} & set(policy.ops) or policy.base.hflip for policy in every)
    assert plain_baseline(xray.setting) == "crop" and strong_baseline(xray.setting) == "trivialaugment-wide (cut)"
    assert any("situs inversus" in note for note in xray.notes)
    assert any(note.startswith("searched policies and baselines alike keep to: ") for note in xray.notes)
    assert xray.name != plain.name


def test_forbids_are_part_of_what_it_is_however_they_are_written(data: Prepared, tmp_path: Path) -> None:
    one = made(data, tmp_path, forbid="hue, rotate>15")
    assert one.identity == made(data, tmp_path, forbid=["rotate>15.0", "hue"]).identity
    assert one.name != made(data, tmp_path, forbid="rotate>15").name
    with pytest.raises(StudyMismatch, match=r"limits cut ranges rotate was \[-15.0,15.0\], now \[-14.0,14.0\]"):
        record = Ledger.open(Home(tmp_path).ledger_url).create_study("bars", one.identity)
        check_same(record, made(data, tmp_path, forbid="rotate>14").identity)


def test_the_wishes_that_are_kept_have_them(data: Prepared, tmp_path: Path) -> None:
    study = Study("bars.npz", domain="digits", forbid="hue, rotate>45")
    kept = json.loads(json.dumps(study.wishes()))
    assert (kept["domain"], kept["forbid"]) == ("digits", ["hue", "rotate>45"])
    again = Study(**kept)
    assert again.limits("photos") == study.limits("photos")
    assert again.limits("photos").cut == Cut({"rotate": (-45.0, 45.0)}, ("hue",), ("hflip", "vflip", "quarter_turns"))


def test_an_enqueued_policy_with_what_is_forbidden_is_refused_and_one_without_runs(data: Prepared, tmp_path: Path) -> None:
    published = read_policies(["zoo:trivialaugment-wide"])
    assert made(data, tmp_path, published).setting.enqueued == {}, "it is a baseline already"
    other = read_policies(["zoo:uniformaugment"])
    assert list(made(data, tmp_path, other, forbid="hue,vflip").setting.enqueued) == ["zoo:uniformaugment"]
    with pytest.raises(BadInput) as refused:
        made(data, tmp_path, published, forbid="hflip,equalize,rotate>90")
    told = "the study forbids what it has: op equalize; op rotate (allowed is from -90 to 90 degrees)"
    assert str(refused.value).startswith(f"enqueue zoo:trivialaugment-wide: {told}")


def test_mirrored_views_of_images_that_are_not_to_be_mirrored_are_said(data: Prepared, tmp_path: Path) -> None:
    assert any("views hflip" in note for note in made(data, tmp_path, domain="xray", views="hflip").notes)
    assert not any("views hflip" in note for note in made(data, tmp_path, views="hflip").notes)


def test_where_the_base_does_nothing_nothing_is_the_plain_baseline(data: Prepared, tmp_path: Path) -> None:
    setting = made(data, tmp_path, forbid="hflip,crop").setting
    assert list(setting.baselines)[:2] == ["none", "trivialaugment-wide"] and plain_baseline(setting) == "none"
