"""The commands' table: what exists, in which order `--help` shows it, and in which module it lives.

A command's module is imported when the command is called, so that `--help` costs nothing.
"""

import importlib
from importlib.metadata import version

import click

# name -> (module under policysearch.cli, one line of help); the first six are what most people need
FIRST = {
    "search": ("searching", "Search a policy for your images; the same command goes on with an unfinished study."),
    "status": ("reading", "What your studies are doing, or one of them trial by trial."),
    "test": ("testing", "The one held-out evaluation of a study; again, it prints the recorded figure."),
    "report": ("writing", "One HTML page about a study."),
    "export": ("exporting", "The policy as a file for other projects."),
    "demo": ("searching", "The whole path on the images that ship with policysearch, in a few minutes."),
}
REST = {
    "data": ("understanding", "What was understood of your images, without searching."),
    "extend": ("extending", "Go on with a finished study: more policies, by the wishes it was made with."),
    "preview": ("picturing", "A picture of what a policy does to images."),
    "compare": ("comparing", "Several studies side by side, and which policies transfer."),
    "show": ("reading", "One study: its winner, baselines and wishes."),
    "ui": ("writing", "MLflow's UI on this machine."),
    "mirror": ("writing", "Bring MLflow up to date with the ledger."),
    "optuna": ("copying", "Write a study into an Optuna storage, for optuna-dashboard."),
    "spaces": ("listing", "The families of policies that can be searched."),
    "models": ("nets", "The nets that can be trained; with a name, what one is made of."),
    "recipes": ("listing", "How trials are trained: every field of --recipe, with its range and default."),
    "zoo": ("listing", "Published policies, ready to use or to export."),
    "ops": ("listing", "The image operations, with units and ranges; --strip draws them."),
    "doctor": ("listing", "What this machine can do, and where your studies are."),
}
COMMANDS = FIRST | REST


class LazyGroup(click.Group):
    """A click group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"policysearch.cli.{COMMANDS[cmd_name][0]}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, but an unknown command is told what exists."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise click.UsageError(f"no command {args[0]!r}; there are {', '.join(COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Two sections: what most people need, then the rest. Written from the table, so that nothing is imported."""
        for title, commands in (("Commands", FIRST), ("More commands", REST)):
            with formatter.section(title):
                formatter.write_dl([(name, summary) for name, (_, summary) in commands.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version("policysearch"), message="policysearch %(version)s")
def cli() -> None:
    """Which augmentation should I train with, and is it really better than the free ones?

    \b
    Start with:   policysearch demo
    Your images:  policysearch search --data photos/ --space randaugment
    """
