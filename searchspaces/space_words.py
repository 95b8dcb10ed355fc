"""A space's parameters in words, from the JSON that `SearchSpace.to_dict` says. It decodes nothing and needs no torch."""

from collections.abc import Mapping
from typing import Any

MOST_CHOICES = 8


def parameter_in_words(parameter: Mapping[str, Any]) -> str:
    """The values of a parameter: "3 to 27 by 6", "0.08 to 1", "pad or resized", and where it exists, if not everywhere."""
    return _values_in_words(parameter) + _when_in_words(parameter.get("when"))


def parameters_in_words(parameters: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Names and values in words, a line each; those that are alike but for their names (25 branches' steps) stand together."""
    alike: dict[str, list[str]] = {}
    for parameter in parameters:
        alike.setdefault(parameter_in_words(parameter), []).append(str(parameter["name"]))
    return [(_names_in_words(names), words) for words, names in alike.items()]


def _values_in_words(parameter: Mapping[str, Any]) -> str:
    if "choices" in parameter:
        choices = [str(choice) for choice in parameter["choices"]]
        if len(choices) > MOST_CHOICES:
            return f"one of {len(choices)}: {', '.join(choices[:MOST_CHOICES])} ..."
        return f"{', '.join(choices[:-1])} or {choices[-1]}"
    by = f" by {parameter['step']}" if parameter.get("step", 1) > 1 else ""
    log = ", on a logarithmic scale" if parameter.get("log") else ""
    return f"{parameter['low']:g} to {parameter['high']:g}{by}{log}"


def _when_in_words(when: Mapping[str, Any] | None) -> str:
    return "" if when is None else f" (where {when['name']} is {' or '.join(map(str, when['values']))})"


def _names_in_words(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]}, {names[1]} ... {names[-1]} ({len(names)})"
