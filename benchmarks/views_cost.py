"""What each set of views costs, and what it is worth to nets trained without augmentation, with flip and crop, and with random
resized crops.

Trains the small net on 4,000 CIFAR-10 training images and scores it on other training images; the test images are not used.
`POLICYSEARCH_DATA_ROOT=... python benchmarks/views_cost.py [--seeds 0 1] [--epochs 25]` prints the table of docs/views.md.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from searchspaces.policy import Base, PadCrop, Policy, ResizedCrop
from searchspaces.views import VIEW_SETS, views_count
from trials.data import Prepared, Source, open_parts, prepare, read_meta
from trials.evaluate import load_model, score
from trials.recipes import default_recipe
from trials.run import run_trial
from trials.values import DataRef, Score, TrialSpec

POLICIES = {
    "none": Policy(),
    "flip+crop": Policy(Base(PadCrop(0.125), hflip=0.5)),
    "flip+resized crop": Policy(Base(ResizedCrop(0.35), hflip=0.5, interpolation="bilinear")),
}
VIEWS = (*VIEW_SETS, "mild:8")


def main() -> None:
    """Train every policy with every seed, score each net by every set of views, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--val-images", type=int, default=10_000)
    wishes = parser.parse_args()
    scores, seconds = dict[tuple[str, str], list[Score]](), dict.fromkeys(VIEWS, 0.0)
    with tempfile.TemporaryDirectory() as home:
        source = Source("cifar10", os.environ["POLICYSEARCH_DATA_ROOT"], train_images=4000, val_images=wishes.val_images)
        prepared = prepare(source, Path(home))
        for label in POLICIES:
            for seed in wishes.seeds:
                for views, (found, took) in scored(prepared, label, seed, wishes.epochs, Path(home) / "weights.pt").items():
                    scores.setdefault((views, label), []).append(found)
                    seconds[views] += took
                print(f"{label}, seed {seed}: trained and scored", flush=True)
    images = wishes.val_images * len(wishes.seeds)
    print(f"| views | each image | CPU seconds for 1,000 images | {' | '.join(POLICIES)} |")
    for views in VIEWS:
        cells = (in_words(scores[views, label]) for label in POLICIES)
        thousand = 1000 * seconds[views] / images / len(POLICIES)
        print(f"| `{views}` | {views_count(views)} | {thousand:.2f} | {' | '.join(cells)} |")


def in_words(scores: list[Score]) -> str:
    """The share of images wrong and the mean log-loss, over all nets."""
    images = sum(score.total for score in scores)
    return f"{100 * sum(s.wrong for s in scores) / images:.1f} % ({sum(s.log_loss_sum for s in scores) / images:.3f})"


def scored(prepared: Prepared, label: str, seed: int, epochs: int, weights: Path) -> dict[str, tuple[Score, float]]:
    """By views, the score of a net trained once, and the CPU seconds that it took."""
    recipe, data = default_recipe("cpu"), DataRef(str(prepared.directory), prepared.fingerprint)
    result = run_trial(TrialSpec("t", POLICIES[label], recipe, data, seed, epochs), lambda epoch: None, weights)
    assert result.weights_sha256 is not None, result.error
    model = load_model(weights, result.weights_sha256, prepared.channels, len(prepared.classes), recipe)
    meta, (_, val) = read_meta(prepared.directory), open_parts(prepared.directory, "search")
    found = {}
    for views in VIEWS:
        start = time.process_time()
        viewed = score(model, val, recipe, meta["mean"], meta["std"], views)
        found[views] = viewed, time.process_time() - start
    return found


if __name__ == "__main__":
    main()
