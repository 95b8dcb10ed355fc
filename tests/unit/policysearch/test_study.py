"""Wishes: which can't be, which make a study another one, and how a mismatch is told."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policysearch.home import Home
from policysearch.identity import check_same, identity_of, study_name
from policysearch.ledger import Ledger, sqlite_url
from policysearch.rungs import read_early_stopping
from policysearch.setting import Setting
from policysearch.study import Study
from searchspaces.errors import BadInput, StudyMismatch
from searchspaces.families.fixed import baselines
from searchspaces.spaces import DIGIT_BASE, PHOTO_BASE, build_space
from trials.data import Prepared
from trials.values import DataRef, Recipe

PREPARED = Prepared(
    name="birds",
    directory=Path("/home/data/birds-0"),
    heldout=Path("/home/heldout/birds-0"),
    fingerprint="a" * 64,
    heldout_fingerprint="b" * 64,
    classes=("robin", "wren"),
    channels=3,
    height=64,
    width=64,
    counts={"train": 80, "val": 20, "test": 20},
    domain="photos",
    notes=(),
    fingerprints={"train": "d" * 64, "val": "e" * 64, "test": "b" * 64},
    leaks={},
)


def identity(study: Study, prepared: Prepared = PREPARED, base: Any = PHOTO_BASE, recipe: Recipe | None = None) -> dict[str, Any]:
    data = DataRef(str(prepared.directory), prepared.fingerprint)
    space = build_space(study.space_wish, prepared.channels, base)
    free, stopping = baselines(prepared.channels, base), read_early_stopping(study.early_stopping, study.epochs)
    trained = recipe or Recipe(weight_decay=0.25)
    setting = Setting(space, free, trained, data, study.seed, study.epochs, rungs=stopping.rungs, eta=stopping.eta)
    return identity_of(study, prepared, setting)


STUDY = Study("birds/")
OTHERS = {
    "epochs": identity(replace(STUDY, epochs=41)),
    "sampler": identity(replace(STUDY, sampler="grid")),
    "seed": identity(replace(STUDY, seed=1)),
    "space": identity(replace(STUDY, space="photometric")),
    "base": identity(STUDY, base=DIGIT_BASE),
    "pixels": identity(STUDY, replace(PREPARED, fingerprint="c" * 64)),
    "test": identity(STUDY, replace(PREPARED, heldout_fingerprint=None)),
    "splits": identity(STUDY, replace(PREPARED, counts={"train": 79, "val": 21, "test": 20})),
    "recipe": identity(STUDY, recipe=Recipe(weight_decay=0.125)),
    "one split": identity(STUDY, replace(PREPARED, fingerprints={**PREPARED.fingerprints, "select": "f" * 64})),
    "groups": identity(replace(STUDY, groups="folder:1")),
    "duplicates": identity(replace(STUDY, duplicates="report")),
    "trim": identity(replace(STUDY, trim=True)),
    "levels": identity(replace(STUDY, levels="0:4095")),
}
SAME = ("calibrate", False), ("any_budget", True), ("finalists", 0), ("finalist_seeds", 9), ("max_hours", 3.0)


@pytest.mark.parametrize(("wish", "value"), SAME)
def test_what_may_change_from_run_to_run_is_no_part_of_the_identity(wish: str, value: Any) -> None:
    assert identity(replace(STUDY, **{wish: value})) == identity(STUDY)


def test_the_name_is_data_space_and_8_hex_of_the_identity() -> None:
    names = {study_name(STUDY, other, "birds") for other in (identity(STUDY), *OTHERS.values())}
    assert len(names) == 1 + len(OTHERS)
    assert all(name.startswith("birds-randaugment-") and len(name) == len("birds-randaugment-") + 8 for name in names)
    assert study_name(replace(STUDY, name="mine"), identity(STUDY), "birds") == "mine"


def test_a_space_with_options_makes_a_name_that_a_home_takes(tmp_path: Path) -> None:
    for space in ("autoaugment:sub_policies=3,ops=rotate/shear_x+geometry", "mixture:ops=" + "/".join(["rotate"] * 30)):
        name = study_name(replace(STUDY, space=space), identity(STUDY), "birds")
        assert Home(tmp_path).study_directory(name).name == name
    by_paper = replace(STUDY, space="randaugment:scale=paper")
    assert study_name(by_paper, identity(STUDY), "birds").startswith("birds-randaugment-scale-paper-")


def test_how_and_where_to_run_is_no_part_of_the_identity() -> None:
    moved = replace(PREPARED, directory=Path("/elsewhere"), heldout=Path("/elsewhere/too"))
    wished = replace(STUDY, driver="ray", address="auto", workers=7, gpus_per_trial=0.5, max_hours=3.0, home="/elsewhere")
    assert identity(wished, moved) == identity(STUDY)


def test_the_machine_does_not_name_a_study() -> None:
    other = identity(STUDY, recipe=Recipe(weight_decay=0.25, precision="bfloat16", device="cuda"))
    assert study_name(STUDY, other, "birds") == study_name(STUDY, identity(STUDY), "birds")


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ("epochs", "epochs was 40, now 41"),
        ("sampler", "sampler was tpe, now grid"),
        ("seed", "seed was 0, now 1"),
        ("space", "space name was randaugment, now photometric"),
        ("pixels", "data fingerprint was aaaaaaaaaaaa, now cccccccccccc"),
        ("splits", "splits train was 80, now 79; splits val was 20, now 21"),
        ("test", "test was bbbbbbbbbbbb, now null"),
        ("recipe", "recipe weight_decay was 0.25, now 0.125"),
    ],
)
def test_a_mismatch_names_the_wish_and_both_values(tmp_path: Path, changed: str, named: str) -> None:
    record = Ledger.open(sqlite_url(tmp_path / "ledger.sqlite")).create_study("mine", identity(STUDY))
    check_same(record, identity(STUDY))
    with pytest.raises(StudyMismatch) as caught:
        check_same(record, OTHERS[changed])
    assert str(caught.value).startswith(f"study 'mine': exists with other wishes: {named}")
    assert "\n" not in str(caught.value) and caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"epochs": 0}, "epochs 0: allowed is a whole number from 1"),
        ({"epochs": True}, "epochs True"),
        ({"seed": -1}, "seed -1: allowed is a whole number from 0"),
        ({"workers": 0}, "workers 0: allowed is a whole number from 1"),
        ({"driver": "slurm"}, "driver 'slurm': allowed are local, ray"),
        ({"address": "auto"}, "address 'auto': it is a Ray cluster's"),
        ({"max_hours": 0.0}, "max_hours 0.0: allowed is a number above 0"),
        ({"max_hours": float("nan")}, "max_hours nan"),
        ({"gpus_per_trial": 2.5}, "gpus_per_trial 2.5: allowed is above 0, at most 1"),
        ({"max_trial_minutes": -1.0}, "max_trial_minutes -1.0: allowed is a number above 0"),
        ({"early_stopping": "median"}, "early stopping 'median': allowed is asha"),
        ({"channels": 3}, "channels 3: the data says it"),
        ({"data": None}, "data: none given; give images, or an objective"),
        ({"data": None, "objective": len, "channels": 65}, "channels 65: allowed are 1 to 64"),
        (
            {"data": None, "objective": len, "domain": "cats"},
            "domain 'cats': there is none of this name; known are aerial, digits, histology, photos, xray",
        ),
        ({"domain": "xrays"}, "domain 'xrays': there is none of this name; did you mean 'xray'"),
        ({"forbid": "rotate>15,flip"}, "forbid 'flip': there is no such op or part of the base"),
        ({"forbid": ["rotate<3"]}, "forbid 'rotate<3': rotate goes both ways from 0"),
        ({"objective": "train"}, "objective 'train': allowed is a function of one argument"),
    ],
)
def test_wishes_that_cannot_be(wishes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Study(**{"data": "birds/"} | wishes)


def test_the_wishes_that_are_kept_make_the_same_study_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("space: randaugment\nparameters:\n  level: 9\n")
    study = Study("birds/", space="mine.yaml", epochs=7, sampler="random", seed=3, early_stopping="asha", workers=9, driver="ray")
    kept = json.loads(json.dumps(study.wishes()))
    assert kept["data"] == str(tmp_path / "birds") and "workers" not in kept and "driver" not in kept
    wished = identity(study)
    (tmp_path / "mine.yaml").unlink()
    assert identity(Study(**kept)) == wished
    assert Study("sample").wishes()["data"] == "sample"


def test_early_stopping_is_another_study_and_its_absence_leaves_old_ones_alone() -> None:
    assert "early_stopping" not in identity(STUDY)
    assert identity(replace(STUDY, early_stopping="asha"))["early_stopping"] == {"rungs": [13, 40], "eta": 3}
    assert identity(replace(STUDY, early_stopping="asha:eta=3")) == identity(replace(STUDY, early_stopping="asha"))


def test_bad_wishes_leave_no_half_study(tmp_path: Path) -> None:
    for wishes, trials in (({}, 0), ({"space": "randaugmnet"}, 1), ({"sampler": "gird"}, 1), ({"name": "a/b"}, 1)):
        with pytest.raises(BadInput):
            Study("sample", train_images=20, val_images=20, home=tmp_path, **wishes).run(trials=trials)  # type: ignore[arg-type]
    for address, message in (
        ("127.0.0.1:1", "no Ray cluster answers there"),
        ("ray://here", "allowed are"),
    ):
        with pytest.raises(BadInput, match=f"address '{address}': {message}"):
            Study("sample", train_images=20, val_images=20, home=tmp_path, driver="ray", address=address).run(trials=1)
    with pytest.raises(BadInput):
        Study(str(tmp_path / "nowhere"), home=tmp_path).run(trials=1)
    assert not (tmp_path / "studies").exists()
    assert not (tmp_path / "ledger.sqlite").exists() or not Ledger.open(sqlite_url(tmp_path / "ledger.sqlite")).studies()


def test_a_function_is_not_called_because_a_ledger_names_it() -> None:
    from types import SimpleNamespace

    from policysearch.extending import study_again

    record: Any = SimpleNamespace(name="mine", wishes=Study("os:abort", levels="full").wishes())
    assert record.wishes["levels"] == "full"
    with pytest.raises(BadInput, match=r"because a ledger names it; name it yourself: --data os:abort"):
        study_again(record)
