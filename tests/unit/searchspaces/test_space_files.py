"""Spaces in files: what narrows, fixes, forbids and adds; what is refused, with its place; that content counts, not place."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from space_fixture import FILES
from strategies import points

from searchspaces import spaces
from searchspaces.errors import BadInput
from searchspaces.families import find_family
from searchspaces.families.narrowed import narrowed
from searchspaces.families.narrowing import RECIPE_FIELDS, read_space_file
from searchspaces.recipe_fields import find_field
from searchspaces.space import Categorical, Parameter, Real, SearchSpace, When, Whole
from searchspaces.spaces import build_space, lasting_wish
from searchspaces.yaml_text import parse_yaml
from trials.values import Recipe


def made(text: str, channels: int = 3) -> SearchSpace:
    return build_space(parse_yaml(text.encode(), "f"), channels)


def found(space: SearchSpace, name: str) -> Parameter:
    return next(parameter for parameter in space.parameters if parameter.name == name)


def refusal(text: str) -> str:
    with pytest.raises(BadInput) as refused:
        made(text)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_file_narrows_fixes_forbids_and_adds(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(FILES["narrow.yaml"])
    space = build_space(str(path))
    assert space == spaces.from_file(path) == build_space(lasting_wish(str(path)))
    assert found(space, "randaugment.level") == Whole("randaugment.level", 9, 21, step=6, when=When("family", ("randaugment",)))
    gamma = found(space, "photometric.gamma.centre")
    assert gamma == Real("photometric.gamma.centre", 0.8, 1.25, log=True, when=When("family", ("photometric",)))
    width = found(space, "photometric.brightness_shift.half_width")
    assert isinstance(width, Categorical) and width.choices == (0.0, 10.0, 20.5)
    assert space.fixed == {"photometric.gamma.probability": 0.5, "recipe.weight_decay": 1e-4}
    names = {parameter.name for parameter in space.parameters}
    assert not any("hue" in name or "vflip" in name for name in names) and "geometry.hflip" in names
    assert found(space, "recipe.peak_learning_rate") == Real("recipe.peak_learning_rate", 1e-3, 1.0, log=True)
    assert found(space, "recipe.label_smoothing") == Categorical("recipe.label_smoothing", (0.0, 0.1))
    # Of photometric 4 ops of 3 less the fixed one, of geometry 6, of the recipe 2, and the family.
    assert space.dimensions == 1 + (4 * 3 - 1) + 6 + 2


@given(st.data())
def test_a_points_recipe_is_what_it_says(data: st.DataObject) -> None:
    space = made(FILES["narrow.yaml"])
    params = data.draw(points(space))
    recipe = space.recipe_overrides(params)
    assert recipe == {
        "peak_learning_rate": params["recipe.peak_learning_rate"],
        "label_smoothing": params["recipe.label_smoothing"],
        "weight_decay": 1e-4,
    }
    assert all(type(value) is float for value in recipe.values())
    Recipe(**recipe)  # type: ignore[arg-type]


def test_what_of_a_recipe_is_searched_is_a_field_of_it() -> None:
    usual = Recipe()
    for name in RECIPE_FIELDS:
        value = getattr(usual, name)
        assert find_field(name).checked(value) == value


def test_what_a_narrowed_space_says_the_whole_one_says_too() -> None:
    narrow, whole = (
        made("{space: randaugment+geometry, parameters: {geometry.crop: resized, level: 9}}"),
        build_space("randaugment+geometry"),
    )
    assert [parameter.name for parameter in narrow.parameters][:3] == ["ops", "geometry.scale_low", "geometry.aspect"]
    assert not narrow.conditional, "what depends on a fixed value is there for good, or gone"
    params = {parameter.name: parameter.ends[1] for parameter in narrow.parameters}
    assert narrow.decode(params) == whole.decode(params | {"geometry.crop": "resized", "level": 9})
    padded = made("{space: geometry, parameters: {geometry.crop: pad}}")
    assert not {"geometry.scale_low", "geometry.aspect", "geometry.crop"} & {p.name for p in padded.parameters}


def test_fixing_the_family_of_a_joint_space_leaves_one() -> None:
    space = made("{space: 'randaugment,photometric', parameters: {family: randaugment}}")
    assert [(parameter.name, parameter.when) for parameter in space.parameters] == [
        ("randaugment.ops", None),
        ("randaugment.level", None),
    ]
    assert space.decode({"randaugment.ops": 2, "randaugment.level": 9}) == spaces.randaugment().decode({"ops": 2, "level": 9})


def test_a_condition_goes_through_what_is_fixed_in_the_middle() -> None:
    """z asks for y, which is fixed where x allows it: then z asks for x itself."""
    parameters: tuple[Parameter, ...] = (
        Categorical("x", ("a", "b", "c")),
        Whole("y", 1, 3, when=When("x", ("b", "c"))),
        Categorical("z", ("on", "off"), when=When("y", (2,))),
    )
    space = SearchSpace("nested", parameters, lambda params: spaces.randaugment().decode({"ops": 1, "level": 9}))
    assert narrowed(space, {"y": 2}).parameters == (parameters[0], Categorical("z", ("on", "off"), when=When("x", ("b", "c"))))
    assert narrowed(space, {"y": 1}).parameters == parameters[:1]
    struck = narrowed(space, {"x": {"choices": ["b", "a"]}})
    assert struck.parameters[:2] == (Categorical("x", ("a", "b")), Whole("y", 1, 3, when=When("x", ("b",))))
    assert len(narrowed(space, {"y": {"low": 1, "high": 3, "step": 2}}).parameters) == 2, "y is never 2"
    assert len(narrowed(space, {"x": "c", "y": {"choices": [3, 2]}}).parameters) == 2
    with pytest.raises(BadInput, match="space nested: all of its parameters are fixed"):
        narrowed(space, {"x": "a"})


def test_the_content_is_the_identity_and_not_the_place(tmp_path: Path) -> None:
    text = "space: randaugment\nparameters: {level: {low: 3, high: 9}}\nforbid: [rotate, hue]\n"
    written = {
        "a.yaml": text,
        "b.yml": "# the same\nforbid:\n  - hue\n  - rotate\n" + text.replace("forbid: [rotate, hue]\n", ""),
        "c.yaml": text.replace("9", "15"),
    }
    for name, content in written.items():
        (tmp_path / name).write_text(content)
    first, same, other = (build_space(str(tmp_path / name)) for name in written)
    assert first == same and first.name == same.name
    assert other != first and other.name != first.name
    assert first.name.startswith("randaugment@") and len(first.name) == len("randaugment@") + 8
    assert made("space: randaugment:scale=torchvision") == spaces.randaugment(), "a file that changes nothing is the family"


def test_everything_may_be_fixed_but_the_recipe() -> None:
    space = made("{space: randaugment, parameters: {ops: 2, level: 9}, recipe: {weight_decay: {low: 0, high: 0.1}}}")
    assert space.dimensions == 1
    assert space.decode({"recipe.weight_decay": 0}) == spaces.randaugment().decode({"ops": 2, "level": 9})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{spaces: randaugment}", "content of a space file: unknown key 'spaces'; allowed are space, parameters, forbid, recipe"),
        ("{forbid: [hue]}", "content of a space file: space: None; allowed is text such as randaugment"),
        ("{space: other.yaml}", "file: space: 'other.yaml'; allowed is text"),
        ("{space: [randaugment]}", "file: space: a list; allowed is text"),
        ("{space: randaugmnt}", "did you mean 'randaugment'"),
        ("{space: randaugment, parameters: [level]}", "parameters: a list; allowed is a mapping from names"),
        ("{space: randaugment, parameters: {levels: 9}}", "unknown parameter 'levels'; did you mean 'level'? it has ops, level"),
        (
            "{space: randaugment, parameters: {level: 10}}",
            "parameter level: 10; allowed is a whole number from 3 to 27 in steps of 6",
        ),
        ("{space: randaugment, parameters: {level: true}}", "parameter level: True; allowed is a whole number"),
        ("{space: randaugment, parameters: {level: 9.0}}", "parameter level: 9.0; allowed is a whole number"),
        ("{space: randaugment, parameters: {level: '9'}}", "parameter level: '9'; allowed is a whole number"),
        ("{space: randaugment, parameters: {level: '9'}}", "write a number without quotes"),
        (
            "{space: randaugment, parameters: {level: {low: 3}}}",
            "parameter level: an object; give low and high, choices, or a plain",
        ),
        (
            "{space: randaugment, parameters: {level: {low: 3, high: 33}}}",
            "parameter level: 33; allowed is a whole number from 3",
        ),
        ("{space: randaugment, parameters: {level: {low: 9, high: 3}}}", "parameter level: 9 to 3"),
        ("{space: randaugment, parameters: {level: {low: 9, high: 9}}}", "write the value alone to fix it"),
        ("{space: randaugment, parameters: {level: {low: 3, high: 9, step: 4}}}", "step 4; allowed is 6 or a multiple of it"),
        ("{space: randaugment, parameters: {level: {low: 3, high: 21, step: 12}}}", "3 to 21 by 12; give whole steps"),
        (
            "{space: randaugment, parameters: {level: {low: 3, high: 9, log: true}}}",
            "unknown key 'log'; allowed are low, high, step",
        ),
        ("{space: randaugment, parameters: {level: {low: 3, high: 9, choices: [3]}}}", "choices and a range; give one of them"),
        ("{space: randaugment, parameters: {level: {choices: [3, 3]}}}", "a choice is given twice; give each once"),
        ("{space: randaugment, parameters: {level: {choices: []}}}", "choices a list; allowed is a list of its values"),
        ("{space: randaugment, parameters: {level: 3, ops: 1}}", "all of its parameters are fixed; leave one"),
        ("{space: geometry, parameters: {geometry.crop: {low: 1, high: 2}}}", "unknown key 'low'; allowed are choices"),
        ("{space: geometry, parameters: {geometry.crop: crop}}", "parameter geometry.crop: 'crop'; allowed are 'pad', 'resized'"),
        (
            "{space: geometry, parameters: {geometry.crop: pad, geometry.aspect: 3}}",
            "parameter geometry.aspect: it exists where geometry.crop is 'resized' alone; leave it out",
        ),
        (
            "{space: photometric, parameters: {gamma.centre: {low: 0.1, high: 1}}}",
            "gamma.centre: 0.1; allowed is a number from 0.7",
        ),
        ("{space: photometric, parameters: {gamma.centre: {low: 0.8, high: 1, log: no}}}", "log 'no'; allowed are true, false"),
        (
            "{space: photometric, parameters: {gamma.half_width: {low: 0, high: 0.1, log: true}}}",
            "low 0.0 on a logarithmic scale",
        ),
        ("{space: randaugment, parameters: {recipe.weight_decay: 0}}", "write it under the key recipe"),
        ("{space: randaugment, forbid: rotate}", "forbid: 'rotate'; allowed is a list of ops, such as [rotate, hflip]"),
        ("{space: randaugment, forbid: [rotat]}", "op 'rotat': there is none of this name; did you mean 'rotate'"),
        (
            "{space: randaugment, forbid: [resized_crop]}",
            "forbid: resized_crop; allowed are ops of branches and hflip, vflip, quarter",
        ),
        ("{space: 'randaugment:ops=rotate', forbid: [rotate]}", "all of them are forbidden"),
        ("{space: randaugment, forbid: [9]}", "forbid: a list; allowed is a list of ops"),
        ("{space: randaugment, recipe: {learning_rate: 1}}", "unknown field 'learning_rate'; did you mean 'peak_learning_rate'"),
        ("{space: randaugment, recipe: {device: cpu}}", "unknown field 'device'; allowed are optimiser, peak_learning_rate"),
        (
            "{space: randaugment, recipe: {optimiser: adam}}",
            "recipe.optimiser: 'adam'; did you mean 'adamw'? allowed is sgd, adamw",
        ),
        (
            "{space: randaugment, recipe: {peak_learning_rate: 0}}",
            "recipe.peak_learning_rate: 0; allowed is a number from 1e-06 to 100",
        ),
        ("{space: randaugment, recipe: {label_smoothing: 1}}", "recipe.label_smoothing: 1; allowed is a number from 0 to 0.99"),
        ("{space: randaugment, recipe: {label_smoothing: {low: 0, high: 0.3, log: true}}}", "low 0.0 on a logarithmic scale"),
        (
            "{space: randaugment, recipe: {weight_decay: {low: -1, high: 0.3}}}",
            "recipe.weight_decay: -1; allowed is a number from 0 to 1",
        ),
        (
            "{space: randaugment, recipe: {weight_decay: '1e-3'}}",
            "recipe.weight_decay: '1e-3'; allowed is a number from 0 to 1; write",
        ),
        ("{space: randaugment, recipe: 3}", "recipe: 3; allowed is a mapping"),
    ],
)
def test_what_a_file_can_not_say_is_refused_in_one_line(text: str, message: str) -> None:
    assert message in refusal(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file or directory; give the path of a YAML file"),
        ("- randaugment", "a list; allowed is a mapping with the keys space, parameters, forbid, recipe"),
        ("", "None; allowed is a mapping"),
        ("space: randaugment\nspace: photometric", "line 2: key 'space' given twice"),
        ("space: randaugmnt", "did you mean 'randaugment'"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text)
    for read in (find_family, build_space, read_space_file, lasting_wish):
        with pytest.raises(BadInput) as refused:
            read(str(path))
        assert str(refused.value).startswith(f"space file {path}: ") and message in str(refused.value)


def test_a_folder_and_what_is_no_wish_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(BadInput, match="Is a directory; give the path of a YAML file"):
        find_family(str(tmp_path / "folder.yaml"))
    wish: Any = 3
    with pytest.raises(BadInput, match=r"space 3: allowed is text, such as randaugment or space\.yaml"):
        find_family(wish)


def test_the_file_is_named_where_its_ranges_turn_out_wrong(tmp_path: Path) -> None:
    path = tmp_path / "grey.yaml"
    path.write_text("{space: photometric, parameters: {hue.centre: 0}}")
    assert spaces.from_file(path).dimensions == 14
    with pytest.raises(BadInput) as refused:
        spaces.from_file(path, channels=1)
    assert "unknown parameter 'hue.centre'" in str(refused.value) and "grey images" in str(refused.value)
