"""What is drawn from torch's global generator inside `lent` is the passed generator's, and outside nothing has changed."""

import torch
from torch.nn import functional

from trials.lent import lent
from trials.seeds import torch_generator


def test_draws_are_the_generators_and_go_on_where_they_ended() -> None:
    apart = torch_generator(7)
    wanted = [torch.rand(5, generator=apart) for _ in range(2)]
    generator, before = torch_generator(7), torch.get_rng_state()
    with lent(generator):
        first = torch.rand(5)
    with lent(generator):
        second = torch.rand(5)
    assert torch.equal(first, wanted[0]) and torch.equal(second, wanted[1])
    assert torch.equal(before, torch.get_rng_state())


def test_the_global_state_is_put_back_after_a_failure_too() -> None:
    before = torch.get_rng_state()
    try:
        with lent(torch_generator(7)):
            functional.dropout(torch.ones(100))
            raise KeyError
    except KeyError:
        pass
    assert torch.equal(before, torch.get_rng_state())
