"""One epoch of a trial: what is drawn for it, the training, the score.

All randomness derives from the spec's seed and replicate and the epoch's number, never from the policy, the process or what came
before; so a training that goes on from a checkpoint is the one that was killed. A rehearsal's one epoch is cut short.
"""

from collections.abc import Callable

import numpy as np

from searchspaces.draw import draw
from searchspaces.mixing import draw_mixing
from searchspaces.plan import Plan
from searchspaces.views import IDENTITY
from trials.data import Split
from trials.lent import lent
from trials.rehearsal import WARM_UP_STEPS
from trials.seeds import numpy_generator, torch_generator
from trials.spans import Spans
from trials.train import DrawMixing, Trainer
from trials.values import Score, TrialSpec


def epochs_of(spec: TrialSpec) -> int:
    """How many epochs are trained and scored: a rehearsal's is one."""
    return spec.budget_epochs if spec.budget_steps is None else 1


def trained_epoch(trainer: Trainer, spec: TrialSpec, number: int, train: Split, spans: Spans, rank: int) -> float:
    """Train one epoch, or as much of it as a rehearsal does; the mean loss."""
    order, mixing = _order(spec, number, len(train.labels)), _mixing(spec, number)
    plan = _plan(spec, number, train, spans, "augment" if spec.budget_steps is None else "draw")
    own = (rank,) if rank else ()  # what nets draw is another in each process that takes part
    trainer.drop_by(torch_generator(spec.seed, spec.replicate, number, "dropout", *own, device=spec.recipe.device))
    with lent(torch_generator(spec.seed, spec.replicate, number, "net", *own), spec.recipe.device):  # what the net itself draws
        if spec.budget_steps is None:
            return trainer.train_epoch(order, plan, mixing)
        return trainer.rehearse(order, plan, mixing, spec.budget_steps, WARM_UP_STEPS)


def scored_epoch(spec: TrialSpec, last: bool, scoring: Callable[[str], Score], spans: Spans) -> Score:
    """An epoch's score: the last one's by the recipe's views, the others' of the images as they are, which costs less.

    A rehearsal takes both, to know what each costs.
    """
    by_views = last and spec.recipe.views != IDENTITY
    if not by_views or spec.budget_steps is not None:
        with spans.timed("score"):
            plain = scoring(IDENTITY)
        if not by_views:
            return plain
    with spans.timed("score_views"):
        return scoring(spec.recipe.views)


def _order(spec: TrialSpec, number: int, images: int) -> np.ndarray:
    return numpy_generator(spec.seed, spec.replicate, number, "order").permutation(images)


def _plan(spec: TrialSpec, number: int, train: Split, spans: Spans, span: str) -> Plan:
    """The epoch's augmentation of every training image, in the order of the split; how long that took goes to `span`.

    Crops are drawn for the images as they are, where those are kept whole.
    """
    sides = None if train.whole is None else train.whole.sides
    with spans.timed(span):
        return draw(spec.policy, train.images.shape, numpy_generator(spec.seed, spec.replicate, number, "augment"), sides)


def _mixing(spec: TrialSpec, number: int) -> DrawMixing | None:
    """What the epoch's batches draw their mixing by, one after the other; None where the policy mixes nothing."""
    if not spec.policy.batch.mixes:
        return None
    generator = numpy_generator(spec.seed, spec.replicate, number, "mixing")
    return lambda images, sides: draw_mixing(spec.policy.batch, images, sides, generator)
