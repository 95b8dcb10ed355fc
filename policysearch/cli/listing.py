"""Commands that list what exists: families of policies, a recipe's fields, published policies, ops, this machine.

They read, and change nothing; `doctor --clean` alone removes what can be made again.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from policysearch.cli.options import home_option, json_option, open_home, print_json
from policysearch.cli.picturing import images_options, write_strip
from searchspaces.errors import BadInput

if TYPE_CHECKING:
    from policysearch.home import Home
    from searchspaces.domains import Domain
    from searchspaces.ops.op import Op


@click.command()
@click.option("--domains", is_flag=True, help="The kinds of images that --domain takes alone: their crop and flips, and limits.")
@json_option
def spaces(domains: bool, as_json: bool) -> None:
    """The families of policies that can be searched with --space, and how large each is on colour images; the domains."""
    from searchspaces.families import family_table

    if domains:
        return _domains(as_json)
    facts = [_space_facts(family) for family in family_table()]
    if as_json:
        return print_json(facts)
    for fact in facts:
        click.echo(f"{fact['name']}\n  {fact['summary']}\n  {_size(fact)}\n  source: {fact['source']}")
        for option in fact["options"]:
            click.echo(f"  option: {fact['name']}:{option['name']}={option['example']}  {option['meaning']}")
    click.echo(
        "Any of them goes with geometry, mixing or both: --space randaugment+geometry+mixing\n"
        "Several are one space: --space randaugment,photometric\n"
        "A file narrows one, fixes, forbids, and adds the recipe's parameters: --space my_space.yaml (docs/spaces.md)\n"
        "\n--domain limits any of them, and the baselines, to what kinds of images bear; --forbid does by name (docs/domains.md):"
    )
    return _domains(as_json)


def _domains(as_json: bool) -> None:
    from searchspaces.domains import domain_table

    facts = [_domain_facts(domain) for domain in domain_table()]
    if as_json:
        return print_json(facts)
    for fact in facts:
        click.echo(f"{fact['name']}\n  {fact['summary']}")
        for limit in fact["limits"]:
            click.echo(f"  forbids {', '.join(limit['forbids'])}\n    {limit['reason']}\n    source: {limit['source']}")
    return None


def _domain_facts(domain: "Domain") -> dict[str, Any]:
    from searchspaces.framing_json import base_to_dict

    limits = [{"forbids": list(limit.forbids), "reason": limit.reason, "source": limit.source} for limit in domain.limits]
    bases = {"base": base_to_dict(domain.small), "base_from_128_px": base_to_dict(domain.large)}
    channels = "any" if domain.channels is None else list(domain.channels)
    return {"name": domain.name, "summary": domain.summary, "channels": channels, **bases, "limits": limits}


def _size(fact: dict[str, Any]) -> str:
    from searchspaces.phrases import counted

    if not fact["dimensions"]:
        return "not for colour images"
    dimensions = counted(fact["dimensions"], "dimension")
    return f"{dimensions}, {counted(fact['points'], 'point')}" if fact["points"] else dimensions


def _space_facts(family: Any) -> dict[str, Any]:
    from searchspaces.spaces import PHOTO_BASE

    options = [{"name": option.name, "meaning": option.meaning, "example": option.example} for option in family.options]
    size: dict[str, Any] = {"dimensions": None, "points": None, "parameters": []}
    with suppress(BadInput):  # a family of another package may be for grey images alone
        space = family.build(3, PHOTO_BASE)
        cells, parameters = space.cells(), [parameter.to_dict() for parameter in space.parameters]
        size = {"dimensions": space.dimensions, "points": len(cells) if cells else None, "parameters": parameters}
    return {"name": family.name, "summary": family.summary, "source": family.source, **size, "options": options}


@click.command()
@json_option
def recipes(as_json: bool) -> None:
    """What a recipe says of how a trial is trained: every field with its unit, range and default. search takes them by --recipe.

    \b
    policysearch search --data photos/ --recipe optimiser=adamw,schedule=cosine
    policysearch search --data photos/ --recipe peak_learning_rate=0.05..0.5:log,dropout=0/0.2
    policysearch search --data photos/ --recipe my_recipe.yaml
    """
    from trials.recipes_page import field_facts

    facts = field_facts()
    if as_json:
        return print_json(facts)
    for fact in facts:
        unit = f" {fact['unit']}" if fact["unit"] else ""
        searched = "; may be searched" if fact["searched"] else ""
        click.echo(f"{fact['name']}\n  {fact['meaning']}\n  {fact['allowed']}{unit}; by default {fact['default']}{searched}")
    click.echo("LOW..HIGH, LOW..HIGH:log and A/B/C are searched with the policy; docs/recipes.md has the whole of it")
    return None


@click.command()
@json_option
def zoo(as_json: bool) -> None:
    """Published policies; use one with load_policy("zoo:NAME"), or write it with: policysearch export zoo:NAME -o FILE."""
    from searchspaces.zoo import zoo_names

    facts = [_zoo_facts(name) for name in zoo_names()]
    if as_json:
        return print_json(facts)
    for fact in facts:
        idle = fact["idle_on_grey"]
        grey = f"\n  on grey images nothing comes of: {', '.join(idle)}" if idle else ""
        click.echo(f"{fact['name']}\n  {fact['summary']}\n  source: {fact['source']}{grey}")
    return None


def _zoo_facts(name: str) -> dict[str, Any]:
    from searchspaces.ops import find_op
    from searchspaces.zoo import read_zoo

    file = read_zoo(name)
    idle = [op for op in file.policy.ops if not find_op(op).changes(1)]
    return {"name": name, **{field: file.provenance[field] for field in ("summary", "source")}, "idle_on_grey": idle}


@click.command()
@click.option("--strip", is_flag=True, help="Draw them instead: each op from its weakest to its strongest value.")
@click.option("-o", "--output", metavar="FILE.png", help="Where to write the picture of --strip.")
@images_options
@json_option
def ops(strip: bool, output: str | None, as_json: bool, data: str | None, **wishes: Any) -> None:
    """The image operations: how each runs, its parameters with units and limits, named spans.

    \b
    fused      in one compiled kernel on a CPU, together with the image's other ops
    torch      in torch, on all images that meet the op at once
    per image  image by image, on the CPU
    """
    from searchspaces.ops import op_table

    if strip or output:
        return _strip(strip, output, data, **wishes)
    facts = [_op_facts(op) for op in op_table()]
    if as_json:
        return print_json(facts)
    width = max(len(fact["name"]) for fact in facts)
    for fact in facts:
        limits = "; ".join(_limits(parameter) for parameter in fact["parameters"])
        spans = "".join(f"; {name} {weak:g} to {strong:g}" for name, (weak, strong) in fact["spans"].items() if weak != strong)
        click.echo(f"{fact['name']:<{width}} {fact['runs']:<10} {limits}{spans}{'; signed' if fact['signed'] else ''}")
    return None


def _limits(parameter: dict[str, Any]) -> str:
    """A parameter with its unit, limits and identity, in words."""
    if parameter["unit"] == "0 or 1":
        return "on or off"
    named = f"{parameter['name']} {parameter['low']:g} to {parameter['high']:g}"
    unit = "" if parameter["unit"] == parameter["name"] else f" {parameter['unit']}"
    return f"{named}{unit}, identity {parameter['identity']:g}"


def _strip(strip: bool, output: str | None, data: str | None, **wishes: Any) -> None:
    if not strip:
        raise BadInput(f"--output {output}: it is where --strip writes its picture; add --strip, or leave it out")
    if not output:
        raise BadInput("--strip: no file to write to; add -o FILE.png")
    write_strip(output, data, **wishes)


def _op_facts(op: "Op") -> dict[str, Any]:
    return {
        "name": op.name,
        "kind": op.kind,
        "runs": op.runs,
        "meaning": op.meaning,
        "signed": op.signed,
        "channels": "any" if op.channels is None else sorted(op.channels),
        "parameters": [
            {"name": p.name, "unit": p.unit, "identity": p.identity, "low": p.low, "high": p.high} for p in op.parameters
        ],
        "spans": {name: (span.weak, span.strong) for name, span in op.spans.items()},
        "source": op.source,
    }


@click.command()
@click.option(
    "--clean", is_flag=True, help="First remove prepared images beyond $POLICYSEARCH_DATA_GB (50 GB), the longest unused first."
)
@home_option
@json_option
def doctor(clean: bool, home: str | None, as_json: bool) -> None:
    """What this machine can do: packages, processor, GPU; where studies are kept, and how large that is.

    What --clean removes is made again when it is needed. Images in use stay, and those that an unfinished study needs.
    """
    from policysearch.doctor import examine

    place = open_home(home)
    if clean:
        _clean(place)
    facts = examine(place)
    if as_json:
        return print_json(facts)
    for section, lines in facts.items():
        click.echo(click.style(section, bold=True))
        for name, value in lines.items():
            click.echo(f"  {name:<18} {value}")
    return None


def _clean(home: "Home") -> None:
    """Remove what is beyond the limit; what went is said on standard error, so that --json stays JSON."""
    from policysearch.ledger import Ledger
    from policysearch.room import in_words, make_room

    removed = make_room(home, Ledger.open(home.ledger_url) if home.has_ledger else None)
    click.echo(in_words(removed) if removed else "nothing to remove: prepared images are within their limit, or needed", err=True)
