"""What images may not meet: no searched policy and no baseline has what a domain or a user forbids, and default studies stay."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import policies

from searchspaces.cutting import Cut, beyond, cut_base, cut_policy
from searchspaces.domains import domain_table, find_domain
from searchspaces.errors import BadInput
from searchspaces.families import family_table
from searchspaces.families.fixed import baselines
from searchspaces.forbidding import PARTS, cut_of, read_forbids
from searchspaces.framing import PadCrop, ResizedCrop
from searchspaces.json_text import canonical_json
from searchspaces.limiting import check_within, limited_baselines, limited_space, limits_of, recorded_cut
from searchspaces.ops import find_op, op_table
from searchspaces.policy import Base, Batch, Policy
from searchspaces.policy_json import digest
from searchspaces.spaces import LARGE_PHOTO_BASE, PHOTO_BASE, build_space, usual_base

DOMAINS = [domain.name for domain in domain_table()]
SPACES = [*(family.name for family in family_table()), "mixture,photometric+geometry", "randaugment:scale=paper+geometry"]
SPACES += ["uniformaugment:ops=rotate/hflip/quarter_turns/jpeg/gamma", "autoaugment:sub_policies=1"]
# So that a space always has something left.
FORBIDDABLE = sorted({op.name for op in op_table()} - {"identity", "resized_crop", "gamma", "jpeg", "sharpness", "contrast"})


@st.composite
def bounds(draw: st.DrawFn) -> str:
    """An op with a bound on one side of its identity."""
    op = find_op(draw(st.sampled_from(["rotate", "hue", "brightness", "posterize", "solarize", "translate_x_px", "saturation"])))
    strength = op.strength
    if draw(st.booleans()) and strength.low < strength.identity and strength.low != -strength.high:
        return f"{op.name}<{draw(st.floats(strength.low, strength.identity))!r}"
    return f"{op.name}>{draw(st.floats(strength.identity, strength.high))!r}"


FORBIDS = st.lists(
    st.sampled_from(FORBIDDABLE) | st.sampled_from([*PARTS, "none"]) | bounds() | st.sampled_from(["crop<0.3", "crop<0.9"]),
    max_size=6,
)


def assert_within(policy: Policy, cut: Cut, what: object) -> None:
    """By another road than the cut's own: what can be drawn, looked at value by value."""
    met = {*policy.base.ops, *policy.ops, *policy.batch.ops} - ({"resized_crop"} if "crop" not in cut.moves else set())
    assert not met & {*cut.left_out, *cut.moves}, what
    assert policy.base.crop is None or "crop" not in cut.moves, what
    for choice in (choice for branch in policy.branches for step in branch.steps for choice in step.choices):
        low, high = cut.ranges.get(choice.op, (-np.inf, np.inf))
        values, identity = choice.values[0], find_op(choice.op).strength.identity
        ends = {*values.ends, *((2 * identity - end for end in values.ends) if values.signed else ())}
        assert all(low - 1e-9 <= end <= high + 1e-9 for end in ends), (what, choice)
    if isinstance(crop := policy.base.crop, ResizedCrop):
        assert crop.scale_low >= cut.crop_least, what
    elif isinstance(crop, PadCrop):
        assert (1 - crop.padding) ** 2 >= cut.crop_least - 1e-9, what


@settings(max_examples=40, deadline=None)
@given(
    domain=st.none() | st.sampled_from(DOMAINS),
    forbids=FORBIDS,
    space=st.sampled_from(SPACES),
    channels=st.sampled_from([1, 3]),
    side=st.sampled_from([32, 224]),
    seed=st.integers(0, 2**32),
)
def test_no_policy_of_any_space_and_no_baseline_has_what_is_forbidden(
    domain: str | None, forbids: list[str], space: str, channels: int, side: int, seed: int
) -> None:
    limits = limits_of(domain, "photos", forbids)
    base, what = limits.domain.base(side, side), (domain, forbids, space)
    try:
        limited, free = limited_space(space, channels, base, limits.cut), limited_baselines(channels, base, limits.cut)
    except BadInput as refused:  # nothing left to search, or no op that can change grey images
        assert any(word in str(refused) for word in ("nothing is left", "forbidden", "none of them can change"))
        return
    generator = np.random.default_rng(seed)
    searched = [limited.decode(limited.draw(generator)) for _ in range(5)]
    ends = [limited.decode({parameter.name: parameter.ends[end] for parameter in limited.parameters}) for end in (0, 1)]
    for policy in (*searched, *ends, *free.values()):
        assert_within(policy, limits.cut, what)
        check_within("policy", policy, limits.cut)
    assert limits.base(side, side) == cut_base(base, limits.cut)
    assert recorded_cut({"limits": limits.to_dict()}) == limits.cut


@settings(max_examples=40, deadline=None)
@given(policy=policies(3), forbids=FORBIDS)
def test_any_policy_is_either_within_or_refused_by_name_and_cutting_makes_it_fit(policy: Policy, forbids: list[str]) -> None:
    cut = cut_of(read_forbids(forbids))
    found, kept = beyond(policy, cut), cut_policy(policy, cut)
    assert bool(found) == (kept != policy)
    assert not beyond(kept, cut)
    assert_within(kept, cut, forbids)


@pytest.mark.parametrize("domain", domain_table(), ids=lambda domain: domain.name)
def test_a_domain_keeps_its_own_rules_and_says_why(domain) -> None:  # type: ignore[no-untyped-def]
    limits = limits_of(domain.name, "photos")
    for base in (domain.small, domain.large):
        assert cut_base(base, limits.cut) == base
        assert len(limited_baselines(3, base, limits.cut)) == 5
    assert domain.summary
    assert all(limit.reason and limit.source and read_forbids(limit.forbids) for limit in domain.limits)


def test_domains_are_what_the_docs_say() -> None:
    assert DOMAINS == ["aerial", "digits", "histology", "photos", "xray"]
    assert limits_of("digits", "photos").cut == Cut({"rotate": (-30.0, 30.0)}, (), ("hflip", "vflip", "quarter_turns"))
    assert usual_base("digits").hflip == limits_of("xray", "photos").base(224, 224).hflip == 0
    aerial = find_domain("aerial").base(64, 64)
    assert (aerial.hflip, aerial.vflip, aerial.quarter_turns) == (0.5, 0.5, 0.75)
    assert "hue" in limits_of("histology", "photos").cut.ranges
    with pytest.raises(BadInput, match="domain 'cats': there is none of this name; known are aerial, digits"):
        limits_of("cats", "photos")


def test_without_a_wish_nothing_is_limited_and_what_the_reader_says_gives_the_base_alone() -> None:
    assert not limits_of(None, "digits").cut
    assert limits_of(None, "digits").domain.name == "digits"
    assert "--domain digits would limit" in limits_of(None, "digits").notes(1)[0]
    assert limits_of("digits", "photos", "none").notes(1) == limits_of(None, "photos").notes(1) == ()
    assert not limits_of("photos", "digits").cut
    assert limits_of("photos", "digits").base(32, 32) == PHOTO_BASE
    assert limits_of("photos", "digits").base(224, 224) == LARGE_PHOTO_BASE


@pytest.mark.parametrize(
    ("domain", "side", "told"),
    [
        ("photos", 28, "66f869df291826e6"),
        ("photos", 224, "c598375e365715d8"),
        ("digits", 28, "079f42abb3ef8b3a"),
        ("digits", 224, "079f42abb3ef8b3a"),
    ],
)
def test_spaces_and_baselines_of_default_studies_are_what_they_were_before_there_were_limits(
    domain: str, side: int, told: str
) -> None:
    limits = limits_of(None, domain)
    base, names = limits.domain.base(side, side), ("randaugment", "photometric+geometry", "uniformaugment,trivialaugment")
    known: dict[str, object] = {name: limited_space(name, 3, base, limits.cut).to_dict() for name in names}
    known["baselines"] = {label: digest(policy) for label, policy in limited_baselines(3, base, limits.cut).items()}
    assert hashlib.sha256(canonical_json(known).encode()).hexdigest()[:16] == told


def test_a_users_forbid_stands_in_place_of_what_the_domain_says_of_the_same_thing() -> None:
    wider = limits_of("digits", "photos", "rotate>45,hue")
    assert wider.cut == Cut({"rotate": (-45.0, 45.0)}, ("hue",), ("hflip", "vflip", "quarter_turns"))
    assert limits_of("xray", "photos", "none,hue").cut == Cut(left_out=("hue",))
    assert any("situs" in note for note in limits_of("xray", "photos").notes(1))
    assert "usual are 1 channels an image, these have 3" in limits_of("xray", "photos").notes(3)[-1]
    assert limits_of(None, "photos", "hue,rotate>15").notes(3) == ("forbidden by wish: hue, rotate>15",)


def test_an_op_that_is_left_out_leaves_no_parameter_behind() -> None:
    cut = cut_of(read_forbids("hue,hflip,crop"))
    names = {parameter.name for parameter in limited_space("photometric+geometry", 3, PHOTO_BASE, cut).parameters}
    assert not any("hue" in name or "hflip" in name or "crop" in name for name in names)
    assert {"geometry.vflip", "geometry.resolution_percent", "gamma.centre"} <= names


def test_a_baseline_that_is_cut_says_so() -> None:
    free = limited_baselines(3, PHOTO_BASE, cut_of(read_forbids("rotate>5,hflip")))
    assert list(free) == ["none", "crop", "trivialaugment-wide (cut)", "randaugment(2,9) (cut)", "uniformaugment (cut)"]
    assert list(limited_baselines(3, PHOTO_BASE, Cut())) == list(baselines(3, PHOTO_BASE))
    plain = limited_baselines(3, PHOTO_BASE, cut_of(read_forbids("hflip,crop")))
    assert list(plain) == ["none", "trivialaugment-wide", "randaugment(2,9)", "uniformaugment"]


@pytest.mark.parametrize(
    ("space", "forbid", "told"),
    [
        ("photometric", "brightness_shift,contrast_about_128,gamma,saturation,hue", "all of them are forbidden"),
        ("uniformaugment:ops=hue", "hue>0", "all of them are forbidden"),
        ({"space": "uniformaugment:ops=hue/gamma", "forbid": ["gamma"]}, "hue", "nothing is left to search (no hue)"),
    ],
)
def test_forbids_that_leave_nothing_to_search_are_refused(space: str, forbid: str, told: str) -> None:
    with pytest.raises(BadInput) as caught:
        limited_space(space, 3, PHOTO_BASE, cut_of(read_forbids(forbid)))
    assert told in str(caught.value)


def test_forbids_that_leave_a_baseline_nothing_are_refused() -> None:
    ops = ",".join(op for op in baselines(3, PHOTO_BASE)["uniformaugment"].ops)
    with pytest.raises(BadInput, match="nothing is left of the baseline uniformaugment"):
        limited_baselines(3, PHOTO_BASE, cut_of(read_forbids(ops)))


def test_a_policy_that_has_what_is_forbidden_is_refused_by_name() -> None:
    policy = Policy(Base(crop=ResizedCrop(), hflip=0.5), build_space("randaugment").decode({"ops": 1, "level": 27}).branches)
    with pytest.raises(BadInput) as caught:
        check_within("enqueue mine.json", policy, cut_of(read_forbids("invert,hflip,crop<0.5,rotate>10")))
    words = (
        "op rotate (allowed is from -10 to 10 degrees); hflip of its base; crop of its base (allowed is at least 0.5 of the area)"
    )
    assert words in str(caught.value)
    with pytest.raises(BadInput, match="cutout, which is op erase"):
        check_within("enqueue mine.json", Policy(batch=Batch(cutout=0.5)), cut_of(read_forbids("erase>0.25")))
