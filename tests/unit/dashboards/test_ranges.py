"""The sheet of a space's ends: that it holds what the space's policies reach, on the user's images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from study_fixture import StudyInLedger

from dashboards.ranges import end_points, reached, write_ranges, write_study_ranges
from policysearch.home import Home
from searchspaces.errors import BadInput
from searchspaces.spaces import PHOTO_BASE, build_space
from trials.data import Source, prepare


def test_the_ends_of_an_op_are_the_lowest_and_the_highest_value_that_a_policy_can_draw() -> None:
    randaugment = reached(build_space("randaugment", 3, PHOTO_BASE))
    assert randaugment["rotate"] == ((-27.0,), (27.0,))  # level 27 of 30 on a scale to 30 degrees, either way
    shift = reached(build_space("photometric", 3, PHOTO_BASE))["brightness_shift"]
    assert shift == ((-96.0,), (96.0,))  # the centre at one end and the half width at the other: no single end of the space


def test_every_family_of_several_has_its_ends_visited() -> None:
    space = build_space("randaugment,photometric", 3, PHOTO_BASE)
    assert {"rotate", "gamma"} <= reached(space).keys()
    for point in end_points(space):
        space.decode(point)


def test_a_space_of_many_parameters_does_not_take_for_ever() -> None:
    assert len(end_points(build_space("autoaugment", 3, PHOTO_BASE))) <= 600


def test_a_study_that_has_just_been_made_gets_its_sheet_once(tmp_path: Path) -> None:
    made = StudyInLedger(tmp_path)
    path = write_study_ranges(made.ledger, made.home, made.name)
    assert path == made.home.study_directory(made.name) / "ranges.png"
    by_hand = write_ranges(made.home, made.prepared.directory, made.space, tmp_path / "by hand.png")
    assert path.read_bytes() == by_hand.read_bytes()
    assert write_study_ranges(made.ledger, made.home, made.name) is None


def test_the_sheet_is_a_picture_of_the_users_own_images_and_the_same_every_time(tmp_path: Path) -> None:
    home = Home(tmp_path)
    prepared = prepare(Source("sample", None, 64, None, None, None, 0), tmp_path)
    space = build_space("randaugment", prepared.channels, PHOTO_BASE)
    one, other = (write_ranges(home, prepared.directory, space, tmp_path / "a study" / name) for name in ("1.png", "2.png"))
    assert one.read_bytes() == other.read_bytes()
    drawn = write_ranges(home, None, space, tmp_path / "scene.png")
    assert not np.array_equal(np.asarray(Image.open(one))[:200], np.asarray(Image.open(drawn).resize(Image.open(one).size))[:200])
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(BadInput, match="can't be written"):
        write_ranges(home, None, space, tmp_path / "taken" / "ranges.png")
