"""The test images are opened by nobody between the preparing of the data and the claim: seen by the kernel, in a whole study."""

from pathlib import Path
from typing import Any

import pytest
from inotify_fixture import Watch
from search_fixture import write_bars

from policysearch import Study
from policysearch.drivers import Event
from policysearch.home import Home
from policysearch.ledger import Ledger


def test_a_watch_sees_what_is_opened(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    watch = Watch(tmp_path)
    assert watch.opened() == []
    (tmp_path / "a").read_text()
    assert watch.opened() == ["a"] and watch.opened() == []
    watch.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_from_the_first_trial_to_the_claim_nobody_opens_a_test_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLICYSEARCH_ENGINE", "grouped")
    home, watches, before_claim = Home(tmp_path / "home"), list[Watch](), list[str]()
    roles, opened = set[Any](), list[str]()
    lay_claim = Ledger.claim_test

    def claim(ledger: Ledger, *given: Any, **more: Any) -> Any:
        before_claim.extend(watches[0].opened())
        return lay_claim(ledger, *given, **more)

    monkeypatch.setattr(Ledger, "claim_test", claim)

    def hear(event: Event) -> None:
        if event.kind == "ready":
            (prepared,) = (path for path in (home.root / "heldout").iterdir() if path.is_dir())
            watches.append(Watch(prepared))
        if event.kind in ("started", "finished"):
            opened.extend(watches[0].opened())
            roles.add(event.role or "")

    data = write_bars(tmp_path / "bars.npz")
    small: dict[str, Any] = {"epochs": 1, "finalists": 1, "finalist_seeds": 2, "any_budget": True, "workers": 2, "seed": 1}
    outcome = Study(data, home=home.root, **small).run(2, hear, test=True)
    assert {"rehearsal", "baseline", "calibration", "trial", "finalist", "confirmation"} <= roles, "all of it was under the watch"
    assert opened == [], "no worker, no driver, nobody"
    assert before_claim == [], "not even what says the images' hash"
    assert {"test_images.npy", "test_labels.npy"} <= set(watches[0].opened()), "and the gate opens them, after"
    assert outcome.figure is not None and outcome.figure.total == 30
    watches[0].close()

    ledger = Ledger(home.ledger_url)
    (study,) = ledger.studies()
    assert "heldout" not in str([trial.spec for trial in ledger.trials(study.uid, tuple(roles))]), (
        "nor is any told where they lie"
    )
