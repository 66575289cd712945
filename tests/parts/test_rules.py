"""Each rule through its YAML: which rows fail and what is said, and the mistakes it names."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.core.errors import Mistake
from engine.core.kinds import Reference, View
from engine.parts.rules.pattern import PLAIN, SHORT
from tests.parts.tables import STARTED_AT, TYPES, cases, frame, rule, said, view


@pytest.mark.parametrize(("word", "case"), cases("rules", asking="fails"))
def test_rows_fail_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    rows = frame(case)
    failing: dict[str, str] = {}
    for check in rule(word, case["settings"]).checks(view(rows)):
        mask = rows.select(check.fails).to_series()
        assert 0 == mask.null_count()
        failing |= {str(number): check.says for number, fails in enumerate(mask, 1) if fails}
    assert case["fails"] == failing


@pytest.mark.parametrize(("word", "case"), cases("rules", asking="verdict"))
def test_a_table_is_judged_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    rows, part = frame(case), rule(word, case["settings"])
    totals = rows.select(**part.totals()).to_dicts()[0] if part.totals() else {}
    assert case["verdict"] == (part.verdict(totals, view(rows)) or part.finished(dict(rows.schema)))


@pytest.mark.parametrize(("word", "case"), cases("rules", asking="records"))
def test_records_meet_their_contract_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    check = rule(word, case["settings"]).record_check(lambda file: case["files"][file].encode())
    assert check is not None
    said_of = {str(number): check(json.loads(record)) for number, record in enumerate(case["records"], 1)}
    assert case["says"] == {number: text for number, text in said_of.items() if text}


@pytest.mark.parametrize(("word", "case"), cases("rules", asking="changed"))
def test_fields_are_compared_with_the_version_before_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    fields = case["fields"]
    known = View({}, {}, STARTED_AT, fields["now"], fields["before"])
    assert case["changed"] == rule(word, case["settings"]).verdict({}, known)


@pytest.mark.parametrize(("word", "case"), cases("rules", asking="mistake"))
def test_a_mistake_is_named(word: str, case: dict[str, Any]) -> None:
    with pytest.raises((Mistake, ValidationError)) as raised:
        _use(word, case)
    assert case["mistake"] in said(raised.value)


def _use(word: str, case: dict[str, Any]) -> None:
    part = rule(word, case["settings"])
    part.record_check(lambda file: case["files"][file].encode())
    rows = frame(case)
    part.checks(view(rows))
    part.verdict(dict.fromkeys(part.totals()), view(rows))


def test_unique_asks_for_its_columns_together() -> None:
    assert ["api_id", "id"] == rule("unique", ["api_id", "id"]).unique()


def test_refers_to_asks_for_the_column_of_the_other_table() -> None:
    part = rule("refers_to", {"column": "api_id", "table": "apis", "to": "id"})
    assert Reference("api_id", "apis", "id") == part.refers()


def test_a_rule_is_an_error_without_tolerance_unless_said() -> None:
    part = rule("required", ["id"])
    assert ("error", 0.0) == (part.level, part.tolerance.share)


def test_level_and_tolerance_stand_beside_the_settings() -> None:
    part = rule("one_of", {"column": "a", "values": ["x"], "level": "warning", "tolerance": "1%"})
    assert ("warning", 0.01) == (part.level, part.tolerance.share)


def test_expression_names_the_columns_of_all_its_conditions() -> None:
    assert ["a", "b", "c"] == rule("expression", {"one": "a < b", "two": "c > run.started_at"}).uses()


def test_range_names_the_columns_of_its_bounds() -> None:
    assert ["a", "b"] == rule("range", {"column": "a", "max": {"sql": "b + 1"}}).uses()


SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["a"],
    "properties": {
        "a": {"type": ["string", "null"], "minLength": 1},
        "b": {"type": "integer", "maximum": 10},
        "c": {"type": "array", "items": {"enum": ["x", "y"]}, "uniqueItems": True},
    },
    "additionalProperties": False,
}
VALUES = st.none() | st.booleans() | st.integers(-20, 20) | st.text("xy", max_size=2) | st.lists(st.sampled_from("xyz"))


@given(st.dictionaries(st.sampled_from("abcd"), VALUES))
def test_a_contract_judges_as_the_reference_implementation(record: dict[str, Any]) -> None:
    check = rule("json_schema", {"file": "a.json"}).record_check(lambda _: json.dumps(SCHEMA).encode())
    assert check is not None
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(record) == (check(record) is None)


SETTINGS: dict[str, list[Any]] = {
    "required": ["it"],
    "unique": ["it"],
    "one_of": [{"column": "it", "values": ["a", "1", "x y"]}],
    "range": [
        {"column": "it", **bounds}
        for bounds in (
            {"min": 0},
            {"max": -9.25},
            {"min": -1.5, "max": "999999999999999"},
            {"min": "2010-01-01", "max": "2026-12-28"},
            {"max": "2026-02-30"},
            {"min": "1e400"},
            {"min": "2026-01-01T00:00:00Z"},
            {"max": {"sql": "it"}},
        )
    ],
    "pattern": [{"column": "it", "regex": "^a"}],
    "freshness": [{"column": "it", "within": "1d"}],
    "forbid": ["it", "other"],
    "row_count": [{"min": 1}],
    "columns_changed": [{}],
    "refers_to": [{"column": "it", "table": "others", "to": "id"}],
}


@pytest.mark.parametrize("word", SETTINGS)
def test_a_rule_that_suits_a_type_has_nothing_to_say_when_it_is_tried_on_it(word: str) -> None:
    parts = [rule(word, settings) for settings in SETTINGS[word]]
    tried = [(part, dtype) for part in parts for kind, dtype in TYPES.items() if part.suits({"it": kind})]
    for part, dtype in tried:
        empty, found = pl.DataFrame(schema={"it": dtype}), View({"it": dtype}, {}, STARTED_AT)
        for check in part.checks(found):
            empty.select(check.fails)
        part.verdict(empty.select(**part.totals()).to_dicts()[0] if part.totals() else {}, found)
        assert part.finished({"it": dtype}) is None
    assert tried


@given(st.from_regex(PLAIN, fullmatch=True).filter(lambda text: len(text) <= SHORT))
def test_a_plain_regular_expression_needs_no_trial(text: str) -> None:
    pl.Series([""]).str.contains(text)
