"""The command that lists nets: those built in, where others come from, and what one of them is made of. It changes nothing."""

from typing import TYPE_CHECKING, Any

import click

from policysearch.cli.options import json_option, print_json

if TYPE_CHECKING:
    from torch import nn

USUAL_CLASSES, USUAL_CHANNELS = 10, 3


@click.command()
@click.argument("name", required=False)
@click.option("--channels", type=click.IntRange(1, 1024), default=USUAL_CHANNELS, show_default=True, metavar="N")
@click.option("--classes", type=click.IntRange(1, 100_000), default=USUAL_CLASSES, show_default=True, metavar="N")
@json_option
def models(name: str | None, channels: int, classes: int, as_json: bool) -> None:
    """The nets that can be trained with --model; with a NAME, its weights and its stages, as frozen_stages counts them.

    \b
    policysearch models
    policysearch models torchvision:resnet18
    policysearch models resnet9:width=16,norm=group --channels 1
    """
    facts = _all() if name is None else _one(name, channels, classes)
    if as_json:
        return print_json(facts)
    return _print_one(facts) if name is not None else _print_all(facts)


def _all() -> dict[str, Any]:
    from trials.models import model_table
    from trials.models.timm import is_installed
    from trials.models.torchvision import names

    built_in = [
        {
            "name": model.name,
            "summary": model.summary,
            "source": model.source,
            "options": [
                {"name": option.name, "meaning": option.meaning, "default": option.default, "example": option.example}
                for option in model.options
            ],
        }
        for model in model_table()
    ]
    return {"built_in": built_in, "torchvision": list(names()), "timm": is_installed()}


def _print_all(facts: dict[str, Any]) -> None:
    from policysearch.nets import USUAL

    for model in facts["built_in"]:
        usual = " (the usual one)" if model["name"] == USUAL else ""
        click.echo(f"{model['name']}{usual}\n  {model['summary']}\n  source: {model['source']}")
        for option in model["options"]:
            click.echo(f"  option: {model['name']}:{option['name']}={option['example']}  {option['meaning']}")
    timm = "all that timm.list_models() gives" if facts["timm"] else "pip install 'policysearch[timm]' first"
    click.echo(f"torchvision:NAME\n{click.wrap_text(', '.join(facts['torchvision']), 110, '  ', '  ')}")
    click.echo(f"timm:NAME\n  {timm}")
    click.echo("module:function\n  a function of your own, called with channels and classes; it returns a torch.nn.Module")


def _one(name: str, channels: int, classes: int) -> dict[str, Any]:
    from trials.models import spoken_model
    from trials.models.asked import read_model
    from trials.models.building import shaped
    from trials.models.stages import stages

    spoken = spoken_model(name)
    model = shaped(read_model(spoken), channels, classes)
    staged = [
        {"modules": list(stage), "weights": _weights([model.get_submodule(part) for part in stage])}
        for stage in stages(model, classes)
    ]
    return {"name": spoken, "channels": channels, "classes": classes, "weights": _weights([model]), "stages": staged}


def _print_one(facts: dict[str, Any]) -> None:
    from searchspaces.phrases import counted

    channels, classes = counted(facts["channels"], "channel"), f"{facts['classes']} classes"
    click.echo(f"{facts['name']}: {facts['weights']:,} weights, for {channels} and {classes}")
    for number, stage in enumerate(facts["stages"], start=1):
        parts = stage["modules"]
        named = parts[0] if len(parts) == 1 else f"{parts[0]} to {parts[-1]}"
        click.echo(f"  stage {number:<3} {stage['weights']:>12,} weights  {named}")
    click.echo("fine-tune it with --weights FILE --recipe frozen_stages=N,trunk_learning_rate_factor=0.1 (docs/models.md)")


def _weights(modules: "list[nn.Module]") -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())
