"""JMESPath as people write it: Polars reads nearly all of it, and gives what jmespath.py gives."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import jmespath
import pytest
import yaml

from engine.core import select
from engine.core.errors import Json
from engine.flow.columns import Wanted, reading
from tests.flow.differential import Case, compare

CORPUS: Any = yaml.load((Path(__file__).parents[1] / "cases" / "jmespath.yaml").read_text(), Loader=yaml.CSafeLoader)
GROUPS = [pytest.param(group, id=group["from"]) for group in CORPUS["groups"]]
ELSE: list[Json] = [None, "x", "", 5, 0, True, False, [], {}, [None], ["x"], [[]], {"z": 1}]


def _columns(group: Any) -> Iterator[tuple[str, str]]:
    for column in group["columns"]:
        yield from column.items()


ALL = [column for group in CORPUS["groups"] for column in _columns(group)]


@cache
def _refusals() -> dict[str, str]:
    found = ((path, reading([Wanted("v", path, kind)]).slow.get("v")) for kind, path in ALL)
    return {path: reason for path, reason in found if reason is not None}


@cache
def _asked() -> set[str]:
    """What is translated and yet asked of jmespath.py for a document of its own."""
    refused = _refusals()
    return {
        path
        for group in CORPUS["groups"]
        for kind, path in _columns(group)
        if path not in refused and any(compare(Case.of(path, kind, json.dumps(group["documents"][0]))).asked)
    }


def _mutated(document: Json, chance: Random) -> Json:
    """The document with one part left out, emptied or replaced by something of another kind."""
    changed = copy.deepcopy(document)
    inside, key = chance.choice(list(_places(changed)) or [({"": None}, "")])
    if chance.random() < 0.3:
        del inside[key]
    else:
        inside[key] = chance.choice(ELSE)
    return changed


def _places(value: Json) -> Iterator[tuple[Any, Any]]:
    """Every part of a document: what holds it, and the key or number by which."""
    pairs = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    for key, inner in pairs:
        yield value, key
        yield from _places(inner)


def _differences(group: Any, documents: list[Json]) -> list[str]:
    texts = [json.dumps(one, ensure_ascii=False) for one in documents]
    outcomes = ((path, compare(Case.of(path, kind, *texts))) for kind, path in _columns(group))
    return [f"{path}: {outcome.expected} {outcome.found}" for path, outcome in outcomes if not outcome.agree]


def test_there_are_enough_expressions() -> None:
    assert len(set(ALL)) == len(ALL) >= 150


def test_four_of_five_are_read_by_polars() -> None:
    assert len(_refusals()) <= len(ALL) * 0.2


def test_those_that_polars_does_not_read_are_known_with_their_reasons() -> None:
    assert CORPUS["refused"] == _refusals()


@pytest.mark.parametrize("group", GROUPS)
def test_each_gives_what_jmespath_gives(group: Any) -> None:
    assert [] == _differences(group, group["documents"])


def test_what_is_translated_is_worked_out_by_polars() -> None:
    assert set(CORPUS["asked"]) == _asked()


def test_four_of_five_are_worked_out_by_polars() -> None:
    assert len(_refusals()) + len(_asked()) <= len(ALL) * 0.2


@pytest.mark.parametrize("group", GROUPS)
def test_each_gives_what_jmespath_gives_of_documents_that_are_shaped_otherwise(group: Any) -> None:
    chance = Random(group["from"])
    documents = [_mutated(chance.choice(group["documents"]), chance) for _ in range(12)]
    assert [] == _differences(group, documents)


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_many_documents_that_are_shaped_otherwise(group: Any) -> None:
    chance = Random(group["from"] + " at length")
    for _ in range(40):
        mutated = _mutated(_mutated(chance.choice(group["documents"]), chance), chance)
        assert [] == _differences(group, [*group["documents"], mutated])


@pytest.mark.parametrize("group", GROUPS)
def test_our_reading_is_that_of_the_library(group: Any) -> None:
    for _, path in _columns(group):
        for document in group["documents"]:
            try:
                expected = jmespath.search(path, document)
            except jmespath.exceptions.JMESPathError:
                continue
            assert expected == select.compile(path).search(document), path
