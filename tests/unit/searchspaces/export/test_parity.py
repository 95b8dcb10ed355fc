"""The parity table says of every form what is true of it, a form that is off included."""

from pathlib import Path

import pytest

from searchspaces import export
from searchspaces.export.parity import WHOLE, parity
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


@pytest.mark.slow
def test_a_form_that_is_off_is_told_from_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "to_off.py").write_text(OFF)
    monkeypatch.setattr(export, "__path__", [*export.__path__, str(tmp_path)])
    rows = parity(policy(Choice("invert", (Constant(1.0),)), Choice("posterize", (Constant(4.0),))))
    off = {row.op: (row.equal, row.levels) for row in rows if row.form == "off"}
    assert off == {"invert": (False, 1), "posterize": (True, 0), WHOLE: (True, 0)}
    (share,) = [row.share for row in rows if row.form == "off" and row.op == "invert"]
    assert share is not None and 0 < share < 0.05
