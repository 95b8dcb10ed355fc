"""Both engines give the same pixels: over every op that has a fused kernel, at telling values, and over any policy."""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import policies
from telling import noise, telling_images, telling_values

from searchspaces.arrays import ImageBatch
from searchspaces.draw import draw
from searchspaces.engines import FUSED, apply, grouped
from searchspaces.ops import op_table
from searchspaces.ops.op import Interpolation, Op
from searchspaces.plan import Plan
from searchspaces.policy import Policy

SHAPES = ((1, 28, 28), (3, 32, 32), (3, 20, 36), (1, 40, 18), (5, 9, 16), (3, 1, 1), (3, 2, 8), (1, 16, 2), (3, 3, 16))
FUSED_OPS = [op for op in op_table() if op.fused is not None]
INEXACT = {op.name for op in FUSED_OPS if op.tolerance.levels > 0}
EACH_CASE = pytest.mark.parametrize(
    ("op", "shape"),
    [
        pytest.param(op, shape, id=f"{op.name}-{'x'.join(map(str, shape))}")
        for op, shape in product(FUSED_OPS, SHAPES)
        if op.accepts(shape[0])
    ],
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def plan_of(op: Op, rows: list[tuple[float, ...]], fill: int, interpolation: Interpolation = "nearest", seed: int = 3) -> Plan:
    """One op, with a row of values for each image."""
    codes = np.ones((len(rows), 1), np.int16)
    seeds = np.random.default_rng(seed).integers(0, 2**63, codes.shape) if op.seeded else None
    return Plan(("identity", op.name), codes, np.array(rows)[:, None], fill, interpolation, seeds)


def assert_alike(op: Op, found: ImageBatch, wanted: ImageBatch) -> None:
    """To the bit, or within what the op says of itself."""
    difference = (found.int() - wanted.int()).abs().flatten(1)
    assert difference.max() <= op.tolerance.levels
    assert (difference > 0).double().mean(1).max() <= op.tolerance.share


def rows_of(op: Op) -> list[tuple[float, ...]]:
    """Telling values, and strengths at which there are ties to round or short ways to take."""
    if op.strength.whole:
        return telling_values(op)
    near = [op.strength.identity + step for step in (-1.5, -0.5, 0.5, 1.0, 1.5, 2.0)]
    inside = [value for value in (*near, 0.3) if op.strength.low <= value <= op.strength.high]
    return telling_values(op) + [(value, *op.identity[1:]) for value in inside]


def interpolations(op: Op) -> tuple[Interpolation, ...]:
    return ("nearest", "bilinear") if op.resamples else ("nearest",)


@EACH_CASE
def test_the_fused_kernel_is_the_torch_kernel(op: Op, shape: tuple[int, int, int]) -> None:
    rows = rows_of(op)
    for number, (image, interpolation) in enumerate(product(telling_images(shape), interpolations(op))):
        images, plan = image.expand(len(rows), *shape), plan_of(op, rows, (0, 128, 255)[number % 3], interpolation)
        ran: set[str] = set()
        found = apply(images, plan, ran=ran)
        assert ran == {FUSED}
        assert_alike(op, found, grouped.apply(images, plan))


@pytest.mark.parametrize("op", FUSED_OPS, ids=lambda op: op.name)
def test_at_the_size_of_photographs_too(op: Op) -> None:
    rows = telling_values(op)[::7]
    for interpolation in interpolations(op):
        images, plan = noise(len(rows), (3, 224, 224)), plan_of(op, rows, 7, interpolation)
        assert_alike(op, apply(images, plan), grouped.apply(images, plan))


@EACH_CASE
def test_a_fused_kernel_writes_all_of_its_output_and_none_of_its_input(op: Op, shape: tuple[int, int, int]) -> None:
    """The function as plain Python: what it leaves unwritten would be what the memory held before."""
    assert op.fused is not None
    values = np.array([*telling_values(op)[1], 0.0])
    image = noise(1, shape)[0].numpy()
    image.flags.writeable = False
    entries = max(4096, 4 * (shape[1] + 2) * (shape[2] + 2))
    results = []
    with np.errstate(all="ignore"):
        for before in (0, 255):
            out, scratch = np.full(shape, before, np.uint8), np.full(entries, before, np.int32)
            op.fused(image, out, values, 9, False, 5, scratch)
            results.append(out)
    assert np.array_equal(results[0], results[1])


@given(policies(), st.integers(0, 9), st.integers(1, 3))
def test_any_policy_gives_the_same_on_both(policy: Policy, images: int, threads: int) -> None:
    batch = noise(images, (3, 12, 16))
    plan = draw(policy, (images, 3, 12, 16), np.random.default_rng(images))
    wanted = grouped.apply(batch, plan)
    found = apply(batch, plan, threads=threads)
    exact = torch.from_numpy(
        ~np.isin(plan.codes, [plan.code_book.index(name) for name in INEXACT & {*plan.code_book}]).any(axis=1)
    )
    assert torch.equal(found[exact], wanted[exact])
    assert found.shape == wanted.shape


@settings(max_examples=10)
@given(policies(channels=1))
def test_and_on_grey_images(policy: Policy) -> None:
    batch = noise(5, (1, 12, 16))
    plan = draw(policy, (5, 1, 12, 16), np.random.default_rng(1))
    assert (apply(batch, plan).int() - grouped.apply(batch, plan).int()).abs().max() <= 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_kernel_reads_or_writes_out_of_bounds(tmp_path: Path) -> None:
    """The tests of this file again, on kernels compiled with bounds checks, kept apart from the others."""
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "POLICYSEARCH_KERNELS": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=850)
    assert ran.returncode == 0, ran.stdout
    assert list(tmp_path.glob("*/manifest.json"))
