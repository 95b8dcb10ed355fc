"""Wishes from a file: `--config study.yaml` of `search`, whose keys are the command's own long options without their dashes.

What is typed wins over the file, and a relative path in it starts at the file's own folder, wherever the command is typed.
Refuses in one line what is no option (with the nearest that is), a value of another kind than its option takes, and a file that
can't be read. Nothing in it is run; a `module:function` of data or model is called as it is when it is typed.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import click

from searchspaces.errors import BadInput
from searchspaces.json_text import shown
from searchspaces.yaml_text import read_yaml_mapping

Command = TypeVar("Command", bound=Callable[..., Any])

NOT_IN_A_FILE = ("config", "help")
LISTED = ("space", "views", "forbid", "columns")
"""Options that take several values with commas: in a file a list of them will do."""
MAPPED = ("space", "recipe")
"""Options that take what a file of their own says: in this file it may stand itself."""
SPACE_FILES = (".yaml", ".yml")


class Wish(click.ParamType):  # type: ignore[type-arg]  # the oldest click that will do has no such argument
    """Text as it is typed, or a mapping from a file."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As it is: a space or a recipe says itself what it refuses."""
        return value if isinstance(value, Mapping) else str(value)


def config_option(command: Command) -> Command:
    """`--config FILE.yaml`: options from a file."""
    text = "Read options from a file: a line each, such as train-images: 4000. What is typed here wins."
    return click.option("--config", metavar="FILE.yaml", is_eager=True, expose_value=False, callback=_use_file, help=text)(
        command
    )


def _use_file(context: click.Context, _parameter: click.Parameter, path: str | None) -> None:
    if path is not None:
        context.default_map = {**(context.default_map or {}), **read_wishes(path, context.command.params)}


def read_wishes(path: str, parameters: Sequence[click.Parameter]) -> dict[str, Any]:
    """The file's values by the names of the command's parameters; keys without a value (null) are left out.

    BadInput names the file, the key and the value, what is allowed, and of an unknown key the nearest right one.
    """
    thing = f"--config {path}"
    options = {_key(option): option for option in parameters if isinstance(option, click.Option)}
    options = {key: option for key, option in options.items() if key not in NOT_IN_A_FILE}
    folder, found = Path(path).absolute().parent, dict[str, Any]()
    for key, value in read_yaml_mapping(path, thing, "from options of search to their values").items():
        option = options.get(key.replace("_", "-"))
        if option is None:
            raise BadInput(f"{thing}: {shown(key)} is no option of search; the nearest is {_nearest(key, options)}")
        assert option.name is not None
        if option.name in found:
            raise BadInput(f"{thing}: {_key(option)} is given twice, with - and with _; give it once")
        if value is not None:
            found[option.name] = _placed(_key(option), _checked(option, value, thing), folder)
    return found


def _key(option: click.Option) -> str:
    """The option's long name without its dashes."""
    return max(option.opts, key=len).lstrip("-")


def _nearest(key: str, options: Mapping[str, click.Option]) -> str:
    """The right key that is most like this one; of a wish's name in Python the option that says it."""
    by_name = {option.name: found for found, option in options.items()}
    return by_name.get(key) or get_close_matches(key.replace("_", "-"), options, 1, 0.0)[0]


def _checked(option: click.Option, value: Any, thing: str) -> Any:
    """The value as the option takes it. BadInput for one of another kind; what else is wrong with it its own reader says."""
    key = _key(option)
    is_texts = isinstance(value, list) and value != [] and all(isinstance(part, str) for part in value)
    match option:
        case click.Option(is_flag=True):
            right, kind = isinstance(value, bool), "true or false"
        case click.Option(type=click.types.IntParamType()):
            right, kind = isinstance(value, int) and not isinstance(value, bool), "a whole number"
        case click.Option(type=click.types.FloatParamType()):
            right, kind = isinstance(value, int | float) and not isinstance(value, bool), "a number"
        case click.Option(multiple=True):
            right, kind = is_texts or isinstance(value, str), "a text or a list of texts"
        case _:
            listed = is_texts and key in LISTED
            right = isinstance(value, str) or listed or (isinstance(value, dict) and key in MAPPED)
            kind = "a text (in quotes where it looks like a number or a truth value)"
    if not right:
        raise BadInput(f"{thing}: {key} {shown(value)}; allowed is {kind}")
    if option.multiple:
        return value if isinstance(value, list) else [value]
    return ",".join(value) if isinstance(value, list) else value


def _placed(key: str, value: Any, folder: Path) -> Any:
    """The value with a relative path in it beginning at the file's folder."""
    if isinstance(value, list):
        return [_placed(key, part, folder) for part in value]
    if not isinstance(value, str) or not value or not _is_path(key, value, folder):
        return value
    return str(folder / Path(value).expanduser())


def _is_path(key: str, value: str, folder: Path) -> bool:
    match key:
        case "data":
            from trials.data.source import is_place

            return is_place(value, folder)
        case "data-root" | "home":
            return True
        case "space" | "recipe":
            return value.endswith(SPACE_FILES)
        case "weights":
            return not value.startswith("torchvision:") or (folder / value).exists()
        case "enqueue":
            return not value.startswith("zoo:")
        case "checkpoints":
            return "://" not in value
    return False
