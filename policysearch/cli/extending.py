"""The command `extend`: go on with a study that is there, by the wishes that were recorded with it."""

from typing import Any

import click

from policysearch.cli.options import home_option
from policysearch.cli.telling import telling, telling_options


@click.command()
@click.argument("study")
@click.option("--trials", required=True, metavar="+N|N", help="So many policies more (+50), or so many in all (82).")
@click.option("--data", metavar="module:function", help="The function that makes the images, where one does: named again.")
@click.option("--driver", default="local", show_default=True, metavar="NAME", help="Where trials run: local or ray.")
@click.option("--address", metavar="ADDRESS", help="The Ray cluster to run on, such as auto.")
@click.option("--workers", type=int, metavar="N", help="Trials at once (default: one a core).")
@click.option("--gpus-per-trial", type=float, metavar="SHARE", help="The share of a GPU that a trial takes, such as 0.25.")
@click.option("--max-hours", type=float, metavar="H", help="For all of it: the finalists keep their part.")
@telling_options
@home_option
def extend(study: str, trials: str, home: str | None, quiet: bool, as_json: bool, **how: Any) -> None:
    """Go on with STUDY by the wishes it was made with: more policies, nothing repeated.

    A study whose test figure has been disclosed goes on as STUDY-2 (then STUDY-3, ...): it begins with all that STUDY has
    finished, and its own look at the test set will count the one that was. Needs the images where they were, or prepared already.

    \b
    policysearch extend photos-randaugment-0f3a9c21 --trials +50
    policysearch extend loading-load-randaugment-81d0c3f2 --trials +50 --data loading:load
    """
    from policysearch.cli.conduct import conduct
    from policysearch.cli.options import open_home, open_study
    from policysearch.extending import study_again

    with telling(quiet, as_json) as told:
        _, record = open_study(open_home(home), study)
        given = {name: value for name, value in how.items() if value is not None}
        conduct(study_again(record, home=home, **given), trials, False, told, extending=True)
