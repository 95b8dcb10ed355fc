"""The command line's front door: runs the commands and turns our errors into one line and an exit code.

Holds no command itself, and imports nothing heavy: `policysearch --help` must answer at once.
"""

import sys
from contextlib import suppress

from searchspaces.errors import PolicysearchError

INTERRUPTED = 130


def main() -> None:
    """Run the command line; the console script `policysearch`."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal without a sign for "±" gets "?"
    try:
        from policysearch.cli.app import cli
    except ModuleNotFoundError as missing:
        if missing.name != "click":
            raise
        sys.exit(_complain('the command line is not installed; install it with: pip install "policysearch[search]"', 2))
    sys.exit(run(cli, sys.argv[1:] or ["--help"]))


def run(cli: object, arguments: list[str]) -> int:
    """Run `cli` (a click command) on `arguments`; returns the exit code and has printed what there is to say."""
    import click

    assert isinstance(cli, click.Command)
    try:
        code = cli.main(arguments, prog_name="policysearch", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except (Exception, KeyboardInterrupt) as error:
        told = told_of(error)
        if told is None:
            raise
        return _complain(*told)


def told_of(error: BaseException) -> tuple[str, int] | None:
    """What is said of an error that ends a command, and the exit code; None for one that nobody foresaw."""
    import click

    match error:
        case PolicysearchError():
            return str(error), error.exit_code
        case click.ClickException():
            context = getattr(error, "ctx", None)
            return f"{error.format_message()} (see {context.command_path if context else 'policysearch'} --help)", 2
        case KeyboardInterrupt() | click.Abort():
            return "interrupted", INTERRUPTED
        case OSError():  # a full disk, a file that went away: the machine's state, not our fault
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or error}; mend that, and the same command goes on from what is finished", 2
        case _:
            return None


def _complain(message: str, code: int) -> int:
    with suppress(OSError):  # the terminal may be gone
        print(f"policysearch: {' '.join(message.split())}", file=sys.stderr)
    return code
