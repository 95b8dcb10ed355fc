"""Seeds are a fixed function of what they are for; golden numbers, because studies on disk depend on them."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from trials.seeds import derive_seed, numpy_generator, torch_generator

PARTS = st.lists(st.integers(0, 2**70) | st.text(max_size=8), min_size=1, max_size=4)


def test_the_numbers_never_change() -> None:
    assert derive_seed(0, 0, "weights") == 3544687637534020957
    assert numpy_generator(7, 0, 1, "order").permutation(6).tolist() == [3, 5, 4, 0, 2, 1]


@given(PARTS, PARTS)
def test_different_parts_give_different_seeds(one: list[int | str], other: list[int | str]) -> None:
    assert (derive_seed(*one) == derive_seed(*other)) == (one == other)


def test_number_and_text_are_told_apart() -> None:
    assert derive_seed(1, 23) != derive_seed("1", 23) != derive_seed(12, 3)


@given(PARTS)
def test_seeds_fit_what_takes_them(parts: list[int | str]) -> None:
    assert 0 <= derive_seed(*parts) < 2**63


def test_generators_start_afresh_and_leave_the_global_ones_alone() -> None:
    before = torch.random.get_rng_state()
    assert torch.equal(torch.rand(3, generator=torch_generator(1, "a")), torch.rand(3, generator=torch_generator(1, "a")))
    assert np.array_equal(numpy_generator(1, "a").random(3), numpy_generator(1, "a").random(3))
    assert torch.equal(before, torch.random.get_rng_state())
