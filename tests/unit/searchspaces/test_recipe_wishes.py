"""Wishes for a recipe as text, file and mapping: what is fixed, what is searched, what is refused in one line."""

from pathlib import Path
from typing import Any

import pytest

from searchspaces import spaces
from searchspaces.errors import BadInput
from searchspaces.parameters import Categorical, Real, When
from searchspaces.recipe_fields import FIELDS, USUAL, find_field
from searchspaces.recipe_wishes import lasting_recipe, read_recipe, with_recipe
from trials.recipes import check_recipe
from trials.values import Recipe

TEXT = "optimiser=adamw/sgd,peak_learning_rate=1e-3..0.5:log,weight_decay=1e-4..0.1:log,adamw_beta2=0.99/0.999,dropout=0..0.5,"
TEXT += "schedule=step,step_milestones=0.3/0.6,batch_parts=2,channels_last=false,ema_decay=0.99"
YAML = """
optimiser: [adamw, sgd]
peak_learning_rate: {low: 1e-3, high: 0.5, log: true}
weight_decay: {low: 1e-4, high: 0.1, log: true}
adamw_beta2: {choices: [0.999, 0.99]}
dropout: {low: 0, high: 0.5}
schedule: step
step_milestones: [0.3, 0.6]
batch_parts: 2
channels_last: false
ema_decay: 0.99
"""


def test_the_table_is_of_the_recipes_fields_with_their_defaults() -> None:
    usual = Recipe().__dict__
    assert {field.name for field in FIELDS} == set(usual)
    for field in FIELDS:
        assert field.checked(usual[field.name]) == usual[field.name]
        assert type(field.checked(usual[field.name])) is type(usual[field.name])
    assert all(usual[name] == value for name, value in USUAL["sgd"].items())
    assert len({tuple(values) for values in USUAL.values()}) == 1


def test_text_file_and_mapping_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(YAML)
    wish = read_recipe(TEXT)
    assert wish == read_recipe(str(path)) == read_recipe(path) == read_recipe(lasting_recipe(path))
    assert wish == read_recipe(lasting_recipe(TEXT))
    fixed = {"batch_parts": 2, "schedule": "step", "step_milestones": "0.3/0.6", "ema_decay": 0.99, "channels_last": False}
    assert wish.fixed == wish.completed() == fixed
    assert wish.searched == (
        Categorical("recipe.optimiser", ("sgd", "adamw")),
        Real("recipe.peak_learning_rate", 1e-3, 0.5, log=True),
        Real("recipe.weight_decay", 1e-4, 0.1, log=True),
        Real("recipe.dropout", 0.0, 0.5),
        Categorical("recipe.adamw_beta2", (0.99, 0.999), When("recipe.optimiser", ("adamw",))),
    )
    check_recipe(Recipe(**wish.fixed))  # type: ignore[arg-type]


def test_an_optimiser_brings_its_usual_rate_and_decay_where_nothing_is_said_of_them() -> None:
    assert read_recipe("optimiser=adamw").completed() == {"optimiser": "adamw", **USUAL["adamw"]}
    wish = read_recipe("optimiser=adamw,weight_decay=0.01,peak_learning_rate=1e-4..1e-2:log")
    assert wish.completed() == {"optimiser": "adamw", "weight_decay": 0.01}
    assert read_recipe("dropout=0.1").completed() == {"dropout": 0.1}


def test_a_searched_optimiser_has_its_usual_rate_at_every_point() -> None:
    space = with_recipe(spaces.randaugment(), read_recipe("optimiser=sgd/adamw,dropout=0/0.5"))
    point = {"ops": 1, "level": 9, "recipe.dropout": 0.5}
    for name, usual in USUAL.items():
        found = space.recipe_overrides({**point, "recipe.optimiser": name})
        assert found == {"optimiser": name, "dropout": 0.5, **usual}
    searched = with_recipe(spaces.randaugment(), read_recipe("optimiser=sgd/adamw,peak_learning_rate=0.001..0.1"))
    params = {"ops": 1, "level": 9, "recipe.peak_learning_rate": 0.05, "recipe.optimiser": "adamw"}
    assert searched.recipe_overrides(params)["peak_learning_rate"] == 0.05


def test_a_space_that_says_nothing_of_the_recipe_is_the_very_space() -> None:
    space = spaces.randaugment()
    assert with_recipe(space, read_recipe("optimiser=adamw")) is space


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("optimizer=adamw", "recipe: unknown field 'optimizer'; did you mean 'optimiser'? allowed are model, batch_images"),
        ("optimiser=adam", "recipe: optimiser: 'adam'; did you mean 'adamw'? allowed is sgd, adamw"),
        ("dropout=1", "recipe: dropout: 1; allowed is a number from 0 to 0.95"),
        ("dropout=0..1", "recipe: dropout: 1; allowed is a number from 0 to 0.95"),
        ("dropout=0.5..0.1", "recipe: dropout: {'low': 0.5, 'high': 0.1, 'log': False}; give low below high"),
        ("weight_decay=0..0.1:log", "low 0.0 on a logarithmic scale"),
        ("dropout", "recipe: 'dropout'; allowed is FIELD=VALUE, several with commas, or the path of a .yaml file"),
        ("", "recipe: ''; allowed is FIELD=VALUE"),
        ("dropout=0.1,dropout=0.2", "recipe: dropout is given twice; give it once"),
        ("batch_images=32/64", "recipe: batch_images: {'choices': [32, 64]}; it is one for a whole study: give a value"),
        ("batch_images=1", "recipe: batch_images: 1; allowed is a whole number from 2 to 65536"),
        ("batch_images=32.5", "recipe: batch_images: 32.5; allowed is a whole number"),
        ("device=cpu/cuda", "device: {'choices': ['cpu', 'cuda']}; it is one for a whole study"),
        ("device=tpu", "recipe: device: 'tpu'; did you mean 'cpu'? allowed is cpu, cuda"),
        ("precision=float16", "recipe: precision: 'float16'; did you mean"),
        ("channels_last=yes", "recipe: channels_last: 'yes'; allowed is true, false"),
        ("views=hflip", "recipe: views: they are wished for by themselves; give --views, or Study(views=...)"),
        ("step_milestones=0.6/0.3", "recipe: step_milestones: '0.6/0.3'; allowed are shares between 0 and 1, ascending"),
        ("step_factor=0.2", "recipe: step_factor is of schedule step alone, and that is one-cycle; wish for schedule=step too"),
        ("adamw_beta2=0.9,optimiser=sgd", "recipe: adamw_beta2 is of optimiser adamw alone, and that is sgd"),
        ("optimiser=sgd/adamw,peak_learning_rate=0.1", "recipe: peak_learning_rate 0.1 can't suit every optimiser"),
        ({"dropout": {"low": 0}}, "recipe: dropout: {'low': 0}; allowed are low and high (and log: true), choices, or a value"),
        ({"optimiser": {"low": 0, "high": 1}}, "recipe: optimiser: {'low': 0, 'high': 1}; allowed are choices, or a value"),
        ({"dropout": []}, "recipe: dropout: choices []; allowed is a list of its values"),
        ({"dropout": [0.1, 0.1]}, "give each once"),
        ({"dropout": True}, "recipe: dropout: True; allowed is a number"),
        ({"dropout": "0.1"}, "recipe: dropout: '0.1'; allowed is a number from 0 to 0.95; write a number without quotes"),
        ({1: 2}, "recipe: unknown field 1"),
        ("nowhere.yaml", "recipe: file nowhere.yaml: No such file or directory; give the path of a YAML file that can be read"),
    ],
)
def test_what_can_not_be_wished_is_refused_in_one_line(wish: Any, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_recipe(wish)
    assert message in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["dropout: &a 1\nema_decay: *a", "- 1", "{dropout: 0.1, dropout: 0.2}", "!!python/object:os.x {}"]
)
def test_a_file_that_is_no_recipe_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(BadInput, match=r"^recipe: file .*r\.yaml") as refused:
        read_recipe(tmp_path / "r.yaml")
    assert "\n" not in str(refused.value)


def test_a_field_that_the_space_says_too_is_refused() -> None:
    space = spaces.build_space({"space": "randaugment", "recipe": {"dropout": [0.0, 0.1], "label_smoothing": 0.0}})
    for wish in ("dropout=0.2", "dropout=0..0.5", "label_smoothing=0.1"):
        with pytest.raises(BadInput, match=r"^recipe: \w+, but space randaugment@\w+ says it itself; leave one of the two out"):
            with_recipe(space, read_recipe(wish))
    either = spaces.build_space({"space": "randaugment", "recipe": {"optimiser": ["sgd", "adamw"]}})
    with pytest.raises(BadInput, match="can't suit every optimiser"):
        with_recipe(either, read_recipe("peak_learning_rate=0.1"))


def test_fields_are_found_by_name() -> None:
    assert find_field("dropout").searched and not find_field("device").searched
