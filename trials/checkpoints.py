"""A training's checkpoint: what a trial that was killed goes on from, at the end of the last epoch that was kept.

Seeds derive by epoch (`trials.seeds`), so net, optimiser, step and the epochs so far are all there is, and no generator's
state. It is bound to its trial's spec, to the machine and to the version that wrote it, and hashed; anything else found in its
place is ignored, with a note, and the training begins anew. It is written so seldom that it costs half a percent of a trial's
time at most. Never fails a trial: one that can't be written isn't.
"""

import hashlib
import importlib.metadata
import io
import json
import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch

from searchspaces.json_text import canonical_json
from trials.failpoints import reach
from trials.places import Location, write_at
from trials.values import Epoch, TrialSpec

FORMAT = 1
LEAST_SECONDS = 10.0  # between two, and before the first: what trains for less is trained again as quickly
TIMES_ITS_COST = 200  # seconds between two for each second that the last one took
ASSUMED_BYTES_A_SECOND = 50e6  # of the first one, before it is known what one takes
BOUND_TO = {"format": "form", "version": "version", "spec_sha256": "trial", "environment": "machine"}


class _Unfit(Exception):
    """What was found is not what the training can go on from; the message says why, in a few words."""


@dataclass(frozen=True)
class Progress:
    """How far a training has come: its epochs, where the time went, the engines that ran, and the trainer's state."""

    epochs: tuple[Epoch, ...]
    span_seconds: Mapping[str, float]
    engines: tuple[str, ...]
    state: Mapping[str, Any]


class Checkpoint:
    """The checkpoint of one trial at `place`; `environment` is the machine it runs on, as the trial's result will say it.

    `on_note` is told, in a sentence, what the user should know. Without `writes` it is only gone on from.
    """

    def __init__(
        self,
        place: Location,
        spec: TrialSpec,
        environment: Mapping[str, str],
        on_note: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        writes: bool = True,
    ) -> None:
        self._place, self._on_note, self._clock = place, on_note, clock
        self._bound = {
            "format": FORMAT,
            "version": importlib.metadata.version("policysearch"),
            "spec_sha256": _spec_sha256(spec),
            "environment": dict(environment),
        }
        self._written_at, self._given_up = clock(), not writes
        self._cost_seconds: float | None = None

    def load(self) -> Progress | None:
        """What was kept, if it is whole and this trial's; else None, with a note unless there was nothing."""
        try:
            return _progress(self._payload(self._place.read_bytes()))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self.reject(f"can't be read ({error.strerror})")
        except _Unfit as unfit:
            self.reject(str(unfit))
        return None

    def _payload(self, found: bytes) -> bytes:
        """What a file holds for torch to load. Raises _Unfit unless it is whole and this trial's."""
        header, _, payload = found.partition(b"\n")
        try:
            said = json.loads(header)
            sha256 = said.pop("sha256")
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            raise _Unfit("is damaged") from error
        if hashlib.sha256(payload).hexdigest() != sha256:
            raise _Unfit("is damaged: its hash is another")
        for part, what in BOUND_TO.items():
            if said.get(part) != self._bound[part]:
                raise _Unfit(f"is of another {what}")
        return payload

    def reject(self, reason: str) -> None:
        """Tell why what was found isn't used."""
        self.tell(f"begins anew, for its checkpoint {self._place} {reason}")

    def tell(self, what: str) -> None:
        """Tell what the training does."""
        self._on_note(f"a training that was begun before {what}")

    def keep(self, progress: Callable[[], Progress]) -> None:
        """Write one if it is time for it, by the rule of `LEAST_SECONDS` and `TIMES_ITS_COST`."""
        begun = self._clock()
        if self._given_up or begun < self._written_at + LEAST_SECONDS:
            return
        now = progress()
        if self._cost_seconds is None:
            self._cost_seconds = sum(tensor.nbytes for tensor in _tensors(now.state)) / ASSUMED_BYTES_A_SECOND
        if begun < self._written_at + TIMES_ITS_COST * self._cost_seconds:
            return
        try:
            write_at(self._place, self._file(now), partial(reach, "training_half_written"))
        except OSError as error:
            self._given_up = True
            self._on_note(f"a training goes on without a checkpoint, for {self._place} can't be written ({error.strerror})")
            return
        self._written_at = self._clock()
        self._cost_seconds = self._written_at - begun
        reach("training_written")

    def _file(self, now: Progress) -> bytes:
        buffer = io.BytesIO()
        epochs = [list(asdict(epoch).values()) for epoch in now.epochs]
        kept = {"epochs": epochs, "span_seconds": dict(now.span_seconds), "engines": list(now.engines), "state": dict(now.state)}
        torch.save(kept, buffer)
        payload = buffer.getvalue()
        header = {**self._bound, "sha256": hashlib.sha256(payload).hexdigest()}
        return json.dumps(header).encode() + b"\n" + payload


def _progress(payload: bytes) -> Progress:
    try:
        kept = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
        epochs = tuple(Epoch(*values) for values in kept["epochs"])
        return Progress(epochs, kept["span_seconds"], tuple(kept["engines"]), kept["state"])
    except (pickle.UnpicklingError, RuntimeError, LookupError, TypeError, ValueError) as error:
        raise _Unfit("holds something else") from error


def _spec_sha256(spec: TrialSpec) -> str:
    """Of all that the trial depends on: where its data lies is no part of that."""
    said = spec.to_dict()
    said["data"] = said["data"]["fingerprint"]
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()


def _tensors(state: Any) -> Iterator[torch.Tensor]:
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, Mapping | list | tuple):
        for part in state.values() if isinstance(state, Mapping) else state:
            yield from _tensors(part)
