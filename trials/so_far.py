"""How far a trial has come, and how the next attempt goes on from there when its process is killed.

A checkpoint that turns out to be another net's is rejected, and the training begins anew.
"""

import time
from dataclasses import dataclass, field

from trials.checkpoints import Checkpoint, Progress
from trials.spans import Spans
from trials.train import Trainer
from trials.values import Epoch


@dataclass
class SoFar:
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
