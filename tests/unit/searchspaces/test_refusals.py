"""What can't be drawn or applied is refused in one line before any kernel runs: shapes, types, channels, ranges, of every op."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from searchspaces import ops
from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.errors import BadInput
from searchspaces.ops import op_table
from searchspaces.ops.op import Op
from searchspaces.plan import Plan
from searchspaces.policy import Branch, Choice, Constant, Policy, Step
from searchspaces.refusals import check_ops

IMAGES = torch.full((2, 3, 8, 9), 100, dtype=torch.uint8)
EACH_OP = pytest.mark.parametrize("op", op_table(), ids=lambda op: op.name)


@pytest.fixture
def no_kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No engine gets as far as its first kernel."""

    def ran(*arguments: Any, **more: Any) -> None:
        raise AssertionError("a kernel ran")

    for engine in ("searchspaces.engines.grouped.torch.from_numpy", "searchspaces.engines.fused.carrying.to_levels"):
        monkeypatch.setattr(engine, ran)
    yield


def plan(op: str = "rotate", values: Any = (30.0,)) -> Plan:
    """Image 0 meets a sound op, image 1 this one."""
    table = np.zeros((2, 1, max(1, len(values))))
    table[1, 0, : len(values)] = values
    table[0, 0, 0] = 1.0
    return Plan(("identity", "hflip", op), np.array([[1], [2]], np.int16), table, seeds=np.ones((2, 1), np.int64))


def refusal(images: Any, given: Plan) -> str:
    with pytest.raises(BadInput) as refused:
        apply(images, given)
    assert str(refused.value).isprintable()
    return str(refused.value)


def test_a_sound_plan_is_not_refused() -> None:
    assert apply(IMAGES, plan()).shape == IMAGES.shape


@EACH_OP
def test_at_its_limits_an_op_is_taken(op: Op) -> None:
    for values in ([parameter.low for parameter in op.parameters], [parameter.high for parameter in op.parameters], op.identity):
        assert apply(IMAGES, plan(op.name, values)).shape == IMAGES.shape


@EACH_OP
def test_values_past_its_limits_are_refused_by_name(op: Op, no_kernel: None) -> None:
    for place, parameter in enumerate(op.parameters):
        past = [np.nextafter(parameter.low, -np.inf), np.nextafter(parameter.high, np.inf), np.nan, np.inf, -np.inf, 1e300]
        for value in [*past, *([parameter.identity + 0.5] if parameter.whole else [])]:
            said = refusal(IMAGES, plan(op.name, (*op.identity[:place], value, *op.identity[place + 1 :])))
            assert said.startswith(f"plan, image 1, step 0: op {op.name}, {parameter.name} ")
            assert f"; allowed is {parameter.low:g} to {parameter.high:g}" in said
            assert said.endswith("; draw the plan from a policy")


@EACH_OP
def test_channels_it_does_not_take_are_refused_at_both_ends(op: Op, no_kernel: None) -> None:
    policy = Policy(branches=(Branch((Step((Choice(op.name, tuple(Constant(value) for value in op.identity)),), 0.0),)),))
    for channels in (1, 2, 3, 4, 5):
        if op.accepts(channels):
            continue
        wanted = f"op {op.name}: the images have {channels} channels; it takes "
        assert refusal(torch.zeros(2, channels, 8, 9, dtype=torch.uint8), plan(op.name, op.identity)).startswith(wanted)
        with pytest.raises(BadInput) as refused:
            draw(policy, (2, channels, 8, 9), np.random.default_rng(0))
        assert str(refused.value).startswith(wanted)
        assert str(refused.value).endswith("; leave it out of the policy")


@pytest.mark.parametrize(
    "images",
    [
        *(IMAGES.to(dtype) for dtype in (torch.float32, torch.float16, torch.int8, torch.int64, torch.uint16, torch.bool)),
        *(IMAGES[0], IMAGES[None], IMAGES[0, 0, 0], IMAGES.numpy(), IMAGES.tolist(), None, "images"),
        *(torch.zeros(2, 0, 8, 9, dtype=torch.uint8), torch.zeros(2, 3, 0, 9, dtype=torch.uint8)),
        torch.zeros(1, dtype=torch.uint8).expand(2, 1, 1, 2**15 + 1),
    ],
    ids=lambda images: f"{getattr(images, 'dtype', type(images).__name__)}-{tuple(getattr(images, 'shape', ()))}",
)
def test_what_is_no_batch_of_images_is_refused(images: Any, no_kernel: None) -> None:
    assert refusal(images, plan()).startswith("images: ")


@pytest.mark.parametrize(
    "shape",
    [(2, 3, 8), (2, 3, 8, 9, 1), (2, 0, 8, 9), (2, 3, 0, 9), (2, 3, 8, 0), (-1, 3, 8, 9), (2, 3, 8.5, 9), (2, 3, 2**16, 9)],
)
def test_no_plan_is_drawn_for_a_shape_that_no_images_have(shape: Any) -> None:
    with pytest.raises(BadInput, match=r"^images: shape \(.*\); allowed are images x channels x height x width, whole numbers"):
        draw(Policy(), shape, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fill": 256}, "plan: fill 256; allowed is a whole number from 0 to 255"),
        ({"fill": -1}, "plan: fill -1; "),
        ({"fill": 0.5}, "plan: fill 0.5; "),
        ({"fill": True}, "plan: fill True; "),
        ({"interpolation": "cubic"}, "plan: interpolation 'cubic'; allowed are 'nearest', 'bilinear'"),
        ({"resolution": 0.0}, "plan: resolution 0.0; "),
        ({"resolution": 1.5}, "plan: resolution 1.5; "),
        ({"resolution": float("nan")}, "plan: resolution nan; "),
        ({"codes": np.array([[1], [3]], np.int16)}, "plan: codes 1 to 3; allowed are 0 to 2"),
        ({"codes": np.array([[-1], [1]], np.int16)}, "plan: codes -1 to 1; "),
        ({"codes": np.array([[1.0], [1.0]])}, "plan: codes of float64"),
        ({"codes": np.array([1, 1], np.int16)}, "plan: codes of int16, shape (2,)"),
        ({"codes": np.ones((3, 1), np.int16)}, "plan: 3 rows for 2 images; draw it for this batch"),
        ({"values": np.zeros((2, 1), float)}, "plan: values of float64, shape (2, 1)"),
        ({"values": np.zeros((2, 1, 1), np.float32)}, "plan: values of float32"),
        ({"values": np.zeros((2, 2, 1))}, "plan: values of float64, shape (2, 2, 1)"),
        ({"values": np.zeros((2, 1, 0))}, "plan: 0 values a step; op hflip has 1 parameters"),
        ({"values": np.ones((2, 1, 1), np.int64)}, "plan: values of int64"),
        ({"values": [[[1.0]], [[1.0]]]}, "plan: values a list; allowed is a numpy array"),
        ({"codes": ((1,), (2,))}, "plan: codes a tuple; allowed is a numpy array"),
        ({"codes": None}, "plan: codes None; allowed is a numpy array"),
        ({"codes": np.zeros((2, 0), np.int16), "values": np.zeros((5, 0, 1))}, "plan: values of float64, shape (5, 0, 1)"),
        ({"seeds": [[1], [1]]}, "plan: seeds a list; allowed is a numpy array"),
        ({"code_book": ["identity", "hflip", "rotate"]}, "plan: code book a list; allowed is a tuple of the names of ops"),
        ({"code_book": ("identity", "hflip", 3)}, "plan: code book a tuple; "),
        (
            {"code_book": ("hflip", "hflip", "rotate")},
            "plan: code book begins with 'hflip'; allowed is 'identity', which is no op",
        ),
        ({"code_book": ()}, "plan: code book begins with None; "),
        ({"seeds": np.zeros((2, 1), float)}, "plan: seeds of float64"),
        ({"seeds": np.zeros((2, 2), np.int64)}, "plan: seeds of int64, shape (2, 2)"),
        ({"seeds": np.full((2, 1), -1)}, "plan: seeds of int64"),
        ({"code_book": ("identity", "hflip", "rotatee")}, "op 'rotatee': there is none of this name"),
    ],
    ids=lambda part: str(part)[:40],
)
def test_a_plan_that_does_not_hang_together_is_refused(changes: dict[str, Any], message: str, no_kernel: None) -> None:
    assert refusal(IMAGES, dataclasses.replace(plan(), **changes)).startswith(message)


@pytest.mark.parametrize("op", [op for op in op_table() if op.seeded], ids=lambda op: op.name)
def test_noise_without_a_seed_is_refused(op: Op, no_kernel: None) -> None:
    values = [parameter.high for parameter in op.parameters]
    assert (
        refusal(IMAGES, dataclasses.replace(plan(op.name, values), seeds=None))
        == f"plan: no seeds for op {op.name}, which is noise; draw the plan again"
    )


def test_a_missing_library_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = dataclasses.replace(ops.find_op("rotate"), name="lent", package="no_such_library", install="such-a-library")
    monkeypatch.setattr("searchspaces.refusals.find_op", lambda name: lacking)
    with pytest.raises(BadInput) as refused:
        check_ops(["lent"], 3)
    wanted = "op lent: it needs no_such_library, which is not installed; install it with: pip install such-a-library"
    assert str(refused.value) == wanted
