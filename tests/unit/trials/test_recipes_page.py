"""docs/recipes.md says of every field what the table says, and its files and wishes are recipes."""

import re
from pathlib import Path

import pytest

from searchspaces.errors import BadInput
from searchspaces.recipe_fields import FIELDS
from searchspaces.recipe_wishes import read_recipe
from trials.recipes_page import BEGIN, field_facts, with_section

PAGE = (Path(__file__).parents[3] / "docs/recipes.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_table_says() -> None:
    assert with_section(PAGE) == PAGE, "write it again: make docs"
    assert all(PAGE.count(f"\n| `{field.name}` |") == 1 for field in FIELDS)


def test_every_field_says_what_it_is() -> None:
    for fact in field_facts():
        assert fact["meaning"] and fact["allowed"]
        assert "|" not in "".join(map(str, fact.values())), "it would break the table"


def test_what_the_page_wishes_for_can_be_wished(tmp_path: Path) -> None:
    wishes = re.findall(r"--recipe ([a-z0-9_]+=\S+?)[`\s]", PAGE)
    assert len(wishes) >= 4
    for wish in wishes:
        read_recipe(wish)
    (file,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "my_recipe.yaml").write_text(file)
    assert len(read_recipe(tmp_path / "my_recipe.yaml").searched) == 2


def test_a_page_without_the_marks_is_refused() -> None:
    with pytest.raises(BadInput, match="it has no section between"):
        with_section(PAGE.replace(BEGIN, ""))
