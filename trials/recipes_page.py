"""The table of a recipe's fields for people: for `policysearch recipes`, and as the section of docs/recipes.md that is made.

    python -m trials.recipes_page docs/recipes.md

writes that section again; the rest of the page stays as it is. Refuses a page without the section's marks.
"""

import sys
from pathlib import Path
from typing import Any

from searchspaces.errors import BadInput
from searchspaces.recipe_fields import FIELDS, USUAL
from trials.values import Recipe

BEGIN = "<!-- fields: python -m trials.recipes_page -->"
END = "<!-- end of fields -->"
OTHER_DEFAULTS = {
    "precision": "bfloat16 where the hardware multiplies it, else float32",
    "device": "cuda where there is a GPU, else cpu",
    **{name: ", ".join(f"{optimiser} {USUAL[optimiser][name]:g}" for optimiser in USUAL) for name in USUAL["sgd"]},
}
"""What depends on the machine or on the optimiser."""


def field_facts() -> list[dict[str, Any]]:
    """Every field with its unit, what is allowed, its default, whether it may be searched, and what it means."""
    usual = Recipe()
    return [
        {
            "name": field.name,
            "unit": field.unit,
            "allowed": field.allowed,
            "default": OTHER_DEFAULTS.get(field.name, getattr(usual, field.name)),
            "searched": field.searched,
            "meaning": field.meaning,
        }
        for field in FIELDS
    ]


def fields_section() -> str:
    """The section, marks included."""
    head = "| field | allowed | unit | default | searched | what it is |\n|---|---|---|---|---|---|"
    return "\n".join([BEGIN, head, *map(_row, field_facts()), END])


def with_section(page: str) -> str:
    """The page with its section as it should be."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise BadInput(f"page: it has no section between {BEGIN} and {END}; put both marks where it belongs")
    return before + fields_section() + after


def _row(fact: dict[str, Any]) -> str:
    default = str(fact["default"]).lower() if isinstance(fact["default"], bool) else fact["default"]
    searched = "yes" if fact["searched"] else ""
    return f"| `{fact['name']}` | {fact['allowed']} | {fact['unit']} | {default} | {searched} | {fact['meaning']} |"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_section(path.read_text(encoding="utf-8")), encoding="utf-8")
