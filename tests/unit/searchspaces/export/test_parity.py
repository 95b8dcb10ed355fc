"""The parity table says of every form what is true of it, a form that is off included."""

from dataclasses import replace
from pathlib import Path

import pytest

from searchspaces import export
from searchspaces.arrays import Images
from searchspaces.errors import BadInput
from searchspaces.export.parity import WHOLE, parity
from searchspaces.export.searched import channels_for
from searchspaces.ops import find_op
from searchspaces.plan import Plan
from searchspaces.policy import Base, Branch, Choice, Constant, Levels, PadCrop, Policy, Step, Uniform
from searchspaces.policy_json import PolicyFile

OFF = """
import numpy as np
from searchspaces.export.exporter import Exporter
from searchspaces.export.loading import carried_out_by_us

def carried_out(file, images, plans):
    found = carried_out_by_us(file, images, plans)
    found[0] = np.where(images == 7, found[0] ^ 1, found[0])
    return found

EXPORTER = Exporter("off", "one level off where it was 7", lambda file: "", "", carried_out=carried_out, computed_by="a test")
"""


def policy(*choices: Choice, base: Base | None = None) -> PolicyFile:
    return PolicyFile(Policy(base or Base(), (Branch((Step(choices),) * 2),)), {"size": [24, 20], "channels": 3})


@pytest.mark.slow
def test_our_forms_are_equal_op_by_op_and_as_a_whole() -> None:
    mixed = (
        Choice("rotate", (Uniform(0.0, 30.0, signed=True),)),
        Choice("hue", (Levels((0.1, 0.2)),)),
        Choice("gaussian_noise", (Constant(9.0),)),
    )
    rows = parity(policy(*mixed, base=Base(PadCrop(0.125), hflip=0.5, fill=9)))
    forms = {row.form for row in rows if not row.refusal}
    assert forms >= {"json", "torchvision", "torchvision, standalone", "albumentations", "albumentations, standalone"}
    for form in forms:
        ops = [row.op for row in rows if row.form == form]
        assert ops == ["crop", "hflip", "rotate", "hue", "gaussian_noise", WHOLE]
    assert [row for row in rows if row.form in forms and not row.equal] == []
    (refused,) = [row for row in rows if row.refusal]
    assert (refused.form, refused.equal) == ("timm", None)
    assert "the base geometry" in refused.refusal


@pytest.mark.slow
def test_timm_says_what_it_can() -> None:
    rows = parity(policy(Choice("rotate", (Constant(9.0, signed=True),)), Choice("invert", (Constant(1.0),))))
    timm = {row.op: row for row in rows if row.form == "timm"}
    assert set(timm) == {"rotate", "invert", WHOLE}
    assert timm["invert"].equal and timm["invert"].computed_by == "timm, in PIL"
    assert timm["rotate"].share is not None and timm["rotate"].share < 0.003


@pytest.mark.parametrize(
    ("size", "channels", "wanted"), [([24, 10**9], 3, (3, 24, 64)), ([24, 20], 10**9, (16, 24, 20)), (None, None, (3, 32, 32))]
)
def test_a_provenance_that_exaggerates_takes_no_memory(
    size: object, channels: object, wanted: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[tuple[int, ...]] = []

    def noted(file: PolicyFile, images: Images) -> dict[str, Plan]:
        shapes.append(images.shape[1:])
        return {}

    monkeypatch.setattr("searchspaces.export.parity._wanted", lambda exporter, standalone: [])
    monkeypatch.setattr("searchspaces.export.parity._plans", noted)
    parity(PolicyFile(policy(Choice("invert", (Constant(1.0),))).policy, {"size": size, "channels": channels}))
    assert shapes == [wanted]


@pytest.mark.parametrize(("size", "channels"), [([0, 24], 3), ([24, -3], 3), ([24, 24], 0), ([24, 24], -1)])
def test_a_size_that_no_images_have_is_refused(size: list[int], channels: int) -> None:
    with pytest.raises(BadInput, match=r"^images: shape \(32, "):
        parity(PolicyFile(policy(Choice("invert", (Constant(1.0),))).policy, {"size": size, "channels": channels}))


def test_ops_that_no_images_suit_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {"invert": frozenset({2, 7}), "posterize": frozenset({7, 9}), "hue": frozenset({1, 3})}
    known = {name: replace(find_op(name), channels=channels) for name, channels in taken.items()}
    both = policy(Choice("invert", (Constant(1.0),)), Choice("posterize", (Constant(4.0),))).policy
    none = policy(Choice("invert", (Constant(1.0),)), Choice("hue", (Constant(0.1),))).policy
    monkeypatch.setattr("searchspaces.export.searched.find_op", known.get)
    assert channels_for(both) == 7
    with pytest.raises(BadInput, match=r"^policy: no images have channels that all of its ops take \(invert, hue\); "):
        channels_for(none)


@pytest.mark.slow
def test_a_form_that_is_off_is_told_from_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "to_off.py").write_text(OFF)
    monkeypatch.setattr(export, "__path__", [*export.__path__, str(tmp_path)])
    rows = parity(policy(Choice("invert", (Constant(1.0),)), Choice("posterize", (Constant(4.0),))))
    off = {row.op: (row.equal, row.levels) for row in rows if row.form == "off"}
    assert off == {"invert": (False, 1), "posterize": (True, 0), WHOLE: (True, 0)}
    (share,) = [row.share for row in rows if row.form == "off" and row.op == "invert"]
    assert share is not None and 0 < share < 0.05
