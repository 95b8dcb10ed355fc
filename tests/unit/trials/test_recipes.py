"""The default recipe is one that this machine can follow; others are refused by name."""

import dataclasses

import pytest

from searchspaces.errors import BadInput
from trials.machine import cpu_multiplies_bfloat16
from trials.recipes import check_recipe, default_recipe
from trials.values import Recipe


def test_the_default_recipe_can_be_followed_here() -> None:
    check_recipe(default_recipe())
    check_recipe(default_recipe("cpu"))
    assert default_recipe("cpu").device == "cpu"
    assert (default_recipe("cpu").precision == "bfloat16") == cpu_multiplies_bfloat16()
    assert default_recipe("cuda").precision == "bfloat16"


def test_bfloat16_is_refused_by_a_cpu_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trials.recipes.cpu_multiplies_bfloat16", lambda: False)
    assert default_recipe("cpu").precision == "float32"
    with pytest.raises(BadInput, match="'bfloat16', but this CPU"):
        check_recipe(Recipe(precision="bfloat16"))


@pytest.mark.parametrize(
    ("changes", "message"), [({"model": "huge"}, "'huge'.*known are resnet9, small"), ({"batch_images": 1}, "1; allowed")]
)
def test_recipes_that_nobody_can_follow_are_refused(changes: dict[str, str | int], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        check_recipe(dataclasses.replace(Recipe(), **changes))  # type: ignore[arg-type]
