"""What keeps studies from being compared, in words: other images, splits, nets, recipes, budgets, test images, baselines.

Looks at identities alone. Of space, sampler and how much was searched it says nothing: these may differ between studies.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from dashboards.making import SPLITS
from dashboards.transfer import Side
from searchspaces.json_text import canonical_json
from searchspaces.phrases import listed

SAME = "Images, splits, net, recipe and epochs are the same: errors can be compared across the studies."
SHOWN_HEX = 12
MACHINE_PARTS = ("precision", "channels_last", "device")


def warnings(sides: Sequence[Side]) -> tuple[str, ...]:
    """What differs that errors depend on, a sentence each; empty where errors can be compared."""
    return tuple(
        sentence
        for differs in (_images, _splits, _size, _net, _recipe, _budget, _test, _baselines)
        for sentence in differs(sides)
    )


def _images(sides: Sequence[Side]) -> Iterator[str]:
    """Another fingerprint of training and validation images: the first thing to know."""
    names = [side.view.study.identity.get("data", {}).get("name") for side in sides]
    if None in names:
        own = [side.title for side, name in zip(sides, names, strict=True) if name is None]
        trains = "trains by a trainer of its own" if len(own) == 1 else "train by trainers of their own"
        yield f"{listed(own)} {trains}, whose images nobody here knows: compare each winner with its own baselines."
    if not _differ(sides, ("data", "fingerprint")):
        return
    which = _each(sides, ("data", "fingerprint"), lambda value: f"fingerprint {value[:SHOWN_HEX]}")
    what = "Other images" if len(set(names)) > 1 else f"Other images of the same name, {names[0]}"
    yield (
        f"{what}: {which}. Errors of one study say nothing of another’s: compare each winner with its own baselines, and the"
        " order of the policies that several studies have trained."
    )


def _splits(sides: Sequence[Side]) -> Iterator[str]:
    if _differ(sides, ("splits",)):
        yield f"Other splits: {_each(sides, ('splits',), _counts)}. Of more training images errors are lower."


def _size(sides: Sequence[Side]) -> Iterator[str]:
    if _differ(sides, ("image",)):
        yield f"Other sizes, channels or domains: {_each(sides, ('image',), _image)}."


def _net(sides: Sequence[Side]) -> Iterator[str]:
    if _differ(sides, ("recipe", "model")):
        yield f"Another net: {_each(sides, ('recipe', 'model'), _plain)}. Which policy is best depends on the net."


def _recipe(sides: Sequence[Side]) -> Iterator[str]:
    """The fields of the recipe, but for the net, that are not the same everywhere."""
    recipes = [{**side.view.study.identity.get("recipe", {})} for side in sides]
    known = [recipe for recipe in recipes if recipe]
    fields = sorted({field for recipe in known for field in recipe} - {"model"})
    other = [field for field in fields if len({canonical_json(recipe.get(field)) for recipe in known}) > 1]
    if not other:
        return
    told = [f"{field.replace('_', ' ')} ({_each(sides, ('recipe', field), _plain)})" for field in other]
    only_machine = " All of that is the machine’s, and moves errors little." if {*other} <= {*MACHINE_PARTS} else ""
    yield f"Another recipe: {listed(told)}.{only_machine}"


def _budget(sides: Sequence[Side]) -> Iterator[str]:
    """Epochs of a training, and early stopping, which chooses who has them all."""
    if _differ(sides, ("epochs",)):
        each = _each(sides, ("epochs",), lambda value: f"{value:,} epochs")
        yield f"Another budget: {each}. Strong policies need long trainings, so the order may turn with the budget."
    stopped = [side.title for side in sides if "early_stopping" in side.view.study.identity]
    if 0 < len(stopped) < len(sides):
        yield f"Early stopping in {listed(stopped)} alone: only its better policies were trained whole, the others aren’t shown."


def _test(sides: Sequence[Side]) -> Iterator[str]:
    if _differ(sides, ("test",)) and not _differ(sides, ("data", "fingerprint")):
        yield "Other test images: test errors can’t be compared."


def _baselines(sides: Sequence[Side]) -> Iterator[str]:
    """Baselines of one name that are other policies: the base differs, mostly, and with it every searched policy."""
    known = [side.view.study.identity.get("baselines", {}) for side in sides]
    names = dict.fromkeys(name for baselines in known for name in baselines)
    other = [name for name in names if len({baselines[name] for baselines in known if name in baselines}) > 1]
    if other:
        are = "is not the same policy" if len(other) == 1 else "are not the same policies"
        why = "the images bear another crop, other flips or other ops, and so does every policy that was searched"
        yield f"{listed(other)} {are} everywhere: {why}. Those of the same name are compared as namesakes."


def _differ(sides: Sequence[Side], path: tuple[str, ...]) -> bool:
    """Whether those studies that know it say different things."""
    known = [value for side in sides if (value := _at(side, path)) is not None]
    return len({canonical_json(value) for value in known}) > 1


def _at(side: Side, path: tuple[str, ...]) -> Any:
    value: Any = side.view.study.identity
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _each(sides: Sequence[Side], path: tuple[str, ...], say: Any) -> str:
    """What each study says, those that say the same together."""
    said: dict[str, list[str]] = {}
    for side in sides:
        value = _at(side, path)
        if value is not None or "recipe" in side.view.study.identity:
            said.setdefault(say(value), []).append(side.title)
    return "; ".join(f"{value} in {listed(titles)}" for value, titles in said.items())


def _counts(splits: dict[str, int]) -> str:
    return ", ".join(f"{splits[name]:,} {name}" for name in SPLITS if splits.get(name))


def _image(image: dict[str, Any]) -> str:
    size = f"{image['height']} × {image['width']} pixels, " if "height" in image else ""
    return f"{size}{image['channels']} channel{'s' if image['channels'] > 1 else ''}, {image['domain']}"


def _plain(value: Any) -> str:
    """A value as a person writes it in a recipe."""
    return "the default" if value is None else value if isinstance(value, str) else canonical_json(value)
