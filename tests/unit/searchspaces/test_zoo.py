"""The zoo's files hold what their sources say, and say which source that is."""

import pytest

from searchspaces.errors import BadInput
from searchspaces.families.fixed import trivialaugment_wide
from searchspaces.policy import Base
from searchspaces.zoo import read_zoo, zoo_names


def test_trivialaugment_wide_is_the_baseline_without_a_base() -> None:
    assert read_zoo("trivialaugment-wide").policy == trivialaugment_wide(3, Base())


@pytest.mark.parametrize("name", zoo_names())
def test_every_policy_has_a_source(name: str) -> None:
    assert read_zoo(name).provenance["source"]


@pytest.mark.parametrize("name", ["trivialaugment", "../../../etc/passwd", ""])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match="known are trivialaugment-wide"):
        read_zoo(name)
