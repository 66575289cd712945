"""What a page leaves to its params is settled by their values, and only by them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from engine.core.errors import Json, Mistake
from engine.core.select import Jmes
from engine.core.settle import Settling, inside


class Paths(BaseModel):
    """A mapping of a page with paths in it."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)
    needed: Jmes
    told: Jmes = Jmes("@")
    free: Jmes | None = None
    below: dict[str, list[Paths]] = {}


PAGE = Paths.model_validate(
    {"needed": "${param.a}", "told": "${ param.b }", "free": "${param.c}", "below": {"x": [{"needed": "${param.a}"}]}}
)


def _settled(**params: Json) -> tuple[Paths, list[str]]:
    settling = Settling(params)
    found = settling.of(PAGE)
    return found, [str(mistake) for _, mistake in settling.problems]


def test_a_param_stands_for_a_path_at_any_depth() -> None:
    found, problems = _settled(a="x.y", b="data", c="last.id")
    assert ("x.y", "data", "last.id", "x.y") == (found.needed, found.told, found.free, found.below["x"][0].needed)
    assert [] == problems


def test_a_settled_path_knows_its_param() -> None:
    found, _ = _settled(a="x.y")
    assert "a" == found.needed.param


def test_what_was_written_out_has_no_param() -> None:
    assert Jmes.read("x.y").param is None


def test_a_param_that_is_missing_leaves_its_place_open() -> None:
    found, problems = _settled(a="x.y")
    assert ("${ param.b }", []) == (found.told, problems)


def test_null_stands_for_what_nobody_wrote() -> None:
    found, problems = _settled(a="x", b=None, c=None)
    assert ("@", None, []) == (found.told, found.free, problems)


def test_null_is_no_path_where_one_is_needed() -> None:
    assert ['param "a" is not set, and a path is needed'] * 2 == _settled(a=None)[1]


def test_a_value_that_is_no_path_is_a_problem() -> None:
    assert ['param "b" stands for a path: one "=" compares nothing'] == _settled(b="x[?a='b']")[1]


@pytest.mark.parametrize("text", ["data.${param.a}", "${secret.a}", "${param.a.b}", "${param.a|lower}", "${param.a} "])
def test_only_one_whole_param_stands_for_a_path(text: str) -> None:
    with pytest.raises(Mistake, match="a template cannot stand inside JMESPath"):
        Jmes.read(text)


def test_everything_of_a_kind_is_found_inside() -> None:
    found: list[Any] = list(inside([PAGE], Jmes))
    assert ["${param.a}", "${ param.b }", "${param.c}", "${param.a}", "@"] == found


def test_what_nobody_settles_stays_what_nobody_said() -> None:
    said = Paths.model_validate({"needed": "id", "below": {"x": [{"needed": "id"}]}})
    assert (said, {"needed", "below"}) == (Settling({}).of(said), Settling({}).of(said).model_fields_set)
    assert Settling({}).of(said) is said
