"""A space in words: every parameter is told, none as JSON."""

from searchspaces.space_words import parameters_in_words
from searchspaces.spaces import PHOTO_BASE, build_space


def test_bounds_steps_choices_and_conditions_are_told() -> None:
    told = dict(parameters_in_words(build_space("randaugment+geometry", 3, PHOTO_BASE).to_dict()["parameters"]))
    assert told["ops"] == "1 to 3" and told["level"] == "3 to 27 by 6"
    assert told["geometry.crop"] == "pad or resized"
    assert told["geometry.scale_low"] == "0.08 to 1 (where geometry.crop is resized)"


def test_parameters_that_are_alike_stand_together_and_none_is_left_out() -> None:
    space = build_space("autoaugment", 3, PHOTO_BASE)
    told = parameters_in_words(space.to_dict()["parameters"])
    assert len(told) < 20 < len(space.parameters)
    assert sum(int(names.rpartition("(")[2].rstrip(")")) if "(" in names else len(names.split(", ")) for names, _ in told) == len(
        space.parameters
    )
