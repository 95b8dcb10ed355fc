"""Views as a user wishes them for a study: one set is the recipe's, several are searched, and the identity knows."""

from pathlib import Path

import pytest
from trial_fixture import prepared_bars

from policysearch.home import Home
from policysearch.ledger import Ledger
from policysearch.study import Study
from policysearch.wished import Wished, wished
from searchspaces.errors import BadInput
from searchspaces.space import Categorical
from searchspaces.views import SEARCHED
from trials.data import Prepared


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared_bars(tmp_path_factory.mktemp("data"))


def made(data: Prepared, tmp_path: Path, views: str) -> Wished:
    return wished(Study("bars.npz", views=views), data, Ledger.open(Home(tmp_path).ledger_url), {})


def test_one_set_is_the_recipes_and_searched_ones_are_a_parameter(data: Prepared, tmp_path: Path) -> None:
    plain, one, several = (made(data, tmp_path, views) for views in ("identity", "mild", "identity,hflip"))
    assert (plain.setting.recipe.views, one.setting.recipe.views) == ("identity", "mild:8")
    assert one.setting.space == plain.setting.space
    assert several.setting.recipe.views == "identity"
    assert several.setting.space.parameters[-1] == Categorical(SEARCHED, ("identity", "hflip"))
    assert several.setting.overrides({"ops": 1, "level": 9, SEARCHED: "hflip"}) == {"views": "hflip"}
    assert len({plain.name, one.name, several.name}) == 3


def test_names_that_mean_the_same_are_the_same_study(data: Prepared, tmp_path: Path) -> None:
    assert made(data, tmp_path, "mild").name == made(data, tmp_path, "mild:8").name
    assert made(data, tmp_path, "identity, hflip").name == made(data, tmp_path, "identity,hflip").name


def test_unknown_views_are_refused_before_any_data_is_read() -> None:
    with pytest.raises(BadInput, match="views: 'flip'; did you mean 'hflip'"):
        Study("nowhere/", views="identity,flip")
