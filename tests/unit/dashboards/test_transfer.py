"""Which policies transfer: the same ones are found, namesakes are told from them, ranks and agreement are those of the errors."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from dashboards.transfer import Side, Trained, agreements, shared_policies
from policysearch.judging.ranking import FEWEST

Errors = dict[str, tuple[str, float]]


def side(title: str, errors: Errors) -> Side:
    """A study whose policies, by digest, have these names and errors."""
    policies = {key: Trained(label, f"words of {key}", error, "trial") for key, (label, error) in errors.items()}
    return Side(title, "home", cast(Any, None), policies)


def test_ranks_count_the_lower_errors_and_equal_ones_share() -> None:
    one = side("one", {"a": ("A", 0.2), "b": ("B", 0.1), "c": ("C", 0.2), "d": ("D", 0.3)})
    other = side("other", {"a": ("A", 0.5), "z": ("Z", 0.4)})
    (shared,) = shared_policies([one, other])
    assert (shared.label, shared.exact) == ("A", True)
    assert [(found.rank, found.of, found.error) for found in shared.found.values()] == [(2, 4, 0.2), (2, 2, 0.5)]


def test_a_policy_of_the_same_name_with_another_digest_is_a_namesake() -> None:
    sides = [side("one", {"a": ("A", 0.2)}), side("two", {"a": ("A", 0.1)}), side("three", {"x": ("A", 0.3)})]
    (shared,) = shared_policies(sides)
    assert not shared.exact
    assert [found.key for found in shared.found.values()] == ["a", "a", "x"]
    assert "1 the same by name only" in agreements(sides, [shared])[1].sentence


def test_two_policies_of_one_name_in_one_study_are_never_one() -> None:
    sides = [side("one", {"a": ("A", 0.2), "b": ("A", 0.3)}), side("two", {"a": ("A", 0.1), "b": ("A", 0.1)})]
    assert sorted(tuple(found.key for found in shared.found.values()) for shared in shared_policies(sides)) == [
        ("a", "a"),
        ("b", "b"),
    ]


def test_an_order_kept_an_order_turned_and_too_few() -> None:
    many = {f"k{number}": (f"P{number}", number / 100) for number in range(1, 12)}
    turned = {key: (label, 0.5 - error) for key, (label, error) in many.items()}
    few = dict(list(many.items())[: FEWEST - 1])
    sides = [side("one", many), side("same", many), side("turned", turned), side("few", few)]
    found = {(one.one, one.other): one for one in agreements(sides, shared_policies(sides))}
    assert len(found) == 6
    assert found[0, 1].tau == 1 and "order policies alike, more than chance" in found[0, 1].sentence
    assert found[0, 2].tau == -1 and "against one another" in found[0, 2].sentence
    assert found[0, 3].tau is None and f"share {FEWEST - 1} policies" in found[0, 3].sentence
    assert "too few" in found[0, 3].sentence


def test_nothing_at_all_does_not_make_two_orders_alike() -> None:
    many = {f"k{number}": (f"P{number}", number / 100) for number in range(1, 7)} | {"n": ("none", 0.9)}
    sides = [side("one", many), side("two", many)]
    assert agreements(sides, shared_policies(sides))[0].policies == 6
    assert len(shared_policies(sides)) == 7  # it is shown all the same


def test_without_anything_in_common_it_says_so() -> None:
    sides = [side("one", {"a": ("A", 0.1)}), side("two", {"b": ("B", 0.1)})]
    assert shared_policies(sides) == ()
    assert "share no policy" in agreements(sides, ())[0].sentence


STUDIES = st.lists(
    st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.sampled_from("ABCDEFGH"), st.floats(0, 1)), max_size=8),
    min_size=2,
    max_size=5,
)


@given(STUDIES)
def test_whatever_was_trained_no_policy_is_counted_twice_and_every_same_one_is_found(studies: list[Errors]) -> None:
    sides = [side(f"s{place}", errors) for place, errors in enumerate(studies)]
    shared = shared_policies(sides)
    counted = [(place, found.key) for policy in shared for place, found in policy.found.items()]
    assert len(counted) == len(set(counted))
    for key in {key for errors in studies for key in errors}:
        having = {place for place, errors in enumerate(studies) if key in errors}
        if len(having) > 1:
            assert any({place for place, found in policy.found.items() if found.key == key} == having for policy in shared)
    for agreement in agreements(sides, shared):
        assert agreement.tau is None or -1 <= agreement.tau <= 1
