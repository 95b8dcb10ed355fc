"""Runs one trial: a function of its spec alone, whatever process, driver or order it runs in.

A training that fails (a loss that isn't finite, memory that runs out, weights that can't be written) is a failed result with its
reason, never an exception. Refuses specs this machine can't follow, and data other than the spec's. It is never told where the
test images are.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from searchspaces.draw import draw
from searchspaces.engines import engine_name
from searchspaces.errors import BadInput
from searchspaces.mixing import draw_mixing
from searchspaces.plan import Plan
from searchspaces.views import IDENTITY
from trials.data import Split, data_fingerprint, open_parts, read_meta
from trials.evaluate import NotFinite, placed, score
from trials.failpoints import reach
from trials.machine import environment, reproducible
from trials.models import build_model
from trials.pixels import Normaliser
from trials.recipes import check_recipe
from trials.rehearsal import WARM_UP_STEPS, check_steps
from trials.seeds import numpy_generator, torch_generator
from trials.spans import Spans
from trials.train import DrawMixing, Trainer
from trials.values import Epoch, Score, TrialResult, TrialSpec
from trials.weights import save_weights

# How torch says that memory ran out, where it has no error of that kind: its CPU allocator, CUDA itself, cuBLAS and cuDNN, C++.
_NO_MEMORY = ("can't allocate memory", "out of memory", "_ALLOC_FAILED", "bad_alloc")


class NotKept(Exception):
    """The weights can't be written; the message says why, in one line."""


def run_trial(spec: TrialSpec, on_epoch: Callable[[Epoch], None], weights_path: Path | None) -> TrialResult:
    """Train on the first part of the spec's split, score the second after each epoch; the last weights go to `weights_path`.

    The score is that of the last epoch, by the recipe's views of each image. A rehearsal (a spec with `budget_steps`) ends after
    so many steps with one score, and its spans say what a whole trial takes (`trials.rehearsal`). Initial weights, image order
    and augmentation derive from the spec's seed and replicate, never from the policy. `on_epoch` hears of every epoch as it ends;
    what it raises passes through. Raises BadInput for a spec that can't be run here.
    """
    meta = _checked(spec)
    rehearsed = spec.budget_steps is not None
    spans, epochs = Spans(torch.cuda.synchronize) if rehearsed and spec.recipe.device == "cuda" else Spans(), list[Epoch]()

    def note(epoch: Epoch) -> None:
        epochs.append(epoch)
        on_epoch(epoch)

    trained, error, ran = None, None, set[str]()
    with reproducible(spec.recipe), spans.timed("total"):
        surroundings = environment(spec.recipe)
        try:
            trained = _train_and_keep(spec, meta, note, weights_path, spans, ran)
        except NotKept as failure:
            error = str(failure)
        except (NotFinite, MemoryError, RuntimeError) as failure:
            error = f"epoch {len(epochs) + 1} of {_epochs(spec)}: {_reason(failure)}"
    return TrialResult(
        trial_uid=spec.trial_uid,
        status="failed" if trained is None else "done",
        epochs=tuple(epochs),
        score=None if trained is None else trained[0],
        error=error,
        span_seconds=spans.seconds,
        environment=surroundings,
        engine=engine_name(ran),
        weights_sha256=None if trained is None else trained[1],
    )


def _checked(spec: TrialSpec) -> dict[str, Any]:
    """The meta.json of the spec's data, once machine, spec and data are known to go together."""
    check_recipe(spec.recipe)
    if spec.budget_epochs < 1:
        raise BadInput(f"budget_epochs: {spec.budget_epochs}; allowed is 1 or more")
    check_steps(spec.budget_steps)
    meta = read_meta(Path(spec.data.directory))
    found = data_fingerprint(meta)
    if found != spec.data.fingerprint:
        raise BadInput(
            f"{spec.data.directory!r} holds other data ({found[:12]}) than the trial was planned for"
            f" ({spec.data.fingerprint[:12]}); delete it and search again"
        )
    return meta


def _train_and_keep(
    spec: TrialSpec,
    meta: Mapping[str, Any],
    note: Callable[[Epoch], None],
    weights_path: Path | None,
    spans: Spans,
    ran: set[str],
) -> tuple[Score, str | None]:
    """The last epoch's score, and the SHA-256 of the kept weights (None: none are kept); `ran` is told the engines that ran."""
    with spans.timed("setup"):
        train, held = open_parts(Path(spec.data.directory), spec.split)
        model = _fresh_model(spec, train)
        # The training part's of the study, whatever is trained on here: all nets of a study are shown images alike.
        seen_by = meta["mean"], meta["std"]
        normaliser = Normaliser(*seen_by, spec.recipe)
        trainer = Trainer(model, train, normaliser, spec.recipe, spec.budget_epochs, spans, ran)
    for number in range(1, 1 + _epochs(spec)):
        loss = _trained(trainer, spec, number, train, spans)
        reach("mid_epoch")
        scored = _scored(spec, number == _epochs(spec), lambda views: score(model, held, spec.recipe, *seen_by, views), spans)
        note(Epoch(number, loss, scored.wrong, scored.total))
    return scored, None if weights_path is None else _kept(model, weights_path)


def _epochs(spec: TrialSpec) -> int:
    return spec.budget_epochs if spec.budget_steps is None else 1


def _trained(trainer: Trainer, spec: TrialSpec, number: int, train: Split, spans: Spans) -> float:
    """Train one epoch, or as much of it as a rehearsal does; the mean loss."""
    order, mixing = _order(spec, number, len(train.labels)), _mixing(spec, number)
    if spec.budget_steps is None:
        return trainer.train_epoch(order, _plan(spec, number, train, spans, "augment"), mixing)
    return trainer.rehearse(order, _plan(spec, number, train, spans, "draw"), mixing, spec.budget_steps, WARM_UP_STEPS)


def _scored(spec: TrialSpec, last: bool, scoring: Callable[[str], Score], spans: Spans) -> Score:
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


def _kept(model: nn.Module, weights_path: Path) -> str:
    try:
        return save_weights(model, weights_path)
    except OSError as error:
        raise NotKept(f"its weights can't be written to {weights_path} ({error.strerror}); make room there") from error


def _fresh_model(spec: TrialSpec, train: Split) -> nn.Module:
    generator = torch_generator(spec.seed, spec.replicate, "weights")
    return placed(build_model(spec.recipe.model, train.images.shape[1], len(train.classes), generator), spec.recipe)


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


def _reason(failure: Exception) -> str:
    """One line for a failure of training; anything else that escaped as a RuntimeError is a defect and is raised again."""
    if isinstance(failure, NotFinite):
        return str(failure)
    if isinstance(failure, MemoryError | torch.OutOfMemoryError) or any(words in str(failure) for words in _NO_MEMORY):
        return "out of memory; give smaller batches or images"
    raise failure
