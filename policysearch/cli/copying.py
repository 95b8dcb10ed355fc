"""The command that hands a study to another tool: `optuna`. It changes nothing of the study."""

import shlex

import click

from policysearch.cli.options import home_option, open_home, open_study
from searchspaces.phrases import counted

MOST_NAMED = 5


@click.command()
@click.argument("study")
@click.option(
    "--to", "address", required=True, metavar="URL|FILE", help="sqlite:///FILE, postgresql+psycopg://..., or a journal."
)
@home_option
def optuna(study: str, address: str, home: str | None) -> None:
    """Write STUDY into a storage of Optuna's, so that optuna-dashboard opens it; again, it adds what is new.

    A trial is a training of the search that is over, with its point of the space, its validation error (0 to 1) and those by
    epoch; early-stopped ones are pruned. Baselines and enqueued policies come with it where they are points of the space.

    \b
    policysearch optuna birds --to sqlite:///birds.db
    optuna-dashboard sqlite:///birds.db
    """
    from policysearch.optuna_rows import read_for_optuna
    from policysearch.samplers.optuna_storage import write_to_optuna

    ledger, record = open_study(open_home(home), study)
    read = read_for_optuna(ledger, record)
    written = write_to_optuna(read.study, address)
    click.echo(f"{counted(written.there, 'trial')} of {study} in {written.address}, {written.added} of them new")
    if read.left_out:
        named = ", ".join(read.left_out[:MOST_NAMED])
        more = f" and {len(read.left_out) - MOST_NAMED} more" if len(read.left_out) > MOST_NAMED else ""
        click.echo(f"left out, for they are no points of the space: {named}{more}")
    if read.unfinished:
        click.echo(f"not over yet: {counted(read.unfinished, 'trial')}; the same command adds what is by then")
    click.echo(f"look at it with: optuna-dashboard {shlex.quote(written.address)}")
