"""Enqueued policies: where they come from, what a study makes of them, and what is refused before anything is trained."""

from dataclasses import replace
from pathlib import Path

import pytest

from policysearch.enqueued import for_study, not_run_twice, read_policies
from policysearch.study import Study
from searchspaces.errors import BadInput
from searchspaces.families.fixed import baselines
from searchspaces.policy import Base, Branch, Choice, Constant, PadCrop, Policy, Step
from searchspaces.policy_json import digest, write_policy_file
from searchspaces.spaces import DIGIT_BASE, LARGE_PHOTO_BASE, PHOTO_BASE
from searchspaces.zoo import read_zoo, zoo_names

HUE = Policy(branches=(Branch((Step((Choice("hue", (Constant(0.1),)),)),)),))


def test_policies_are_read_by_name_and_by_file_in_the_order_given(tmp_path: Path) -> None:
    write_policy_file(tmp_path / "mine.json", HUE, {})
    found = read_policies([str(tmp_path / "mine.json"), "zoo:uniformaugment"])
    assert found == {str(tmp_path / "mine.json"): HUE, "zoo:uniformaugment": read_zoo("uniformaugment").policy}
    assert list(found)[1] == "zoo:uniformaugment"


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (["zoo:uniformaugmnt"], "zoo: no policy is called 'uniformaugmnt'; did you mean 'uniformaugment'"),
        (["nowhere.json"], "policy file nowhere.json: no such file; give the path of a policy.json"),
        (["zoo:uniformaugment"] * 2, "enqueue zoo:uniformaugment: given twice; give each policy once"),
        ([""], "policy file"),
    ],
)
def test_what_is_no_policy_is_refused_in_one_line(sources: list[str], message: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_policies(sources)
    assert str(refused.value).startswith(message) and "\n" not in str(refused.value)


@pytest.mark.parametrize("base", [PHOTO_BASE, DIGIT_BASE], ids=["photos", "digits"])
def test_published_policies_run_on_the_studys_crop_and_flips_and_keep_their_fill(base: Base) -> None:
    name = "zoo:randaugment-imagenet-resnet-50"
    placed = for_study(read_policies([name]), 3, base)[name]
    assert placed.base == Base(base.crop, base.hflip, fill=128)
    assert placed.branches == read_zoo(name.removeprefix("zoo:")).policy.branches


def test_on_a_resized_crop_they_resample_as_it_does() -> None:
    name = "zoo:randaugment-imagenet-resnet-50"
    assert read_zoo(name.removeprefix("zoo:")).policy.base.interpolation == "nearest"
    placed = for_study(read_policies([name]), 3, LARGE_PHOTO_BASE)[name]
    assert placed.base == replace(LARGE_PHOTO_BASE, fill=128) and placed.base.interpolation == "bilinear"


def test_a_file_runs_as_it_is() -> None:
    mine = {"mine.json": Policy(Base(PadCrop(0.25), fill=7))}
    assert for_study(mine, 3, PHOTO_BASE) == mine


def test_every_published_policy_can_be_enqueued_on_colour_and_grey_images() -> None:
    for channels in (1, 3):
        assert len(for_study(read_policies(f"zoo:{name}" for name in zoo_names()), channels, PHOTO_BASE)) == len(zoo_names())


def test_ops_that_can_not_take_the_images_are_named() -> None:
    with pytest.raises(BadInput, match="enqueue mine: its op hue can't take images with 5 channels; enqueue another policy"):
        for_study({"mine": HUE}, 5, PHOTO_BASE)


def test_no_policy_is_run_twice_and_it_is_said() -> None:
    names = ["zoo:trivialaugment-wide", "zoo:randaugment-svhn-core", "zoo:randaugment-cifar10-shake-shake"]
    known = {digest(policy): f"the baseline {label}" for label, policy in baselines(3, PHOTO_BASE).items()}
    once, notes = not_run_twice(for_study(read_policies(names), 3, PHOTO_BASE), known)
    assert list(once) == ["zoo:randaugment-svhn-core"]
    assert notes == (
        "enqueued zoo:trivialaugment-wide is the same policy as the baseline trivialaugment-wide: it is run once",
        "enqueued zoo:randaugment-cifar10-shake-shake is the same policy as zoo:randaugment-svhn-core: it is run once",
    )


@pytest.mark.parametrize("wish", ["zoo:uniformaugment", [1], [None]])
def test_a_study_wants_a_list_of_sources(wish: object) -> None:
    with pytest.raises(BadInput, match=r"enqueue .*: allowed is a list of zoo:NAME and paths of policy files"):
        Study("sample", enqueue=wish)  # type: ignore[arg-type]
