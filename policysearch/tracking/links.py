"""Addresses inside MLflow's UI: a study's runs sorted by validation error, its best trials side by side, its curves, its model.

The UI shows no column of a parameter by itself, and no address can ask for one; but it opens a view that somebody has shared, and
keeps those as tags of the experiment. So the mirror shares a view for each study (`shared_view`), and the address names it.

Pure text: knows neither MLflow nor the ledger, and refuses nothing.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

SHARED = "mlflow.sharedViewState."  # the UI looks for a shared view of key K in the experiment's tag SHARED + K
SORTED_BY = "metrics.`final/val_error`"
COMPARED = 10  # trials in the comparison: more lines than that can't be told apart
MOST_COLUMNS = 8
KEY = "policysearch-"
WHAT_TO_CLICK = "other columns: Columns in the table; other parameters: the Parameters box of the comparison"


@dataclass(frozen=True)
class View:
    """Where MLflow has a study: the experiment, the shared view's key, the best searched trials' runs, best first, the model."""

    experiment_id: str
    key: str
    best: tuple[str, ...] = ()
    model_id: str | None = None

    @staticmethod
    def read(told: dict[str, Any]) -> "View":
        """The view that was told as JSON values."""
        return View(**{**told, "best": tuple(told["best"])})

    def links(self, address: str) -> tuple[tuple[str, str], ...]:
        """What each address shows, and the address, under that of the server."""
        root = f"{address.rstrip('/')}/#"
        found = [("runs, best first", f"{root}/experiments/{self.experiment_id}/runs?viewStateShareKey={quote(self.key)}")]
        if len(self.best) > 1:
            runs, experiments = (quote(json.dumps(each, separators=(",", ":"))) for each in (self.best, [self.experiment_id]))
            found.append((f"the best {len(self.best)}", f"{root}/compare-runs?runs={runs}&experiments={experiments}"))
        found.append(("the curves", f"{root}/experiments/{self.experiment_id}/runs?{self._curves()}"))
        if self.model_id is not None:
            found.append(("the model", f"{root}/experiments/{self.experiment_id}/models/{self.model_id}"))
        return tuple(found)

    def _curves(self) -> str:
        """What asks for the study's trials as charts, the last begun first: those under way have no error to be sorted by."""
        trials = f"tags.`policysearch.study_uid` LIKE '{self.key.removeprefix(KEY)}%' and tags.`policysearch.role` != 'study'"
        return f"searchFilter={quote(trials)}&orderByKey=attributes.start_time&orderByAsc=false&compareRunsMode=CHART"


def shared_view(study_uid: str, parameters: Sequence[str]) -> tuple[str, str]:
    """A study's view as the UI shares one, key and text: the runs judged on the search's validation images, lowest error first.

    Its columns are that error, the role, and the first of the space's `parameters`.
    """
    columns = [SORTED_BY, "tags.`policysearch.role`", *_params(parameters[:MOST_COLUMNS])]
    state = {
        "searchFilter": f"tags.`policysearch.study_uid` = '{study_uid}' and {SORTED_BY} <= 1",
        "orderByKey": SORTED_BY,
        "orderByAsc": True,
        "selectedColumns": columns,
    }
    return shared_key(study_uid), json.dumps(state)


def shared_key(study_uid: str) -> str:
    """The key of a study's shared view."""
    return f"{KEY}{study_uid[:12]}"


def _params(names: Iterable[str]) -> list[str]:
    return [f"params.`policy.{name}`" for name in names]
