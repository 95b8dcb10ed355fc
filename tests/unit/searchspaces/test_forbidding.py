"""What can be forbidden, how it is written, and the cut that it comes to."""

import pytest

from searchspaces.cutting import Cut
from searchspaces.errors import BadInput
from searchspaces.forbidding import PARTS, Forbid, cut_of, read_forbids
from searchspaces.ops import op_table


def test_a_forbid_is_an_op_a_part_of_the_base_or_a_bound() -> None:
    found = read_forbids("hflip, hue,rotate>15,brightness < 0.7,crop<0.5,,hue")
    assert [forbid.words for forbid in found] == ["hflip", "hue", "rotate>15", "brightness<0.7", "crop<0.5"]
    assert read_forbids(["hflip", "hue,rotate>15"]) == read_forbids("hflip,hue,rotate>15")
    assert read_forbids("") == read_forbids(()) == ()
    assert read_forbids(found[2].words) == (Forbid("rotate", ">", 15.0),)


@pytest.mark.parametrize("name", [op.name for op in op_table() if op.name not in ("identity", "resized_crop")])
def test_every_op_can_be_forbidden(name: str) -> None:
    cut = cut_of(read_forbids(name))
    assert (name in cut.moves) if name in PARTS else cut.left_out == (name,)


@pytest.mark.parametrize(
    ("wish", "cut"),
    [
        ("rotate>15", Cut({"rotate": (-15.0, 15.0)})),
        ("rotate>40,rotate>15", Cut({"rotate": (-15.0, 15.0)})),
        ("rotate>0", Cut(left_out=("rotate",))),
        ("rotate,rotate>15", Cut(left_out=("rotate",))),
        ("hue>0.1", Cut({"hue": (-0.1, 0.1)})),
        ("brightness>1.3", Cut({"brightness": (0.0, 1.3)})),
        ("brightness>1.3,brightness<0.8", Cut({"brightness": (0.8, 1.3)})),
        ("solarize<128", Cut({"solarize": (128.0, 256.0)})),
        ("posterize<3.5", Cut({"posterize": (4.0, 8.0)})),
        ("solarize_add>20.5", Cut({"solarize_add": (0.0, 20.0)})),
        ("crop<0.5", Cut(crop_least=0.5)),
        ("crop<0.5,crop<0.7", Cut(crop_least=0.7)),
        ("crop,crop<0.5,vflip,hue", Cut(left_out=("hue",), moves=("vflip", "crop"))),
        ("none", Cut()),
    ],
)
def test_what_is_forbidden_is_cut(wish: str, cut: Cut) -> None:
    assert cut_of(read_forbids(wish)) == cut
    assert Cut.from_dict(cut.to_dict()) == cut


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ("flip", "there is no such op or part of the base; did you mean 'vflip'? allowed are hflip, vflip, quarter_turns, crop,"),
        ("resized_crop", "there is no such op"),
        ("identity", "there is no such op"),
        ("rotate=15", "allowed is a name, or NAME>VALUE or NAME<VALUE"),
        ("rotate>", "allowed is a name, or"),
        ("rotate>far", "'far' is no number; give one in the op's unit"),
        ("rotate>nan", "no number"),
        ("rotate>181", "rotate counts in degrees; allowed is a bound from -180 to 180"),
        ("rotate<10", "rotate goes both ways from 0; write rotate>10"),
        ("brightness>0.5", "at 1 times brightness does nothing, and nothing is always allowed"),
        ("solarize>100", "at 256 levels solarize does nothing"),
        ("hflip>0.5", "hflip has no strength to bound; forbid hflip as a whole"),
        ("quarter_turns>1", "quarter_turns has no strength to bound"),
        ("equalize>0.5", "equalize has no strength to bound"),
        ("crop>0.5", "allowed is crop<SHARE"),
        ("crop<1", "allowed is crop<SHARE"),
        ("none>1", "none lifts what the domain forbids"),
        (7, "allowed is text such as hflip,hue,rotate>15, or a list of such"),
        ([7], "allowed is text"),
        (",".join(["hue"] * 201), "201 given; allowed are at most 200"),
    ],
)
def test_what_can_not_be_forbidden_is_named_with_what_can(wish: str, told: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_forbids(wish)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
