"""What counts as a broken class, on readings made up for it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from trials.label_breaking import LEAST_OF_A_CLASS, Judge
from trials.label_readers import NO_CLASS, Read

CLASSES = ("0", "2", "5", "6", "9")
EACH = 50
LABELS = np.repeat(np.arange(len(CLASSES)), EACH)


def read(
    moved: Mapping[tuple[str, str], float] | None = None, agree: bool = True, typical: bool = True, blank: float = 0.0
) -> Read:
    """All images read as what they are, but for shares of a class that go to another; do the neighbours agree?"""
    net = LABELS.copy()
    for (one, other), share in (moved or {}).items():
        start = CLASSES.index(one) * EACH
        net[start : start + round(share * EACH)] = CLASSES.index(other)
    far = net if agree else LABELS.copy()
    near = far if typical else np.full_like(far, NO_CLASS)
    return Read(net, far, near, np.arange(len(net)) < blank * len(net))


def broken(op: str, value: float, reads: Mapping[tuple[str, float], Read], labels: np.ndarray = LABELS) -> list[tuple[Any, ...]]:
    untouched = Read(labels, labels, labels, np.zeros(len(labels), dtype=bool))
    reads = {("hflip", 1.0): untouched} | dict(reads)
    told = Judge(CLASSES, labels, np.arange(len(labels)), reads).told(op, value)["broken"]
    return [(found["kind"], found["from"], found["to"]) for found in told]


SWAPPED = {("6", "9"): 0.9, ("9", "6"): 0.6}


def test_two_classes_that_an_op_exchanges_are_broken_and_told_once() -> None:
    assert broken("vflip", 1.0, {("vflip", 1.0): read(SWAPPED)}) == [("exchange", "6", "9")]


def test_what_goes_one_way_alone_is_not_broken() -> None:
    """An image unlike all that a net knows is taken for something; that something is not taken for it."""
    assert broken("vflip", 1.0, {("vflip", 1.0): read({("6", "9"): 1.0, ("9", "0"): 0.9})}) == []


def test_the_two_ways_may_be_those_of_an_op_and_of_its_undoing() -> None:
    there, back = read({("6", "9"): 0.9}), read({("9", "6"): 0.9})
    assert broken("shear_x", 0.4, {("shear_x", 0.4): there, ("shear_x", -0.4): back}) == [("exchange", "6", "9")]
    assert broken("shear_x", 0.4, {("shear_x", 0.4): there, ("shear_x", -0.4): there}) == []


def test_where_the_nearest_images_disagree_with_the_net_nothing_is_broken() -> None:
    assert broken("vflip", 1.0, {("vflip", 1.0): read(SWAPPED, agree=False)}) == []


def test_of_an_op_that_changes_pixels_only_images_typical_of_the_other_class_count() -> None:
    assert broken("invert", 1.0, {("invert", 1.0): read(SWAPPED)}) == [("exchange", "6", "9")]
    assert broken("invert", 1.0, {("invert", 1.0): read(SWAPPED, typical=False)}) == []
    assert broken("vflip", 1.0, {("vflip", 1.0): read(SWAPPED, typical=False)}) == [("exchange", "6", "9")]


def test_a_class_that_everything_is_taken_for_is_a_drain_and_no_exchange() -> None:
    drain = {(name, "9"): 0.9 for name in ("0", "2", "5", "6")}
    assert broken("vflip", 1.0, {("vflip", 1.0): read(drain | {("9", "6"): 0.9})}) == []


def test_a_share_too_small_or_images_too_few_prove_nothing() -> None:
    assert broken("vflip", 1.0, {("vflip", 1.0): read({("6", "9"): 0.9, ("9", "6"): 0.3})}) == []
    few = np.concatenate([np.flatnonzero(label == LABELS)[: LEAST_OF_A_CLASS - 1] for label in range(len(CLASSES))])
    whole = read({("6", "9"): 1.0, ("9", "6"): 1.0})
    cut = Read(whole.net[few], whole.far[few], whole.near[few], whole.blank[few])
    assert broken("vflip", 1.0, {("vflip", 1.0): cut}, LABELS[few]) == []


def test_rotations_are_broken_from_half_the_turn_that_exchanges() -> None:
    """A 6 turned by 95 degrees and a 9 turned by 85 the other way are one picture."""
    reads = {("quarter_turns", turns): read(SWAPPED if turns == 2 else None) for turns in (1.0, 2.0, 3.0)}
    reads |= {("rotate", degrees): read() for degrees in (30.0, 85.0, 90.0, -90.0, 135.0)}
    found = {degrees: broken("rotate", degrees, reads) for degrees in (30.0, 85.0, 90.0, -90.0, 135.0)}
    assert found == {30.0: [], 85.0: [], **{key: [("turned", "6", "9")] for key in (90.0, -90.0, 135.0)}}


def test_hflip_is_broken_where_most_mirrored_images_are_read_as_something_else() -> None:
    lost = dict.fromkeys((("2", "5"), ("5", "9"), ("6", "0"), ("9", "0")), 0.9)
    assert broken("hflip", 1.0, {("hflip", 1.0): read(lost, agree=False)}) == [
        ("mirror", "2", "5"),
        ("mirror", "5", "9"),
        ("mirror", "6", "0"),
        ("mirror", "9", "0"),
    ]
    boots_alone = {("2", "5"): 0.9}
    assert broken("hflip", 1.0, {("hflip", 1.0): read(boots_alone, agree=False)}) == []


def test_vflip_is_a_mirror_too_but_that_photos_upside_down_are_misread_tells_nothing() -> None:
    lost = dict.fromkeys((("2", "5"), ("5", "9"), ("6", "0"), ("9", "0")), 0.9)
    upside_down = {("vflip", 1.0): read(lost, agree=False)}
    assert broken("vflip", 1.0, upside_down | {("hflip", 1.0): read()}) == []
    assert broken("vflip", 1.0, upside_down | {("hflip", 1.0): read(lost, agree=False)})[0] == ("mirror", "2", "5")
    assert broken("vflip", 1.0, {("vflip", 1.0): read()} | {("hflip", 1.0): read(lost, agree=False)}) == []


def test_images_of_which_nothing_is_left_are_broken_whatever_they_are_read_as() -> None:
    assert broken("brightness", 0.0, {("brightness", 0.0): read(blank=0.6)}) == [("blank", None, None)]
    assert broken("brightness", 0.1, {("brightness", 0.1): read(blank=0.4)}) == []


def test_the_example_is_an_image_of_the_class_that_went_over() -> None:
    reads = {("hflip", 1.0): read(), ("vflip", 1.0): read(SWAPPED)}
    (told,) = Judge(CLASSES, LABELS, 1000 + np.arange(len(LABELS)), reads).told("vflip", 1.0)["broken"]
    assert LABELS[told["example"] - 1000] == CLASSES.index("6")
    assert told["share"] == pytest.approx(0.9)
    assert told["back"] == pytest.approx(0.6)
