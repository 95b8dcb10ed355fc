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
    except PolicysearchError as error:
        return _complain(str(error), error.exit_code)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        return _complain(f"{error.format_message()} (see {context.command_path if context else 'policysearch'} --help)", 2)
    except (KeyboardInterrupt, click.Abort):
        return _complain("interrupted", INTERRUPTED)
    except OSError as error:  # a full disk, a file that went away: the machine's state, not our fault
        where = f"{error.filename}: " if error.filename else ""
        return _complain(f"{where}{error.strerror or error}; mend that, and the same command goes on from what is finished", 2)


def _complain(message: str, code: int) -> int:
    with suppress(OSError):  # the terminal may be gone
        print(f"policysearch: {' '.join(message.split())}", file=sys.stderr)
    return code
