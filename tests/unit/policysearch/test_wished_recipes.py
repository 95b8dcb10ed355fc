"""A recipe as a user wishes it for a study: what is fixed, what is searched, whose identity knows, what a machine refuses."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from trial_fixture import prepared_bars

from policysearch.home import Home
from policysearch.ledger import Ledger
from policysearch.specs import trial_spec
from policysearch.study import Study
from policysearch.wished import Wished, wished
from searchspaces.errors import BadInput, StudyMismatch
from searchspaces.parameters import Categorical
from searchspaces.recipe_fields import USUAL
from trials.data import Prepared
from trials.recipes import default_recipe
from trials.values import Recipe

WORDS = "optimiser=adamw,dropout=0/0.25,precision=float32"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared_bars(tmp_path_factory.mktemp("data"))


def made(data: Prepared, ledger: Ledger, recipe: Any, **wishes: Any) -> Wished:
    return wished(Study("bars.npz", recipe=recipe, **wishes), data, ledger, {})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(Home(tmp_path).ledger_url)


def test_without_a_wish_all_is_as_before(data: Prepared, ledger: Ledger) -> None:
    plain = made(data, ledger, None)
    assert plain.setting.recipe == default_recipe()
    assert set(plain.identity["recipe"]) == {
        *("model", "batch_images", "peak_learning_rate", "momentum", "weight_decay", "label_smoothing", "warmup_fraction"),
        *("precision", "channels_last", "device", "views"),
    }, "older studies are the same studies"
    assert made(data, ledger, "optimiser=sgd,dropout=0").identity == plain.identity


def test_values_are_the_studys_and_ranges_are_searched(data: Prepared, ledger: Ledger) -> None:
    found = made(data, ledger, WORDS)
    recipe = found.setting.recipe
    assert (recipe.optimiser, recipe.peak_learning_rate, recipe.precision) == (
        "adamw",
        USUAL["adamw"]["peak_learning_rate"],
        "float32",
    )
    assert found.identity["recipe"]["optimiser"] == "adamw"
    assert found.setting.space.parameters[-1] == Categorical("recipe.dropout", (0.0, 0.25))
    assert found.setting.overrides({"ops": 1, "level": 9, "recipe.dropout": 0.25}) == {"dropout": 0.25}
    assert len({made(data, ledger, recipe).name for recipe in (None, WORDS, "optimiser=adamw", "precision=float32")}) == 4


def test_what_a_point_changes_is_in_its_trials_spec(data: Prepared, ledger: Ledger) -> None:
    setting = made(data, ledger, "optimiser=sgd/adamw,dropout=0..0.5,ema_decay=0.9").setting
    point = {"ops": 1, "level": 9, "recipe.optimiser": "adamw", "recipe.dropout": 0.0}
    spec = trial_spec(setting, "t", setting.baselines["none"], point, setting.overrides(point), 3)
    recipe = Recipe(**spec["recipe"])
    changes: dict[str, Any] = {"optimiser": "adamw", "dropout": 0.0, **USUAL["adamw"]}
    assert recipe == dataclasses.replace(setting.recipe, **changes)
    assert recipe.ema_decay == 0.9


def recorded(ledger: Ledger, found: Wished) -> None:
    ledger.create_study(found.name, found.identity)


def test_a_wished_precision_other_than_the_studys_is_a_mismatch_and_an_unwished_one_the_studys(
    data: Prepared, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(ledger, made(data, ledger, "precision=float32", name="mine"))
    monkeypatch.setattr("trials.recipes.cpu_multiplies_bfloat16", lambda: True)
    assert made(data, ledger, None, name="mine").setting.recipe.precision == "float32"
    with pytest.raises(StudyMismatch, match="recipe precision was float32, now bfloat16"):
        made(data, ledger, "precision=bfloat16", name="mine")


def test_what_this_machine_can_not_do_is_refused_in_one_line(
    data: Prepared, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trials.recipes.cpu_multiplies_bfloat16", lambda: False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for recipe, message in (
        ("precision=bfloat16", "precision: 'bfloat16', but this CPU"),
        ("device=cuda", "device: 'cuda', but this"),
    ):
        with pytest.raises(BadInput, match=f"^{message}") as refused:
            made(data, ledger, recipe)
        assert "\n" not in str(refused.value)


def test_wishes_are_kept_for_extend_without_their_file(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("{optimiser: adamw, dropout: {low: 0, high: 0.5}}")
    study = Study("bars.npz", recipe=path)
    kept = study.wishes()
    assert kept["recipe"] == {"optimiser": "adamw", "dropout": {"low": 0, "high": 0.5}}
    assert Study(**kept).recipe_wish == study.recipe_wish
    assert "recipe" not in Study("bars.npz").wishes()


def test_a_wish_that_can_not_be_is_refused_before_any_data_is_read() -> None:
    with pytest.raises(BadInput, match=r"^recipe: dropout: 3"):
        Study("nowhere/", recipe="dropout=3")
    with pytest.raises(BadInput, match=r"^recipe: your function trains by a recipe of its own"):
        Study(objective=print, recipe="dropout=0.1")


def test_a_trial_that_patience_ended_is_as_quick_as_the_epochs_it_trained(data: Prepared, ledger: Ledger) -> None:
    """Or the longer trainings to come would be planned too short, and taken to hang."""
    plain, patient = (made(data, ledger, recipe).setting for recipe in (None, "patience_epochs=3"))
    assert (plain.epochs_trained(40, 10), patient.epochs_trained(40, 10)) == (40, 10)
    own = dataclasses.replace(patient, objective="mine")
    assert own.epochs_trained(40, 1) == 40, "a function of one's own tells of epochs as it likes"
