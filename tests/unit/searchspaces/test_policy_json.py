"""A policy survives its JSON to the byte, equal policies share a digest, and a bad file is one line that names its field."""

import json
import os
import stat
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from strategies import policies

from searchspaces.errors import BadInput
from searchspaces.policy import Base, Batch, Branch, Choice, Constant, Levels, PadCrop, Policy, ResizedCrop, Step, Uniform
from searchspaces.policy_json import (
    SCHEMA,
    canonical_json,
    digest,
    policy_from_dict,
    policy_to_dict,
    read_policy_file,
    write_policy_file,
)

POLICY = Policy(
    Base(crop=PadCrop(0.125), hflip=0.5, fill=128),
    (
        Branch(
            (
                Step((Choice("rotate", (Constant(9.0, signed=True),)), Choice("gamma", (Uniform(0.5, 2.0),), weight=2.0)), 0.75),
                Step((Choice("crop", (Levels((-2.0, 0.0, 2.0)), Constant(1.0))),)),
            )
        ),
        Branch((), weight=3.0),
    ),
    placement="before-crop",
)


def as_dict() -> Any:
    return json.loads(canonical_json(policy_to_dict(POLICY)))


@given(policies())
def test_every_policy_comes_back_equal_and_its_json_to_the_byte(policy: Policy) -> None:
    text = canonical_json(policy_to_dict(policy))
    again = policy_from_dict(json.loads(text))
    assert again == policy
    assert canonical_json(policy_to_dict(again)) == text
    assert digest(again) == digest(policy)


def test_the_form_is_the_documented_one() -> None:
    assert policy_to_dict(POLICY) == {
        "base": {"crop": {"kind": "pad", "padding": 0.125}, "hflip": 0.5, "interpolation": "nearest", "fill": 128},
        "placement": "before-crop",
        "branches": [
            {
                "weight": 1.0,
                "steps": [
                    {
                        "probability": 0.75,
                        "choices": [
                            {"op": "rotate", "weight": 1.0, "values": {"degrees": {"constant": 9.0, "signed": True}}},
                            {"op": "gamma", "weight": 2.0, "values": {"exponent": {"uniform": [0.5, 2.0]}}},
                        ],
                    },
                    {
                        "probability": 1.0,
                        "choices": [
                            {
                                "op": "crop",
                                "weight": 1.0,
                                "values": {"x_px": {"levels": [-2.0, 0.0, 2.0]}, "y_px": {"constant": 1.0}},
                            }
                        ],
                    },
                ],
            },
            {"weight": 3.0, "steps": []},
        ],
    }


FRAMED = Policy(
    Base(ResizedCrop(0.25, 1.0, 0.5, 2.0), 0.5, "bilinear", vflip=0.25, quarter_turns=0.75, resolution=0.5),
    batch=Batch(mixup_alpha=0.2, cutout=0.5),
)


def test_later_fields_stand_in_the_form_where_they_say_something() -> None:
    assert policy_to_dict(FRAMED) == {
        "base": {
            "crop": {"kind": "resized", "scale": [0.25, 1.0], "aspect": [0.5, 2.0]},
            "hflip": 0.5,
            "interpolation": "bilinear",
            "fill": 0,
            "vflip": 0.25,
            "quarter_turns": 0.75,
            "resolution": 0.5,
        },
        "placement": "after-crop",
        "branches": [{"weight": 1.0, "steps": []}],
        "batch": {"mixup_alpha": 0.2, "cutout": 0.5},
    }


def test_later_fields_at_their_defaults_are_left_out_however_they_were_written() -> None:
    written = as_dict()
    written["base"] |= {"vflip": 0, "quarter_turns": -0.0, "resolution": 1}
    written["batch"] = {"mixup_alpha": 0, "cutmix_alpha": -0.0, "cutout": 0}
    assert policy_from_dict(written) == POLICY
    assert digest(policy_from_dict(written)) == digest(policy_from_dict(as_dict() | {"batch": {}})) == digest(POLICY)


def test_every_later_field_enters_the_digest() -> None:
    base, batch = FRAMED.base, FRAMED.batch
    base_with: Any = partial(replace, base)
    changes: list[Any] = [
        *({"base": replace(base, crop=ResizedCrop(*ends))} for ends in ((0.3, 1, 0.5, 2), (0.25, 0.9, 0.5, 2))),
        *({"base": replace(base, crop=ResizedCrop(*ends))} for ends in ((0.25, 1, 0.6, 2), (0.25, 1, 0.5, 3))),
        *({"base": base_with(**{name: 0.3})} for name in ("vflip", "quarter_turns", "resolution")),
        *({"batch": replace(batch, **{name: 0.3})} for name in ("mixup_alpha", "cutmix_alpha", "cutout")),
        {"base": replace(base, interpolation="nearest")},
    ]
    assert len({digest(FRAMED), *(digest(replace(FRAMED, **change)) for change in changes)}) == 1 + len(changes)


def test_equal_policies_have_one_digest_however_their_numbers_were_written() -> None:
    def rotated(value: float) -> Policy:
        return Policy(Base(hflip=value * 0), (Branch((Step((Choice("rotate", (Constant(value),)),)),)),))

    variants = [rotated(0), rotated(0.0), rotated(-0.0), rotated(np.float64(0.0))]
    assert len({digest(policy) for policy in variants}) == 1
    assert digest(rotated(1)) == digest(rotated(1.0)) == digest(rotated(np.float64(1))) != digest(rotated(0))


def test_every_part_of_a_policy_enters_its_digest() -> None:
    paths = [
        ("base", "crop", "padding"),
        ("base", "hflip"),
        ("base", "fill"),
        ("branches", 0, "weight"),
        ("branches", 0, "steps", 0, "probability"),
        ("branches", 0, "steps", 0, "choices", 1, "weight"),
        ("branches", 0, "steps", 0, "choices", 1, "values", "exponent", "uniform", 1),
        ("branches", 0, "steps", 1, "choices", 0, "values", "x_px", "levels", 0),
    ]
    seen = {digest(POLICY)}
    for path in paths:
        changed = as_dict()
        place = changed
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = 1 if path[-1] == "hflip" else place[path[-1]] / 2
        seen.add(digest(policy_from_dict(changed)))
    for change in ({"placement": "after-crop"}, {"branches": as_dict()["branches"][::-1]}):
        seen.add(digest(policy_from_dict({**as_dict(), **change})))
    unsigned = as_dict()
    del unsigned["branches"][0]["steps"][0]["choices"][0]["values"]["degrees"]["signed"]
    seen.add(digest(policy_from_dict(unsigned)))
    assert len(seen) == 1 + len(paths) + 2 + 1


def test_files_come_back(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    provenance = {
        "family": "randaugment",
        "size": [32, 32],
        "note": "ümläut",
        "figures": list(range(200)),
        "none": None,
        "yes": True,
    }
    write_policy_file(path, POLICY, provenance)
    found = read_policy_file(path)
    assert found.policy == POLICY
    assert found.provenance == provenance
    assert list(json.loads(path.read_text())) == ["policy", "provenance", "schema"]
    assert os.listdir(tmp_path) == ["policy.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert max(map(len, path.read_text().splitlines())) < 130


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "policy.json"
    write_policy_file(path, POLICY, {"first": 1})
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match=r"can't be written.*No space left"):
        write_policy_file(path, Policy(), {})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["policy.json"]


@pytest.mark.parametrize("provenance", [{"loss": float("nan")}, {"big": "x" * 2**20}, {"set": {1}}, {"seed": 10**30}])
def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, provenance: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as refused:
        write_policy_file(tmp_path / "policy.json", POLICY, provenance)
    assert "\n" not in str(refused.value)
    assert os.listdir(tmp_path) == []


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere/policy\.json: can't be written"):
        write_policy_file(tmp_path / "nowhere" / "policy.json", POLICY, {})


STEP = "policy.branches[0].steps[0]"
BAD_FIELDS = [
    ((), [], "policy: a list"),
    (("base",), None, "policy.base: None; allowed is an object"),
    (("base", "hflip"), 1.5, "policy.base: base hflip probability: 1.5; allowed is 0 to 1"),
    (("base", "hflip"), True, "policy.base.hflip: True; allowed is a number"),
    (("base", "hflip"), "0.5", "policy.base.hflip: '0.5'; allowed is a number"),
    (("base", "fill"), 0.5, "policy.base: base fill: 0.5"),
    (("base", "fill"), 256, "policy.base: base fill: 256"),
    (("base", "interpolation"), "cubic", "policy.base: base interpolation: 'cubic'; allowed are 'nearest', 'bilinear'"),
    (("base", "interpolation"), 0, "policy.base.interpolation: 0"),
    (("base", "crop", "kind"), "resize", "policy.base.crop.kind: 'resize'; allowed are 'pad', 'resized'"),
    (("base", "crop", "padding"), 0.6, "policy.base.crop: crop padding: 0.6"),
    (("base", "colour"), 1, "policy.base: unknown field 'colour'; allowed are crop, hflip, interpolation, fill, vflip"),
    (("base", "crop", "scale"), [0.1, 1], "policy.base.crop: unknown field 'scale'; allowed are kind, padding"),
    (("base", "crop"), {"kind": "resized", "scale": [0.1, 1]}, "policy.base.crop.aspect: missing; give kind, scale, aspect"),
    (("base", "crop"), {"kind": "resized", "scale": [1], "aspect": [1, 1]}, "policy.base.crop.scale: 1 numbers; allowed are two"),
    (
        ("base", "crop"),
        {"kind": "resized", "scale": [0, 1], "aspect": [1, 1]},
        "policy.base.crop: crop scale: 0.0 to 1.0; allowed",
    ),
    (("base", "crop"), {"kind": "resized", "scale": [1, 0.5], "aspect": [1, 1]}, "policy.base.crop: crop scale: 1.0 to 0.5"),
    (
        ("base", "crop"),
        {"kind": "resized", "scale": [0.5, 1], "aspect": [1, 11]},
        "crop aspect: 1.0 to 11.0; allowed is 0.1 to 10",
    ),
    (("base", "vflip"), 2, "policy.base: base vflip probability: 2.0; allowed is 0 to 1"),
    (("base", "quarter_turns"), "1", "policy.base.quarter_turns: '1'; allowed is a number"),
    (("base", "resolution"), 1.5, "policy.base: base resolution: 1.5; allowed is 0.1 to 1 of the side"),
    (("batch",), [], "policy.batch: a list; allowed is an object"),
    (("batch",), {"cutmix": 1}, "policy.batch: unknown field 'cutmix'; allowed are mixup_alpha, cutmix_alpha, cutout"),
    (("batch",), {"cutout": 1.5}, "policy.batch: batch cutout: 1.5; allowed is 0 (off) to 1 of the shorter side"),
    (("batch",), {"mixup_alpha": 0.001}, "policy.batch: batch mixup_alpha: 0.001; allowed is 0 (off), or 0.01 to 10"),
    (("batch",), {"cutmix_alpha": None}, "policy.batch.cutmix_alpha: None; allowed is a number"),
    (("placement",), "within", "policy: placement: 'within'"),
    (("placement",), "x" * 5000, "...; allowed are 'before-crop', 'after-crop'"),
    (("base", "interpolation"), "x" * 5000, "...; allowed are 'nearest'"),
    (("placement",), ["after-crop"], "policy.placement: a list"),
    (("branches",), [], "policy: policy: nothing to choose from"),
    (("branches",), {}, "policy.branches: an object; allowed is a list"),
    (("branches",), [{"weight": 1, "steps": []}] * 1025, "policy: policy: 1025 branches; allowed are at most 1024"),
    (("branches", 0, "weight"), 0, "policy.branches[0]: branch weight: 0.0"),
    (("branches", 1, "weight"), -1, "policy.branches[1]: branch weight: -1.0"),
    (("branches", 1, "steps"), [{"probability": 1, "choices": []}], "policy.branches[1].steps[0]: step: nothing to choose"),
    (("branches", 0, "steps", 0, "probability"), 1.0000001, f"{STEP}: step probability"),
    (("branches", 0, "steps", 0, "p"), 1, f"{STEP}: unknown field 'p'"),
    (("branches", 0, "steps", 0, "choices", 0, "op"), "rotat", f"{STEP}.choices[0].op: op 'rotat'"),
    (("branches", 0, "steps", 0, "choices", 0, "op"), 7, f"{STEP}.choices[0].op: 7"),
    (("branches", 0, "steps", 0, "choices", 0, "op"), "os.system", "known are"),
    (("branches", 0, "steps", 0, "choices", 0, "values"), {}, f"{STEP}.choices[0].values.degrees: missing"),
    (("branches", 0, "steps", 0, "choices", 0, "values", "level"), 9, f"{STEP}.choices[0].values: unknown field 'level'"),
    (("branches", 0, "steps", 0, "choices", 0, "values", "degrees"), 9, "values.degrees: 9; allowed is an object"),
    (("branches", 0, "steps", 0, "choices", 0, "values", "degrees"), {}, "values.degrees: 0 of constant, uniform, levels given"),
    (("branches", 0, "steps", 0, "choices", 0, "values", "degrees", "levels"), [1], "values.degrees: 2 of constant"),
    (("branches", 0, "steps", 0, "choices", 0, "values", "degrees", "constant"), 181, "op rotate, degrees: 181.0 degrees"),
    (
        ("branches", 0, "steps", 0, "choices", 0, "values", "degrees", "signed"),
        1,
        "values.degrees.signed: 1; allowed are true and",
    ),
    (("branches", 0, "steps", 0, "choices", 1, "values", "exponent", "signed"), True, "op gamma, exponent: it has no sign"),
    (("branches", 0, "steps", 0, "choices", 1, "values", "exponent", "uniform"), [1, 2, 3], "exponent.uniform: 3 numbers"),
    (("branches", 0, "steps", 0, "choices", 1, "values", "exponent", "uniform"), [2, 1], "low 2.0 is above high 1.0"),
    (("branches", 0, "steps", 0, "choices", 1, "values", "exponent", "uniform", 1), False, "exponent.uniform[1]: False"),
    (("branches", 0, "steps", 1, "choices", 0, "values", "x_px", "levels"), [], "x_px.levels: levels: 0 values"),
    (("branches", 0, "steps", 1, "choices", 0, "values", "x_px", "levels", 2), 0.5, "op crop, x_px: 0.5"),
    (
        ("branches", 0, "steps", 1, "choices", 0, "values", "y_px"),
        {"uniform": [0, 1]},
        "op crop, y_px: a uniform range over whole",
    ),
    (("branches", 0, "steps"), [{"probability": 1, "choices": []}] * 17, f"{STEP}: step: nothing"),
]


@pytest.mark.parametrize(
    ("path", "value", "message"), BAD_FIELDS, ids=[f"{i}-{m[:50]}" for i, (_, _, m) in enumerate(BAD_FIELDS)]
)
def test_a_bad_field_is_named_by_its_path(path: tuple[Any, ...], value: Any, message: str, tmp_path: Path) -> None:
    whole: Any = {"policy": as_dict()}
    place = whole
    for key in ("policy", *path)[:-1]:
        place = place[key]
    place[("policy", *path)[-1]] = value
    with pytest.raises(BadInput) as refused:
        policy_from_dict(whole["policy"])
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    file = tmp_path / "bad.json"
    file.write_text(json.dumps({"schema": SCHEMA, **whole}))
    with pytest.raises(BadInput, match=r"bad\.json: policy") as refused:
        read_policy_file(file)
    assert message in str(refused.value)


@pytest.mark.parametrize("field", ["base", "placement", "branches"])
def test_a_missing_field_is_named(field: str) -> None:
    value = as_dict()
    del value[field]
    with pytest.raises(BadInput, match=rf"policy\.{field}: missing"):
        policy_from_dict(value)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400])
def test_numbers_no_float_holds_are_refused_in_dicts_too(number: float) -> None:
    value = as_dict()
    value["branches"][0]["weight"] = number
    with pytest.raises(BadInput, match=r"policy\.branches\[0\]\.weight: .*finite"):
        policy_from_dict(value)


def test_a_branch_of_17_steps_is_refused() -> None:
    value = as_dict()
    value["branches"][0]["steps"] *= 9
    with pytest.raises(BadInput, match=r"policy\.branches\[0\]: branch: 18 steps"):
        policy_from_dict(value)


GOLDEN_FILES = Path(__file__).parents[2] / "golden"
GOLDEN = GOLDEN_FILES / "policy-v1.json"
GOLDEN_DIGEST = "9a7d01f3dbe71701182fb38b5ff2956e9ac23fa2133c532fffc29aac1672c472"


def test_a_file_of_the_first_version_is_read_for_ever() -> None:
    """If this fails, what users keep of their studies has changed its meaning: keep the old reading, whatever it costs."""
    found = read_policy_file(GOLDEN)
    assert found.policy == POLICY
    assert digest(found.policy) == GOLDEN_DIGEST
    assert found.provenance["family"] == "golden"


def test_a_file_with_the_later_fields_is_read_for_ever() -> None:
    found = read_policy_file(GOLDEN_FILES / "policy-v1-framed.json").policy
    assert found == FRAMED
    assert digest(found) == "2ebb175c7e627c39a5227dc854cb07b38dbfcac10ebfb627d0d794f94a60ab38"
