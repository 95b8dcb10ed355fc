"""The command `export`: a policy as a file for other projects, in the form of any exporter that is installed."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from policysearch.cli.options import home_option, open_home, open_study
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
@click.option("-o", "--output", metavar="FILE", required=True, help="Where to write it.")
@click.option("--to", "form", metavar="FORM", default="json", show_default=True, help="The form to write; see below.")
@click.option("--standalone", is_flag=True, help="A Python file that does without policysearch, where the form has one (*).")
@home_option
def export(source: str, output: str, form: str, standalone: bool, home: str | None) -> None:
    """The policy as a file for other projects."""
    from searchspaces.export import find_exporter

    exporter = find_exporter(form)
    found = policy_of(source, home)
    target = Path(output)
    if not target.parent.is_dir():
        raise BadInput(f"output {output}: there is no directory {target.parent}; make it first, or give another -o FILE")
    _write(target, exporter.write(found, standalone))
    used = exporter.standalone_loaded_with if standalone else exporter.loaded_with
    click.echo(f"{target}: load it with {used.format(path=repr(str(target)))}")
    if found.policy.batch.mixes and form != "json":
        click.echo("mixing is apart: give the DataLoader collate_fn=load_policy(the policy's JSON file).collate(classes)")


def policy_of(source: str, home: str | None) -> "PolicyFile":
    """The policy file that the zoo, a path or a study holds."""
    from searchspaces.policy_json import read_policy_file
    from searchspaces.zoo import read_zoo

    if source.startswith("zoo:"):
        return read_zoo(source.removeprefix("zoo:"))
    return read_policy_file(Path(source) if source.endswith(".json") else _study_policy(open_home(home), source))


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
