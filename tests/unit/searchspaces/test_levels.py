"""Levels mean what torchvision's private tables say, to 1e-6, with the one deviation that is meant."""

from typing import Any

import pytest
from torchvision.transforms import v2

from searchspaces.errors import BadInput
from searchspaces.levels import MAX_LEVEL, Scale, all_levels, level_value, rounded, scale_ops
from searchspaces.ops import find_op
from searchspaces.policy import Constant, Levels

SIDE = 32
THEIR_NAMES = {
    "identity": "Identity",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
    "translate_x_px": "TranslateX",
    "translate_y_px": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "saturation": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "autocontrast": "AutoContrast",
    "equalize": "Equalize",
}
SCALES: list[tuple[Scale, Any]] = [("torchvision", v2.RandAugment), ("trivialaugment-wide", v2.TrivialAugmentWide)]
ROWS = [(scale, theirs, name) for scale, theirs in SCALES for name in scale_ops(scale)]


def ours_of(name: str, magnitude: float, scale: str) -> float:
    """Torchvision's magnitude in the unit of our op."""
    if name in ("brightness", "saturation", "contrast", "sharpness"):
        return 1 + magnitude
    if name in ("translate_x", "translate_y"):
        return magnitude / SIDE
    if name in ("translate_x_px", "translate_y_px"):
        return int(magnitude + 1e-6)  # cut off when it is applied; its float32 table has 15.999999 for 16
    return 255 * magnitude if name == "solarize" else magnitude


@pytest.mark.parametrize(("scale", "theirs", "name"), ROWS, ids=[f"{scale}-{name}" for scale, _, name in ROWS])
def test_every_level_is_torchvisions(scale: Scale, theirs: Any, name: str) -> None:
    table, signed = theirs._AUGMENTATION_SPACE[THEIR_NAMES[name]]
    magnitudes = table(MAX_LEVEL + 1, SIDE, SIDE)
    assert find_op(name).signed == signed
    for level in range(MAX_LEVEL + 1):
        value = level_value(name, level, scale)
        assert value.signed == signed
        if magnitudes is None:
            assert value == Constant(1.0)
        elif (name, level) == ("solarize", 0):
            assert float(magnitudes[0]) * 255 == 255
            assert value == Constant(256.0)
        else:
            expected = ours_of(name, float(magnitudes[level]), scale)
            assert value.value == pytest.approx(expected, abs=1e-6 * max(1, abs(expected)))


@pytest.mark.parametrize(("scale", "theirs"), SCALES)
def test_the_scales_have_torchvisions_ops(scale: Scale, theirs: Any) -> None:
    names = scale_ops(scale)
    assert list(names) == sorted(names)
    assert {THEIR_NAMES[name] for name in names} == set(theirs._AUGMENTATION_SPACE)
    assert len(names) == 14


@pytest.mark.parametrize("scale", ["torchvision", "trivialaugment-wide"])
def test_level_0_is_the_identity_of_every_op_with_a_strength(scale: Scale) -> None:
    for name in scale_ops(scale):
        if name not in ("autocontrast", "equalize", "identity"):
            assert level_value(name, 0, scale).value == find_op(name).strength.identity


def test_known_values() -> None:
    assert level_value("rotate", 9) == Constant(9.0, signed=True)
    assert level_value("rotate", 9, "trivialaugment-wide") == Constant(40.5, signed=True)
    assert level_value("brightness", 9) == Constant(1.27, signed=True)
    assert level_value("solarize", 9) == Constant(178.5)
    assert level_value("translate_x", 30) == Constant(0.453172, signed=True)
    assert level_value("posterize", 30) == Constant(4)


def test_all_levels_is_a_choice_of_31_and_a_constant_where_nothing_varies() -> None:
    assert all_levels("autocontrast") == Constant(1.0)
    rotate = all_levels("rotate")
    assert isinstance(rotate, Levels)
    assert rotate.signed
    assert rotate.values == tuple(4.5 * level for level in range(31))


@pytest.mark.parametrize("level", [-1, 31, 9.0, True, "9"])
def test_other_levels_are_refused(level: Any) -> None:
    with pytest.raises(BadInput, match=r"level: .* from 0 to 30 \(scale 'torchvision'\)"):
        level_value("rotate", level)


def test_other_ops_and_scales_are_refused() -> None:
    with pytest.raises(BadInput, match="op 'gamma': it has no levels on scale 'torchvision'; that knows autocontrast"):
        level_value("gamma", 9)
    with pytest.raises(BadInput, match="scale: 'paper'; allowed are torchvision, trivialaugment-wide"):
        level_value("rotate", 9, "paper")  # type: ignore[arg-type]


def test_rounding_keeps_6_significant_digits() -> None:
    assert rounded(150 / 331) == 0.453172
    assert rounded(123456.7) == 123457.0
