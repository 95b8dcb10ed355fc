"""What a search says when it is over: the policy in words, its error beside the baselines', what that proves, where things are."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from policysearch.statistics import disagreement, resolvable_difference, wilson_interval

if TYPE_CHECKING:
    from policysearch.ledger import Figure, TrialRecord

MOST_FAILURES_SHOWN = 3


def print_ending(trials: "tuple[TrialRecord, ...]", best: "TrialRecord", figure: "Figure | None", study: str) -> None:
    """Print the result of a study from its trials, its winner and, if disclosed, its test figure."""
    click.echo()
    _heading("The best policy found")
    click.echo(f"  {best.words}")
    _heading(f"Validation error ({_score(best).total:,} images)")
    for trial in _compared(trials, best):
        mark = "winner" if trial is best else trial.role
        click.echo(f"  {mark:<9} {trial.label:<34} {_percent(_score(trial).wrong, _score(trial).total)}")
    _print_failures(trials)
    _print_test(figure, study)
    _heading("What this proves")
    click.echo("  " + "\n  ".join(what_it_proves(trials, best)))


def print_places(study: str, directory: Path, tracking: str) -> None:
    """Print where the study's files are, and the commands that show them."""
    _heading("Where things are")
    click.echo(f"  policy    {directory / 'policy.json'}")
    click.echo(f"  report    {directory / 'report.html'}")
    click.echo(f"  MLflow    {tracking}")
    click.echo(f"  again     policysearch show {study}")


def what_it_proves(trials: "tuple[TrialRecord, ...]", best: "TrialRecord") -> list[str]:
    """Sentences on how sure this result is: what the validation images can resolve, and what one short search leaves open."""
    done = [trial for trial in trials if trial.result and trial.result.score]
    rivals = [trial for trial in done if trial.role == "baseline" and trial is not best]
    sentences = []
    if rivals:
        rival = min(rivals, key=lambda trial: _score(trial).wrong)
        total = _score(best).total
        share = disagreement(_score(best).right, _score(rival).right)
        resolved = 100 * resolvable_difference(share, total)
        gap = 100 * (_score(rival).wrong - _score(best).wrong) / total
        sentences.append(
            f"The winner and the best other baseline ({rival.label}) differ by {gap:.1f} points; they disagree on {100 * share:.1f} % of the"
            f" {total:,} images, so less than {resolved:.1f} points can't be told from chance."
        )
        verdict = "larger than that, but" if gap >= resolved else "smaller than that, and"
        sentences.append(f"The difference is {verdict} the winner was picked as the best of {len(done)}, which flatters it.")
    epochs = len(best.result.epochs) if best.result else 0
    sentences.append(f"One seed and {epochs} epochs a trial: with other seeds or longer training another policy may well come first.")
    return sentences


def _compared(trials: "tuple[TrialRecord, ...]", best: "TrialRecord") -> "list[TrialRecord]":
    """The winner and the baselines, by error."""
    shown = [trial for trial in trials if trial is best or (trial.role == "baseline" and trial.result and trial.result.score)]
    return sorted(shown, key=lambda trial: (_score(trial).wrong, trial is not best))


def _score(trial: "TrialRecord"):  # type: ignore[no-untyped-def]  # noqa: ANN202
    assert trial.result is not None and trial.result.score is not None
    return trial.result.score


def _print_failures(trials: "tuple[TrialRecord, ...]") -> None:
    failed = [trial for trial in trials if trial.result and trial.result.status == "failed"]
    for trial in failed[:MOST_FAILURES_SHOWN]:
        click.echo(f"  failed    {trial.label}: {trial.result.error if trial.result else ''}")
    if len(failed) > MOST_FAILURES_SHOWN:
        click.echo(f"  failed    and {len(failed) - MOST_FAILURES_SHOWN} more trials")


def _print_test(figure: "Figure | None", study: str) -> None:
    if figure is None:
        _heading("Test error")
        click.echo(f"  The test set is still closed. To open it, once: policysearch test {study}")
        return
    _heading(f"Test error ({figure.total:,} images, opened once)")
    low, high = wilson_interval(figure.wrong, figure.total)
    click.echo(f"  {_percent(figure.wrong, figure.total)}, 95 % interval {100 * low:.1f} to {100 * high:.1f} %")
    if figure.looks_before:
        click.echo(f"  Other studies have looked at these test images {figure.looks_before} times before: the figure is that much less fresh.")


def _percent(wrong: int, total: int) -> str:
    return f"{100 * wrong / total:.1f} % wrong ({wrong:,} of {total:,})"


def _heading(text: str) -> None:
    click.echo(click.style(text, bold=True))
