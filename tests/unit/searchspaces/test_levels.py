"""Levels mean what torchvision's private tables say, to 6 significant digits, with the one deviation that is meant."""

from typing import Any

import pytest
from torchvision.transforms import v2
from torchvision_names import THEIR_NAMES

from searchspaces.errors import BadInput
from searchspaces.levels import Scale, all_levels, level_value, rounded, scale_ops, top_level
from searchspaces.ops import find_op
from searchspaces.policy import Constant, Levels

SIDE = 32
SCALES: list[tuple[Scale, Any, int]] = [
    ("torchvision", v2.RandAugment, 31),
    ("trivialaugment-wide", v2.TrivialAugmentWide, 31),
    ("torchvision-autoaugment", v2.AutoAugment, 10),
]
ROWS = [(scale, theirs, bins, name) for scale, theirs, bins in SCALES for name in scale_ops(scale)]


def ours_of(name: str, magnitude: float, scale: str) -> float:
    """Torchvision's magnitude in the unit of our op."""
    if name in ("brightness", "saturation", "contrast", "sharpness"):
        return 1 + magnitude
    if name in ("translate_x", "translate_y"):
        return magnitude / SIDE
    if name in ("translate_x_px", "translate_y_px"):
        return int(magnitude + 1e-6)  # cut off when it is applied; its float32 table has 15.999999 for 16
    return 255 * magnitude if name == "solarize" else magnitude


@pytest.mark.parametrize(("scale", "theirs", "bins", "name"), ROWS, ids=[f"{row[0]}-{row[-1]}" for row in ROWS])
def test_every_level_is_torchvisions(scale: Scale, theirs: Any, bins: int, name: str) -> None:
    table, signed = theirs._AUGMENTATION_SPACE[THEIR_NAMES[name]]
    magnitudes = table(bins, SIDE, SIDE)
    assert top_level(scale) == bins - 1
    assert find_op(name).signed == signed
    for level in range(bins):
        value = level_value(name, level, scale)
        assert value.signed == signed
        if magnitudes is None:
            assert value == Constant(1.0)
        elif (name, level) == ("solarize", 0):
            assert float(magnitudes[0]) * 255 == 255
            assert value == Constant(256.0)
        else:
            expected = ours_of(name, float(magnitudes[level]), scale)
            assert value.value == pytest.approx(expected, rel=5e-6, abs=1e-6)


@pytest.mark.parametrize(("scale", "theirs", "bins"), SCALES)
def test_the_scales_have_torchvisions_ops(scale: Scale, theirs: Any, bins: int) -> None:
    names = scale_ops(scale)
    assert list(names) == sorted(names)
    assert {THEIR_NAMES[name] for name in names} == set(theirs._AUGMENTATION_SPACE)
    assert len(names) == 14


@pytest.mark.parametrize("scale", [scale for scale, *_ in SCALES])
def test_level_0_is_the_identity_of_every_op_with_a_strength(scale: Scale) -> None:
    for name in scale_ops(scale):
        if name not in ("autocontrast", "equalize", "identity", "invert"):
            assert level_value(name, 0, scale).value == find_op(name).strength.identity


def test_known_values() -> None:
    assert level_value("rotate", 9) == Constant(9.0, signed=True)
    assert level_value("rotate", 9, "trivialaugment-wide") == Constant(40.5, signed=True)
    assert level_value("brightness", 9) == Constant(1.27, signed=True)
    assert level_value("solarize", 9) == Constant(178.5)
    assert level_value("translate_x", 30) == Constant(0.453172, signed=True)
    assert level_value("posterize", 30) == Constant(4)
    assert level_value("rotate", 9, "torchvision-autoaugment") == Constant(30.0, signed=True)
    assert level_value("shear_x", 5, "torchvision-autoaugment") == Constant(0.166667, signed=True)


def test_all_levels_is_a_choice_of_31_and_a_constant_where_nothing_varies() -> None:
    assert all_levels("autocontrast") == Constant(1.0)
    rotate = all_levels("rotate")
    assert isinstance(rotate, Levels)
    assert rotate.signed
    assert rotate.values == tuple(4.5 * level for level in range(31))
    assert all_levels("rotate", "torchvision", highest=2) == Levels((0.0, 1.0, 2.0), signed=True)


@pytest.mark.parametrize("level", [-1, 31, 9.0, True, "9"])
def test_other_levels_are_refused(level: Any) -> None:
    with pytest.raises(BadInput, match=r"level: .* from 0 to 30 \(scale 'torchvision'\)"):
        level_value("rotate", level)


def test_each_scale_has_its_own_highest_level() -> None:
    with pytest.raises(BadInput, match=r"level: 10; allowed is a whole number from 0 to 9 \(scale 'torchvision-autoaugment'\)"):
        level_value("rotate", 10, "torchvision-autoaugment")


def test_other_ops_and_scales_are_refused() -> None:
    with pytest.raises(BadInput, match="op 'gamma': it has no levels on scale 'torchvision'; that knows autocontrast"):
        level_value("gamma", 9)
    with pytest.raises(BadInput, match="scale: 'timm'; allowed are torchvision, trivialaugment-wide, torchvision-auto"):
        level_value("rotate", 9, "timm")  # type: ignore[arg-type]


def test_rounding_keeps_6_significant_digits() -> None:
    assert rounded(150 / 331) == 0.453172
    assert rounded(123456.7) == 123457.0
