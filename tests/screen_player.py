"""A search played on a screen, with nothing trained: `python screen_player.py TRIALS SECONDS_AN_EVENT`. Ctrl-C ends it."""

import sys
import time

from policysearch.cli.progress import progress
from policysearch.cli.tally import Tally
from policysearch.drivers import Event


def play(trials: int, pause: float) -> None:
    with progress(Tally(5)) as view:
        view.hear(Event("ready", total=trials + 1, epoch=5 * trials + 5, text="birds"))
        view.hear(Event("stage", total=1, text="baselines"))
        view.hear(Event("started", "b", label="flip+crop", role="baseline"))
        view.hear(Event("finished", "b", 5, 13, 100, label="flip+crop", role="baseline", seconds=7200))
        view.hear(Event("stage", total=trials, text="search"))
        for number in range(trials):
            view.hear(Event("started", f"t{number}", label=f"randaugment ops=2 level={number}", role="trial"))
        view.hear(Event("failed", "t0", label="randaugment ops=2 level=0", role="trial", text="the loss is nan"))
        view.hear(Event("finished", "t1", 5, 12, 100, label="randaugment ops=2 level=1", role="trial", seconds=3600))
        for epoch in range(1, 5):
            for number in range(2, trials):
                view.hear(Event("epoch", f"t{number}", epoch, 50 - epoch, 100))
                time.sleep(pause)
        for number in range(2, trials):
            view.hear(Event("finished", f"t{number}", 5, 40, 100, label=f"randaugment ops=2 level={number}", role="trial"))
    print("the end")


if __name__ == "__main__":
    try:
        play(int(sys.argv[1]), float(sys.argv[2]))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
