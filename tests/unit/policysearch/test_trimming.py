"""What keeps labels, from a study's table or by a real net: digits that must be caught, clothes that must be left alone."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from digits_fixture import write_digits

from policysearch.ledger import Ledger, StudyRecord
from policysearch.setting import Setting
from policysearch.trimming import check_labels, cut_of, strengths_to_ask, trimmed, what_breaks
from searchspaces.cutting import Cut
from searchspaces.errors import BadInput
from searchspaces.families.fixed import baselines
from searchspaces.policy_json import digest
from searchspaces.spaces import PHOTO_BASE, build_space
from trials.data import Prepared, Source, open_split, prepare, read_meta
from trials.evaluate import load_model
from trials.label_keeping import kept_labels
from trials.recipes import default_recipe
from trials.run import run_trial
from trials.values import DataRef, Recipe, TrialSpec

SEED = 0


def strength(value: float, kind: str | None = None) -> dict[str, Any]:
    """One strength of a table: half of four images still right, and a class broken where a kind is given."""
    told = {"kind": kind, "from": "six", "to": "nine", "share": 0.9, "back": 0.8, "example": 0, "turn": 180.0}
    return {"value": value, "right": 2, "right_of_class": [1, 1], "blank": 0, "broken": [told] if kind else []}


def table(**ops: list[dict[str, Any]]) -> dict[str, Any]:
    return {"classes": ["six", "nine"], "images": 4, "right": 4, "right_of_class": [2, 2], "ops": ops}


BROKEN = table(
    hflip=[strength(1.0, "mirror")],
    invert=[strength(1.0, "exchange")],
    rotate=[strength(-40.0, "turned"), strength(-20.0), strength(20.0), strength(40.0, "turned")],
    brightness=[strength(0.1, "blank"), strength(0.5), strength(1.9)],
    shear_x=[strength(-0.3), strength(0.3)],
)


def setting(space: str = "randaugment", **more: Any) -> Setting:
    return Setting(build_space(space), baselines(3, PHOTO_BASE), Recipe(), None, SEED, 2, **more)


def test_each_op_is_kept_to_the_last_strength_before_the_first_that_breaks_a_class() -> None:
    cut = cut_of(BROKEN)
    assert cut.ranges == {"rotate": (-20.0, 20.0), "brightness": (0.5, 10.0)}
    assert cut.left_out == ("invert",)
    assert cut.moves == ("hflip",)
    assert not cut_of(table(shear_x=[strength(0.3)], hflip=[strength(1.0)]))


def test_an_op_whose_weakest_strength_breaks_a_class_is_left_out_and_one_whole_side_ends_at_nothing() -> None:
    assert cut_of(table(rotate=[strength(-9.0, "turned"), strength(9.0, "turned")])).left_out == ("rotate",)
    assert cut_of(table(gamma=[strength(0.5), strength(1.5, "blank")])).ranges == {"gamma": (0.1, 1.0)}


def test_two_flips_make_half_a_turn_so_one_of_them_goes_where_that_breaks_a_class() -> None:
    turns = [strength(1.0), strength(2.0, "exchange"), strength(3.0)]
    assert cut_of(table(quarter_turns=turns)).moves == ("vflip", "quarter_turns")
    assert cut_of(table(quarter_turns=turns, hflip=[strength(1.0, "mirror")])).moves == ("hflip", "quarter_turns")


def test_what_breaks_is_told_once_an_op_with_its_weakest_strength_and_the_classes() -> None:
    told = what_breaks(BROKEN)
    assert told[0] == "labels: hflip breaks class six (read as nine)"
    assert told[1] == "labels: invert breaks class six (read as nine, and the other way round)"
    assert told[2].startswith("labels: rotate at 40 degrees and beyond, either way, breaks class six (turned by 180 degrees")
    assert told[3] == "labels: brightness at 0.1 times and beyond leaves nothing to see"
    assert what_breaks(table(shear_x=[strength(0.3)])) == (
        "labels: no op of the space or of the baselines breaks a class (asked of 4 validation images)",
    )


def test_names_of_classes_are_told_in_one_plain_line() -> None:
    names = table(hflip=[strength(1.0, "mirror")])
    names["ops"]["hflip"][0]["broken"][0] |= {"from": "six\n[red]", "to": "9" * 100}
    (told,) = what_breaks(names)
    assert "\n" not in told
    assert len(told) < 150


def test_ops_are_asked_about_as_far_as_the_space_and_the_baselines_go() -> None:
    asked = strengths_to_ask(setting())
    assert {-135.0, 135.0, -27.0, 27.0} <= set(asked["rotate"])  # TrivialAugment's end, and RandAugment's highest level's
    assert asked["invert"] == (1.0,)  # UniformAugment's alone
    assert asked["solarize"][0] == 0.0
    assert 256.0 not in asked["solarize"]
    assert all(value == int(value) for value in asked["posterize"])
    assert "identity" not in asked
    assert strengths_to_ask(setting()) == asked


def test_a_trimmed_study_has_its_space_cut_its_base_not_flipped_and_its_baselines_ops_as_published() -> None:
    whole = replace(setting(), enqueued={"mine": setting().baselines["trivialaugment-wide"]})
    cut = trimmed(whole, Cut({"rotate": (-10.0, 10.0)}, ("solarize",), ("hflip",)))
    policy = cut.space.decode({"ops": 1, "level": 27})
    assert "solarize" not in policy.ops
    assert next(c.values[0].ends for c in policy.branches[0].steps[0].choices if c.op == "rotate") == (10.0,)
    assert list(cut.baselines) == ["none", "crop", "trivialaugment-wide", "randaugment(2,9)", "uniformaugment"]
    for before, after in zip(whole.baselines.values(), cut.baselines.values(), strict=True):
        assert after == replace(before, base=replace(before.base, hflip=0.0))
    assert cut.enqueued["mine"].base.hflip == 0
    assert {digest(policy) for policy in cut.baselines.values()}.isdisjoint({digest(policy)})


def test_a_space_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(BadInput, match=r"nothing is left to search.*search another space"):
        trimmed(setting("randaugment:ops=rotate/invert"), Cut(left_out=("rotate", "invert")))


@pytest.fixture
def study(tmp_path: Path) -> tuple[Ledger, StudyRecord]:
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    return ledger, ledger.create_study("digits", {"made": "up"})


def nothing_prepared(tmp_path: Path) -> Prepared:
    return Prepared("x", tmp_path, None, "0", None, ("six", "nine"), 3, 8, 8, {}, "photos", (), {}, {})


def test_what_a_study_found_before_is_gone_by_without_weights(study: tuple[Ledger, StudyRecord], tmp_path: Path) -> None:
    ledger, record = study
    ledger.note_fact(record.uid, "labels", BROKEN)
    here = (tmp_path / "gone.pt", False, nothing_prepared(tmp_path))
    same, notes = check_labels(ledger, record, setting("uniformaugment"), *here)
    assert same == setting("uniformaugment")
    assert notes[-1].startswith("labels: nothing was cut; with --trim the study would have:")
    assert "trim" not in ledger.facts(record.uid)

    cut, notes = check_labels(ledger, record, setting("uniformaugment"), tmp_path / "gone.pt", True, nothing_prepared(tmp_path))
    assert notes[-1] == "trimmed: brightness from at least 0.5 times; rotate from -20 to 20 degrees; no invert, hflip"
    again, _ = check_labels(ledger, record, setting("uniformaugment"), tmp_path / "gone.pt", True, nothing_prepared(tmp_path))
    assert again.space == cut.space != same.space
    assert again.baselines == cut.baselines


def test_only_what_concerns_the_study_is_cut(study: tuple[Ledger, StudyRecord], tmp_path: Path) -> None:
    ledger, record = study
    ledger.note_fact(record.uid, "labels", BROKEN | {"ops": {"rotate": BROKEN["ops"]["rotate"]}})
    whole = setting("photometric")
    same, notes = check_labels(ledger, record, whole, tmp_path / "gone.pt", True, nothing_prepared(tmp_path))
    assert same.space is whole.space
    assert not any(note.startswith("trimmed") for note in notes)


def test_without_the_plainest_baseline_the_user_is_told_what_to_do(study: tuple[Ledger, StudyRecord], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"baseline 'none' of study 'digits' has no weights; train it first"):
        check_labels(*study, setting(), tmp_path / "gone.pt", False, nothing_prepared(tmp_path))


def looked_at(root: Path, source: Source, epochs: int, space: str) -> tuple[Setting, Setting, dict[str, Any], Any]:
    """A study whose plainest baseline is really trained: its setting, the trimmed one, the table, and how to look again."""
    prepared = prepare(source, root)
    data, recipe = DataRef(str(prepared.directory), prepared.fingerprint), default_recipe()
    free = baselines(prepared.channels, PHOTO_BASE)
    whole = Setting(build_space(space, prepared.channels), free, recipe, data, SEED, epochs)
    ledger = Ledger.open(f"sqlite:///{root / 'ledger.sqlite'}")
    record = ledger.create_study("real", {"made": "up"})
    spec = TrialSpec("plainest", free["none"], recipe, data, SEED, epochs)
    ledger.add_trial(record.uid, 0, "baseline", "none", {}, digest(free["none"]), "", spec.to_dict())
    ledger.start_attempt("plainest")
    ledger.commit_result(run_trial(spec, lambda epoch: None, root / "plainest.pt"))
    cut, _ = check_labels(ledger, record, whole, root / "plainest.pt", True, prepared)
    return whole, cut, ledger.facts(record.uid)["labels"], (ledger, prepared)


def breaking(table: dict[str, Any], op: str) -> list[float]:
    return [row["value"] for row in table["ops"][op] if row["broken"]]


@pytest.mark.slow
def test_on_digits_half_turns_and_flips_are_caught_and_small_rotations_kept(tmp_path: Path) -> None:
    whole, cut, found, (ledger, prepared) = looked_at(
        tmp_path, Source(str(write_digits(tmp_path / "d.npz"))), 12, "trivialaugment"
    )
    assert breaking(found, "rotate") == [-135.0, -108.0, 108.0, 135.0]
    assert {("6", "9")} == {(told["from"], told["to"]) for row in found["ops"]["rotate"] for told in row["broken"]}
    assert breaking(found, "hflip") == breaking(found, "vflip") == [1.0]
    assert breaking(found, "quarter_turns") == [2.0]
    harmless = ("sharpness", "posterize", "autocontrast", "equalize", "shear_x", "translate_x")
    assert not any(breaking(found, op) for op in harmless)
    policy = cut.space.decode({"scale": "wide", "highest_level": 30})
    angles = next(c.values[0].ends for c in policy.branches[0].steps[0].choices if c.op == "rotate")
    assert 30 <= max(angles) < 90
    assert policy.base.hflip == 0
    assert list(cut.baselines)[1] == "crop"

    few = {"rotate": (-30.0, 30.0), "brightness": (0.1,)}
    assert few_asked(ledger, prepared, tmp_path, few) == few_asked(ledger, prepared, tmp_path, few)
    (tmp_path / "plainest.pt").write_bytes(b"another net")
    twin = ledger.create_study("twin", {"made": "up"})
    ledger.add_trial(twin.uid, 0, "baseline", "none", {}, "0", "", ledger.trial("plainest").spec | {"trial_uid": "twin"})
    ledger.start_attempt("twin")
    ledger.commit_result(replace(ledger.trial("plainest").result, trial_uid="twin"))
    with pytest.raises(BadInput, match="SHA-256"):
        check_labels(ledger, twin, whole, tmp_path / "plainest.pt", False, prepared)


def few_asked(ledger: Ledger, prepared: Prepared, root: Path, strengths: dict[str, tuple[float, ...]]) -> dict[str, Any]:
    recipe, meta, result = default_recipe(), read_meta(prepared.directory), ledger.trial("plainest").result
    assert result is not None
    assert result.weights_sha256 is not None
    model = load_model(root / "plainest.pt", result.weights_sha256, prepared.channels, len(prepared.classes), recipe)
    train, val = open_split(prepared.directory, "train"), open_split(prepared.directory, "val")
    heard: list[tuple[int, int]] = []
    table = kept_labels(model, train, val, recipe, meta["mean"], meta["std"], strengths, lambda *step: heard.append(step))
    asked = sum(len(rows) for rows in table["ops"].values())
    assert [done for done, _ in heard] == list(range(1, asked + 1)), "after each strength"
    assert heard[-1] == (asked, asked)
    return table


@pytest.mark.slow
def test_on_clothes_nothing_is_cut_of_a_randaugment_space(tmp_path: Path) -> None:
    whole, cut, found, _ = looked_at(tmp_path, Source("sample"), 6, "randaugment")
    assert cut == whole
    for op, rows in found["ops"].items():
        assert not any(told["kind"] != "blank" for row in rows for told in row["broken"]), op
    assert breaking(found, "hflip") == breaking(found, "rotate") == breaking(found, "invert") == []
    shares = {op: rows[0]["right"] / found["right"] for op, rows in found["ops"].items()}
    assert math.isclose(shares["autocontrast"], 1.0, abs_tol=0.05)
