"""Runs one trial: a function of its spec alone, whatever process, driver or order it runs in.

A training that fails (a loss that isn't finite, memory that runs out, a GPU that fails, weights that can't be written) is a
failed result with its reason, never an exception. Refuses specs this machine can't follow, and data other than the spec's. It is
never told where the test images are.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import nn

from searchspaces.draw import draw
from searchspaces.engines import engine_name
from searchspaces.errors import BadInput
from searchspaces.json_text import one_line
from searchspaces.mixing import draw_mixing
from searchspaces.plan import Plan
from searchspaces.views import IDENTITY
from trials.cheaper import cheaper_parts, check_cheaper, passes, passes_of
from trials.checkpoints import Checkpoint, Progress
from trials.data import Split, data_fingerprint, open_parts, read_meta
from trials.evaluate import NotFinite, placed, score
from trials.failpoints import reach
from trials.gpu_failures import is_gpu_failure
from trials.lent import lent
from trials.machine import environment, reproducible
from trials.models import fresh_model
from trials.pixels import Normaliser
from trials.places import Location, location
from trials.recipes import check_recipe
from trials.rehearsal import WARM_UP_STEPS, check_steps
from trials.seeds import numpy_generator, torch_generator
from trials.sharing import Share, shared
from trials.spans import Spans
from trials.stopping import stops_after
from trials.train import DrawMixing, Trainer
from trials.values import Epoch, Score, TrialResult, TrialSpec
from trials.weights import save_weights

# How torch says that memory ran out, where it has no error of that kind: its CPU allocator, CUDA itself, cuBLAS and cuDNN, C++.
_NO_MEMORY = ("can't allocate memory", "out of memory", "_ALLOC_FAILED", "bad_alloc")
_NOT_DETERMINISTIC = "does not have a deterministic implementation"  # the kernel's name comes first


class NotKept(Exception):
    """The weights can't be written; the message says why, in one line."""


@dataclass
class _SoFar:
    """How far a trial has come: in this attempt, and in those before that it goes on from."""

    spans: Spans
    epochs: list[Epoch] = field(default_factory=list)
    ran: set[str] = field(default_factory=set)
    checkpoint: Checkpoint | None = None
    begun_at: float = field(default_factory=time.monotonic)

    def resume(self, trainer: Trainer) -> bool:
        """Go on from the checkpoint, if there is one; False where it spoilt the trainer, for it was another net's."""
        found = None if self.checkpoint is None else self.checkpoint.load()
        if self.checkpoint is None or found is None:
            return True
        try:
            trainer.restore(found.state)
        except (RuntimeError, LookupError, ValueError):
            self.checkpoint.reject("is of another net")
            return False
        self.epochs += found.epochs
        self.ran |= set(found.engines)
        for name, seconds in found.span_seconds.items():
            self.spans.seconds[name] = self.spans.seconds.get(name, 0.0) + seconds
        self.checkpoint.tell(f"goes on after epoch {len(self.epochs)}")
        return True

    def keep(self, trainer: Trainer) -> None:
        """Have an epoch's end kept, if it is time for it."""
        if self.checkpoint is not None:
            with self.spans.timed("checkpoint"):
                self.checkpoint.keep(
                    lambda: Progress(tuple(self.epochs), self._seconds(), tuple(sorted(self.ran)), trainer.state())
                )

    def _seconds(self) -> dict[str, float]:
        spent = self.spans.seconds.get("total", 0.0) + time.monotonic() - self.begun_at
        return {**self.spans.seconds, "total": spent}


def run_trial(
    spec: TrialSpec,
    on_epoch: Callable[[Epoch], None],
    weights_path: Location | None,
    checkpoint_path: Location | None = None,
    on_note: Callable[[str], None] = lambda text: None,
) -> TrialResult:
    """Train on the first part of the spec's split, score the second after each epoch; the last weights go to `weights_path`.

    The score is that of the last epoch, by the recipe's views of each image; which epoch is the last may be up to
    `trials.stopping`. A rehearsal (a spec with `budget_steps`) ends after
    so many steps with one score, and its spans say what a whole trial takes (`trials.rehearsal`). Initial weights, image order
    and augmentation derive from the spec's seed and replicate, never from the policy. `on_epoch` hears of every epoch as it ends;
    what it raises passes through. At `checkpoint_path` is what a killed attempt left, and what the next one goes on from
    (`trials.checkpoints`): its epochs are not trained again, nor told, and the result is the same; `on_note` hears of it. Nothing
    deletes that file here. Raises BadInput for a spec that can't be run here.
    """
    meta = _checked(spec)
    rehearsed = spec.budget_steps is not None
    so_far = _SoFar(Spans(torch.cuda.synchronize) if rehearsed and spec.recipe.device == "cuda" else Spans())
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
            error = f"epoch {len(epochs) + 1} of {_epochs(spec)}: {_reason(failure)}"
    return TrialResult(
        trial_uid=spec.trial_uid,
        status="failed" if trained is None else "done",
        epochs=tuple(epochs),
        score=None if trained is None else trained[0],
        error=error,
        span_seconds=spans.seconds,
        environment=surroundings,
        engine=engine_name(so_far.ran),
        weights_sha256=None if trained is None else trained[1],
    )


def take_part(spec: TrialSpec, checkpoint_path: str | None, share: Share) -> None:
    """Train as `run_trial` does, beside the process that leads; nothing is kept or told here."""
    so_far = _SoFar(Spans())
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
    so_far: _SoFar,
    share: Share,
) -> tuple[Score, str | None]:
    """The last epoch's score, and the SHA-256 of the kept weights (None: none are kept); `so_far` is kept up to date."""
    spans = so_far.spans
    # The training part's of the study, whatever is trained on here: all nets of a study are shown images alike.
    seen_by = meta["mean"], meta["std"]

    def begun() -> Trainer:
        model, normaliser = _fresh_model(spec, train), Normaliser(*seen_by, spec.recipe)
        return Trainer(model, train, normaliser, spec.recipe, passes(spec, spec.budget_epochs), spans, so_far.ran, share)

    def scoring(views: str) -> Score:
        return score(trainer.net, held, spec.recipe, *seen_by, views, share)

    with spans.timed("setup"):
        train, held = cheaper_parts(*open_parts(Path(spec.data.directory), spec.split), spec)
        trainer = begun()
        if not so_far.resume(trainer):
            trainer = begun()
        share.require_alike(len(so_far.epochs), spec.recipe.device)
    for number in range(1 + len(so_far.epochs), 1 + _epochs(spec)):
        loss = fmean(_trained(trainer, spec, each, train, spans, share.rank) for each in passes_of(spec, number))
        reach("mid_epoch")
        scored = _scored(spec, number == _epochs(spec), scoring, spans)
        ended = Epoch(number, loss, scored.wrong, scored.total)
        stopped = number < _epochs(spec) and stops_after(spec, [*so_far.epochs, ended])
        if stopped and spec.recipe.views != IDENTITY:  # it was taken for an epoch that others follow
            scored = _scored(spec, True, scoring, spans)
        note(Epoch(number, loss, scored.wrong, scored.total))
        if stopped:
            break
        if number < _epochs(spec):
            so_far.keep(trainer)
    return scored, None if weights_path is None else _kept(trainer.net, weights_path)


def _epochs(spec: TrialSpec) -> int:
    return spec.budget_epochs if spec.budget_steps is None else 1


def _trained(trainer: Trainer, spec: TrialSpec, number: int, train: Split, spans: Spans, rank: int) -> float:
    """Train one epoch, or as much of it as a rehearsal does; the mean loss."""
    order, mixing = _order(spec, number, len(train.labels)), _mixing(spec, number)
    plan = _plan(spec, number, train, spans, "augment" if spec.budget_steps is None else "draw")
    own = (rank,) if rank else ()  # what nets draw is another in each process that takes part
    trainer.drop_by(torch_generator(spec.seed, spec.replicate, number, "dropout", *own, device=spec.recipe.device))
    with lent(torch_generator(spec.seed, spec.replicate, number, "net", *own), spec.recipe.device):  # what the net itself draws
        if spec.budget_steps is None:
            return trainer.train_epoch(order, plan, mixing)
        return trainer.rehearse(order, plan, mixing, spec.budget_steps, WARM_UP_STEPS)


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


def _kept(model: nn.Module, weights_path: Location) -> str:
    try:
        return save_weights(model, weights_path)
    except OSError as error:
        raise NotKept(f"its weights can't be written to {weights_path} ({error.strerror}); make room there") from error


def _fresh_model(spec: TrialSpec, train: Split) -> nn.Module:
    generator = torch_generator(spec.seed, spec.replicate, "weights")
    return placed(fresh_model(spec.recipe, train.images.shape[1], len(train.classes), generator), spec.recipe)


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
    if _NOT_DETERMINISTIC in str(failure):
        return f"the net can't be trained on a GPU with the same result each time ({str(failure).split()[0]}); take another model"
    if is_gpu_failure(str(failure)):
        return f"the GPU failed: {one_line(str(failure).splitlines()[0], 200)}"
    raise failure
