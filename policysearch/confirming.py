"""The confirmation: the judged winner and the one baseline named beside it are trained anew for the one look at the test set.

Each gets as many models as finalists have seeds, on train and validation images together, by the fixed recipe; when all of them
are there the held-out gate freezes the list, opens the test images, and discloses one figure. The rows of the ledger say how far
that has come, so that the same call goes on from anywhere: trained models are not trained again (weights that were taken away
are, and must come out the same), and a claim that was laid is finished for its own list, whoever would win by now.

Refuses a study whose finalists are not through, one whose budget is too short, and one without test images or a net of ours. It
looks at nothing itself: what goes wrong before the claim costs nothing.
"""

from dataclasses import dataclass
from itertools import count
from pathlib import Path

from policysearch.conclusion import write_policy
from policysearch.course.plan import measured_pace
from policysearch.course.planned import ALL_ROLES, PlannedTraining, run_planned
from policysearch.course.restoring import restore_weights
from policysearch.drivers import Driver, Event, Listener
from policysearch.heldout import SILENT, Entrant, Side, disclose
from policysearch.holding import held
from policysearch.home import Home
from policysearch.judgement import judge
from policysearch.judging import Arm
from policysearch.kept_weights import CONFIRMATION, WEIGHTS, KeptWeights, note_place, place_of
from policysearch.ledger import SEARCHED, Claim, Figure, Ledger, StudyRecord, TrialRecord
from policysearch.selection import best_trial
from policysearch.setting import Setting
from searchspaces.errors import BadInput, NoTrialSucceeded
from searchspaces.limiting import limited_space, recorded_cut
from searchspaces.policy_json import policy_from_dict
from searchspaces.spaces import usual_base
from trials.places import Location
from trials.values import DataRef, Recipe

DEFAULT_SEEDS = 5
UNTOLD = ("unfinished", "budget-too-short")
"""The verdicts with which there is no winner to confirm, or not yet."""


@dataclass(frozen=True)
class Ahead:
    """What a look at the test set still takes: trainings, about how many seconds (None: unknown), and of which policies."""

    trainings: int
    seconds: float | None
    labels: tuple[str, ...]


def confirm_and_disclose(
    home: Home, ledger: Ledger, study: StudyRecord, driver: Driver, listener: Listener, seeds: int | None = None
) -> Figure:
    """The study's one test figure: the recorded one, else that of models trained for it; policy.json is written again with it.

    `seeds` is how many models each side has, where no claim says it (default: the wish that the study was made with). Raises
    NoTrialSucceeded where a training for it fails (the same call trains another seed in its place), LookRefused for another look
    than the claimed one, and BadInput for what can't be tested, or not here.
    """
    with home.lock(study.name) as directory, held(ledger, study) as hold:
        claim = ledger.claim(study.uid)
        figure = None if claim is None else claim.figure
        if figure is None:
            setting = setting_for_test(home, ledger, study)
            note_place(ledger, study, None)
            place = place_of(ledger, study, directory)
            confirmation = _Confirmation(home, ledger, study, setting, place, driver, hold.watching(listener))
            figure = confirmation.disclosed(claim, seeds)
        write_policy(home, ledger, study)
        KeptWeights(place_of(ledger, study, directory) / CONFIRMATION).sweep([figure.models[0]["trial_uid"]])
    return figure


def ahead(home: Home, ledger: Ledger, study: StudyRecord, at_once: int = 1, seeds: int | None = None) -> Ahead:
    """What `confirm_and_disclose` would still train. Raises what it would raise before it trains anything."""
    setting = setting_for_test(home, ledger, study)
    if (claim := ledger.claim(study.uid)) is not None:
        return Ahead(0, 0.0, tuple(dict.fromkeys(model["label"] for model in claim.models)))
    arms = arms_to_test(ledger, study)
    rows = ledger.standings(study.uid, ALL_ROLES)
    done = {row.point for row in rows if row.status == "done"}
    plans = [plan for arm in arms for plan in _plans(ledger, study, setting, arm, _seeds(study, seeds))]
    left = sum(plan.point(setting) not in done for plan in plans)
    pace = measured_pace((row for row in rows if row.role in SEARCHED), setting)
    splits = study.identity["splits"]
    more_images = sum(images for split, images in splits.items() if split != "test") / splits["train"]
    rounds = -(-left // at_once)
    seconds = None if pace is None else rounds * more_images * pace(setting.budget_epochs)
    return Ahead(left, seconds, tuple(arm.label for arm in arms))


def arms_to_test(ledger: Ledger, study: StudyRecord) -> tuple[Arm, ...]:
    """The winner, and the baseline that it is compared with unless it is one itself."""
    best_trial(ledger, study.uid)  # or there is nothing that could have won
    judgement = judge(ledger, study)
    if judgement.winner is None or judgement.verdict.kind in UNTOLD:
        raise BadInput(f"study {study.name!r}: has no winner to test: {judgement.verdict.sentence.rstrip('.')}; search again")
    named = judgement.baseline
    alone = judgement.winner.role == "baseline" or named is None or named.key == judgement.winner.key
    return (judgement.winner,) if alone or named is None else (judgement.winner, named)


def setting_for_test(home: Home, ledger: Ledger, study: StudyRecord) -> Setting:
    """How the study trains, as far as it matters for the test. Raises BadInput where there is nothing to test, or nothing on."""
    identity = study.identity
    if "recipe" not in identity:
        raise BadInput(
            f"study {study.name!r}: its model is its own trainer's, and policysearch keeps none to test; test it there"
        )
    if identity["test"] is None:
        raise BadInput(f"study {study.name!r}: its data has no test set; search again with data that has one")
    directory = home.data_directory(best_trial(ledger, study.uid).spec["data"]["directory"])
    images = home.heldout_directory(str(directory))
    if not directory.is_dir() or not images.is_dir():
        raise BadInput(
            f"study {study.name!r}: its prepared images are not in {directory} and {images}; run its search again to prepare them"
        )
    image, minutes = identity["image"], study.wishes.get("max_trial_minutes")
    wish = study.wishes.get("space", identity["space"]["name"])
    base = usual_base(image["domain"], image["height"], image["width"])
    return Setting(
        space=limited_space(wish, image["channels"], base, recorded_cut(identity)),
        baselines={},
        recipe=Recipe(**identity["recipe"]),
        data=DataRef(str(directory), identity["data"]["fingerprint"]),
        seed=identity["seed"],
        budget_epochs=identity["epochs"],
        limit_seconds=None if minutes is None else 60 * minutes,
    )


@dataclass(frozen=True)
class _Confirmation:
    """One study's, held by this process."""

    home: Home
    ledger: Ledger
    study: StudyRecord
    setting: Setting
    place: Location
    driver: Driver
    listener: Listener

    def disclosed(self, claim: Claim | None, seeds: int | None) -> Figure:
        """Train what is missing, make sure of the weights, and pass the gate."""
        entrants = self._trained(seeds) if claim is None else self._claimed(claim)
        for entrant in entrants:
            self._require_weights(entrant)
        assert self.setting.data is not None
        directory = Path(self.setting.data.directory)
        heldout = self.home.heldout_directory(self.setting.data.directory)
        figure = disclose(self.ledger, self.study, directory, heldout, entrants)
        if silent := self.ledger.facts(self.study.uid).get(SILENT):
            text = f"outputs on test images that were not finite, and count as nothing said: {sum(silent.values())}"
            self.listener(Event("note", text=text))
        return figure

    def _trained(self, seeds: int | None) -> list[Entrant]:
        arms, models = arms_to_test(self.ledger, self.study), _seeds(self.study, seeds)
        plans = {arm.key: _plans(self.ledger, self.study, self.setting, arm, models) for arm in arms}
        # Seed by seed, so that both sides have come equally far when it is stopped.
        pairs = [(arm, plans[arm.key][place]) for place in range(models) for arm in arms]
        epochs = sum(plan.epochs for _, plan in pairs)
        self.listener(Event("stage", total=len(pairs), text="models for the test", epoch=epochs, later=0))
        weights = KeptWeights(self.place / CONFIRMATION)
        records = run_planned(
            [plan for _, plan in pairs],
            *(self.driver, self.ledger, self.study, self.setting, self.listener, weights.path),
            keep_weights=True,
        )
        trained: dict[str, list[Entrant]] = {arm.key: [] for arm in arms}
        for (arm, plan), record in zip(pairs, records, strict=True):
            trial = self._require_done(plan, record)
            side: Side = "winner" if arm is arms[0] else "baseline"
            trained[arm.key].append(Entrant(trial, weights.path(trial.trial_uid), arm.label, side))
        return [entrant for arm in arms for entrant in trained[arm.key]]

    def _require_done(self, plan: PlannedTraining, record: TrialRecord | None) -> TrialRecord:
        result = None if record is None else record.result
        if record is not None and result is not None and result.status == "done":
            return record
        reason = "was not trained" if result is None else f"failed: {result.error}"
        raise NoTrialSucceeded(
            f"study {self.study.name!r}: {plan.label} {reason}; the test set stays closed; test again to train another seed"
        )

    def _claimed(self, claim: Claim) -> list[Entrant]:
        """What the claim froze. Ledgers of before there were confirmations claimed the search's own model."""
        found = []
        for model in claim.models:
            trial = self.ledger.trial(model["trial_uid"])
            folder = CONFIRMATION if trial.role == "confirmation" else WEIGHTS
            path = KeptWeights(self.place / folder).path(trial.trial_uid)
            found.append(Entrant(trial, path, model["label"], model["arm"]))
        return found

    def _require_weights(self, entrant: Entrant) -> None:
        if not restore_weights(entrant.trial, self.setting, KeptWeights(entrant.weights_path.parent), self.listener):
            raise BadInput(
                f"weights {entrant.weights_path}: missing or changed, and not to be had again by training on this machine; put"
                " the recorded file back, or test where they were trained"
            )


def _plans(ledger: Ledger, study: StudyRecord, setting: Setting, arm: Arm, models: int) -> list[PlannedTraining]:
    """An arm's trainings. One that failed in an earlier call gives way to the next seed, at most as often as there are models."""
    failed = {row.point: row for row in ledger.standings(study.uid, ("confirmation",)) if row.status == "failed"}
    policy, plans = policy_from_dict(ledger.trial(arm.trial_uid).spec["policy"]), list[PlannedTraining]()
    for seed in count(1):
        plan = PlannedTraining(
            role="confirmation",
            label=f"model of {arm.label}, seed {seed}",
            policy=policy,
            epochs=setting.budget_epochs,
            params=arm.params if arm.role == "trial" else {},
            overrides=arm.overrides,
            replicate=seed,
            split="all",
        )
        lost = failed.get(plan.point(setting))
        if lost is None:
            plans.append(plan)
        elif seed - len(plans) > models:
            raise NoTrialSucceeded(
                f"study {study.name!r}: {seed - len(plans)} trainings of {arm.label} for the test failed, the last:"
                f" {lost.reason}; the test set stays closed"
            )
        if len(plans) == models:
            return plans
    raise AssertionError("there is always another seed")


def _seeds(study: StudyRecord, wished: int | None) -> int:
    return wished or int(study.wishes.get("finalist_seeds", DEFAULT_SEEDS))
