"""A trial judged by several views of each image: its last epoch alone, at a cost that its spans tell."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from trial_fixture import CLASSES, prepared_bars, spec_on

from searchspaces.errors import BadInput
from searchspaces.policy import Base, PadCrop, Policy
from searchspaces.views import VIEW_SETS
from trials.data import Prepared, Source, open_parts, prepare, read_meta
from trials.evaluate import load_model, score
from trials.recipes import default_recipe
from trials.run import run_trial
from trials.values import DataRef, Epoch, Score, TrialResult, TrialSpec


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared_bars(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def spec(data: Prepared) -> TrialSpec:
    return spec_on(data)


def run(spec: TrialSpec, views: str, weights_path: Path | None = None, **changes: Any) -> TrialResult:
    recipe = dataclasses.replace(spec.recipe, views=views)
    return run_trial(dataclasses.replace(spec, recipe=recipe, **changes), lambda epoch: None, weights_path)


def rescored(spec: TrialSpec, result: TrialResult, path: Path, views: str) -> Score:
    assert result.weights_sha256 is not None
    model = load_model(path, result.weights_sha256, 1, CLASSES, spec.recipe)
    meta = read_meta(Path(spec.data.directory))
    _, scored = open_parts(Path(spec.data.directory), spec.split)
    return score(model, scored, spec.recipe, meta["mean"], meta["std"], views)


@pytest.mark.parametrize("split", ["search", "fold-1"])
def test_the_last_epoch_is_scored_by_views_and_the_others_are_not(spec: TrialSpec, tmp_path: Path, split: str) -> None:
    plain, viewed = (run(spec, views, tmp_path / views, split=split) for views in ("identity", "ten-crops"))
    assert viewed.weights_sha256 == plain.weights_sha256, "views change nothing in training"
    assert viewed.epochs[:-1] == plain.epochs[:-1]
    on_split = dataclasses.replace(spec, split=split)
    assert plain.score == rescored(on_split, plain, tmp_path / "identity", "identity")
    assert viewed.score == rescored(on_split, viewed, tmp_path / "ten-crops", "ten-crops") != plain.score
    assert viewed.score is not None
    assert (viewed.epochs[-1].wrong, viewed.epochs[-1].total) == (viewed.score.wrong, viewed.score.total)


def test_what_views_cost_has_a_span_of_its_own(spec: TrialSpec) -> None:
    named = {views: set(run(spec, views, budget_epochs=2).span_seconds) for views in ("identity", "hflip")}
    assert named["identity"] == {"setup", "augment", "step", "score", "total"}
    assert named["hflip"] == named["identity"] | {"score_views"}
    assert "score" not in run(spec, "hflip", budget_epochs=1).span_seconds


def test_a_rehearsal_scores_both_ways_to_know_both_costs(spec: TrialSpec) -> None:
    result = run(spec, "mild:3", budget_steps=3)
    assert {"score", "score_views"} <= set(result.span_seconds) and len(result.epochs) == 1
    assert result.score is not None and result.epochs[0].wrong == result.score.wrong


def test_mirror_images_of_mirror_symmetric_images_say_the_same_again(spec: TrialSpec) -> None:
    plain, viewed = (run(spec, views, budget_epochs=2) for views in ("identity", "hflip"))
    assert isinstance(plain.score, Score) and isinstance(viewed.score, Score)
    assert viewed.score.right == plain.score.right
    assert viewed.score.log_loss_sum == pytest.approx(plain.score.log_loss_sum)


def test_the_same_trial_by_the_same_views_has_the_same_score(spec: TrialSpec) -> None:
    one, other = (run(spec, "mild:4", budget_epochs=1) for _ in range(2))
    assert one.score == other.score


def test_unknown_views_are_refused_before_anything_is_trained(spec: TrialSpec) -> None:
    heard = list[Epoch]()
    recipe = dataclasses.replace(spec.recipe, views="flip")
    with pytest.raises(BadInput, match="views: 'flip'"):
        run_trial(dataclasses.replace(spec, recipe=recipe), heard.append, None)
    assert not heard


@pytest.mark.slow
def test_on_photos_mirror_images_and_crops_do_not_harm_a_net_trained_with_both(tmp_path: Path) -> None:
    """1,000 pictures: one more of a hundred wrong is what chance makes of views that are neither better nor worse."""
    photos = prepare(Source("sample"), tmp_path / "home")
    recipe = default_recipe("cpu")
    reference = DataRef(str(photos.directory), photos.fingerprint)
    spec = TrialSpec("t0", Policy(Base(PadCrop(0.125), hflip=0.5)), recipe, reference, seed=3, budget_epochs=12)
    result = run_trial(spec, lambda epoch: None, tmp_path / "w.pt")
    assert result.weights_sha256 is not None
    model = load_model(tmp_path / "w.pt", result.weights_sha256, photos.channels, len(photos.classes), recipe)
    meta, (_, val) = read_meta(photos.directory), open_parts(photos.directory, "search")
    found = {name: score(model, val, recipe, meta["mean"], meta["std"], name) for name in (*VIEW_SETS, "mild:8")}
    plain = found["identity"]
    assert plain.wrong < 0.4 * plain.total
    for name in ("hflip", "five-crops", "ten-crops"):
        assert found[name].wrong <= plain.wrong + 0.01 * plain.total, name
    assert found["hflip"].log_loss_sum < plain.log_loss_sum
    assert len({viewed.log_loss_sum for viewed in found.values()}) == len(found), "each set shows something else"
