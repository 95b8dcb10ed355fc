"""A trainer of the user's own as a trial: what its function is given, and what is made of what it returns.

Whole images are the only truth: a function that returns anything else, or raises, has a failed result with a one-line reason.
Importing this module doesn't import torch, and neither does running a function that asks for nothing that needs it.
"""

import platform
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policysearch.answers import NotWhole, read_epoch, read_score
from policysearch.packing import name_of, pack, unpack
from policysearch.trainer_reasons import LONGEST_REASON, reason_of
from searchspaces.errors import BadInput
from searchspaces.json_text import one_line
from trials.seeds import derive_seed, numpy_generator
from trials.spans import Spans
from trials.values import Counts, Epoch, Score, TrialResult

if TYPE_CHECKING:
    from searchspaces.arrays import ImageBatch
    from searchspaces.export.albumentations import PolicyTransform as AlbumentationsTransform
    from searchspaces.export.collating import MixingCollate
    from searchspaces.export.loading import LoadedPolicy
    from searchspaces.export.torchvision import PolicyTransform
    from searchspaces.policy import Policy
    from trials.data import Split

__all__ = ["Context", "StudyData", "name_of", "pack", "run_objective", "unpack"]


@dataclass(frozen=True)
class StudyData:
    """The prepared images of a study that was given data, memory-mapped. There is no test split to be had here."""

    directory: Path
    fingerprint: str

    @cached_property
    def train(self) -> "Split":
        """`images` (uint8, images x channels x height x width), `labels` (int64) and `classes` to train on."""
        return self._split("train")

    @cached_property
    def val(self) -> "Split":
        """The same to validate on: all of them, once, is what the function's result is counted on."""
        return self._split("val")

    def _split(self, name: Any) -> "Split":
        from trials.data import data_fingerprint, open_split, read_meta

        if data_fingerprint(read_meta(self.directory)) != self.fingerprint:
            raise BadInput(f"{str(self.directory)!r} holds other data than the trial was planned for; delete it and search again")
        return open_split(self.directory, name)


@dataclass(eq=False)
class Context:
    """What the function of a trial is given.

    `params` are the point of the space (empty for baselines and policies of files), `recipe` the training hyper-parameters that
    the space searches, by name. `seed` (0 to 2**32 - 1) is for weights and order: it derives from the study's seed and
    `replicate`, never from the trial, so that all policies meet the same ones. `budget_epochs` is how long to train, annealed to
    its end; `data` the study's images, if it was given any.
    """

    trial_uid: str
    params: Mapping[str, Any]
    recipe: Mapping[str, Any]
    seed: int
    replicate: int
    budget_epochs: int
    data: StudyData | None
    _spec: Mapping[str, Any] = field(repr=False)
    _hear: Callable[[Epoch], None] | None = field(repr=False)
    _directory: Path | None = field(repr=False)
    _calls: int = field(default=0, repr=False)
    _ran: set[str] = field(default_factory=set, repr=False)
    _complaint: str | None = field(default=None, repr=False)

    @cached_property
    def policy(self) -> "Policy":
        """The policy to train with."""
        from searchspaces.policy_json import policy_from_dict

        return policy_from_dict(self._spec["policy"])

    @cached_property
    def directory(self) -> Path:
        """A folder for this trial's files, such as checkpoints. It stays as it is when the trial is tried again after a crash."""
        place = self._directory or Path(tempfile.mkdtemp(prefix="trial-"))
        place.mkdir(parents=True, exist_ok=True)
        return place

    def augment(self, images: "ImageBatch") -> "ImageBatch":
        """New images, each augmented by a draw of its own: uint8, (images, channels, height, width), on any device.

        Successive calls draw anew, by hash from (seed, replicate, number of the call), so the same function has the same draws in
        every process. In a DataLoader's worker they also depend on the seed that torch gives the worker, which is another one
        in each epoch: seed the loader's generator, or torch, with `seed` to repeat them. Mixing of images is `collate`'s.
        """
        from searchspaces.draw import draw
        from searchspaces.engines import apply

        if images.ndim != 4:
            raise BadInput(f"augment: tensor of {images.ndim} dimensions; allowed is a batch (images, channels, height, width)")
        self._calls += 1
        generator = numpy_generator("objective", self._spec["seed"], self.replicate, *_loader_worker(), self._calls)
        count, channels, height, width = images.shape
        return apply(images, draw(self.policy, (count, channels, height, width), generator), ran=self._ran)

    def to_torchvision(self) -> "PolicyTransform":
        """The policy as a transform of images or batches, as `load_policy(...).to_torchvision()`; it reads torch's seed."""
        return self._loaded.to_torchvision()

    def to_albumentations(self) -> "AlbumentationsTransform":
        """The policy as a transform for `A.Compose`, as `load_policy(...).to_albumentations()`."""
        return self._loaded.to_albumentations()

    def collate(self, classes: int) -> "MixingCollate":
        """A `collate_fn` that mixes images and labels as the policy says (mixup, CutMix); most policies mix nothing."""
        return self._loaded.collate(classes)

    @property
    def _loaded(self) -> "LoadedPolicy":
        from searchspaces.export.loading import LoadedPolicy

        return LoadedPolicy(self.policy, {})

    def report(self, epoch: int, wrong: int, total: int, train_loss: float | None = None) -> None:
        """Say how far the training is: `wrong` of `total` validation images after `epoch`, from 1. It judges nothing.

        It is for progress and curves; the trial's score is what the function returns. A loss that is not finite is left out. What
        can't be counts of images fails the trial when the function is over.
        """
        try:
            heard = read_epoch(epoch, wrong, total, train_loss)
        except NotWhole as refused:
            self._complaint = self._complaint or str(refused)
            return
        if self._hear is not None:
            self._hear(heard)

    def __getstate__(self) -> dict[str, Any]:
        """For workers of a DataLoader, which report nothing."""
        return {**self.__dict__, "_hear": None}


def _loader_worker() -> tuple[int | str, ...]:
    """What sets this process's draws apart from those of a loader's other workers and epochs; nothing outside of one."""
    torch = sys.modules.get("torch")
    worker = torch.utils.data.get_worker_info() if torch is not None else None
    return () if worker is None else ("worker", int(worker.seed))


def run_objective(
    spec: Mapping[str, Any],
    fn: Callable[[Context], Any],
    on_epoch: Callable[[Epoch], None],
    directory: Path | None = None,
) -> TrialResult:
    """Call the function with the trial of `spec` and make a result of what it returns; `directory` is for its files.

    `on_epoch` hears of what is reported; what it raises passes through, even where the function swallows it, and so does
    KeyboardInterrupt. All else that goes wrong is a failed result.
    """
    heard, spans = _Heard(on_epoch), Spans()
    context = _context(spec, heard.hear, directory)
    with spans.timed("total"):
        score, error = _called(fn, context)
    if heard.raised is not None:
        raise heard.raised
    if error is None and context._complaint is not None:
        score, error = None, context._complaint
    return TrialResult(
        trial_uid=spec["trial_uid"],
        status="failed" if score is None else "done",
        epochs=tuple(heard.epochs[number] for number in sorted(heard.epochs)),
        score=score,
        error=error,
        span_seconds=spans.seconds,
        environment=_environment(),
        engine="+".join(sorted(context._ran)),
    )


def _called(fn: Callable[[Context], Any], context: Context) -> tuple[Score | Counts | None, str | None]:
    """The score that the function returns, or why there is none."""
    try:
        return read_score(fn(context)), None
    except (NotWhole, BadInput) as refused:
        return None, one_line(str(refused), LONGEST_REASON)
    except (Exception, SystemExit) as failure:  # whatever a stranger's code raises is its trial's failure, and no more
        return None, reason_of(failure, fn)


class _Heard:
    """What was reported, and what the listener raised: it is no failure of the trial, whatever the function makes of it."""

    def __init__(self, on_epoch: Callable[[Epoch], None]) -> None:
        self.epochs: dict[int, Epoch] = {}  # an epoch that is reported again is corrected
        self.raised: BaseException | None = None
        self._on_epoch = on_epoch

    def hear(self, epoch: Epoch) -> None:
        self.epochs[epoch.number] = epoch
        try:
            self._on_epoch(epoch)
        except BaseException as raised:
            self.raised = raised
            raise


def _context(spec: Mapping[str, Any], hear: Callable[[Epoch], None], directory: Path | None) -> Context:
    data = spec.get("data")
    replicate = spec.get("replicate", 0)
    return Context(
        trial_uid=spec["trial_uid"],
        params=dict(spec.get("params") or {}),
        recipe=dict(spec.get("recipe") or {}),
        seed=derive_seed("objective", spec["seed"], replicate) % 2**32,
        replicate=replicate,
        budget_epochs=spec["budget_epochs"],
        data=None if data is None else StudyData(Path(data["directory"]), data["fingerprint"]),
        _spec=spec,
        _hear=hear,
        _directory=directory,
    )


def _environment() -> dict[str, str]:
    loaded = [name for name in ("torch", "lightning", "timm") if name in sys.modules]
    versions: dict[str, str] = {name: str(getattr(sys.modules[name], "__version__", "")) for name in loaded}
    return {"python": platform.python_version(), **versions, "platform": platform.platform()}
