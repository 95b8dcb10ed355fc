"""Names of views: what each costs, how they are wished for, fixed and searched; what is refused."""

import json

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policysearch.samplers import key_of
from searchspaces import spaces
from searchspaces.errors import BadInput
from searchspaces.json_text import canonical_json
from searchspaces.space import Categorical, SearchSpace
from searchspaces.spaces import build_space
from searchspaces.views import (
    SEARCHED,
    VIEW_SETS,
    checked_views,
    named_views,
    recipe_views,
    views_count,
    views_met,
    views_note,
    with_views,
)
from searchspaces.yaml_text import parse_yaml
from trials.recipes import check_recipe
from trials.values import Recipe

WISH = "identity,hflip,mild:4"


def made(text: str) -> SearchSpace:
    return build_space(parse_yaml(text.encode(), "f"), 3)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("identity", 1),
        ("hflip", 2),
        ("five-crops", 5),
        ("ten-crops", 10),
        ("scales", 3),
        ("mild", 8),
        ("mild:2", 2),
        ("mild:64", 64),
    ],
)
def test_each_has_a_number_of_views(name: str, count: int) -> None:
    assert views_count(name) == count


def test_a_name_is_written_one_way() -> None:
    assert checked_views("mild") == checked_views("mild:8") == "mild:8"
    assert named_views(" identity, mild ") == ("identity", "mild:8")


@pytest.mark.parametrize(
    "name", ["", "flip", "mild:1", "mild:65", "mild:", "mild:08", "mild:8 ", "Identity", None, 3, "hflip,scales"]
)
def test_unknown_names_are_refused_with_those_that_are_allowed(name: object) -> None:
    with pytest.raises(BadInput) as refused:
        checked_views(name)
    text = str(refused.value)
    assert text.startswith("views: ") and "\n" not in text
    assert all(known in text for known in (*VIEW_SETS, "mild:N"))


def test_a_close_name_is_pointed_at() -> None:
    with pytest.raises(BadInput, match="did you mean 'ten-crops'"):
        checked_views("ten-crop")


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="has mild:8 twice"):
        named_views("mild,hflip,mild:8")


def test_one_wish_is_the_recipes_and_several_are_searched() -> None:
    space = spaces.randaugment()
    assert with_views(space, "identity") is space and recipe_views("identity") == "identity"
    assert with_views(space, "hflip") is space and recipe_views("hflip") == "hflip"
    searched = with_views(space, WISH)
    assert searched.parameters == (*space.parameters, Categorical(SEARCHED, ("identity", "hflip", "mild:4")))
    assert recipe_views(WISH) == "identity"
    assert searched.dimensions == space.dimensions + 1 and searched != space
    assert len(searched.cells() or ()) == 3 * len(space.cells() or ())


def test_a_point_has_a_policy_and_views() -> None:
    searched = with_views(spaces.randaugment(), WISH)
    params = {"ops": 2, "level": 9, "recipe.views": "mild:4"}
    assert searched.decode(params) == spaces.randaugment().decode({"ops": 2, "level": 9})
    assert searched.recipe_overrides(params) == {"views": "mild:4"}
    with pytest.raises(BadInput, match=r"recipe\.views: 'scales'; allowed are 'identity', 'hflip', 'mild:4'"):
        searched.decode(params | {"recipe.views": "scales"})
    json.loads(canonical_json(searched.to_dict()))


def test_the_same_policy_by_other_views_is_another_trial() -> None:
    usual = Recipe()
    keys = {key_of("f", {"views": name}, usual) for name in ("identity", "hflip", "mild:8")}
    assert len(keys) == 3 and "f" in keys, "what the study's recipe says anyway makes no other trial"


@given(st.integers(0, 2**32), st.sampled_from(["randaugment", "randaugment,photometric+geometry"]))
def test_views_are_suggested_by_ray_and_optuna_and_drawn(seed: int, wish: str) -> None:
    from ray.tune.search.variant_generator import generate_variants

    space = with_views(build_space(wish), WISH)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    by_optuna = study.ask(space.to_optuna()).params
    trial = optuna.trial.FixedTrial(by_optuna)
    by_ray = next(iter(generate_variants(space.to_ray(), random_state=np.random.RandomState(seed % 2**32))))[1]
    for params in (by_optuna, by_ray, space.draw(np.random.default_rng(seed))):
        assert space.recipe_overrides(params)["views"] in ("identity", "hflip", "mild:4")
    assert space.suggest(trial) == space.decode(by_optuna)


def test_in_a_file_views_are_fixed_or_chosen_from() -> None:
    fixed = made("{space: randaugment, recipe: {views: hflip}}")
    assert fixed.fixed == {SEARCHED: "hflip"}
    assert fixed.recipe_overrides({"ops": 1, "level": 9}) == {"views": "hflip"}
    assert made("{space: randaugment, recipe: {views: [mild]}}").fixed == {SEARCHED: "mild:8"}
    chosen = Categorical(SEARCHED, ("identity", "hflip", "mild:4"))
    for written in ("[identity, hflip, mild:4]", "{choices: [identity, hflip, mild:4]}"):
        assert made(f"{{space: randaugment, recipe: {{views: {written}}}}}").parameters[-1] == chosen
    both = made("{space: randaugment, recipe: {views: [identity, hflip], label_smoothing: 0.1}}")
    assert both.recipe_overrides({"ops": 1, "level": 9, SEARCHED: "hflip"}) == {"views": "hflip", "label_smoothing": 0.1}


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ("flip", "views: 'flip'; did you mean 'hflip'? allowed are identity, hflip"),
        ("[]", "recipe: views a list; allowed is a name of views or a list of them"),
        ("3", "recipe: views 3; allowed is a name"),
        ("[identity, 3]", "recipe: views a list; allowed is"),
        ("{low: 0, high: 1}", "recipe: views an object; allowed is"),
        ("[hflip, hflip]", "has hflip twice"),
    ],
)
def test_what_a_file_can_not_say_of_views_is_refused(views: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        made(f"{{space: randaugment, recipe: {{views: {views}}}}}")
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_views_that_file_and_wish_both_state_are_refused() -> None:
    for text in ("{space: randaugment, recipe: {views: hflip}}", "{space: randaugment, recipe: {views: [identity, hflip]}}"):
        space = made(text)
        assert with_views(space, "identity") is space, "the usual is no wish"
        with pytest.raises(BadInput, match="says itself what its views are; leave one of the two out"):
            with_views(space, "hflip")


def test_digits_are_not_to_be_mirrored() -> None:
    assert views_note("photos", "hflip,ten-crops") is None
    assert views_note("digits", "identity,five-crops,mild") is None
    note = views_note("digits", "identity,ten-crops")
    assert note is not None and "ten-crops" in note and "mirrored" in note


def test_all_views_that_a_study_may_be_judged_by_are_known_from_its_space_and_recipe() -> None:
    assert views_met(spaces.randaugment(), "scales") == "scales"
    assert views_met(with_views(spaces.randaugment(), WISH), "identity") == WISH
    assert views_met(made("{space: randaugment, recipe: {views: ten-crops}}"), "identity") == "ten-crops"


def test_a_recipe_of_unknown_views_is_refused() -> None:
    with pytest.raises(BadInput, match="views: 'flip'"):
        check_recipe(Recipe(views="flip"))
    check_recipe(Recipe(views="mild:8"))
