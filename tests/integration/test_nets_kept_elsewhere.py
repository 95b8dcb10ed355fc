"""A whole study whose nets are kept behind a URL: what is there in the end, and that it is found again."""

from pathlib import Path
from typing import Any

import pytest
from search_fixture import write_bars

from policysearch import Study
from policysearch.home import Home
from policysearch.kept_weights import CONFIRMATION, TRAINING, WEIGHTS, KeptWeights, place_of
from policysearch.ledger import Ledger


@pytest.mark.slow
def test_the_best_the_finalists_and_the_tested_model_are_there_by_their_hashes_and_nothing_else_is(tmp_path: Path) -> None:
    url, home = f"file://{tmp_path}/nets", Home(tmp_path / "home")
    wishes: Any = {"data": str(write_bars(tmp_path / "bars.npz")), "epochs": 1, "workers": 1, "home": home.root, "name": "bars"}
    few: Any = {"finalists": 1, "finalist_seeds": 2, "calibrate": False}
    outcome = Study(**wishes, **few, checkpoints=url).run(trials=1, test=True)
    assert outcome.figure is not None
    ledger = Ledger(home.ledger_url)
    study = ledger.study("bars")
    assert study is not None
    directory = home.study_directory("bars")
    place = place_of(ledger, study, directory)
    (here,) = (tmp_path / "nets").iterdir()
    assert str(place) == f"{url}/{here.name}" and here.name.startswith("bars-")
    assert not any((directory / folder).exists() for folder in (WEIGHTS, CONFIRMATION, TRAINING))

    best = min((trial.result.score.wrong, trial.result.score.log_loss_sum, trial.number, trial.trial_uid)
               for trial in outcome.trials if trial.result and trial.result.score)[3]  # fmt: skip
    finalists = {trial.trial_uid: trial for trial in ledger.trials(study.uid, ("finalist",))}
    assert len(finalists) == 6 and {path.stem for path in (here / WEIGHTS).iterdir()} == {best, *finalists}
    for uid, trial in finalists.items():
        assert trial.result is not None and KeptWeights(place / WEIGHTS).is_sound(uid, trial.result.weights_sha256)
    assert [path.stem for path in (here / CONFIRMATION).iterdir()] == [outcome.figure.models[0]["trial_uid"]]
    assert not (here / TRAINING).exists()

    (here / WEIGHTS / f"{best}.pt").unlink()
    told: list[str] = []
    Study(**wishes, **few).run(trials=1, listener=lambda event: told.append(event.text))
    assert (here / WEIGHTS / f"{best}.pt").exists() and any("training it again to restore" in text for text in told)
