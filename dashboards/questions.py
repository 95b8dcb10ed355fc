"""What a person asks of each of several studies, and what the study answers: in short, and what bounds it.

Every number is the study's own judgement's. A mean with its interval stands where finalists were trained, else the search's own
figure, and that it flatters.
"""

from collections.abc import Callable
from typing import NamedTuple

from dashboards.comparability import SHOWN_HEX
from dashboards.findings import FinalistRow, finalist_rows, headline, rows_of_test
from dashboards.making import SPLITS
from dashboards.queries import Row, StudyView
from dashboards.transfer import Side
from policysearch.judging.in_words import percent, points
from searchspaces.phrases import counted, duration


class Cell(NamedTuple):
    """What a study says to a question: in short, and what bounds it."""

    text: str
    below: str = ""


def _verdict(side: Side) -> Cell:
    return Cell(*headline(side.view))


def _winner(side: Side) -> Cell:
    won = side.view.judgement.winner
    return Cell("none") if won is None else Cell(won.label, won.words)


def _its_error(side: Side) -> Cell:
    row, best = marked(side, "winner"), side.view.best
    if row is not None:
        return _mean(row)
    if side.view.judgement.winner is None or best is None or best.error is None:
        return Cell("none")
    return Cell(f"{percent(best.error)} %", "one training in the search, which flatters it: it was chosen for being low")


def _baseline(side: Side) -> Cell:
    """The baseline that the winner is compared with; of a winner that is a baseline itself, the next one."""
    row = compared_row(side)
    if row is not None:
        text, below = _mean(row)
        return Cell(f"{row.name}, {text}", below)
    free = _free_in_search(side.view)
    return Cell("none") if free is None or free.error is None else Cell(f"{free.name}, {percent(free.error)} %", "one training")


def _difference(side: Side) -> Cell:
    """How much better than the baseline the winner is, where that was told: by the test images, else by the finalists."""
    judgement = side.view.judgement
    verdict = judgement.verdict
    if verdict.difference is not None and verdict.low is not None and verdict.high is not None and verdict.level is not None:
        better = "better" if verdict.difference >= 0 else "worse"
        where = "on the test images" if judgement.stage == "test" else "among the finalists"
        interval = f"{percent(verdict.low)} to {percent(verdict.high)}"
        confidence = f"{100 * (1 - 2 * verdict.level):g} % interval"
        return Cell(f"{points(abs(verdict.difference))} {better}", f"{confidence} {interval}, {where}")
    if judgement.winner is not None and judgement.winner.is_baseline:
        return Cell("none", "the winner is a free baseline")
    gap = min(side.view.comparisons, key=lambda one: one.baseline.error or 0.0, default=None)
    if judgement.winner is None or gap is None:
        return Cell("none")
    better = "better" if gap.difference >= 0 else "worse"
    return Cell(
        f"{points(abs(gap.difference))} {better}", f"one training each; these images show {points(gap.resolvable)} and more"
    )


def _test(side: Side) -> Cell:
    rows, figure = rows_of_test(side.view), side.view.figure
    if not rows or figure is None:
        has_test = bool(side.view.study.identity.get("test"))
        return Cell("not opened" if has_test else "no test set")
    text, below = _mean(rows[0])
    return Cell(text, f"{rows[0].name}; {below}; {figure.total:,} images")


def _images(side: Side) -> Cell:
    identity = side.view.study.identity
    image = identity["image"]
    channels = f"{image['channels']} channel{'s' if image['channels'] > 1 else ''}"
    if "data" not in identity:
        return Cell("its trainer’s own", channels)
    counts = ", ".join(f"{identity['splits'][split]:,} {split}" for split in SPLITS if identity["splits"].get(split))
    size = f"{image['height']} × {image['width']} pixels, {channels}"
    return Cell(identity["data"]["name"], f"{counts}; {size}; fingerprint {identity['data']['fingerprint'][:SHOWN_HEX]}")


def _net(side: Side) -> Cell:
    recipe = side.view.study.identity.get("recipe")
    return Cell("its trainer’s own") if recipe is None else Cell(str(recipe.get("model", "small")))


def _budget(side: Side) -> Cell:
    """Epochs a training, and what the calibration found of them."""
    judged, epochs = side.view.judgement.calibration, counted(side.view.study.identity["epochs"], "epoch")
    said = "" if judged is None else "no sign that it is too short" if judged.enough else "found too short to compare policies"
    return Cell(f"{epochs} a training", said)


def _search(side: Side) -> Cell:
    identity = side.view.study.identity
    searched = sum(trial.role == "trial" for trial in side.errors.values())
    told = f"{searched} {'policy' if searched == 1 else 'policies'} trained whole, by {identity['sampler']}"
    return Cell(identity["space"]["name"], told)


def _cost(side: Side) -> Cell:
    trainings, epochs, seconds = cost(side.view)
    return Cell(duration(seconds), f"in {counted(trainings, 'training')} of {counted(epochs, 'epoch')} together")


QUESTIONS: dict[str, Callable[[Side], Cell]] = {
    "verdict": _verdict,
    "winner": _winner,
    "its error": _its_error,
    "best baseline": _baseline,
    "difference": _difference,
    "test error": _test,
    "images": _images,
    "net": _net,
    "budget": _budget,
    "search": _search,
    "cost": _cost,
}


def cost(view: StudyView) -> tuple[int, int, float]:
    """Trainings that are over, their epochs, their seconds: of all stages."""
    totals = [(cost.trainings, cost.epochs, cost.seconds) for cost in view.costs]
    return sum(one[0] for one in totals), sum(one[1] for one in totals), sum(one[2] for one in totals)


def compared_row(side: Side) -> FinalistRow | None:
    """The finalist that is the baseline compared with; where the winner is a baseline, the best one beside it."""
    named = marked(side, "compared")
    free = (row for row in finalist_rows(side.view) if row.kind == "baseline" and row.mark != "winner")
    return named or next(free, None)


def marked(side: Side, mark: str) -> FinalistRow | None:
    """The finalist that is the "winner", or the one that it is "compared" with."""
    return next((row for row in finalist_rows(side.view) if row.mark == mark), None)


def _free_in_search(view: StudyView) -> Row | None:
    """The free baseline with the lowest error of the search, other than the winner."""
    won = view.judgement.winner_trial
    known = [row for row in view.done if row.role == "baseline" and (won is None or row.uid != won.trial_uid)]
    return known[0] if known else None


def _mean(row: FinalistRow) -> Cell:
    return Cell(f"{percent(row.mean)} %", f"{percent(row.low)} to {percent(row.high)} %, mean of {counted(row.seeds, 'seed')}")
