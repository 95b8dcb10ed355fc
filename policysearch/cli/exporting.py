"""The command `export`: a policy as a file for other projects, in the form of any exporter that is installed."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from policysearch.cli.options import home_option, json_option, open_home, open_study, print_json
from searchspaces.errors import BadInput

if TYPE_CHECKING:
    from policysearch.home import Home
    from searchspaces.export import Exporter
    from searchspaces.policy_json import PolicyFile


class _ListsForms(click.Command):
    """A command whose `--help` ends with the exporters that are installed; nothing else has to wait for them."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line for each form."""
        from searchspaces.export import exporter_table

        with formatter.section("Forms"):
            formatter.write_dl([(_name(exporter), exporter.summary) for exporter in exporter_table()])


@click.command(cls=_ListsForms)
@click.argument("source", metavar="STUDY|POLICY.json|zoo:NAME")
@click.option("-o", "--output", metavar="FILE", help="Where to write it.")
@click.option("--to", "form", metavar="FORM", help="The form to write; see below.  [default: json]")
@click.option("--standalone", is_flag=True, help="A Python file that does without policysearch, where the form has one (*).")
@click.option("--parity", is_flag=True, help="Write nothing: compare the pixels of every form (or of --to) with those searched.")
@json_option
@home_option
def export(
    source: str, output: str | None, form: str | None, standalone: bool, parity: bool, as_json: bool, home: str | None
) -> None:
    """The policy as a file for other projects.

    With --parity a table, one row for each form: at most how many levels (of 255) its pixels are from those of the engine that
    searches, on what share of the pixels, and who computes them. Ops that are not equal follow it; --json has a row for every op.
    """
    from searchspaces.export import find_exporter

    if parity and output is not None:
        raise click.UsageError("--parity writes no file; leave -o or --parity out")
    if parity:
        return _print_parity(policy_of(source, home), form, standalone, as_json)
    if output is None or as_json:
        raise click.UsageError("give -o FILE, the file to write; or --parity (alone, or with --json)")
    exporter = find_exporter(form or "json")
    found = policy_of(source, home)
    target = Path(output)
    if not target.parent.is_dir():
        raise BadInput(f"output {output}: there is no directory {target.parent}; make it first, or give another -o FILE")
    _refuse_to_hide(target)
    _write(target, exporter.write(found, standalone))
    used = exporter.standalone_loaded_with if standalone else exporter.loaded_with
    click.echo(f"{target}: load it with {used.format(path=repr(str(target)))}")
    if found.policy.batch.mixes:
        collate = "the file's collate(classes)" if exporter.collates else "load_policy(the policy's JSON file).collate(classes)"
        click.echo(f"it mixes the images of a batch, which no transform can: give the DataLoader collate_fn = {collate}")
    return None


def policy_of(source: str, home: str | None) -> "PolicyFile":
    """The policy file that the zoo, a path or a study holds."""
    from searchspaces.policy_json import read_policy_file
    from searchspaces.zoo import read_zoo

    if source.startswith("zoo:"):
        return read_zoo(source.removeprefix("zoo:"))
    return read_policy_file(Path(source) if source.endswith(".json") else _study_policy(open_home(home), source))


def _print_parity(found: "PolicyFile", form: str | None, standalone: bool, as_json: bool) -> None:
    from dataclasses import asdict

    from policysearch.cli.parity_table import parity_lines
    from searchspaces.export.parity import parity

    rows = parity(found, form, standalone)
    if as_json:
        return print_json([asdict(row) | {"equal": row.equal} for row in rows])
    for line in parity_lines(rows):
        click.echo(line)
    return None


def _refuse_to_hide(target: Path) -> None:
    """BadInput for a Python file that `import` would find instead of a library: albumentations.py, random.py."""
    import sys
    from importlib.machinery import PathFinder

    name = target.stem
    if target.suffix != ".py" or not name.isidentifier():
        return
    origin = getattr(PathFinder.find_spec(name), "origin", None)
    library = origin is not None and Path(origin).resolve().parent not in (Path.cwd(), target.resolve().parent)
    if library or name in sys.stdlib_module_names or name in ("policysearch", "searchspaces"):
        other = target.with_name(f"my_{name}.py")
        raise BadInput(
            f"output {target}: scripts beside it would import it instead of the library {name}; give another, -o {other}"
        )


def _write(target: Path, text: str) -> None:
    from searchspaces.whole_files import write_whole

    try:
        write_whole(target, text.encode())
    except OSError as error:
        raise BadInput(f"output {target}: can't be written ({error.strerror}); give another -o FILE") from error


def _name(exporter: "Exporter") -> str:
    return exporter.name + (" *" if exporter.standalone else "")


def _study_policy(home: "Home", name: str) -> Path:
    open_study(home, name)
    path = home.study_directory(name) / "policy.json"
    if not path.exists():
        raise BadInput(f"study {name!r}: has no policy yet; finish its search first (policysearch status {name})")
    return path
