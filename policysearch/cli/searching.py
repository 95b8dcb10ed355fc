"""Commands that search: `search` on your images, `demo` on those that ship with policysearch.

They turn options into a `Study`, show its progress and look at the result; what is done, and in which order, is the study's.
"""

from typing import Any

import click

from policysearch.cli.conduct import check_register, conduct, is_terminal
from policysearch.cli.options import domain_options, finalist_options, home_option, reading_options
from policysearch.cli.telling import telling, telling_options
from policysearch.cli.wishes_file import Wish, config_option

DEMO_TRIALS = 6
DEMO_EPOCHS = 6
DEMO_FINALISTS = 1
DEMO_SEEDS = 3
DEMO_TEXT = """\
A real study, small: RandAugment policies against five free baselines, on 4,000 training and 1,000 validation images
of Fashion-MNIST (Zalando Research, MIT licence) that ship with policysearch. It goes all the way: is the budget long
enough, the search, the best again with fresh seeds, and one look at 2,000 test images, on which the verdict rests.
With 6 epochs, 6 policies and 3 seeds it shows how a study goes, and is too small to tell policies apart that are
nearly as good: a budget that is found too short is said, and it goes on all the same. On two cores it takes less
than four minutes; Ctrl-C stops it, and the same command goes on from there.
"""


@click.command()
@click.option(
    "--data",
    required=True,
    metavar="DIR|FILE|NAME",
    help="Class folders, .npz, .csv, .parquet, a saved data set, torchvision:NAME, module:function, or sample, cifar10, ...",
)
@click.option("--data-root", metavar="DIR", help="Where a named set's files lie, as torchvision lays them out.")
@click.option(
    "--image-size", type=int, default=64, show_default=True, metavar="PIXELS", help="Images of folders are made this size."
)
@click.option("--train-images", type=int, metavar="N", help="Train on a stratified part.")
@click.option("--val-images", type=int, metavar="N", help="Validate on a stratified part.")
@click.option("--val-folder", metavar="NAME", help="The folder that is for validation.")
@click.option("--groups", metavar="WISH", help="Images that stay together: column, folder:N or regex:PATTERN (of names).")
@click.option(
    "--duplicates",
    default="drop-exact",
    show_default=True,
    metavar="CURE",
    help="Of duplicates across splits: drop-exact, drop-from-train, report or refuse.",
)
@reading_options
@click.option(
    "--space",
    type=Wish(),
    default="randaugment",
    show_default=True,
    metavar="FAMILY|FILE.yaml",
    help="What to search: see policysearch spaces; several with commas.",
)
@domain_options
@click.option("--trim", is_flag=True, help="Cut the space to strengths that keep the labels.")
@click.option(
    "--views",
    default="identity",
    show_default=True,
    metavar="NAME[,...]",
    help="Test-time augmentation: hflip, five-crops, ten-crops, scales, mild:N; several are searched.",
)
@click.option(
    "--recipe",
    type=Wish(),
    metavar="FIELD=VALUE,...|FILE.yaml",
    help="How to train; LOW..HIGH[:log] and A/B are searched: see policysearch recipes.",
)
@click.option(
    "--model",
    default="small",
    show_default=True,
    metavar="NAME|module:fn",
    help="The net: see policysearch models; also torchvision:NAME, timm:NAME, one of your own.",
)
@click.option("--weights", metavar="FILE", help="What the net starts from; or torchvision:TAG, fetched.")
@click.option("--batch-images", type=int, metavar="N", help="Images of a step (default: 64).")
@click.option("--trials", type=int, default=32, show_default=True, metavar="N", help="Policies to try beside the baselines.")
@click.option(
    "--enqueue", multiple=True, metavar="zoo:NAME|FILE", help="A policy to run beside, after the baselines; may be repeated."
)
@click.option("--epochs", type=int, default=40, show_default=True, metavar="E", help="Epochs a trial; few can't judge a policy.")
@click.option("--no-calibration", is_flag=True, help="Don't check whether the budget is long enough to compare policies.")
@click.option("--any-budget", is_flag=True, help="Go on with a budget that was found too short.")
@finalist_options
@click.option("--max-hours", type=float, metavar="H", help="For all of it: finalists and the test keep their part.")
@click.option("--max-trial-minutes", type=float, metavar="M", help="A trial that takes longer hangs, and fails.")
@click.option(
    "--sampler", default="tpe", show_default=True, metavar="NAME", help="tpe, random, grid, ray:random, or one of Optuna's."
)
@click.option(
    "--early-stopping",
    metavar="asha[:eta=3,by=images]",
    help="Train the best third on, from fewer epochs, images or pixels (size).",
)
@click.option("--driver", default="local", show_default=True, metavar="NAME", help="Where trials run: local or ray.")
@click.option("--address", metavar="ADDRESS", help="The Ray cluster to run on, such as auto.")
@click.option("--workers", type=int, metavar="N", help="Trials at once (default: one a core).")
@click.option("--gpus-per-trial", type=float, metavar="SHARE", help="The share of a GPU that a trial takes, such as 0.25.")
@click.option("--checkpoints", metavar="DIR|URL", help="Where nets are kept, as fsspec names it (default: in the home).")
@click.option("--study", "name", metavar="NAME", help="The study's name (default: made from the wishes).")
@click.option("--seed", type=int, default=0, show_default=True, help="All randomness of the study derives from it.")
@click.option("--register", metavar="NAME", help="At the end, make the winner's net a version of this MLflow model.")
@click.option("--test", is_flag=True, help="Open the test set at the end, once, for the verdict.")
@click.option("--yes", is_flag=True, help="Don't ask before --test.")
@config_option
@telling_options
@home_option
def search(
    trials: int, test: bool, yes: bool, no_calibration: bool, register: str | None, quiet: bool, as_json: bool, **wishes: Any
) -> None:
    """Search a policy for your images.

    First the plan is told: how many trainings and hours each stage takes. Then the free baselines are trained, and longer too, to
    see whether the budget can tell policies apart; then policies are searched; the best and the two best baselines are trained
    again as finalists, with fresh seeds; and with --test the winner and one baseline are compared on the test set, once.

    The same command again goes on with an unfinished study, and prints the result of a finished one.

    \b
    policysearch search --data photos/
    policysearch search --data cifar10 --data-root DIR --train-images 4000 --val-images 1000
    policysearch search --data photos/ --space randaugment:scale=paper --enqueue zoo:randaugment-imagenet-resnet-50
    policysearch search --data photos/ --space randaugment,photometric --sampler CmaEsSampler --early-stopping asha
    policysearch search --data photos/ --image-size 224 --model torchvision:resnet18 --weights resnet18.pth
    policysearch search --config study.yaml --trials 64
    policysearch search --data photos/ --recipe optimiser=adamw,schedule=cosine,dropout=0..0.5,ema_decay=0.99

    A published policy (see policysearch zoo) is run on the study's own crop and flips, one from a file as it is.
    """
    from policysearch.study import Study

    with telling(quiet, as_json) as how:
        study = Study(calibrate=not no_calibration, **wishes)
        if register is not None:
            check_register(register, study)
        if test and not yes and is_terminal():
            click.confirm("The test set will be opened at the end, once, for the winner and one baseline. Go on?", abort=True)
        conduct(study, trials, test, how, register=register)


@click.command()
@click.option("--workers", type=int, metavar="N", help="Trials at once (default: one a core).")
@click.option("--driver", default="local", show_default=True, metavar="NAME", help="Where trials run: local or ray.")
@telling_options
@home_option
def demo(workers: int | None, driver: str, quiet: bool, as_json: bool, home: str | None) -> None:
    """The whole path on the images that ship with policysearch: search, finalists, verdict, policy file, report."""
    from policysearch.study import Study

    with telling(quiet, as_json) as how:
        if not how.silent:
            click.echo(DEMO_TEXT)
        small: Any = {"epochs": DEMO_EPOCHS, "finalists": DEMO_FINALISTS, "finalist_seeds": DEMO_SEEDS, "any_budget": True}
        study = Study("sample", space="randaugment", workers=workers, driver=driver, home=home, **small)
        conduct(study, DEMO_TRIALS, True, how)
