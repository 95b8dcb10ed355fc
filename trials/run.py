"""Runs one trial: a function of its spec alone, whatever process, driver or order it runs in.

A training that fails (a loss that isn't finite, memory that runs out, a GPU that fails, weights that can't be written) is a
failed result with its reason, never an exception. Refuses specs this machine can't follow, and data other than the spec's. It is
never told where the test images are.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import nn

from searchspaces.engines import engine_name
from searchspaces.errors import BadInput
from searchspaces.views import IDENTITY
from trials.cheaper import cheaper_parts, check_cheaper, passes, passes_of
from trials.checkpoints import Checkpoint
from trials.data import Split, data_fingerprint, open_parts, read_meta
from trials.epochs import epochs_of, scored_epoch, trained_epoch
from trials.evaluate import NotFinite, placed, score
from trials.failpoints import reach
from trials.machine import environment, reproducible
from trials.models import fresh_model
from trials.pixels import Normaliser
from trials.places import Location, location
from trials.reasons import reason_of
from trials.recipes import check_recipe
from trials.rehearsal import check_steps
from trials.seeds import torch_generator
from trials.share import Share
from trials.sharing import shared
from trials.so_far import SoFar
from trials.spans import Spans
from trials.stopping import stops_after
from trials.train import Trainer
from trials.values import Epoch, Score, TrialResult, TrialSpec
from trials.weights import save_weights


class NotKept(Exception):
    """The weights can't be written; the message says why, in one line."""


def run_trial(
    spec: TrialSpec,
    on_epoch: Callable[[Epoch], None],
    weights_path: Location | None,
    checkpoint_path: Location | None = None,
    on_note: Callable[[str], None] = lambda text: None,
) -> TrialResult:
    """Train on the first part of the spec's split, score the second after each epoch; the last weights go to `weights_path`.

    The score is that of the last epoch, by the recipe's views of each image; which epoch is the last may be up to
    `trials.stopping`. A rehearsal (a spec with `budget_steps`) ends after so many steps with one score, and its spans say what a
    whole trial takes (`trials.rehearsal`). Initial weights, image order and augmentation derive from the spec's seed and
    replicate, never from the policy. `on_epoch` hears of every epoch as it ends; what it raises passes through. At
    `checkpoint_path` is what a killed attempt left, and what the next one goes on from (`trials.checkpoints`): its epochs are not
    trained again, nor told, and the result is the same; `on_note` hears of it. Nothing deletes that file here. Raises BadInput
    for a spec that can't be run here.
    """
    meta = _checked(spec)
    rehearsed = spec.budget_steps is not None
    so_far = SoFar(Spans(torch.cuda.synchronize) if rehearsed and spec.recipe.device == "cuda" else Spans())
    spans, epochs = so_far.spans, so_far.epochs

    def note(epoch: Epoch) -> None:
        epochs.append(epoch)
        on_epoch(epoch)

    trained, error = None, None
    with reproducible(spec.recipe), spans.timed("total"):
        surroundings = environment(spec.recipe)
        if checkpoint_path is not None and not rehearsed:
            so_far.checkpoint = Checkpoint(checkpoint_path, spec, surroundings, on_note)
        try:
            with shared(spec, None if checkpoint_path is None else str(checkpoint_path)) as share:
                trained = _train_and_keep(spec, meta, note, weights_path, so_far, share)
        except NotKept as failure:
            error = str(failure)
        except (NotFinite, MemoryError, RuntimeError) as failure:
            error = f"epoch {len(epochs) + 1} of {epochs_of(spec)}: {reason_of(failure)}"
    scored, weights_sha256 = (None, None) if trained is None else trained
    return TrialResult(
        trial_uid=spec.trial_uid,
        status="failed" if trained is None else "done",
        epochs=tuple(epochs),
        score=scored,
        error=error,
        span_seconds=spans.seconds,
        environment=surroundings,
        engine=engine_name(so_far.ran),
        weights_sha256=weights_sha256,
    )


def take_part(spec: TrialSpec, checkpoint_path: str | None, share: Share) -> None:
    """Train as `run_trial` does, beside the process that leads; nothing is kept or told here."""
    so_far = SoFar(Spans())
    with reproducible(spec.recipe):
        if checkpoint_path is not None and spec.budget_steps is None:
            surroundings, place = environment(spec.recipe), location(checkpoint_path)
            so_far.checkpoint = Checkpoint(place, spec, surroundings, lambda text: None, writes=False)
        _train_and_keep(spec, _checked(spec), so_far.epochs.append, None, so_far, share)


def _checked(spec: TrialSpec) -> dict[str, Any]:
    """The meta.json of the spec's data, once machine, spec and data are known to go together."""
    check_recipe(spec.recipe)
    if spec.budget_epochs < 1:
        raise BadInput(f"budget_epochs: {spec.budget_epochs}; allowed is 1 or more")
    check_steps(spec.budget_steps)
    check_cheaper(spec)
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
    weights_path: Location | None,
    so_far: SoFar,
    share: Share,
) -> tuple[Score, str | None]:
    """The last epoch's score, and the SHA-256 of the kept weights (None: none are kept); `so_far` is kept up to date."""
    spans = so_far.spans
    # The training part's of the study, whatever is trained on here: all nets of a study are shown images alike.
    seen_by = meta["mean"], meta["std"]

    def scoring(views: str) -> Score:
        return score(trainer.net, held, spec.recipe, *seen_by, views, share)

    with spans.timed("setup"):
        train, held = cheaper_parts(*open_parts(Path(spec.data.directory), spec.split), spec)
        trainer = _begun(spec, train, Normaliser(*seen_by, spec.recipe), so_far, share)
        share.require_alike(len(so_far.epochs), spec.recipe.device)
    for number in range(1 + len(so_far.epochs), 1 + epochs_of(spec)):
        loss = fmean(trained_epoch(trainer, spec, each, train, spans, share.rank) for each in passes_of(spec, number))
        reach("mid_epoch")
        scored = scored_epoch(spec, number == epochs_of(spec), scoring, spans)
        ended = Epoch(number, loss, scored.wrong, scored.total)
        stopped = number < epochs_of(spec) and stops_after(spec, [*so_far.epochs, ended])
        if stopped and spec.recipe.views != IDENTITY:  # it was taken for an epoch that others follow
            scored = scored_epoch(spec, True, scoring, spans)
        note(Epoch(number, loss, scored.wrong, scored.total))
        if stopped:
            break
        if number < epochs_of(spec):
            so_far.keep(trainer)
    return scored, None if weights_path is None else _kept(trainer.net, weights_path)


def _begun(spec: TrialSpec, train: Split, normaliser: Normaliser, so_far: SoFar, share: Share) -> Trainer:
    """The training at its beginning, or where the attempt before this one was killed."""

    def fresh() -> Trainer:
        model, epochs = _fresh_model(spec, train), passes(spec, spec.budget_epochs)
        return Trainer(model, train, normaliser, spec.recipe, epochs, so_far.spans, so_far.ran, share)

    trainer = fresh()
    return trainer if so_far.resume(trainer) else fresh()


def _kept(model: nn.Module, weights_path: Location) -> str:
    try:
        return save_weights(model, weights_path)
    except OSError as error:
        raise NotKept(f"its weights can't be written to {weights_path} ({error.strerror}); make room there") from error


def _fresh_model(spec: TrialSpec, train: Split) -> nn.Module:
    generator = torch_generator(spec.seed, spec.replicate, "weights")
    return placed(fresh_model(spec.recipe, train.images.shape[1], len(train.classes), generator), spec.recipe)
